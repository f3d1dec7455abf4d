// The scene: what a view holds, prepared for drawing. Pixels are decoded when they are first shown.
import { bitmapOf, canvasOf, pixelsOf, type Pixels } from "./blobs";
import { type Point, type Polygon, cutCorners, toPath, traceContours } from "./contours";
import type { Region, Round, SaliencyMap, ViewDocument } from "./document";
import { decodeMask, isInside, runEnds } from "./masks";
import { colorMap } from "./scales";

const CUTS = [0, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5];
const MOST_CUT = 2.5; // px on the screen

export interface Shape {
  region: Region;
  /** The outline in pixels of the source. Corners of a pixel that is `size` px wide on the screen are cut a little. */
  path: (size: number) => Path2D;
  /** The topmost point of the outline, where its number stands. */
  top: Point;
  ends: Float64Array;
}

/** One map for drawing: shares of `limit`, on the model's grid. */
export interface RoundMap {
  values: Float32Array;
  limit: number;
  maximum: number;
  height: number;
  width: number;
}

export class Scene {
  readonly height: number;
  readonly width: number;
  readonly shapes: Shape[];
  /** How many units on the screen a pixel has along x and y, 1 for the smaller one. */
  readonly aspect: Point;
  private readonly cache = new Map<string, Promise<unknown>>();

  constructor(readonly view: ViewDocument) {
    [this.height, this.width] = view.source.shape.slice(-2);
    const spacing = view.source.spacing_mm?.slice(-2) ?? [1, 1];
    const smaller = Math.min(...spacing);
    this.aspect = [spacing[1] / smaller, spacing[0] / smaller];
    this.shapes = view.source.shape.length === 2 ? view.regions.map((region) => shapeOf(view, region)) : [];
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
    const under = this.shapes.filter(({ ends, region }) => visible(region) && isInside(ends, place));
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

/** Outlines come from the model's grid, whose pixels are what was found, unless the source is about as fine or coarser. */
function shapeOf(view: ViewDocument, region: Region): Shape {
  const { scale, offset } = view.source.geometry;
  const coarse = Math.min(...scale) < 2;
  const mask = coarse ? region.mask : region.model_mask;
  const [height, width] = mask.shape;
  const outlines = traceContours(decodeMask(mask), height, width);
  const [sy, sx, oy, ox] = coarse ? [1, 1, 0, 0] : [...scale, ...offset];
  const [bottom, right] = view.source.shape;
  const place = (polygon: Polygon) => polygon.map(([x, y]) => within(x * sx + ox, y * sy + oy, right, bottom));
  const paths = new Map<number, Path2D>();
  const path = (size: number) => {
    const cut = CUTS.filter((one) => one * size * sx <= MOST_CUT).pop() ?? 0;
    const made = paths.get(cut) ?? toPath(outlines.map((polygon) => place(cut ? cutCorners(polygon, cut) : polygon)));
    paths.set(cut, made);
    return made;
  };
  return { region, path, top: topOf(outlines.map(place)), ends: runEnds(region.mask) };
}

function within(x: number, y: number, right: number, bottom: number): Point {
  return [Math.min(Math.max(x, 0), right), Math.min(Math.max(y, 0), bottom)];
}

function topOf(polygons: Polygon[]): Point {
  const points = polygons.flat();
  const least = Math.min(...points.map(([, y]) => y));
  const highest = points.filter(([, y]) => y === least);
  const middle = highest.reduce((sum, [x]) => sum + x, 0) / (highest.length || 1);
  return points.length ? [middle, least] : [0, 0];
}
