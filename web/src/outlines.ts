// Outlines: the regions drawn on a canvas of their own, a few per frame where they are many, so that the view stays fluid.
import { contextOf, makeCanvas } from "./blobs";
import { type Frame, keyOf } from "./frame";
import { ON_IMAGE } from "./scales";
import type { Shape } from "./shapes";
import type { State } from "./state";

export const DASHES: Record<string, number[]> = { supported: [], weak: [7, 4.5], artifact: [1.2, 4.2] };
export const CASING = "rgba(0, 0, 0, .72)";
const BUDGET = 7; // ms per frame for many outlines
const BATCH = 4; // outlines between two looks at the clock
const MANY = 60; // outlines and numbers that aren't drawn at once the first time
const OTHERS = 0.5; // opacity of all others while one is pointed at

/** A layer of outlines: for which frame, and how much of it is drawn. */
interface Sheet {
  canvas: HTMLCanvasElement;
  frame: Frame;
  content: string;
  steps: (() => void)[];
  done: number;
  spent: number; // ms
}

export class Outlines {
  private shown: Sheet | null = null;
  private next: Sheet | null = null;
  private spare: HTMLCanvasElement | null = null;

  constructor(private readonly state: State) {}

  /** Go on drawing what `content` stands for at a frame; true if more is left. */
  advance(frame: Frame, ratio: number, content: string): boolean {
    if (this.isExact(frame, content)) return false;
    if (this.next?.content !== content) this.next = this.begin(frame, ratio, content);
    // Many outlines move with the view until they are drawn anew. Those of another round are drawn at once.
    const { shown, next } = this;
    const gradual = shown ? shown.content === content && shown.spent > BUDGET : next.steps.length > MANY;
    proceed(next, gradual ? BUDGET : Infinity);
    if (next.done < next.steps.length) return true;
    [this.spare, this.shown, this.next] = [shown?.canvas ?? null, next, null];
    return !this.isExact(frame, content);
  }

  private isExact(frame: Frame, content: string): boolean {
    return this.shown?.content === content && keyOf(this.shown.frame) === keyOf(frame);
  }

  private begin(frame: Frame, ratio: number, content: string): Sheet {
    const canvas = this.next?.canvas ?? this.spare ?? makeCanvas(1, 1);
    this.spare = null;
    [canvas.width, canvas.height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
    const context = contextOf(canvas, true);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { state } = this;
    const shapes = state.scene.shapes.filter((shape) => state.isVisible(shape.region) && isSeen(shape, frame));
    shapes.sort((a, b) => Number(state.isCurrent(a.region)) - Number(state.isCurrent(b.region)));
    const steps = [
      ...state.companions.value.map((shape) => () => drawCompanion(context, frame, shape)),
      ...shapes.map((shape) => () => drawRegion(context, state, frame, shape, false)),
      ...shapes.map((shape) => () => drawNumber(context, state, frame, shape, false)),
    ];
    return { canvas, frame, content, steps, done: 0, spent: 0 };
  }

  /** Put the outlines onto the stage, and the regions that are pointed at on top. */
  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const sheet = this.shown ?? this.next;
    const marked = this.state.scene.shapes.filter(({ region }) => this.state.isVisible(region) && this.state.isMarked(region));
    const isPointing = this.state.active.value !== null || this.state.activeLabel.value !== null;
    if (sheet) {
      const { frame: from } = sheet;
      const [wide, high] = [frame.sx / from.sx, frame.sy / from.sy];
      context.globalAlpha = isPointing ? OTHERS : 1;
      context.drawImage(sheet.canvas, frame.ox - from.ox * wide, frame.oy - from.oy * high, from.width * wide, from.height * high);
      context.globalAlpha = 1;
    }
    for (const shape of marked) drawRegion(context, this.state, frame, shape, true);
    for (const shape of marked) drawNumber(context, this.state, frame, shape, true);
  }
}

function proceed(sheet: Sheet, budget: number): void {
  const begun = performance.now();
  let spent = 0;
  while (sheet.done < sheet.steps.length && spent < budget) {
    for (let count = 0; count < BATCH && sheet.done < sheet.steps.length; count++) sheet.steps[sheet.done++]();
    // Canvases draw late; reading a pixel makes them draw now, so that the clock tells the truth.
    contextOf(sheet.canvas, true).getImageData(0, 0, 1, 1);
    spent = performance.now() - begun;
  }
  sheet.spent += spent;
}

function isSeen({ box: [[left, top], [right, bottom]] }: Shape, { sx, sy, ox, oy, width, height }: Frame): boolean {
  return right * sx + ox > -9 && bottom * sy + oy > -9 && left * sx + ox < width + 9 && top * sy + oy < height + 9;
}

/** Hatches what the model never saw, so that no region there isn't taken for no evidence there. */
export function drawMargins(context: CanvasRenderingContext2D, { scene }: State, frame: Frame): void {
  const { sx, sy, ox, oy } = frame;
  const [x, y, wide, high] = scene.grid;
  const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
  const [right, bottom] = [Math.min(x + wide, scene.width), Math.min(y + high, scene.height)];
  const most = 0.5 / Math.min(sx, sy); // less than half a pixel on the screen is no margin
  if (left <= most && top <= most && right >= scene.width - most && bottom >= scene.height - most) return;
  context.save();
  context.beginPath();
  context.rect(ox, oy, scene.width * sx, scene.height * sy);
  context.rect(left * sx + ox, top * sy + oy, (right - left) * sx, (bottom - top) * sy);
  context.clip("evenodd");
  hatch(context, frame, 9, "rgba(10, 12, 16, .34)", "rgba(255, 255, 255, .22)");
  context.restore();
}

function placed(shape: Shape, { sx, sy, ox, oy }: Frame): Path2D {
  const path = new Path2D();
  path.addPath(shape.path(sx), new DOMMatrix([sx, 0, 0, sy, ox, oy]));
  return path;
}

/** The outline of a region of the other run: thin, without a color and a number. */
function drawCompanion(context: CanvasRenderingContext2D, frame: Frame, shape: Shape): void {
  const path = placed(shape, frame);
  context.save();
  context.lineJoin = "bevel";
  context.strokeStyle = CASING;
  context.lineWidth = 3;
  context.stroke(path);
  context.strokeStyle = "#fff";
  context.lineWidth = 1.3;
  context.stroke(path);
  context.restore();
}

function drawRegion(context: CanvasRenderingContext2D, state: State, frame: Frame, shape: Shape, marked: boolean): void {
  const { region } = shape;
  const path = placed(shape, frame);
  const verdict = state.verdictOf(region);
  const opposes = region.opposes && !state.isBlind(region);
  const color = ON_IMAGE[state.colorOf(region) % ON_IMAGE.length];
  context.save();
  context.globalAlpha = marked || state.isCurrent(region) ? 1 : 0.35;
  if (opposes || marked) {
    context.save();
    context.clip(path, "evenodd");
    if (marked) {
      context.globalAlpha = 0.22;
      context.fillStyle = color;
      context.fillRect(0, 0, frame.width, frame.height);
      context.globalAlpha = 1;
    }
    if (opposes) hatch(context, frame, 7, "transparent", color);
    context.restore();
  }
  const width = marked ? 3.4 : 2;
  context.lineJoin = "bevel";
  context.lineCap = verdict === "artifact" ? "round" : "butt";
  context.strokeStyle = CASING;
  context.lineWidth = width + 2;
  context.stroke(path);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(DASHES[verdict ?? "supported"] ?? []);
  context.stroke(path);
  context.restore();
}

function drawNumber(context: CanvasRenderingContext2D, state: State, frame: Frame, { region, top }: Shape, marked: boolean): void {
  const { sx, sy, ox, oy, width, height } = frame;
  const radius = region.number > 99 ? 12 : 9.5;
  const x = Math.min(Math.max(top[0] * sx + ox, radius + 1), width - radius - 1);
  const y = Math.min(Math.max(top[1] * sy + oy, radius + 1), height - radius - 1);
  context.save();
  context.globalAlpha = state.isCurrent(region) || marked ? 1 : 0.45;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = marked ? "#fff" : "rgba(12, 14, 18, .88)";
  context.fill();
  context.lineWidth = 1.6;
  context.strokeStyle = ON_IMAGE[state.colorOf(region) % ON_IMAGE.length];
  context.stroke();
  context.fillStyle = marked ? "#0c0e12" : "#fff";
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(region.number), x, y + 0.5);
  context.restore();
}

/** Diagonal lines over the whole canvas; clip before. */
function hatch(context: CanvasRenderingContext2D, frame: Frame, gap: number, ground: string, line: string): void {
  context.fillStyle = ground;
  context.fillRect(0, 0, frame.width, frame.height);
  context.beginPath();
  for (let x = -frame.height; x < frame.width; x += gap) {
    context.moveTo(x, frame.height);
    context.lineTo(x + frame.height, 0);
  }
  context.lineWidth = 1.2;
  context.strokeStyle = line;
  context.stroke();
}
