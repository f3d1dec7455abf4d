// The scene: what a view holds, prepared for drawing. Pixels are decoded when they are first shown.
import { bitmapOf, canvasOf, pixelsOf, type Pixels } from "./blobs";
import type { Point } from "./contours";
import { type Difference, differenceOf } from "./difference";
import type { Region, Round, SaliencyMap, ViewDocument } from "./document";
import { colorMap } from "./scales";
import { Shape } from "./shapes";

/** One map for drawing: shares of `limit`, on the model's grid. */
export interface RoundMap {
  values: Float32Array;
  limit: number;
  maximum: number;
  height: number;
  width: number;
}

let serials = 0;

export class Scene {
  readonly height: number;
  readonly width: number;
  readonly shapes: Shape[];
  /** How many units on the screen a pixel has along x and y, 1 for the smaller one. */
  readonly aspect: Point;
  /** Tells scenes apart. */
  readonly serial = serials++;
  private readonly cache = new Map<string, Promise<unknown>>();

  constructor(readonly view: ViewDocument) {
    [this.height, this.width] = view.source.shape.slice(-2);
    const spacing = view.source.spacing_mm?.slice(-2) ?? [1, 1];
    const smaller = Math.min(...spacing);
    this.aspect = [spacing[1] / smaller, spacing[0] / smaller];
    this.shapes = view.source.shape.length === 2 ? view.regions.map((region) => new Shape(view, region)) : [];
  }

  get isVolume(): boolean {
    return this.view.source.shape.length === 3;
  }

  /** Where the model's grid lies on the source: x, y, width, height in pixels of the source. */
  get grid(): [number, number, number, number] {
    const { model_shape, scale, offset } = this.view.source.geometry;
    return [offset[1], offset[0], scale[1] * model_shape[1], scale[0] * model_shape[0]];
  }

  /** The rounds of a track. */
  rounds(track: number): Round[] {
    return this.view.rounds.filter((round) => round.track === track);
  }

  regionAt(x: number, y: number, visible: (region: Region) => boolean): Region | null {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    const place = Math.floor(y) * this.width + Math.floor(x);
    const under = this.shapes.filter((shape) => visible(shape.region) && shape.has(place));
    under.sort((a, b) => a.region.area_px - b.region.area_px);
    return under[0]?.region ?? null;
  }

  /** The pixels to look at: the preview, or the image on the model's grid. */
  base(): Promise<Pixels> {
    return this.once("base", () => pixelsOf(this.view.preview?.image ?? this.firstImage()));
  }

  private firstImage() {
    return this.view.rounds[0]?.image ?? this.view.tracks[0].final;
  }

  /** What the model saw in a round; after the last one, what was left. */
  modelImage(track: number, round: number): Promise<ImageBitmap> {
    const own = this.rounds(track)[round - 1];
    return this.once(`image ${track} ${round}`, () => bitmapOf(own?.image ?? this.view.tracks[track].final));
  }

  /** The map of a round: that of one target, or the largest of all. */
  map(track: number, round: number, target: number | null): Promise<RoundMap | null> {
    const all = this.rounds(track)[round - 1]?.maps ?? [];
    const own = all.filter((one) => one.target === target);
    const chosen = own.length ? own : all;
    return this.once(`map ${track} ${round} ${own.length ? target : ""}`, () => combine(chosen));
  }

  async mapCanvas(track: number, round: number, target: number | null, threshold: number): Promise<HTMLCanvasElement | null> {
    const map = await this.map(track, round, target);
    return map && canvasOf(colorMap(map.values, threshold), map.width, map.height);
  }

  /** What was erased before a round; 0: in the end. */
  difference(track: number, round: number): Promise<Difference> {
    return this.once(`difference ${track} ${round}`, async () => {
      const rounds = this.rounds(track);
      const { final } = this.view.tracks[track];
      const blobs = [rounds[0]?.image ?? final, (round && rounds[round - 1]?.image) || final, final];
      const [first, second, last] = await Promise.all(blobs.map(pixelsOf));
      return differenceOf(first, second, last);
    });
  }

  private once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const kept = this.cache.get(name) ?? make();
    this.cache.set(name, kept);
    return kept as Promise<T>;
  }
}

async function combine(maps: SaliencyMap[]): Promise<RoundMap | null> {
  if (!maps.length) return null;
  const limit = Math.max(...maps.map((one) => one.limit)) || 1;
  const [height, width] = maps[0].map.shape;
  const values = new Float32Array(height * width);
  for (const one of maps) {
    const pixels = await pixelsOf(one.map);
    const factor = one.limit / limit / 255;
    for (let index = 0; index < values.length; index++) values[index] = Math.max(values[index], pixels.values[index] * factor);
  }
  return { values, limit, maximum: Math.max(...maps.map((one) => one.maximum)), height, width };
}
