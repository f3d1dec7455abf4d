// A surface: what one run and two runs side by side have in common, which is keys, help, and a live region.
import { effect, untracked } from "@preact/signals-core";
import { render as renderHtml } from "lit-html";
import { listen } from "./camera";
import { type Actions, pressKey, releaseKey } from "./keys";
import type { Pane } from "./pane";
import { helpView } from "./panel";
import { type Shared, WHOLE } from "./state";

export abstract class Surface {
  protected readonly root = document.createElement("div");
  protected readonly dialog = document.createElement("dialog");
  protected readonly live = document.createElement("div");
  protected readonly stops: (() => void)[] = [];
  protected width: number;

  constructor(host: HTMLElement, protected readonly shared: Shared) {
    this.root.className = "viewer";
    this.live.className = "unseen";
    this.live.setAttribute("aria-live", "polite");
    this.dialog.setAttribute("aria-label", "Keys");
    host.append(this.root);
    this.width = Math.floor(this.root.clientWidth);
  }

  /** The pane that keys act on, given where they were pressed. */
  protected abstract paneOf(event: Event): Pane;
  /** The keys, and what they do, as the help lists them. */
  protected abstract help(): [string, string][];
  protected abstract renderAll(): void;

  /** Other keys of this surface. */
  protected readonly keys: Record<string, () => void> = {};

  stop(): void {
    for (const end of this.stops) end();
    this.root.remove();
  }

  protected begin(): void {
    const size = new ResizeObserver(() => this.resize());
    this.stops.push(
      effect(() => this.renderAll()),
      effect(() => void (this.live.textContent = this.shared.said.value)),
      listen(this.root, {
        keydown: (event: KeyboardEvent) => this.press(event),
        keyup: (event: KeyboardEvent) => releaseKey(event, this.shared),
        focusout: (event: FocusEvent) => {
          if (!this.root.contains(event.relatedTarget as Node | null)) this.shared.hidden.value = false;
        },
      }),
      () => size.disconnect(),
    );
    size.observe(this.root);
  }

  /** Do what a key stands for, which may have been pressed elsewhere on a page. */
  press(event: KeyboardEvent): void {
    const { state, stage, pointer } = this.paneOf(event);
    const actions: Actions = { state, stage, pointer, reset: () => this.reset(), help: () => this.showHelp(), more: this.keys };
    if (this.dialog.open || !pressKey(event, actions)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private reset(): void {
    [this.shared.camera.value, this.shared.window.value, this.shared.invert.value] = [WHOLE, null, false];
  }

  protected showHelp(): void {
    renderHtml(helpView(this.help(), () => this.dialog.close()), this.dialog);
    this.dialog.showModal();
  }

  private resize(): void {
    const width = Math.floor(this.root.clientWidth);
    if (width === this.width) return;
    this.width = width;
    untracked(() => this.renderAll());
  }
}
