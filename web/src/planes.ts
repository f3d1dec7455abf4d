// Planes: how the three planes of a volume lie on a canvas, and how one is drawn.
import { canvasOf } from "./blobs";
import { cutCorners, toPath, traceContours } from "./contours";
import { CASING, DASHES } from "./outlines";
import { ON_IMAGE } from "./scales";

export const OPPOSITE: Record<string, string> = { R: "L", L: "R", A: "P", P: "A", S: "I", I: "S" };
const NAMES: Record<string, string> = { S: "axial", I: "axial", A: "coronal", P: "coronal", L: "sagittal", R: "sagittal" };
const GAP = 6;

/** Where one plane lies on the canvas, and which axes it has down and to the right. */
export interface Plane {
  axis: number;
  down: number;
  right: number;
  x: number;
  y: number;
  sx: number;
  sy: number;
  rows: number;
  columns: number;
}

/** The three planes in a row, or the second below the first and the third beside it: whichever is larger. Also px per mm. */
export function layOut(shape: number[], mm: number[], width: number, height: number): { planes: Plane[]; unit: number } {
  const [deep, high, wide] = shape.map((side, axis) => side * mm[axis]);
  const inRow = Math.min((width - 2 * GAP) / (2 * wide + high), height / Math.max(high, deep));
  const inCorner = Math.min((width - GAP) / (wide + high), (height - GAP) / (high + deep));
  const unit = Math.max(inRow, inCorner);
  const at = (axis: number, down: number, right: number, x: number, y: number): Plane =>
    ({ axis, down, right, x, y, sx: mm[right] * unit, sy: mm[down] * unit, rows: shape[down], columns: shape[right] });
  if (inRow >= inCorner) {
    const first = (width - 2 * GAP - (2 * wide + high) * unit) / 2;
    const second = first + wide * unit + GAP;
    return { planes: [at(0, 1, 2, first, 0), at(1, 0, 2, second, 0), at(2, 0, 1, second + wide * unit + GAP, 0)], unit };
  }
  const left = (width - GAP - (wide + high) * unit) / 2;
  const [under, beside] = [high * unit + GAP, left + wide * unit + GAP];
  return { planes: [at(0, 1, 2, left, 0), at(1, 0, 2, left, under), at(2, 0, 1, beside, under)], unit };
}

/** The name of the planes across an axis, where the directions of the axes are known. */
export function planeName(axes: string | null, axis: number): string {
  return axes ? NAMES[axes[axis]] : ["first", "second", "third"][axis] + " axis";
}

/** Draw the pixels of a plane into its box. */
export function drawPixels(context: CanvasRenderingContext2D, plane: Plane, pixels: Uint8ClampedArray<ArrayBuffer>, alpha = 1): void {
  context.globalAlpha = alpha;
  context.drawImage(canvasOf(pixels, plane.columns, plane.rows), plane.x, plane.y, plane.columns * plane.sx, plane.rows * plane.sy);
  context.globalAlpha = 1;
}

/** How an outline is drawn. */
export interface Pen {
  color: number;
  verdict: string;
  width: number;
  alpha: number;
  filled: boolean;
}

/** Draw the outline of what is inside a plane. */
export function drawInside(context: CanvasRenderingContext2D, plane: Plane, inside: Uint8Array, pen: Pen): void {
  const outlines = traceContours(inside, plane.rows, plane.columns).map((one) => cutCorners(one, 0.5));
  if (!outlines.length) return;
  const path = toPath(outlines, plane.sx, plane.sy, plane.x, plane.y);
  const color = pen.color < 0 ? "#fff" : ON_IMAGE[pen.color % ON_IMAGE.length];
  context.save();
  if (pen.filled) {
    context.globalAlpha = 0.22;
    context.fillStyle = color;
    context.fill(path, "evenodd");
  }
  context.globalAlpha = pen.alpha;
  context.lineJoin = "bevel";
  context.lineCap = pen.verdict === "artifact" ? "round" : "butt";
  context.strokeStyle = CASING;
  context.lineWidth = pen.width + 2;
  context.stroke(path);
  context.strokeStyle = color;
  context.lineWidth = pen.width;
  context.setLineDash(DASHES[pen.verdict] ?? []);
  context.stroke(path);
  context.restore();
}

/** The lines through the point, which leave it free, and the frame of the plane that keys move. */
export function drawCross(context: CanvasRenderingContext2D, plane: Plane, point: number[], chosen: boolean): void {
  const [wide, high] = [plane.columns * plane.sx, plane.rows * plane.sy];
  const across = plane.x + (point[plane.right] + 0.5) * plane.sx;
  const down = plane.y + (point[plane.down] + 0.5) * plane.sy;
  const free = 7;
  context.beginPath();
  for (const [from, to] of [[plane.x, across - free], [across + free, plane.x + wide]]) {
    if (to > from) [context.moveTo(from, down), context.lineTo(to, down)];
  }
  for (const [from, to] of [[plane.y, down - free], [down + free, plane.y + high]]) {
    if (to > from) [context.moveTo(across, from), context.lineTo(across, to)];
  }
  context.strokeStyle = "rgba(255, 255, 255, .5)";
  context.lineWidth = 1;
  context.stroke();
  context.strokeStyle = chosen ? "#7fb2f5" : "rgba(255, 255, 255, .16)";
  context.lineWidth = chosen ? 2 : 1;
  context.strokeRect(plane.x + 1, plane.y + 1, wide - 2, high - 2);
}

/** Its name, and the directions at the sides where they are known. */
export function drawTexts(context: CanvasRenderingContext2D, plane: Plane, title: string, axes: string | null): void {
  const [wide, high] = [plane.columns * plane.sx, plane.rows * plane.sy];
  const write = (text: string, x: number, y: number, align: CanvasTextAlign, weight: number) => {
    context.font = `${weight} 12px system-ui, sans-serif`;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, .75)";
    context.strokeText(text, x, y);
    context.fillStyle = "#fff";
    context.fillText(text, x, y);
  };
  write(title, plane.x + 8, plane.y + 13, "left", 500);
  if (!axes) return;
  const [right, down] = [axes[plane.right], axes[plane.down]];
  write(OPPOSITE[right], plane.x + 8, plane.y + high / 2, "left", 700);
  write(right, plane.x + wide - 8, plane.y + high / 2, "right", 700);
  write(OPPOSITE[down], plane.x + wide / 2, plane.y + 13, "center", 700);
  write(down, plane.x + wide / 2, plane.y + high - 13, "center", 700);
}
