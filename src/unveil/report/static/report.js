// The page of a report: draws one run, or lets a reader sort, filter and open many. Texts are only ever set as text.
const { render } = globalThis[Symbol.for("unveil.viewer")];
const root = document.documentElement;
root.classList.add("js");
const SHOWN = 200;
let stop = () => {};

const waiting = new Map();
globalThis.unveilRun = (id, text) => waiting.get(id)?.(text);

// The text of a run's view: from this page, or from the file beside it.
function viewText(id) {
  const template = document.getElementById(`view-${id}`);
  if (template) return Promise.resolve(template.content.textContent);
  return new Promise((done, fail) => {
    waiting.set(id, done);
    const script = document.createElement("script");
    script.src = `runs/${id}.js`;
    script.onerror = () => fail(new Error(`runs/${id}.js is missing`));
    document.head.append(script);
  });
}

async function draw(id, place) {
  stop();
  place.replaceChildren();
  try {
    const texts = { view: await viewText(id) };
    stop = render({ model: { get: (name) => texts[name] ?? null }, el: place });
  } catch (error) {
    place.textContent = `This run can't be shown: ${error.message}`;
  }
}

const index = document.getElementById("index");
if (index) showIndex(JSON.parse(index.content.textContent));
else for (const section of document.querySelectorAll(".run")) draw(section.id, section.querySelector(".viewer"));

function showIndex({ heads, rows }) {
  const form = document.querySelector(".filters");
  const body = document.querySelector(".runs tbody");
  const more = document.querySelector(".index .more");
  const open = document.querySelector(".open");
  const byId = new Map(rows.map((row) => [row.id, row]));
  const state = { key: "suspicion", down: true, limit: SHOWN };
  for (const section of document.querySelectorAll(".run")) section.classList.add("listed");
  addLabels(form.elements.label, rows);
  form.hidden = false;

  function update() {
    const chosen = rows.filter(matches(form.elements)).sort(ordered(state));
    body.replaceChildren(...chosen.slice(0, state.limit).map(rowOf));
    more.hidden = chosen.length <= state.limit;
    form.querySelector("output").textContent = `${chosen.length} of ${rows.length} runs`;
    for (const head of document.querySelectorAll(".runs th")) {
      const on = head.dataset.key === state.key;
      head.setAttribute("aria-sort", on ? (state.down ? "descending" : "ascending") : "none");
    }
  }

  function rowOf(row) {
    const line = document.createElement("tr");
    line.className = "link";
    line.dataset.id = row.id;
    const name = document.createElement("button");
    name.type = "button";
    name.textContent = row.name;
    line.append(cell(name, "name"), cell(row.first), ...heads.map(([key]) => key).filter((key) => typeof row[key] === "number").map((key) => cell(row[key], "number")), cell(row.labels.join(", ")));
    line.addEventListener("click", () => (location.hash = row.id));
    return line;
  }

  function follow() {
    const row = byId.get(location.hash.slice(1));
    document.querySelector(".index").hidden = Boolean(row);
    open.hidden = !row;
    if (!row) return stop();
    open.querySelector("h2").textContent = row.name;
    showAlike(open.querySelector(".alike"), row.alike.map((id) => byId.get(id)));
    draw(row.id, open.querySelector(".viewer"));
    open.querySelector("h2").focus();
  }

  for (const head of document.querySelectorAll(".runs th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      state.down = state.key === head.dataset.key ? !state.down : head.dataset.key !== "name";
      state.key = head.dataset.key;
      update();
    });
  }
  form.addEventListener("input", () => { state.limit = SHOWN; update(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { state.limit += SHOWN; update(); });
  open.querySelector(".back button").addEventListener("click", () => (location.hash = ""));
  addEventListener("hashchange", follow);
  update();
  follow();
}

function cell(content, kind = "") {
  const made = document.createElement("td");
  made.className = kind;
  made.append(typeof content === "object" ? content : String(content));
  return made;
}

function addLabels(select, rows) {
  const counts = new Map();
  for (const row of rows) for (const label of new Set(row.labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 100);
  for (const [label, count] of common) select.append(new Option(`${label} (${count})`, label));
}

function matches({ text, verdict, label }) {
  const wanted = text.value.trim().toLowerCase();
  const tests = {
    artifact: (row) => row.artifact > 0,
    weak: (row) => row.weak > 0,
    clean: (row) => row.supported > 0 && !row.weak && !row.artifact,
    none: (row) => !(row.supported + row.weak + row.artifact + row.untested),
  };
  return (row) =>
    (!verdict.value || tests[verdict.value](row)) &&
    (!label.value || row.labels.includes(label.value)) &&
    (!wanted || `${row.name}\n${row.labels.join("\n")}`.toLowerCase().includes(wanted));
}

function ordered({ key, down }) {
  const sign = down ? -1 : 1;
  const value = (row) => (Array.isArray(row[key]) ? row[key].join() : row[key]);
  return (a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : 0);
}

function showAlike(place, rows) {
  place.replaceChildren(rows.length ? "Regions in similar places: " : "");
  rows.forEach((row, number) => {
    const link = document.createElement("a");
    link.href = `#${row.id}`;
    link.textContent = row.name;
    place.append(...(number ? [", ", link] : [link]));
  });
}
