// Draws a run in a notebook. The kernel is asked for the viewer once per page, and for the run once per view.
const page = (globalThis[Symbol.for("unveil.notebook")] ??= { modules: new Map(), asked: new Map() });
const WAIT = "The interactive view appears when the kernel is free. After a restart, run the cell again.";

/** The texts that the kernel answers with; rejected when the view that asks is removed. */
function ask(model, name, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      model.off("msg:custom", hear);
      settle(value);
    };
    const hear = (message, buffers) => {
      if (message?.answer !== name) return;
      if (message.error) end(reject, Error(message.error));
      else end(resolve, buffers.map((one) => new TextDecoder().decode(one)));
    };
    model.on("msg:custom", hear);
    signal.addEventListener("abort", () => end(reject, null));
    model.send({ ask: name });
  });
}

async function load([text]) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return (await import(address)).default;
  } finally {
    URL.revokeObjectURL(address);
  }
}

async function viewerOf(model, signal) {
  const name = model.get("code");
  const key = model.get("process") + name; // a busy kernel must not delay the notebook of another one
  while (!page.modules.has(name) && !signal.aborted) {
    const own = !page.asked.has(key);
    if (own) page.asked.set(key, ask(model, "code", signal).then(load));
    try {
      page.modules.set(name, await page.asked.get(key));
    } catch (error) {
      if (own) throw error; // the others ask themselves
    } finally {
      if (own) page.asked.delete(key);
    }
  }
  return page.modules.get(name);
}

function themeOf() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "true" ? "light" : "dark"; // JupyterLab
  if (vscodeThemeKind) return /light/.test(vscodeThemeKind) ? "light" : "dark";
  return document.documentElement.getAttribute("theme"); // Colab
}

/** The output before this one, if it is the picture of the run. */
function pictureBefore(el, [width, height]) {
  for (let node = el; node; node = node.parentElement ?? node.getRootNode().host) {
    const before = node.previousElementSibling;
    const image = before?.querySelector("img") ?? before;
    if (width && image?.naturalWidth === width && image.naturalHeight === height) return before;
  }
  return null;
}

function render({ model, el }) {
  const ended = new AbortController();
  const note = document.createElement("div");
  note.style.cssText = "font:13px system-ui,sans-serif;opacity:.75";
  el.append(note);
  const later = setTimeout(() => (note.textContent = WAIT), 8000);
  const begin = async () => {
    const [viewer, [view, compare]] = await Promise.all([viewerOf(model, ended.signal), ask(model, "view", ended.signal)]);
    if (ended.signal.aborted) return;
    const values = { view, compare, theme: themeOf() };
    let changed = () => {};
    const on = (name, handler) => name === "change:theme" && (changed = handler);
    const stop = viewer.render({ model: { get: (name) => values[name], on }, el });
    const watch = new MutationObserver(() => values.theme !== (values.theme = themeOf()) && changed());
    watch.observe(document.body, { attributes: true });
    const picture = pictureBefore(el, model.get("picture_size"));
    if (picture) picture.style.display = "none";
    note.remove();
    ended.signal.addEventListener("abort", () => {
      watch.disconnect();
      stop();
      if (picture) picture.style.display = "";
    });
  };
  begin().catch((error) => (note.textContent = error?.message ?? "")).finally(() => clearTimeout(later));
  return () => ended.abort();
}

export default { render };
