// The viewer: anywidget's contract, in one shadow root. `model.get("view")` is the text of a view.
import type { ViewDocument } from "./document";
import { PairView } from "./pair";
import { SingleView } from "./single";
import { makeShared } from "./state";
import { STYLES } from "./styles";
import type { Surface } from "./surface";

export interface Model {
  get(name: string): unknown;
  on?(name: string, handler: () => void): void;
  off?(name: string, handler: () => void): void;
}

/** Reads the text of a view; another format or version is an error that says so. */
export function parseView(text: unknown): ViewDocument {
  const view = (typeof text === "string" ? JSON.parse(text) : text) as ViewDocument | null;
  if (view?.format !== "unveil view") throw new Error("expected a view of a run; got something else; make it with unveil.view.make_view");
  if (view.version !== 1) throw new Error(`expected version 1 of the view format; got version ${view.version}; use a newer viewer`);
  return view;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Draws a view into `el`; returns what ends it. With `compare`, two runs stand side by side and share their view;
 * `theme` is light, dark, or else that of the system. */
export function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const holder = document.createElement("div");
  holder.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take keys as its own
  const root = holder.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLES);
  root.adoptedStyleSheets = [sheet];
  el.append(holder);
  let viewers: Surface[] = [];
  const end = () => {
    for (const viewer of viewers) viewer.stop();
    viewers = [];
    root.replaceChildren();
  };
  const begin = () => {
    end();
    const theme = model.get("theme");
    holder.className = theme === "light" || theme === "dark" ? theme : ""; // else that of the system
    const body = document.createElement("div");
    body.className = "body";
    const texts = [model.get("view"), model.get("compare")].filter((text) => text);
    root.append(body);
    try {
      const shared = makeShared();
      const views = texts.map(parseView);
      viewers = [views.length > 1 ? new PairView(body, shared, views[0], views[1]) : new SingleView(body, shared, views[0])];
    } catch (error) {
      body.textContent = messageOf(error);
    }
  };
  begin();
  model.on?.("change:view", begin);
  model.on?.("change:compare", begin);
  model.on?.("change:theme", begin);
  return () => {
    model.off?.("change:view", begin);
    model.off?.("change:compare", begin);
    model.off?.("change:theme", begin);
    end();
    holder.remove();
  };
}

// For pages that hold the module inline, where nothing can be imported from it.
(globalThis as Record<symbol, unknown>)[Symbol.for("unveil.viewer")] = { render };

export default { render };
