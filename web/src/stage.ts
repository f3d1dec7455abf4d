// The stage: the canvas with the image, its layers, and the outlines of the regions.
import { contextOf, makeCanvas } from "./blobs";
import { type AnyStage, type Frame, type Left, type Slice, frameOf, keyOf } from "./frame";
import { Outlines, drawMargins } from "./outlines";
import { type Box, Picture } from "./picture";
import type { Difference } from "./difference";
import type { State } from "./state";


const REST = 80; // ms without a change of the camera, after which the image is drawn in full detail

export class Stage implements AnyStage {
  readonly keys = {};
  readonly canvas = makeCanvas(1, 1);
  private picture: Picture | null = null;
  private saliency: { key: string; picture: HTMLCanvasElement | null } | null = null;
  private modelImage: { key: string; picture: ImageBitmap } | null = null;
  private difference: { key: string; drawn: Difference } | null = null;
  private readonly outlines: Outlines;
  private readonly ground = makeCanvas(1, 1); // the image and its layer, at the resolution of the screen
  private drawn = "";
  private moved = 0; // when the camera was last somewhere else
  frame: Frame = { sx: 1, sy: 1, ox: 0, oy: 0, width: 1, height: 1 };

  constructor(private readonly state: State) {
    this.outlines = new Outlines(state);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
  }

  /** Decode what the state shows. */
  async prepare(): Promise<void> {
    const { scene, layer, shownRound, shownTarget, track, threshold } = this.state;
    this.picture ??= new Picture(await scene.base());
    const [trackNow, round] = [track.value, shownRound.value];
    if (layer.value === "model") {
      const key = `${scene.serial} ${trackNow} ${round}`;
      if (this.modelImage?.key !== key) this.modelImage = { key, picture: await scene.modelImage(trackNow, round) };
    }
    if (layer.value === "difference") {
      const key = `${scene.serial} ${trackNow} ${this.state.round.value}`;
      if (this.difference?.key !== key) this.difference = { key, drawn: await scene.difference(trackNow, this.state.round.value) };
    }
    if (layer.value === "saliency") {
      const target = shownTarget.value;
      const key = `${scene.serial} ${trackNow} ${round} ${target} ${threshold.value}`;
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
    return this.state.shared.camera.value.zoom;
  }

  get sides(): { width: number; height: number } {
    return this.state.scene;
  }

  get differenceLimit(): number {
    return this.difference?.drawn.limit ?? 0;
  }

  slices(): Slice[] {
    return [];
  }

  place(): string {
    return "";
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.ground]) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    }
    this.drawn = "";
  }

  draw(width: number, height: number): Left {
    const context = contextOf(this.canvas);
    const ratio = this.canvas.width / Math.max(width, 1);
    const frame = frameOf(this.state, width, height);
    if (keyOf(frame) !== keyOf(this.frame)) this.moved = performance.now();
    this.frame = frame;
    const isExact = this.drawGround(ratio, performance.now() - this.moved < REST);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.ground, 0, 0);
    const rest = isExact ? "nothing" : "rest";
    if (this.state.hidden.value) return rest;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { round, track, companions, scene } = this.state;
    const blind = scene.view.regions.filter((region) => this.state.isBlind(region)).map(({ id }) => id);
    const isMore = this.outlines.advance(frame, ratio, [ratio, scene.serial, round.value, track.value, companions.value.map(({ region }) => region.id), blind].join(" "));
    this.outlines.draw(context, frame);
    this.state.overlay.value?.draw(context, frame);
    this.drawCursor(context);
    return isMore ? "more" : rest;
  }

  /** The image and its layer, drawn again where they change; false if it is coarser than it could be, as while it moves. */
  private drawGround(ratio: number, moving: boolean): boolean {
    const { layer, hidden, opacity, shared } = this.state;
    const shown = [this.picture !== null, this.modelImage?.key, this.saliency?.key, this.difference?.key, layer.value, opacity.value, hidden.value];
    const key = [keyOf(this.frame), ...this.window, shared.invert.value, ...shown, moving].join(" ");
    if (this.drawn === key) return true;
    const context = contextOf(this.ground);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.frame.width, this.frame.height);
    const isExact = this.drawImage(context, ratio, moving);
    if (isExact) this.drawn = key;
    return isExact;
  }

  private drawImage(context: CanvasRenderingContext2D, ratio: number, moving: boolean): boolean {
    const { scene, layer, hidden, opacity } = this.state;
    const { sx, sy, ox, oy } = this.frame;
    const [x, y, wide, high] = scene.grid;
    const onGrid: Box = [x * sx + ox, y * sy + oy, wide * sx, high * sy];
    context.imageSmoothingEnabled = sx < 4; // above 400 % pixels are shown as they are
    const whole: Box = [ox, oy, scene.width * sx, scene.height * sy];
    const look = { window: this.window, invert: this.state.shared.invert.value, ratio, moving };
    const isExact = this.picture?.draw(context, scene.view.preview ? whole : onGrid, [this.frame.width, this.frame.height], look) ?? true;
    if (hidden.value) return isExact;
    if (layer.value === "model" && this.modelImage) context.drawImage(this.modelImage.picture, ...onGrid);
    const map = layer.value === "saliency" ? this.saliency?.picture : layer.value === "difference" ? this.difference?.drawn.picture : null;
    if (map) {
      context.save();
      context.beginPath();
      context.rect(...whole);
      context.clip();
      context.globalAlpha = opacity.value;
      context.imageSmoothingEnabled = layer.value === "saliency";
      context.drawImage(map, ...onGrid);
      context.restore();
    }
    drawMargins(context, this.state, this.frame);
    return isExact;
  }

  /** Where the pointer is on the other image. */
  private drawCursor(context: CanvasRenderingContext2D): void {
    const at = this.state.shared.cursor.value;
    if (!at || at.from === this.state) return;
    const { sx, sy, ox, oy } = this.frame;
    const [x, y] = [at.x * this.state.scene.width * sx + ox, at.y * this.state.scene.height * sy + oy];
    for (const [width, color] of [[3.4, "rgba(0, 0, 0, .7)"], [1.4, "#fff"]] as const) {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 13 * dx, y + 13 * dy);
      }
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke();
    }
  }
}
