// The page of a report: draws one run, or lets a reader sort, filter and open many.
const { render } = globalThis[Symbol.for("unveil.viewer")];
const root = document.documentElement;
root.classList.add("js");
let stop = () => {};
let drawn = 0; // what was asked for last; an earlier answer is dropped

const waiting = new Map();
globalThis.unveilRun = (id, text) => waiting.get(id)?.(text);

// The text of a run, three lines of JSON: its picture, its facts as HTML, its view. It is in this page, or in a file
// beside it.
function runText(id) {
  const template = document.getElementById(`text-${id}`);
  if (template) return Promise.resolve(template.content.textContent);
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    const end = (answer, value) => {
      waiting.delete(id);
      script.remove();
      answer(value);
    };
    waiting.set(id, (text) => end(done, text));
    script.src = `runs/${id}.js`;
    script.onerror = () => end(fail, new Error(`the file runs/${id}.js is missing`));
    document.head.append(script);
  });
}

// Sets the small picture of a run.
function setPicture(id, image) {
  const template = document.getElementById(`text-${id}`);
  if (template) image.src = JSON.parse(template.content.textContent.split("\n", 1)[0]);
  else image.src = `pictures/${id}.png`;
}

async function draw(id, viewer, facts) {
  const turn = ++drawn;
  stop();
  viewer.replaceChildren();
  try {
    const text = await runText(id);
    if (turn !== drawn) return;
    const [, written, view] = text.split("\n");
    // HTML that Python made, with every text escaped; a parsed document runs nothing.
    if (facts) facts.replaceChildren(...new DOMParser().parseFromString(JSON.parse(written), "text/html").body.childNodes);
    stop = render({ model: { get: (name) => (name === "view" ? view : null) }, el: viewer });
  } catch (error) {
    viewer.textContent = `This run can't be shown: ${error.message}`;
  }
}

const index = document.getElementById("index");
if (index) showIndex(JSON.parse(index.content.textContent));
else for (const section of document.querySelectorAll(".run")) draw(section.id, section.querySelector(".viewer"));

function showIndex({ heads, ...data }) {
  const rows = new Rows(data);
  const form = document.querySelector(".filters");
  const asked = { text: "", verdict: "", label: "", place: null, sort: "suspicion", down: true };
  const first = { ...asked };
  const section = document.querySelector(".index");
  const open = document.querySelector(".open");
  const [all, before, after] = ["all", "before", "after"].map((name) => open.querySelector(`[name=${name}]`));
  let current = -1;
  let back = 0;
  let stepped = null;
  for (const one of document.querySelectorAll(".run")) one.classList.add("listed");
  addLabels(form.elements.label, rows);
  form.hidden = false;

  const table = new RunTable(rows, heads, { picture: setPicture, open: (at) => (location.hash = address(at)), sort: sortBy });

  // The hash holds the run and what was asked for, so that an address can be passed on.
  function address(at) {
    const words = new URLSearchParams();
    for (const [key, value] of Object.entries(asked)) if (value !== first[key]) words.set(key, key === "down" ? Number(value) : value);
    return [at >= 0 ? rows.id(at) : "", words.toString()].filter(Boolean).join("&");
  }

  function readAddress() {
    const parts = location.hash.slice(1).split("&");
    const words = new URLSearchParams(parts.filter((part) => part.includes("=")).join("&"));
    Object.assign(asked, first);
    for (const key of ["text", "verdict", "label", "sort"]) if (words.has(key)) asked[key] = words.get(key);
    if (words.has("down")) asked.down = words.get("down") !== "0";
    const place = Number(words.get("place") ?? NaN);
    asked.place = Number.isInteger(place) && place >= 0 && place < CELLS * CELLS ? place : null;
    if (!heads.some(([key]) => key === asked.sort)) asked.sort = first.sort;
    if (asked.verdict && !Object.hasOwn(VERDICTS, asked.verdict)) asked.verdict = "";
    if (asked.label && !rows.names.includes(asked.label)) asked.label = "";
    return parts[0];
  }

  function update(top = 0) {
    table.show(rows.choose(asked), asked, top);
    const { text, label, verdict } = form.elements;
    if (text.value !== asked.text) text.value = asked.text;
    if (asked.label && label.value !== asked.label) label.append(new Option(asked.label, asked.label));
    [label.value, verdict.value] = [asked.label, asked.verdict];
    form.elements.place.hidden = asked.place === null;
    form.querySelector("[type=reset]").hidden = !(asked.text || asked.verdict || asked.label || asked.place !== null);
    form.querySelector("output").textContent = `${count(table.chosen.length)} of ${count(rows.count)} runs`;
    markPlace(asked.label, asked.place);
  }

  function change(values) {
    Object.assign(asked, values);
    history.replaceState(null, "", `#${address(-1)}`);
    update();
  }

  function sortBy(key) {
    const down = asked.sort === key ? !asked.down : !["name", "first", "labels"].includes(key);
    change({ sort: key, down });
  }

  function follow() {
    const id = readAddress();
    const at = rows.places.get(id) ?? -1;
    if (at >= 0 && current < 0) back = table.box.scrollTop;
    const left = current;
    current = at;
    section.hidden = at >= 0;
    open.hidden = at < 0;
    root.classList.toggle("opened", at >= 0);
    if (at < 0) {
      stop();
      update(back);
      if (left >= 0) table.focus(left);
      return showMethod(id);
    }
    table.chosen = rows.choose(asked);
    showRun(at);
  }

  function showRun(at) {
    open.querySelector("h2").textContent = rows.columns.name[at];
    const place = table.chosen.indexOf(at);
    open.querySelector("output").textContent = place < 0 ? "" : `${count(place + 1)} of ${count(table.chosen.length)}`;
    before.disabled = place <= 0;
    after.disabled = place < 0 || place === table.chosen.length - 1;
    setPicture(rows.id(at), open.querySelector(".picture img"));
    showAlike(open.querySelector(".alike"), rows, at, address);
    draw(rows.id(at), open.querySelector(".viewer"), open.querySelector(".facts"));
    scrollTo(0, 0);
    // A new address takes the focus away; whoever goes from run to run by a button keeps it there.
    const next = stepped && !stepped.disabled ? stepped : open.querySelector("h2");
    next.focus({ preventScroll: true });
    stepped = null;
  }

  function step(button, by) {
    stepped = button;
    location.hash = address(table.chosen[table.chosen.indexOf(current) + by]);
  }

  all.addEventListener("click", () => (location.hash = address(-1)));
  before.addEventListener("click", () => step(before, -1));
  after.addEventListener("click", () => step(after, 1));
  form.addEventListener("input", () => {
    const { text, verdict, label } = form.elements;
    change({ text: text.value, verdict: verdict.value, label: label.value });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    change({ text: "", verdict: "", label: "", place: null });
    form.elements.text.focus();
  });
  form.elements.place.addEventListener("click", () => change({ place: null }));
  attachHeatMaps((label, place) => {
    change({ label, place });
    section.scrollIntoView();
  });
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => current < 0 && table.paint(PRINTED));
  addEventListener("afterprint", () => table.paint());
  follow();
}

const PRINTED = 200; // rows on paper, as without scripts

function count(number) {
  return number.toLocaleString("en");
}

function addLabels(select, rows) {
  const counts = new Array(rows.names.length).fill(0);
  for (const labels of rows.columns.labels) for (const label of labels) counts[label]++;
  const common = rows.names.slice(0, 200); // the most frequent first; the search finds the others
  select.append(...common.map((name, label) => new Option(`${name} (${count(counts[label])})`, name)));
}

function showMethod(id) {
  const method = id.startsWith("method-") ? document.getElementById(id) : null;
  if (!method) return;
  method.open = true;
  method.scrollIntoView();
}

function showAlike(place, rows, at, address) {
  const others = rows.columns.alike[at];
  place.replaceChildren();
  if (!others.length) return;
  const list = makeTag("ul");
  for (const other of others) {
    const link = makeTag("a");
    const image = makeTag("img");
    image.alt = "";
    setPicture(rows.id(other), image);
    link.href = `#${address(other)}`;
    link.append(image, makeTag("span", "", rows.columns.name[other]));
    list.append(makeTag("li", "", link));
  }
  place.append(makeTag("h3", "", "Runs with regions in similar places"), list);
}
