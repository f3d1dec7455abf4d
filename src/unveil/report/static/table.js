// The table of runs: only rows in sight are in the page, all of one height. Texts are only ever set as text.
const ROW = 53; // px, as in the style sheet
const AROUND = 8; // rows that are ready above and below

function makeTag(name, kind, ...content) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...content);
  return made;
}

class RunTable {
  constructor(rows, heads, { picture, open, sort }) {
    Object.assign(this, { rows, heads, picture, open });
    this.box = document.querySelector(".rows");
    this.table = this.box.querySelector("table");
    this.body = this.table.tBodies[0];
    this.chosen = [];
    this.lines = new Map();
    this.body.replaceChildren();
    this.above = makeTag("tr", "space", makeTag("td"));
    this.below = makeTag("tr", "space", makeTag("td"));
    for (const space of [this.above, this.below]) {
      space.setAttribute("aria-hidden", "true");
      space.firstChild.colSpan = heads.length;
    }
    this.box.classList.add("virtual");
    this.box.addEventListener("scroll", () => this.paint());
    addEventListener("resize", () => this.paint());
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-at]");
      if (line) this.open(Number(line.dataset.at));
    });
    this.body.addEventListener("keydown", (event) => this.walk(event));
    for (const head of this.table.tHead.rows[0].cells) {
      const button = makeTag("button", "", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(head.dataset.key));
    }
  }

  // Shows these rows, from the first on unless they stay where they are.
  show(chosen, { sort, down }, top = 0) {
    this.chosen = chosen;
    this.table.setAttribute("aria-rowcount", chosen.length + 1);
    for (const head of this.table.tHead.rows[0].cells) {
      head.setAttribute("aria-sort", head.dataset.key === sort ? (down ? "descending" : "ascending") : "none");
    }
    for (const line of this.lines.values()) line.remove();
    this.lines.clear();
    this.paint();
    this.box.scrollTop = top;
    this.paint();
  }

  paint(all = 0) {
    const first = all ? 0 : Math.max(0, Math.floor(this.box.scrollTop / ROW) - AROUND);
    // The window is at least as high as the box, whose height depends on its rows.
    const last = all || Math.ceil((this.box.scrollTop + innerHeight) / ROW) + AROUND;
    const wanted = new Set(this.chosen.slice(first, last));
    for (const [at, line] of this.lines) if (!wanted.has(at)) (line.remove(), this.lines.delete(at));
    this.above.firstChild.style.height = `${Math.min(first, this.chosen.length) * ROW}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.chosen.length - last) * ROW}px`;
    this.body.firstChild === this.above || this.body.prepend(this.above);
    let before = this.above;
    let number = first + 2;
    for (const at of wanted) {
      const line = this.lines.get(at) ?? this.line(at);
      this.lines.set(at, line);
      line.setAttribute("aria-rowindex", number++);
      if (before.nextSibling !== line) before.after(line);
      before = line;
    }
    before.after(this.below);
  }

  line(at) {
    const line = makeTag("tr", "link");
    line.dataset.at = at;
    line.append(...this.heads.map(([key]) => this.cell(key, at)));
    return line;
  }

  cell(key, at) {
    const { columns } = this.rows;
    if (key === "name") {
      const button = makeTag("button", "", columns.name[at]);
      button.type = "button";
      button.title = columns.name[at];
      const image = makeTag("img");
      image.alt = "";
      this.picture(this.rows.id(at), image);
      return makeTag("td", "name", makeTag("div", "pictured", image, button));
    }
    if (key === "suspicion") return this.suspicion(at);
    if (key === "labels" || key === "first") {
      const text = key === "first" ? columns.first[at] : this.rows.labels(at).join(", ");
      const cell = makeTag("td", "text", text);
      cell.title = text;
      return cell;
    }
    return makeTag("td", `number ${columns[key][at] ? key : "zero"}`, String(columns[key][at]));
  }

  suspicion(at) {
    const value = this.rows.columns.suspicion[at];
    if (!regionsOf(this.rows.columns, at)) return makeTag("td", "number zero", "–");
    const bar = makeTag("i", value >= 2 ? "artifact" : value >= 1 ? "weak" : "supported");
    bar.style.width = `${(value / 3) * 100}%`;
    return makeTag("td", "number suspicion", value.toFixed(2), makeTag("span", "bar", bar));
  }

  // Arrow keys go from row to row.
  walk(event) {
    const line = event.target.closest("tr[data-at]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!line || !step) return;
    event.preventDefault();
    this.focus(this.chosen[this.chosen.indexOf(Number(line.dataset.at)) + step]);
  }

  focus(at) {
    const place = this.chosen.indexOf(at);
    if (place < 0) return;
    const top = place * ROW;
    const room = this.box.clientHeight - this.table.tHead.offsetHeight - ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room;
    this.paint();
    this.lines.get(at)?.querySelector("button").focus({ preventScroll: true });
  }
}
