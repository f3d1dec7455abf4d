// Paint: strokes drawn over the image, tinted and hatched, so that what is below stays visible.
import { contextOf, makeCanvas } from "../src/blobs";
import { type Frame, keyOf } from "../src/frame";
import type { Overlay, State } from "../src/state";
import type { Stroke } from "./types";

const TINT = "rgba(139, 108, 255, .46)";
const LINE = "rgba(226, 218, 255, .62)";
const GAP = 7;

/** A circle that shows the size of a brush: its center in pixels of the source, and its width. */
export interface Tip {
  x: number;
  y: number;
  width: number;
}

export class Paint {
  private readonly sheet = makeCanvas(1, 1);
  private drawn = "";
  private serial = 0;

  /** What draws the strokes, and the tip of the brush. */
  overlay(state: State, strokes: readonly Stroke[], tip: Tip | null): Overlay {
    const serial = ++this.serial;
    return {
      draw: (context, frame) => {
        if (strokes.length) this.drawStrokes(context, frame, state, strokes, serial);
        if (tip) drawTip(context, frame, tip);
      },
    };
  }

  private drawStrokes(context: CanvasRenderingContext2D, frame: Frame, state: State, strokes: readonly Stroke[], serial: number): void {
    const { canvas } = context;
    const ratio = canvas.width / Math.max(frame.width, 1);
    const key = [serial, keyOf(frame), canvas.width, canvas.height, state.scene.serial].join(" ");
    if (this.drawn !== key) {
      [this.sheet.width, this.sheet.height] = [canvas.width, canvas.height];
      fillStrokes(contextOf(this.sheet), frame, ratio, state, strokes);
      this.drawn = key;
    }
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.sheet, 0, 0);
    context.restore();
  }
}

function fillStrokes(context: CanvasRenderingContext2D, frame: Frame, ratio: number, state: State, strokes: readonly Stroke[]): void {
  const { sx, sy, ox, oy } = frame;
  context.setTransform(ratio * sx, 0, 0, ratio * sy, ratio * ox, ratio * oy); // pixels of the source
  context.save();
  context.beginPath();
  context.rect(0, 0, state.scene.width, state.scene.height);
  context.clip();
  context.lineJoin = context.lineCap = "round";
  context.fillStyle = context.strokeStyle = "#000";
  for (const stroke of strokes) {
    context.globalCompositeOperation = stroke.kind === "eraser" ? "destination-out" : "source-over";
    drawStroke(context, state, stroke, sx);
  }
  context.restore();
  context.globalCompositeOperation = "source-in";
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = hatchOf(context, ratio);
  context.fillRect(0, 0, frame.width, frame.height);
  context.globalCompositeOperation = "source-over";
}

function drawStroke(context: CanvasRenderingContext2D, state: State, { kind, points = [], width_px, region }: Stroke, sx: number): void {
  if (kind === "region") {
    const shape = state.scene.shapes.find((one) => one.region.id === region);
    if (shape) context.fill(shape.path(sx), "evenodd");
    return;
  }
  context.beginPath();
  if (points.length === 1 && kind !== "lasso") context.arc(points[0][1], points[0][0], Number(width_px) / 2, 0, 2 * Math.PI);
  else for (const [y, x] of points) context.lineTo(x, y);
  if (kind === "lasso" || points.length === 1) return context.fill();
  context.lineWidth = Number(width_px);
  context.stroke();
}

/** The tint with diagonal lines, as a pattern. */
function hatchOf(context: CanvasRenderingContext2D, ratio: number): CanvasPattern | string {
  const side = Math.max(4, Math.round(GAP * ratio));
  const tile = makeCanvas(side, side);
  const pen = contextOf(tile);
  pen.fillStyle = TINT;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = LINE;
  pen.lineWidth = Math.max(1, ratio);
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix([1 / ratio, 0, 0, 1 / ratio, 0, 0]));
  return pattern ?? TINT;
}

function drawTip(context: CanvasRenderingContext2D, { sx, sy, ox, oy }: Frame, { x, y, width }: Tip): void {
  for (const [line, color] of [[3, "rgba(0, 0, 0, .6)"], [1.3, "#fff"]] as const) {
    context.beginPath();
    context.ellipse(x * sx + ox, y * sy + oy, (width / 2) * sx, (width / 2) * sy, 0, 0, 2 * Math.PI);
    context.lineWidth = line;
    context.strokeStyle = color;
    context.stroke();
  }
}
