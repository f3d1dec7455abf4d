// The stage: the canvas with the image, its layers, and the outlines of the regions.
import { contextOf, makeCanvas } from "./blobs";
import type { Region } from "./document";
import { type Box, Picture } from "./picture";
import { ON_IMAGE } from "./scales";
import type { Shape } from "./scene";
import type { State } from "./state";

const DASHES: Record<string, number[]> = { supported: [], weak: [7, 4.5], artifact: [1.2, 4.2] };
const CASING = "rgba(0, 0, 0, .72)";

/** From pixels of the source to pixels of the canvas (CSS): x · sx + ox, y · sy + oy. */
export interface Frame {
  sx: number;
  sy: number;
  ox: number;
  oy: number;
  width: number;
  height: number;
}

/** Where the camera puts the source on a canvas of this size. */
export function frameOf(state: State, width: number, height: number): Frame {
  const { scene, shared } = state;
  const { zoom, x, y } = shared.camera.value;
  const wide = scene.width * scene.aspect[0];
  const high = scene.height * scene.aspect[1];
  const scale = Math.min(width / wide, height / high) * zoom;
  const [sx, sy] = [scale * scene.aspect[0], scale * scene.aspect[1]];
  return { sx, sy, ox: width / 2 - x * scene.width * sx, oy: height / 2 - y * scene.height * sy, width, height };
}

export class Stage {
  readonly canvas = makeCanvas(1, 1);
  private picture: Picture | null = null;
  private saliency: { key: string; picture: HTMLCanvasElement | null } | null = null;
  private modelImage: { key: string; picture: ImageBitmap } | null = null;
  private zoomed = 1;
  private readonly overlay = makeCanvas(1, 1);
  private drawn = "";
  frame: Frame = { sx: 1, sy: 1, ox: 0, oy: 0, width: 1, height: 1 };

  constructor(private readonly state: State) {
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
  }

  /** Decode what the state shows; true if something that is drawn changed. */
  async prepare(): Promise<void> {
    const { scene, layer, shownRound, shownTarget, track, threshold } = this.state;
    this.picture ??= new Picture(await scene.base());
    const [trackNow, round] = [track.value, shownRound.value];
    if (layer.value === "model") {
      const key = `${trackNow} ${round}`;
      if (this.modelImage?.key !== key) this.modelImage = { key, picture: await scene.modelImage(trackNow, round) };
    }
    if (layer.value === "saliency") {
      const target = shownTarget.value;
      const key = `${trackNow} ${round} ${target} ${threshold.value}`;
      if (this.saliency?.key !== key) {
        this.saliency = { key, picture: await scene.mapCanvas(trackNow, round, target, threshold.value) };
      }
    }
  }

  private get most(): number {
    return (this.picture?.range ?? 256) - 1;
  }

  /** The range of values that is shown as black to white. */
  get window(): [number, number] {
    const most = this.most;
    const given = this.state.shared.window.value;
    const own = this.state.scene.view.preview?.window;
    return given ? [given[0] * most, given[1] * most] : own ? [own[0], own[1]] : [0, most];
  }

  /** The window as shares of the range, and the shares that suit the values. */
  windowShares(auto = false): [number, number] {
    const most = this.most;
    const pixels = this.picture?.pixels;
    if (!auto || !pixels) return [this.window[0] / most, this.window[1] / most];
    const sorted = Float32Array.from(pixels.values.filter((_, index) => index % 7 === 0 && (!pixels.color || index % 4 < 3))).sort();
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] / most;
    const [low, high] = [at(0.005), at(0.995)];
    return high > low ? [low, high] : [0, 1];
  }

  get zoomNow(): number {
    return this.zoomed;
  }

  get sides(): { width: number; height: number } {
    return this.state.scene;
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== across) this.canvas.width = across;
    if (this.canvas.height !== down) this.canvas.height = down;
  }

  /** Take the camera's place on a canvas of this size. */
  place(width: number, height: number): void {
    this.frame = frameOf(this.state, width, height);
    this.zoomed = this.state.shared.camera.value.zoom;
  }

  draw(width: number, height: number): void {
    const context = contextOf(this.canvas);
    const ratio = this.canvas.width / Math.max(width, 1);
    this.place(width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawImage(context);
    if (this.state.hidden.value) return;
    this.drawOverlay(ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.overlay, 0, 0);
  }

  /** Outlines are drawn again only where they change, and not while the window is dragged. */
  private drawOverlay(ratio: number): void {
    const { round, track, active, hoveredLabel } = this.state;
    const { width, height } = this.canvas;
    const key = [...Object.values(this.frame), width, height, round.value, track.value, active.value, hoveredLabel.value].join(" ");
    if (this.drawn === key) return;
    this.drawn = key;
    [this.overlay.width, this.overlay.height] = [width, height];
    const context = contextOf(this.overlay);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawMargins(context);
    const order = this.order();
    for (const shape of order) this.drawRegion(context, shape);
    for (const shape of order) this.drawNumber(context, shape);
  }

  private order(): Shape[] {
    const shown = this.state.scene.shapes.filter(({ region }) => this.state.isVisible(region));
    const last = (region: Region) => Number(this.state.isCurrent(region)) + 2 * Number(this.isActive(region));
    return shown.sort((a, b) => last(a.region) - last(b.region));
  }

  isActive(region: Region): boolean {
    const label = this.state.hoveredLabel.value;
    if (label !== null) return this.state.scene.view.targets[region.target]?.class_index === label;
    return region.id === this.state.active.value;
  }

  private drawImage(context: CanvasRenderingContext2D): void {
    const { scene, layer, hidden, opacity } = this.state;
    const { sx, sy, ox, oy } = this.frame;
    const [x, y, wide, high] = scene.grid;
    const onGrid: Box = [x * sx + ox, y * sy + oy, wide * sx, high * sy];
    context.imageSmoothingEnabled = sx < 4; // above 400 % pixels are shown as they are
    const whole: Box = [ox, oy, scene.width * sx, scene.height * sy];
    const size: [number, number] = [this.frame.width, this.frame.height];
    const ratio = this.canvas.width / Math.max(size[0], 1);
    this.picture?.draw(context, scene.view.preview ? whole : onGrid, size, ratio, this.window, this.state.shared.invert.value);
    if (hidden.value) return;
    if (layer.value === "model" && this.modelImage) context.drawImage(this.modelImage.picture, ...onGrid);
    if (layer.value === "saliency" && this.saliency?.picture) {
      context.save();
      context.beginPath();
      context.rect(...whole);
      context.clip();
      context.globalAlpha = opacity.value;
      context.imageSmoothingEnabled = true;
      context.drawImage(this.saliency.picture, ...onGrid);
      context.restore();
    }
  }

  /** Hatches what the model never saw, so that no region there isn't taken for no evidence there. */
  private drawMargins(context: CanvasRenderingContext2D): void {
    const { scene } = this.state;
    if (!scene.view.preview) return;
    const { sx, sy, ox, oy } = this.frame;
    const [x, y, wide, high] = scene.grid;
    const [right, bottom] = [Math.min(x + wide, scene.width), Math.min(y + high, scene.height)];
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    if (left <= 0 && top <= 0 && right >= scene.width && bottom >= scene.height) return;
    context.save();
    context.beginPath();
    context.rect(ox, oy, scene.width * sx, scene.height * sy);
    context.rect(left * sx + ox, top * sy + oy, (right - left) * sx, (bottom - top) * sy);
    context.clip("evenodd");
    hatch(context, this.frame, 9, "rgba(10, 12, 16, .34)", "rgba(255, 255, 255, .22)");
    context.restore();
  }

  private drawRegion(context: CanvasRenderingContext2D, { region, path }: Shape): void {
    const { sx, sy, ox, oy } = this.frame;
    const placed = new Path2D();
    placed.addPath(path(sx), new DOMMatrix([sx, 0, 0, sy, ox, oy]));
    const active = this.isActive(region);
    const others = this.state.active.value !== null || this.state.hoveredLabel.value !== null;
    const color = ON_IMAGE[region.target % ON_IMAGE.length];
    context.save();
    context.globalAlpha = active ? 1 : !this.state.isCurrent(region) ? 0.35 : others ? 0.5 : 1;
    if (region.opposes || active) {
      context.save();
      context.clip(placed, "evenodd");
      if (active) {
        context.globalAlpha = 0.22;
        context.fillStyle = color;
        context.fillRect(0, 0, this.frame.width, this.frame.height);
        context.globalAlpha = 1;
      }
      if (region.opposes) hatch(context, this.frame, 7, "transparent", color);
      context.restore();
    }
    const width = active ? 3.4 : 2;
    context.lineJoin = "bevel";
    context.lineCap = region.trust?.verdict === "artifact" ? "round" : "butt";
    context.strokeStyle = CASING;
    context.lineWidth = width + 2;
    context.stroke(placed);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(DASHES[region.trust?.verdict ?? "supported"] ?? []);
    context.stroke(placed);
    context.restore();
  }

  private drawNumber(context: CanvasRenderingContext2D, { region, top }: Shape): void {
    const { sx, sy, ox, oy, width, height } = this.frame;
    const radius = region.number > 99 ? 12 : 9.5;
    const x = Math.min(Math.max(top[0] * sx + ox, radius + 1), width - radius - 1);
    const y = Math.min(Math.max(top[1] * sy + oy, radius + 1), height - radius - 1);
    context.save();
    context.globalAlpha = this.state.isCurrent(region) || this.isActive(region) ? 1 : 0.45;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = this.isActive(region) ? "#fff" : "rgba(12, 14, 18, .88)";
    context.fill();
    context.lineWidth = 1.6;
    context.strokeStyle = ON_IMAGE[region.target % ON_IMAGE.length];
    context.stroke();
    context.fillStyle = this.isActive(region) ? "#0c0e12" : "#fff";
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(region.number), x, y + 0.5);
    context.restore();
  }
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
