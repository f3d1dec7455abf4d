// A pane: the stage of one run with what stands on its corners. It decodes and paints when something changes.
import { effect, untracked } from "@preact/signals-core";
import { render as renderHtml } from "lit-html";
import { type Pointer, attachPointer } from "./camera";
import { cornersView } from "./corners";
import type { AnyStage } from "./frame";
import type { RoundMap } from "./scene";
import { Stage } from "./stage";
import type { State } from "./state";
import { VolumeStage } from "./volume";

const LEAST_HEIGHT = 280;
const MOST_HEIGHT = 620;
const REST = 90; // ms

export class Pane {
  readonly element = document.createElement("div");
  readonly stage: AnyStage;
  readonly pointer: Pointer;
  private readonly corners = document.createElement("div");
  private readonly stops: (() => void)[] = [];
  private map: RoundMap | null = null;
  private size: [number, number] = [0, 0];
  private asked = 0; // what is decoded is counted, so that the stage knows whether it is complete
  private prepared = 0;
  private seen: Promise<void> | null = null;
  private frame = 0;
  private rest = 0;

  constructor(readonly state: State) {
    this.stage = state.scene.isVolume ? new VolumeStage(state) : new Stage(state);
    this.stage.canvas.tabIndex = 0;
    this.stage.canvas.setAttribute("role", "img");
    this.element.className = "stage";
    this.element.setAttribute("aria-busy", "true");
    this.element.append(this.stage.canvas, this.corners);
    this.pointer = attachPointer(this.stage, state, () => this.size, () => this.hasFocus());
    const observer = new ResizeObserver(() => this.resize(this.element.clientWidth));
    observer.observe(this.element);
    this.stops.push(
      this.pointer.stop,
      effect(() => this.follow()),
      effect(() => {
        this.readLook();
        this.schedule();
      }),
      () => observer.disconnect(),
      () => cancelAnimationFrame(this.frame),
      () => clearTimeout(this.rest),
    );
  }

  stop(): void {
    for (const end of this.stops) end();
  }

  hasFocus(): boolean {
    return (this.element.getRootNode() as Partial<ShadowRoot>).activeElement === this.stage.canvas;
  }

  /** The height of the stage at a width, so that the image fits it. */
  heightAt(width: number): number {
    const { scene } = this.state;
    const shape = scene.isVolume ? 0.62 : (scene.height * scene.aspect[1]) / (scene.width * scene.aspect[0]);
    return Math.round(Math.min(Math.max(width * shape, LEAST_HEIGHT), MOST_HEIGHT));
  }

  resize(wide: number): void {
    const width = Math.max(120, Math.floor(wide));
    if (width === this.size[0]) return;
    this.size = [width, this.heightAt(width)];
    this.stage.resize(...this.size);
    this.schedule();
  }

  /** Everything that has to be decoded before it is drawn. */
  private follow(): void {
    const { round, track, layer, threshold, shownRound, shownTarget } = this.state;
    for (const one of [round, track, layer, threshold, shownRound, shownTarget]) void one.value;
    void this.state.scene;
    const own = ++this.asked;
    void this.prepare()
      .catch((error: unknown) => (this.state.problem.value = error instanceof Error ? error.message : String(error)))
      .then(() => {
        this.prepared = Math.max(own, this.prepared);
        this.schedule();
      });
    this.schedule();
  }

  private async prepare(): Promise<void> {
    // Decoding waits until everything else can be seen.
    this.seen ??= new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    await this.seen;
    const { scene, layer, track, shownRound, shownTarget } = this.state;
    const wanted = untracked(() => layer.value === "saliency" && !scene.isVolume ? scene.map(track.value, shownRound.value, shownTarget.value) : null);
    await untracked(() => this.stage.prepare());
    this.map = await wanted;
  }

  /** Everything that is only drawn otherwise. */
  private readLook(): void {
    const { opacity, hidden, active, activeLabel, companions, overlay, blind, shared } = this.state;
    for (const one of [opacity, hidden, active, activeLabel, companions, overlay, blind]) void one.value;
    for (const one of [shared.camera, shared.window, shared.invert, shared.point, shared.axis]) void one.value;
    if (shared.counts.length > 1) void shared.cursor.value;
  }

  private schedule(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.paint());
    this.element.setAttribute("aria-busy", "true");
  }

  private paint(): void {
    this.frame = 0;
    if (!this.size[0]) return;
    const left = untracked(() => this.stage.draw(...this.size));
    untracked(() => renderHtml(cornersView(this.state, this.stage, this.map), this.corners));
    clearTimeout(this.rest);
    const isBusy = left !== "nothing" || this.prepared < this.asked;
    this.element.setAttribute("aria-busy", String(isBusy));
    if (left === "more") this.schedule();
    if (left === "rest") this.rest = window.setTimeout(() => this.schedule(), REST);
  }
}
