// One run: the image and its controls, the table of regions, and the curves of labels.
import { effect, untracked } from "@preact/signals-core";
import { html, nothing, render as renderHtml } from "lit-html";
import { chartView } from "./chart";
import type { ViewDocument } from "./document";
import { helpOf } from "./keys";
import { markElements } from "./marks";
import { Pane } from "./pane";
import { controlsView, originView, problemView, slicesView, titleView } from "./panel";
import { Scene } from "./scene";
import { type Shared, State } from "./state";
import { Strip } from "./strip";
import { TABLE_PX } from "./styles";
import { Surface } from "./surface";
import { tableView } from "./table";

/** What a page around the viewer adds to it. */
export interface Surroundings {
  /** The name of a slot below the image. */
  slot: string;
  /** Shows the keys of the page and the viewer in place of those of the viewer alone. */
  showHelp: () => void;
}

export class SingleView extends Surface {
  readonly state: State;
  readonly pane: Pane;
  private readonly strip: Strip;

  constructor(host: HTMLElement, shared: Shared, view: ViewDocument, private readonly around: Surroundings | null = null) {
    super(host, shared);
    this.state = new State(new Scene(view), shared);
    this.pane = new Pane(this.state);
    this.strip = new Strip(this.state);
    this.begin();
    this.stops.push(effect(() => markElements(this.root, this.state)), () => this.pane.stop());
  }

  /** Show another view of the same run, such as one with more rounds; the camera, the window and what was chosen stay. */
  update(view: ViewDocument): void {
    this.state.scene = new Scene(view);
  }

  /** The keys that mean something here. */
  help(): [string, string][] {
    return helpOf(this.state);
  }

  protected paneOf(): Pane {
    return this.pane;
  }

  protected showHelp(): void {
    if (this.around) this.around.showHelp();
    else super.showHelp();
  }

  protected renderAll(): void {
    const { state, pane, around } = this;
    const { view } = state.scene;
    const blind = state.hasBlind.value;
    const toggle = (id: string) => state.pin(state.pinned.value === id ? null : id);
    const beside = this.width >= 1060;
    // The table needs `TABLE_PX`, and the picture gives way; the curves go to the shorter column.
    const right = Math.max(TABLE_PX, this.width * 0.46);
    const below = beside && pane.heightAt(this.width - right - 12) + 110 < 60 + 92 * state.regions.length;
    const chart = Math.max(300, (beside ? (below ? this.width - right : right) : this.width) - 34);
    const curves = this.width && !blind ? chartView(state, Math.floor(chart)) : nothing;
    pane.stage.canvas.setAttribute("aria-label", `Image with the contours of ${state.describeShown()}. Arrow keys choose rounds and regions.`);
    renderHtml(html`
      ${titleView(view, blind)}
      <div class="columns ${beside ? "beside" : ""}">
        <div class="left">${problemView(state)}${pane.element}${around ? html`<slot name=${around.slot}></slot>` : nothing}
          ${controlsView([state], pane.pointer, [this.strip.view(), slicesView(pane.stage)], () => this.showHelp())}${below ? curves : nothing}</div>
        <div class="right">${tableView(state, toggle)}${below ? nothing : curves}</div>
      </div>
      <footer>${originView(view, "How this was made", true, blind)}</footer>${this.live}${this.dialog}`, this.root);
    untracked(() => markElements(this.root, state));
  }
}
