// The brush: what the pointer draws on the stage with each tool.
import { type ReadonlySignal, type Signal, effect, signal } from "@preact/signals-core";
import { listen } from "../src/camera";
import type { SingleView } from "../src/single";
import { Paint, type Tip } from "./paint";
import { MOST_POINTS, MOST_STROKES, Strokes } from "./strokes";
import type { Stroke } from "./types";
import type { Store } from "./store";

export type Tool = "move" | "brush" | "eraser" | "lasso" | "region";

const SIZES = [0.01, 0.015, 0.022, 0.032, 0.046, 0.068, 0.1, 0.15, 0.22]; // shares of the image's smaller side
const STEP = 1.2; // px on the screen between two points of a stroke

export class Brush {
  readonly strokes = new Strokes();
  readonly tool = signal<Tool>("move");
  readonly size = signal(4);
  /** Whether the strokes are drawn. */
  readonly isShown = signal(false);
  private readonly draft = signal<Stroke | null>(null);
  private readonly tip: Signal<Tip | null> = signal(null);
  private readonly paint = new Paint();

  constructor(private readonly store: Store, private readonly single: ReadonlySignal<SingleView | null>) {
    effect(() => {
      const view = single.value;
      return view ? this.attach(view) : undefined;
    });
  }

  /** The width of the brush, in pixels of the source. */
  get width(): number {
    const scene = this.single.value?.state.scene;
    return scene ? Math.max(0.5, Math.round(SIZES[this.size.value] * Math.min(scene.width, scene.height) * 2) / 2) : 1;
  }

  resize(by: number): void {
    this.size.value = Math.min(Math.max(this.size.value + by, 0), SIZES.length - 1);
    if (this.tip.value) this.tip.value = { ...this.tip.value, width: this.width };
  }

  /** Hide the region that is chosen, which needs no pointer. */
  addRegion(id: string | null): void {
    if (!id) return this.store.say("Choose a region first, with the arrow keys or by a click");
    const last = this.strokes.list.value[this.strokes.list.value.length - 1];
    if (last?.kind === "region" && last.region === id) return;
    this.push({ kind: "region", region: id });
  }

  private push(stroke: Stroke): void {
    if (!this.strokes.push(stroke)) this.store.say(`A drawing has at most ${MOST_STROKES} strokes; clear some first`);
  }

  private attach(view: SingleView): () => void {
    const { state, pane } = view;
    const { canvas } = pane.stage;
    if (state.scene.isVolume) return () => undefined;
    const draws = () => this.tool.value !== "move";
    const stops = [
      effect(() => {
        const tool = this.tool.value;
        state.tool.value = tool === "move" ? null : tool === "region" ? "picks" : "draws";
        canvas.style.touchAction = draws() ? "none" : "";
        canvas.style.cursor = this.tool.value === "move" ? "" : "crosshair";
        if (!draws() || this.tool.value === "lasso" || this.tool.value === "region") this.tip.value = null;
      }),
      effect(() => {
        if (!this.isShown.value) {
          state.overlay.value = null;
          return;
        }
        const all = this.draft.value ? [...this.strokes.list.value, this.draft.value] : this.strokes.list.value;
        state.overlay.value = all.length || this.tip.value ? this.paint.overlay(state, all, this.tip.value) : null;
      }),
      listen(canvas, {
        pointerdown: (event: PointerEvent) => this.down(event, view),
        pointermove: (event: PointerEvent) => this.moved(event, view),
        pointerup: () => this.up(),
        pointercancel: () => (this.draft.value = null),
        pointerleave: () => (this.tip.value = null),
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      this.draft.value = this.tip.value = null;
    };
  }

  private at(event: PointerEvent, { pane }: SingleView): [number, number] {
    const { sx, sy, ox, oy } = pane.stage.frame;
    const box = pane.stage.canvas.getBoundingClientRect();
    const exact = (value: number) => Math.round(value * 100) / 100;
    return [exact((event.clientY - box.top - oy) / sy), exact((event.clientX - box.left - ox) / sx)];
  }

  private down(event: PointerEvent, view: SingleView): void {
    const tool = this.tool.value;
    if (tool === "move" || event.button !== 0) return;
    const { canvas } = view.pane.stage;
    canvas.focus();
    const [y, x] = this.at(event, view);
    if (tool === "region") {
      const { state } = view;
      const region = state.scene.regionAt(x, y, (one) => state.isVisible(one));
      if (region) this.push({ kind: "region", region: region.id });
      else this.store.say("There is no region here");
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    this.draft.value = tool === "lasso" ? { kind: tool, points: [[y, x]] } : { kind: tool, points: [[y, x]], width_px: this.width };
  }

  private moved(event: PointerEvent, view: SingleView): void {
    const tool = this.tool.value;
    if (tool === "brush" || tool === "eraser") {
      const [y, x] = this.at(event, view);
      this.tip.value = { x, y, width: this.width };
    }
    const draft = this.draft.value;
    if (!draft?.points) return;
    const points = [...draft.points];
    const least = STEP / Math.max(view.pane.stage.frame.sx, 1e-9);
    const all = event.getCoalescedEvents();
    for (const one of all.length ? all : [event]) {
      const [y, x] = this.at(one, view);
      const [beforeY, beforeX] = points[points.length - 1];
      if (points.length < MOST_POINTS && Math.hypot(y - beforeY, x - beforeX) >= least) points.push([y, x]);
    }
    this.draft.value = { ...draft, points };
  }

  private up(): void {
    const draft = this.draft.value;
    this.draft.value = null;
    if (!draft?.points || (draft.kind === "lasso" && draft.points.length < 3)) return;
    this.push(draft);
  }
}
