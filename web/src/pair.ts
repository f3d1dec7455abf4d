// Two runs side by side: one view of both images, and the regions of both in one table.
import { type Signal, effect, signal, untracked } from "@preact/signals-core";
import { html, nothing, render as renderHtml } from "lit-html";
import { chartView } from "./chart";
import type { Region, ViewDocument } from "./document";
import { helpOf } from "./keys";
import { markElements } from "./marks";
import { type Pair, differencesOf, matchRegions, overlapOfAll, recolor } from "./match";
import { type Rows, differencesView, pairsView, summaryOf } from "./pairtable";
import { Pane } from "./pane";
import { controlsView, originView, problemView, sideView, slicesView } from "./panel";
import { baseName } from "./scales";
import { Scene } from "./scene";
import { type Shared, State } from "./state";
import { Strip } from "./strip";
import { Surface } from "./surface";

const LETTERS = ["A", "B"];

export class PairView extends Surface {
  private readonly views: ViewDocument[];
  private readonly states: State[];
  private readonly panes: Pane[];
  private readonly strips: Strip[];
  private readonly pairs: Pair[];
  private readonly rows: Signal<Rows> = signal("all");
  private readonly showsOther = signal(false);
  private readonly overlap: number | null;
  protected readonly keys = { c: () => this.toggleOther() };

  constructor(host: HTMLElement, shared: Shared, first: ViewDocument, second: ViewDocument) {
    super(host, shared);
    this.views = [first, recolor(first, second)];
    this.states = this.views.map((view) => new State(new Scene(view), shared));
    this.panes = this.states.map((state) => new Pane(state));
    this.strips = this.states.map((state) => new Strip(state));
    const fits = first.source.shape.join() === second.source.shape.join();
    this.pairs = matchRegions(first.regions, fits ? this.views[1].regions : []);
    if (!fits) this.pairs.push(...second.regions.map((region) => ({ first: null, second: region, overlap: 0 })));
    this.overlap = fits ? overlapOfAll(first.regions, second.regions) : null;
    this.begin();
    this.link();
    this.stops.push(() => this.panes.forEach((pane) => pane.stop()));
  }

  protected paneOf(event: Event): Pane {
    return event.composedPath().some((one) => (one as HTMLElement).dataset?.side === "1") ? this.panes[1] : this.panes[0];
  }

  protected help(): [string, string][] {
    return helpOf(this.states[0], [["C", "contours of the other run"]]);
  }

  private toggleOther(): void {
    this.showsOther.value = !this.showsOther.value;
    this.shared.said.value = this.showsOther.value ? "Contours of the other run are shown" : "Contours of the other run are hidden";
  }

  /** What is pointed at or chosen in one run is marked in the other; only one run has a chosen region. */
  private link(): void {
    const partners = [new Map<string, string>(), new Map<string, string>()];
    for (const { first, second } of this.pairs) {
      if (first && second) [partners[0].set(first.id, second.id), partners[1].set(second.id, first.id)];
    }
    this.states.forEach((state, side) => {
      const other = this.states[1 - side];
      this.stops.push(
        effect(() => void (other.echo.value = partners[side].get(state.hovered.value ?? state.pinned.value ?? "") ?? null)),
        effect(() => {
          if (state.pinned.value !== null) untracked(() => (other.pinned.value = null));
        }),
        effect(() => {
          const visible = state.scene.shapes.filter(({ region }) => state.isVisible(region));
          other.companions.value = this.showsOther.value ? visible : [];
        }),
        effect(() => {
          const name = state.scene.view.labels.find((label) => label.index === state.hoveredLabel.value)?.name;
          other.labelEcho.value = other.scene.view.labels.find((label) => label.name === name)?.index ?? null;
        }),
        effect(() => this.mark(side)),
      );
    });
  }

  private mark(side: number): void {
    const own = this.root.querySelector<HTMLElement>(`.charts > [data-side="${side}"]`);
    if (own) markElements(own, this.states[side]);
    const [a, b] = this.states.map((state) => state.active.value);
    for (const row of this.root.querySelectorAll<HTMLElement>("tr[data-first]")) {
      row.classList.toggle("active", (a !== null && row.dataset.first === a) || (b !== null && row.dataset.second === b));
    }
  }

  private choose(side: number, region: Region): void {
    const state = this.states[side];
    state.pin(state.pinned.value === region.id ? null : region.id);
  }

  protected renderAll(): void {
    const { states, panes, views } = this;
    const narrow = this.width < 720;
    const chart = Math.max(280, Math.floor(narrow ? this.width : (this.width - 24) / 2) - 34);
    states.forEach((state, side) => {
      const label = `Run ${LETTERS[side]}: image with the contours of ${state.describeShown()}. Arrow keys choose rounds and regions.`;
      panes[side].stage.canvas.setAttribute("aria-label", label);
    });
    const side = (content: (side: number) => unknown) => LETTERS.map((letter, place) => html`<div data-side=${place} role="group" aria-label="Run ${letter}">${content(place)}</div>`);
    const names = [...new Set(views.map((view) => baseName(view.source.name)))];
    const sameImage = views[0].source.sha256 === views[1].source.sha256;
    renderHtml(html`
      <header class="title"><h2>${names.join(" and ")}</h2><p>${summaryOf(this.pairs, this.overlap)}</p></header>
      ${sameImage ? nothing : html`<p class="problem" role="note">These are runs of different images: places are compared as if they were one.</p>`}
      <div class="columns sides">${side((place) => html`${sideView(views[place], LETTERS[place])}${problemView(states[place])}${panes[place].element}${this.strips[place].view()}`)}</div>
      ${controlsView(states, panes[0].pointer, slicesView(panes[0].stage), () => this.showHelp(), this.otherButton())}
      ${pairsView(states, this.pairs, this.rows, (place, region) => this.choose(place, region))}
      <div class="columns sides charts">${side((place) => (this.width ? chartView(states[place], chart, `Probabilities, ${LETTERS[place]}`) : nothing))}</div>
      ${differencesView(differencesOf(views[0], views[1]))}
      <footer>${views.map((view, place) => originView(view, `How ${LETTERS[place]} was made`, place === 1))}</footer>${this.live}${this.dialog}`, this.root);
    untracked(() => [0, 1].forEach((place) => this.mark(place)));
  }

  private otherButton() {
    if (this.states[0].scene.isVolume) return nothing;
    return html`<button aria-pressed=${this.showsOther.value} title="Contours of the other run, as thin white lines (C)" @click=${() => this.toggleOther()}>Other run's contours</button>`;
  }
}
