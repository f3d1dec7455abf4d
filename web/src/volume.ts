// The stage of a volume: three linked planes on the model's grid, through one point.
import { canvasOf, contextOf, inflate, makeCanvas } from "./blobs";
import { cutCorners, toPath, traceContours } from "./contours";
import type { Region } from "./document";
import { decodeMask, sliceVolume } from "./masks";
import { ON_IMAGE, colorMap, windowTable } from "./scales";
import type { AnyStage, Frame, Left } from "./frame";
import type { State } from "./state";

const OPPOSITE: Record<string, string> = { R: "L", L: "R", A: "P", P: "A", S: "I", I: "S" };
const GAP = 6;

/** Where one plane lies on the canvas, and which axes it has down and to the right. */
interface Plane {
  axis: number;
  down: number;
  right: number;
  x: number;
  y: number;
  sx: number;
  sy: number;
}

export class VolumeStage implements AnyStage {
  readonly keys = {};
  readonly differenceLimit = 0;
  readonly canvas = makeCanvas(1, 1);
  readonly frame: Frame = { sx: 1, sy: 1, ox: 0, oy: 0, width: 1, height: 1 };
  private readonly shape: number[];
  private readonly mm: number[];
  private readonly masks = new Map<string, Uint8Array>();
  private readonly arrays = new Map<string, Uint8Array>();
  private point: number[];
  private planes: Plane[] = [];

  constructor(private readonly state: State) {
    const { geometry, spacing_mm } = state.scene.view.source;
    this.shape = geometry.model_shape;
    this.mm = geometry.scale.map((scale, axis) => scale * (spacing_mm?.[axis] ?? 1));
    this.point = this.shape.map((side) => side >> 1);
    if (state.regions.length) this.moveTo(state.regions[0]);
    this.canvas.addEventListener("pointerdown", (event) => this.pick(event));
    this.canvas.addEventListener("pointermove", (event) => event.buttons === 1 && !state.windowTool.value && this.pick(event));
    state.pinned.subscribe((id) => {
      const region = state.regions.find((one) => one.id === id);
      if (region) this.moveTo(region);
    });
  }

  get zoomNow(): number {
    return 1;
  }

  get sides(): { width: number; height: number } {
    return { width: 1, height: 1 };
  }

  windowShares(): [number, number] {
    return this.state.shared.window.value ?? [0, 1];
  }

  async prepare(): Promise<void> {
    const { scene, track, shownRound } = this.state;
    const round = scene.rounds(track.value)[shownRound.value - 1];
    const blobs = { image: round?.image ?? scene.view.tracks[track.value].final, map: round?.maps[0]?.map };
    for (const [name, blob] of Object.entries(blobs)) {
      const key = `${name} ${track.value} ${shownRound.value}`;
      if (blob && !this.arrays.has(key)) this.arrays.set(key, (await inflate(blob)) as Uint8Array);
    }
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  /** Puts the three planes in a row, or the second below the first and the third beside it: whichever is larger. */
  private layOut(width: number, height: number): void {
    const [deep, high, wide] = this.shape.map((side, axis) => side * this.mm[axis]);
    const inRow = Math.min((width - 2 * GAP) / (2 * wide + high), height / Math.max(high, deep));
    const inCorner = Math.min((width - GAP) / (wide + high), (height - GAP) / (high + deep));
    const unit = Math.max(inRow, inCorner);
    const spacing = this.state.scene.view.source.spacing_mm;
    this.frame.sx = this.frame.sy = unit * (spacing?.[2] ?? 1);
    const at = (axis: number, down: number, right: number, x: number, y: number): Plane =>
      ({ axis, down, right, x, y, sx: this.mm[right] * unit, sy: this.mm[down] * unit });
    if (inRow >= inCorner) {
      const first = (width - 2 * GAP - (2 * wide + high) * unit) / 2;
      const second = first + wide * unit + GAP;
      this.planes = [at(0, 1, 2, first, 0), at(1, 0, 2, second, 0), at(2, 0, 1, second + wide * unit + GAP, 0)];
      return;
    }
    const left = (width - GAP - (wide + high) * unit) / 2;
    this.planes = [at(0, 1, 2, left, 0), at(1, 0, 2, left, high * unit + GAP), at(2, 0, 1, left + wide * unit + GAP, high * unit + GAP)];
  }

  place(): string {
    return "";
  }

  draw(width: number, height: number): Left {
    const context = contextOf(this.canvas);
    const ratio = this.canvas.width / Math.max(width, 1);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.layOut(width, height);
    for (const plane of this.planes) this.drawPlane(context, plane);
    return "nothing";
  }

  private drawPlane(context: CanvasRenderingContext2D, plane: Plane): void {
    const { layer, opacity, threshold, hidden, track, shownRound, shared } = this.state;
    const [rows, columns] = [this.shape[plane.down], this.shape[plane.right]];
    const box: [number, number, number, number] = [plane.x, plane.y, columns * plane.sx, rows * plane.sy];
    const slice = (name: string, round: number) => {
      const values = this.arrays.get(`${name} ${track.value} ${round}`);
      return values && sliceVolume(values, this.shape, plane.axis, this.point[plane.axis]);
    };
    const image = slice("image", layer.value === "model" ? shownRound.value : 1) ?? slice("image", shownRound.value);
    if (!image) return;
    const [low, high] = this.windowShares();
    const table = windowTable(256, low * 255, high * 255, shared.invert.value);
    const gray = new Uint8ClampedArray(Uint32Array.from(image, (value) => table[value]).buffer);
    context.imageSmoothingEnabled = true;
    context.drawImage(canvasOf(gray, columns, rows), ...box);
    if (hidden.value) return;
    const map = layer.value === "saliency" ? slice("map", shownRound.value) : undefined;
    if (map) {
      context.globalAlpha = opacity.value;
      context.drawImage(canvasOf(colorMap(Float32Array.from(map, (value) => value / 255), threshold.value), columns, rows), ...box);
      context.globalAlpha = 1;
    }
    for (const region of this.state.regions) if (this.state.isVisible(region)) this.drawOutline(context, plane, region);
    this.drawCross(context, plane, box);
  }

  private drawOutline(context: CanvasRenderingContext2D, plane: Plane, region: Region): void {
    const values = this.masks.get(region.id) ?? decodeMask(region.model_mask);
    this.masks.set(region.id, values);
    const inside = sliceVolume(values, this.shape, plane.axis, this.point[plane.axis]);
    const outlines = traceContours(inside, this.shape[plane.down], this.shape[plane.right]).map((one) => cutCorners(one, 0.5));
    const path = toPath(outlines, plane.sx, plane.sy, plane.x, plane.y);
    const active = region.id === this.state.active.value;
    context.save();
    context.globalAlpha = this.state.isCurrent(region) || active ? 1 : 0.4;
    context.strokeStyle = "rgba(0, 0, 0, .72)";
    context.lineWidth = active ? 5 : 3.6;
    context.stroke(path);
    context.strokeStyle = ON_IMAGE[this.state.colorOf(region) % ON_IMAGE.length];
    context.lineWidth = active ? 3.2 : 1.8;
    context.setLineDash(region.trust?.verdict === "weak" ? [7, 4] : region.trust?.verdict === "artifact" ? [1.2, 4] : []);
    context.stroke(path);
    context.restore();
  }

  private drawCross(context: CanvasRenderingContext2D, plane: Plane, [x, y, wide, high]: [number, number, number, number]): void {
    const across = plane.x + (this.point[plane.right] + 0.5) * plane.sx;
    const down = plane.y + (this.point[plane.down] + 0.5) * plane.sy;
    context.beginPath();
    context.moveTo(x, down);
    context.lineTo(x + wide, down);
    context.moveTo(across, y);
    context.lineTo(across, y + high);
    context.strokeStyle = "rgba(255, 255, 255, .45)";
    context.lineWidth = 1;
    context.stroke();
    const axes = this.state.scene.view.source.axes;
    if (!axes) return;
    context.font = "600 12px system-ui, sans-serif";
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(OPPOSITE[axes[plane.right]], x + 5, y + high / 2);
    context.textAlign = "right";
    context.fillText(axes[plane.right], x + wide - 5, y + high / 2);
    context.textAlign = "center";
    context.fillText(OPPOSITE[axes[plane.down]], x + wide / 2, y + 10);
    context.fillText(axes[plane.down], x + wide / 2, y + high - 9);
  }

  private pick(event: PointerEvent): void {
    const bounds = this.canvas.getBoundingClientRect();
    for (const plane of this.planes) {
      const right = Math.floor((event.clientX - bounds.left - plane.x) / plane.sx);
      const down = Math.floor((event.clientY - bounds.top - plane.y) / plane.sy);
      if (right < 0 || down < 0 || right >= this.shape[plane.right] || down >= this.shape[plane.down]) continue;
      this.point[plane.right] = right;
      this.point[plane.down] = down;
      this.draw(bounds.width, bounds.height);
    }
  }

  private moveTo(region: Region): void {
    const { geometry } = this.state.scene.view.source;
    const box = region.box;
    if (!box) return;
    this.point = box.start.map((start, axis) => {
      const middle = ((start + box.stop[axis]) / 2 - geometry.offset[axis]) / geometry.scale[axis];
      return Math.min(Math.max(Math.floor(middle), 0), this.shape[axis] - 1);
    });
  }
}
