// The index of a report: columns of all runs, and which of them a reader asks for. Nothing here touches the page.
const CELLS = 14; // per side, of the grid of places
const BYTES = Math.ceil((CELLS * CELLS) / 8);
const VERDICTS = {
  artifact: (columns, at) => columns.artifact[at] > 0,
  weak: (columns, at) => columns.weak[at] > 0,
  untested: (columns, at) => columns.untested[at] > 0,
  clean: (columns, at) => columns.supported[at] > 0 && !columns.weak[at] && !columns.artifact[at] && !columns.untested[at],
  none: (columns, at) => !regionsOf(columns, at),
};

function regionsOf(columns, at) {
  return columns.supported[at] + columns.weak[at] + columns.artifact[at] + columns.untested[at];
}

class Rows {
  constructor({ columns, names, cells }) {
    this.columns = columns;
    this.names = names;
    this.count = columns.number.length;
    this.cells = Uint8Array.from(atob(cells), (sign) => sign.charCodeAt(0));
    this.places = new Map(columns.number.map((number, at) => [`run-${number}`, at]));
    this.texts = null; // made when something is searched for
  }

  id(at) {
    return `run-${this.columns.number[at]}`;
  }

  labels(at) {
    return this.columns.labels[at].map((label) => this.names[label]);
  }

  // Whether regions cover a cell by at least half.
  covers(at, cell) {
    return (this.cells[at * BYTES + (cell >> 3)] >> (cell & 7)) & 1;
  }

  // The numbers of rows that fit, in the order asked for.
  choose({ text, verdict, label, place, sort, down }) {
    const wanted = text.trim().toLowerCase();
    const number = label ? this.names.indexOf(label) : -1;
    if (wanted) this.texts ??= Array.from({ length: this.count }, (_, at) => [this.columns.name[at], ...this.labels(at)].join("\n").toLowerCase());
    const found = [];
    for (let at = 0; at < this.count; at++) {
      if (wanted && !this.texts[at].includes(wanted)) continue;
      if (verdict && !VERDICTS[verdict](this.columns, at)) continue;
      if (label && !this.columns.labels[at].includes(number)) continue;
      if (place !== null && !this.covers(at, place)) continue;
      found.push(at);
    }
    return this.sorted(found, sort, down);
  }

  // By a column; rows of one value stay in the order of suspicion.
  sorted(found, sort, down) {
    if (sort === "suspicion" && down) return found;
    const column = sort === "labels" ? this.columns.labels.map((labels) => this.names[labels[0]] ?? "") : this.columns[sort];
    const sign = down ? -1 : 1;
    const compare = typeof column[0] === "number" ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
    return found.sort((a, b) => sign * compare(column[a], column[b]) || a - b);
  }
}
