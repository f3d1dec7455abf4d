// The viewer: anywidget's contract, in one shadow root. `model.get("view")` is the text of a view.
import { effect, untracked } from "@preact/signals-core";
import { html, nothing, render as renderHtml } from "lit-html";
import { listen } from "./camera";
import { chartView } from "./chart";
import type { ViewDocument } from "./document";
import { pressKey, releaseKey } from "./keys";
import { markElements } from "./marks";
import { Pane } from "./pane";
import { controlsView, helpView, originView, titleView } from "./panel";
import { Scene } from "./scene";
import { type Shared, State, makeShared, WHOLE } from "./state";
import { STYLES } from "./styles";
import { tableView } from "./table";

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

class Viewer {
  readonly state: State;
  private readonly pane: Pane;
  private readonly stops: (() => void)[] = [];
  private width: number;
  private readonly root = document.createElement("div");
  private readonly dialog = document.createElement("dialog");
  private readonly live = document.createElement("div");

  constructor(readonly view: ViewDocument, shared: Shared, host: HTMLElement) {
    this.state = new State(new Scene(view), shared);
    this.root.className = "viewer";
    this.live.className = "unseen";
    this.live.setAttribute("aria-live", "polite");
    this.dialog.setAttribute("aria-label", "Keys");
    host.append(this.root);
    this.width = Math.floor(this.root.clientWidth);
    this.pane = new Pane(this.state);
    this.attachKeys();
    const size = new ResizeObserver(() => this.resize());
    this.stops.push(
      effect(() => this.renderAll()),
      effect(() => markElements(this.root, this.state)),
      () => size.disconnect(),
    );
    size.observe(this.root);
  }

  stop(): void {
    this.pane.stop();
    for (const end of this.stops) end();
    this.root.remove();
  }

  private attachKeys(): void {
    const { state, pane } = this;
    const actions = { state, stage: pane.stage, pointer: pane.pointer, reset: () => this.reset(), help: () => this.help() };
    const down = (event: KeyboardEvent) => {
      if (this.dialog.open || !pressKey(event, actions)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    const up = (event: KeyboardEvent) => releaseKey(event, state);
    const out = (event: FocusEvent) => {
      if (!this.root.contains(event.relatedTarget as Node | null)) state.hidden.value = false;
    };
    this.stops.push(listen(this.root, { keydown: down, keyup: up, focusout: out }));
  }

  private reset(): void {
    const { shared } = this.state;
    [shared.camera.value, shared.window.value, shared.invert.value] = [WHOLE, null, false];
  }

  private help(): void {
    renderHtml(helpView(() => this.dialog.close()), this.dialog);
    this.dialog.showModal();
  }

  private resize(): void {
    const width = Math.floor(this.root.clientWidth);
    if (width === this.width) return;
    this.width = width;
    untracked(() => this.renderAll());
  }

  private renderAll(): void {
    const { state, pane } = this;
    const toggle = (id: string) => state.pin(state.pinned.value === id ? null : id);
    const beside = this.width >= 1060;
    // The curves go to the shorter column.
    const below = beside && pane.heightAt(this.width * 0.53) + 110 < 60 + 92 * state.regions.length;
    const chart = Math.max(300, this.width * (beside ? (below ? 0.54 : 0.46) : 1) - 34);
    const curves = this.width ? chartView(state, Math.floor(chart)) : nothing;
    this.live.textContent = state.shared.said.value;
    pane.stage.canvas.setAttribute("aria-label", this.describe());
    renderHtml(html`
      ${titleView(this.view)}
      <div class="columns ${beside ? "beside" : ""}">
        <div class="left">${state.problem.value ? html`<p class="problem" role="alert">This view can't be drawn: ${state.problem.value}</p>` : nothing}${pane.element}
          ${controlsView(state, pane.pointer, () => this.help())}${below ? curves : nothing}</div>
        <div class="right">${tableView(state, toggle)}${below ? nothing : curves}</div>
      </div>
      <footer>${originView(this.view)}</footer>${this.live}${this.dialog}`, this.root);
    untracked(() => markElements(this.root, state));
  }

  private describe(): string {
    const { state } = this;
    const shown = state.regions.filter((region) => state.isVisible(region) && state.isCurrent(region)).length;
    const round = state.round.value ? `round ${state.round.value} of ${state.rounds.value.length}` : "all rounds";
    return `Image with the contours of ${shown} regions, ${round}. Arrow keys choose rounds and regions.`;
  }
}

/** Draws a view into `el`; returns what ends it. With `compare`, two runs side by side share zoom, window and inversion;
 * `theme` is light, dark, or else that of the system. */
export function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const holder = document.createElement("div");
  holder.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take keys as its own
  const root = holder.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLES);
  root.adoptedStyleSheets = [sheet];
  el.append(holder);
  let viewers: Viewer[] = [];
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
    const texts = [model.get("view"), model.get("compare")].filter((text) => text);
    body.className = texts.length > 1 ? "body two" : "body";
    root.append(body);
    try {
      const shared = makeShared();
      const views = texts.map(parseView);
      viewers = views.map((view) => new Viewer(view, shared, body));
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
