// Strokes: what is hidden by hand, as vectors in pixels of the source, with undo; kept by the browser for each run.
import { signal } from "@preact/signals-core";
import { keep, recall } from "./kept";
import type { Stroke } from "./types";

export const MOST_STROKES = 200;
export const MOST_POINTS = 5000; // of a stroke
const MOST_STEPS = 500; // of undo

export class Strokes {
  readonly list = signal<readonly Stroke[]>([]);
  /** The numbers of steps that can be undone and done again. */
  readonly undos = signal(0);
  readonly redos = signal(0);
  private past: (readonly Stroke[])[] = [];
  private future: (readonly Stroke[])[] = [];
  private job = "";

  /** Go to the strokes of a run. */
  load(job: string): void {
    this.job = job;
    [this.past, this.future] = [[], []];
    this.list.value = recall<Stroke[]>(`strokes ${job}`, []).filter(isStroke).slice(0, MOST_STROKES);
    this.count();
  }

  /** Add a stroke; false if there are too many. */
  push(stroke: Stroke): boolean {
    if (this.list.value.length >= MOST_STROKES) return false;
    this.replace([...this.list.value, stroke]);
    return true;
  }

  /** Other strokes, as one step. */
  replace(strokes: readonly Stroke[]): void {
    this.past = [...this.past, this.list.value].slice(-MOST_STEPS);
    this.future = [];
    this.set(strokes);
  }

  undo(): void {
    const before = this.past.pop();
    if (!before) return;
    this.future.push(this.list.value);
    this.set(before);
  }

  redo(): void {
    const after = this.future.pop();
    if (!after) return;
    this.past.push(this.list.value);
    this.set(after);
  }

  private set(strokes: readonly Stroke[]): void {
    this.list.value = strokes;
    keep(`strokes ${this.job}`, strokes.length ? strokes : null);
    this.count();
  }

  private count(): void {
    [this.undos.value, this.redos.value] = [this.past.length, this.future.length];
  }
}

function isStroke(value: unknown): value is Stroke {
  const { kind, points, region, width_px } = (value ?? {}) as Stroke;
  const hasPoints = Array.isArray(points) && points.length > 0 && points.length <= MOST_POINTS && points.every((one) => Array.isArray(one) && one.length === 2 && one.every(Number.isFinite));
  if (kind === "region") return typeof region === "string";
  return kind === "lasso" ? hasPoints : (kind === "brush" || kind === "eraser") && hasPoints && Number(width_px) > 0;
}
