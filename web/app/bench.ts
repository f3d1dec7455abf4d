// The bench: the viewer of the run that is shown, in a shadow root of its own, with a place for the page's tools below its image.
import { signal } from "@preact/signals-core";
import { SingleView } from "../src/single";
import { makeShared } from "../src/state";
import { STYLES } from "../src/styles";
import { parseView } from "../src/viewer";

export class Bench {
  readonly element = document.createElement("div");
  /** What stands below the image, in the page's own style. */
  readonly tools = document.createElement("div");
  readonly single = signal<SingleView | null>(null);
  private readonly body = document.createElement("div");
  private job = "";

  constructor(private readonly showHelp: () => void) {
    this.element.className = "bench";
    this.tools.slot = "tools";
    this.tools.className = "tools";
    this.body.className = "body";
    const root = this.element.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    root.adoptedStyleSheets = [sheet];
    root.append(this.body);
    this.element.append(this.tools);
  }

  /** Show the view of a run; another view of the same one takes its place, and the camera and what was chosen stay. */
  show(job: string, text: string): void {
    const view = parseView(text);
    if (job === this.job && this.single.value) {
      this.single.value.update(view);
      return;
    }
    this.clear();
    this.job = job;
    this.single.value = new SingleView(this.body, makeShared(), view, { slot: "tools", showHelp: this.showHelp });
  }

  clear(): void {
    this.single.value?.stop();
    this.single.value = null;
    this.job = "";
  }
}
