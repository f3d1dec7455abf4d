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

export class SingleView extends Surface {
  private readonly state: State;
  private readonly pane: Pane;
  private readonly strip: Strip;

  constructor(host: HTMLElement, shared: Shared, private readonly view: ViewDocument) {
    super(host, shared);
    this.state = new State(new Scene(view), shared);
    this.pane = new Pane(this.state);
    this.strip = new Strip(this.state);
    this.begin();
    this.stops.push(effect(() => markElements(this.root, this.state)), () => this.pane.stop());
  }

  protected paneOf(): Pane {
    return this.pane;
  }

  protected help(): [string, string][] {
    return helpOf(this.state);
  }

  protected renderAll(): void {
    const { state, pane } = this;
    const toggle = (id: string) => state.pin(state.pinned.value === id ? null : id);
    const beside = this.width >= 1060;
    // The table needs `TABLE_PX`, and the picture gives way; the curves go to the shorter column.
    const right = Math.max(TABLE_PX, this.width * 0.46);
    const below = beside && pane.heightAt(this.width - right - 12) + 110 < 60 + 92 * state.regions.length;
    const chart = Math.max(300, (beside ? (below ? this.width - right : right) : this.width) - 34);
    const curves = this.width ? chartView(state, Math.floor(chart)) : nothing;
    pane.stage.canvas.setAttribute("aria-label", `Image with the contours of ${state.describeShown()}. Arrow keys choose rounds and regions.`);
    renderHtml(html`
      ${titleView(this.view)}
      <div class="columns ${beside ? "beside" : ""}">
        <div class="left">${problemView(state)}${pane.element}
          ${controlsView([state], pane.pointer, [this.strip.view(), slicesView(pane.stage)], () => this.showHelp())}${below ? curves : nothing}</div>
        <div class="right">${tableView(state, toggle)}${below ? nothing : curves}</div>
      </div>
      <footer>${originView(this.view)}</footer>${this.live}${this.dialog}`, this.root);
    untracked(() => markElements(this.root, state));
  }
}
