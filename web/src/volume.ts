// The stage of a volume: three linked planes on the model's grid, through one point.
import { contextOf, inflate, makeCanvas } from "./blobs";
import { largest, subtract } from "./difference";
import type { Region } from "./document";
import type { AnyStage, Frame, Left, Slice } from "./frame";
import { decodeMask, sliceVolume } from "./masks";
import { type Plane, drawCross, drawInside, drawPixels, drawTexts, layOut, planeName } from "./planes";
import { colorMap, signedMap, windowTable } from "./scales";
import type { Scene } from "./scene";
import type { State } from "./state";

const WHEEL = 40; // of the wheel per slice

export class VolumeStage implements AnyStage {
  readonly canvas = makeCanvas(1, 1);
  readonly frame: Frame = { sx: 1, sy: 1, ox: 0, oy: 0, width: 1, height: 1 };
  readonly zoomNow = 1;
  readonly sides = { width: 1, height: 1 };
  readonly keys: Record<string, () => void> = {
    PageUp: () => this.step(-1),
    PageDown: () => this.step(1),
    Home: () => this.step(-Infinity),
    End: () => this.step(Infinity),
    p: () => this.choose((this.axis.value + 1) % 3),
  };
  private readonly shape: number[];
  private readonly mm: number[];
  private readonly masks = new Map<string, Uint8Array>();
  private readonly arrays = new Map<string, Uint8Array>();
  private readonly limits = new Map<number, number>();
  private planes: Plane[] = [];
  private turned = 0;
  private scene: Scene | null = null;

  constructor(private readonly state: State) {
    const { geometry, spacing_mm } = state.scene.view.source;
    this.shape = geometry.model_shape;
    this.mm = geometry.scale.map((scale, axis) => scale * (spacing_mm?.[axis] ?? 1));
    if (state.regions.length && !state.shared.point.value) this.moveTo(state.regions[0]);
    this.canvas.addEventListener("pointerdown", (event) => event.button === 0 && this.pick(event));
    this.canvas.addEventListener("pointermove", (event) => event.buttons === 1 && this.pick(event));
    this.canvas.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    let before: string | null = null;
    state.pinned.subscribe((id) => {
      const region = state.regions.find((one) => one.id === id);
      if (region && id !== before) this.moveTo(region);
      before = id;
    });
  }

  /** The voxel of the model's grid that the planes go through. */
  private get point(): number[] {
    const { geometry } = this.state.scene.view.source;
    const given = this.state.shared.point.value;
    return this.shape.map((side, axis) => {
      const place = given ? (given[axis] - geometry.offset[axis]) / geometry.scale[axis] : side / 2;
      return Math.min(Math.max(Math.floor(place), 0), side - 1);
    });
  }

  private get axis() {
    return this.state.shared.axis;
  }

  private setPoint(point: number[]): void {
    const { offset, scale } = this.state.scene.view.source.geometry;
    this.state.shared.point.value = point.map((index, axis) => offset[axis] + scale[axis] * (index + 0.5));
  }

  windowShares(): [number, number] {
    return this.state.shared.window.value ?? [0, 1];
  }

  get differenceLimit(): number {
    return this.limits.get(this.state.track.value) ?? 0;
  }

  slices(): Slice[] {
    const point = this.point;
    return this.shape.map((count, axis) => ({
      name: this.nameOf(axis),
      at: point[axis],
      count,
      chosen: axis === this.axis.value,
      go: (at) => {
        this.axis.value = axis;
        this.step(at - this.point[axis]);
      },
    }));
  }

  /** The point in mm of the scanner, where the file says how. */
  place(): string {
    const { affine, geometry } = this.state.scene.view.source;
    if (!affine) return "";
    const voxel = this.point.map((index, axis) => geometry.offset[axis] + geometry.scale[axis] * (index + 0.5) - 0.5);
    const mm = affine.slice(0, 3).map((row) => row[3] + voxel.reduce((sum, at, axis) => sum + row[axis] * at, 0));
    const text = (value: number, [plus, minus]: string) => `${Math.abs(value).toFixed(1)} ${value < 0 ? minus : plus}`;
    return `${text(mm[0], "RL")}  ${text(mm[1], "AP")}  ${text(mm[2], "SI")} mm`;
  }

  async prepare(): Promise<void> {
    const { scene, track, shownRound, round, layer } = this.state;
    const rounds = scene.rounds(track.value);
    const { final } = scene.view.tracks[track.value];
    this.forget(scene);
    const shown = rounds[shownRound.value - 1];
    const blobs = { first: rounds[0]?.image ?? final, [`image ${shownRound.value}`]: shown?.image ?? final, [`map ${shownRound.value}`]: shown?.maps[0]?.map };
    if (layer.value === "difference") Object.assign(blobs, { final, [`image ${round.value}`]: rounds[round.value - 1]?.image ?? final });
    for (const [name, blob] of Object.entries(blobs)) {
      const key = `${track.value} ${name}`;
      if (blob && !this.arrays.has(key)) this.arrays.set(key, (await inflate(blob)) as Uint8Array);
    }
    const [first, last] = [this.array("first"), this.array("final")];
    if (first && last && !this.limits.has(track.value)) this.limits.set(track.value, largest(subtract(first, last)));
  }

  /** What is left in the end is another image once a run has more rounds. */
  private forget(scene: Scene): void {
    if (this.scene === scene) return;
    const isOld = (key: string) => key.endsWith(" final") || this.scene?.rounds(Number(key.split(" ")[0]))[Number(key.split(" ")[2]) - 1] === undefined;
    for (const key of this.arrays.keys()) if (!key.endsWith("first") && isOld(key)) this.arrays.delete(key);
    this.limits.clear();
    this.scene = scene;
  }

  private array(name: string): Uint8Array | undefined {
    return this.arrays.get(`${this.state.track.value} ${name}`);
  }

  private slice(name: string, axis: number): Uint8Array | undefined {
    const values = this.array(name);
    return values && sliceVolume(values, this.shape, axis, this.point[axis]);
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  draw(width: number, height: number): Left {
    const context = contextOf(this.canvas);
    const ratio = this.canvas.width / Math.max(width, 1);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const { planes, unit } = layOut(this.shape, this.mm, width, height);
    this.planes = planes;
    this.frame.sx = this.frame.sy = unit * (this.state.scene.view.source.spacing_mm?.[2] ?? 1);
    for (const plane of planes) this.drawPlane(context, plane);
    return "nothing";
  }

  private drawPlane(context: CanvasRenderingContext2D, plane: Plane): void {
    const { layer, opacity, threshold, hidden, shownRound, round, shared } = this.state;
    const image = this.slice(layer.value === "model" ? `image ${shownRound.value}` : "first", plane.axis);
    if (!image) return;
    const [low, high] = this.windowShares();
    const table = windowTable(256, low * 255, high * 255, shared.invert.value);
    context.imageSmoothingEnabled = true;
    drawPixels(context, plane, new Uint8ClampedArray(Uint32Array.from(image, (value) => table[value]).buffer));
    if (hidden.value) return;
    const map = layer.value === "saliency" ? this.slice(`map ${shownRound.value}`, plane.axis) : undefined;
    if (map) drawPixels(context, plane, colorMap(Float32Array.from(map, (value) => value / 255), threshold.value), opacity.value);
    const later = layer.value === "difference" ? this.slice(`image ${round.value}`, plane.axis) : undefined;
    if (later) drawPixels(context, plane, signedMap(subtract(image, later), this.differenceLimit), opacity.value);
    const inside = (region: Region) => sliceVolume(this.mask(region), this.shape, plane.axis, this.point[plane.axis]);
    for (const region of this.state.regions.filter((one) => this.state.isVisible(one))) {
      const marked = this.state.isMarked(region);
      const alpha = this.state.isCurrent(region) || marked ? 1 : 0.4;
      const verdict = this.state.verdictOf(region) ?? "supported";
      drawInside(context, plane, inside(region), { color: this.state.colorOf(region), verdict, width: marked ? 3.2 : 1.8, alpha, filled: marked });
    }
    drawCross(context, plane, this.point, plane.axis === this.axis.value);
    drawTexts(context, plane, this.nameOf(plane.axis), this.state.scene.view.source.axes);
  }

  private nameOf(axis: number): string {
    return planeName(this.state.scene.view.source.axes, axis);
  }

  private mask(region: Region): Uint8Array {
    const known = this.masks.get(region.id) ?? decodeMask(region.model_mask);
    this.masks.set(region.id, known);
    return known;
  }

  /** Go along the chosen axis by some slices. */
  private step(by: number): void {
    const axis = this.axis.value;
    const point = this.point;
    point[axis] = Math.min(Math.max(point[axis] + by, 0), this.shape[axis] - 1);
    this.setPoint(point);
    this.state.say(`${this.nameOf(axis)}, slice ${point[axis] + 1} of ${this.shape[axis]}`);
  }

  private choose(axis: number): void {
    this.axis.value = axis;
    this.setPoint(this.point);
    this.state.say(`Page keys go along ${this.nameOf(axis)} slices`);
  }

  private planeAt(event: MouseEvent): { plane: Plane; right: number; down: number } | null {
    const bounds = this.canvas.getBoundingClientRect();
    for (const plane of this.planes) {
      const right = Math.floor((event.clientX - bounds.left - plane.x) / plane.sx);
      const down = Math.floor((event.clientY - bounds.top - plane.y) / plane.sy);
      if (right >= 0 && down >= 0 && right < plane.columns && down < plane.rows) return { plane, right, down };
    }
    return null;
  }

  private pick(event: PointerEvent): void {
    const at = this.state.windowTool.value ? null : this.planeAt(event);
    if (!at) return;
    this.axis.value = at.plane.axis;
    const point = this.point;
    [point[at.plane.right], point[at.plane.down]] = [at.right, at.down];
    this.setPoint(point);
  }

  /** The wheel goes through slices while the volume has the focus; else it scrolls the page. */
  private turn(event: WheelEvent): void {
    const at = this.planeAt(event);
    if (!at || (this.canvas.getRootNode() as ShadowRoot).activeElement !== this.canvas) return;
    event.preventDefault();
    this.turned += event.deltaY;
    const steps = Math.trunc(this.turned / WHEEL);
    this.turned -= steps * WHEEL;
    if (!steps) return;
    this.axis.value = at.plane.axis;
    this.step(Math.sign(steps) * Math.min(Math.abs(steps), 4));
  }

  private moveTo(region: Region): void {
    if (!region.box) return;
    const { start, stop } = region.box;
    this.state.shared.point.value = start.map((first, axis) => (first + stop[axis]) / 2);
  }
}
