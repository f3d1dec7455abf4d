// Shapes: the regions of an image as outlines on its pixels, traced when they are first drawn.
import { type Point, type Polygon, cutCorners, toPath, traceContours } from "./contours";
import type { Region, ViewDocument } from "./document";
import { decodeMask, isInside, runEnds } from "./masks";

const CUTS = [0, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5];
const MOST_CUT = 2.5; // px on the screen

interface Traced {
  outlines: Polygon[];
  top: Point;
  box: [Point, Point];
}

export class Shape {
  private readonly paths = new Map<number, Path2D>();
  private known: Traced | null = null;
  private runs: Float64Array | null = null;

  constructor(private readonly view: ViewDocument, readonly region: Region) {}

  /** Outlines come from the model's grid, whose pixels are what was found, unless the source is about as fine or coarser. */
  private get coarse(): boolean {
    return Math.min(...this.view.source.geometry.scale) < 2;
  }

  private place([x, y]: Point): Point {
    const { scale, offset } = this.view.source.geometry;
    const [bottom, right] = this.view.source.shape;
    const [sy, sx, oy, ox] = this.coarse ? [1, 1, 0, 0] : [...scale, ...offset];
    return [Math.min(Math.max(x * sx + ox, 0), right), Math.min(Math.max(y * sy + oy, 0), bottom)];
  }

  private get traced(): Traced {
    if (this.known) return this.known;
    const mask = this.coarse ? this.region.mask : this.region.model_mask;
    const outlines = traceContours(decodeMask(mask), mask.shape[0], mask.shape[1]);
    const points = outlines.flat().map((point) => this.place(point));
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const [x, y] of points) {
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
    const highest = points.filter(([, y]) => y === top);
    const middle = highest.reduce((sum, [x]) => sum + x, 0) / (highest.length || 1);
    this.known = { outlines, top: points.length ? [middle, top] : [0, 0], box: [[left, top], [right, bottom]] };
    return this.known;
  }

  /** The outline in pixels of the source. Corners of a pixel that is `size` px wide on the screen are cut a little. */
  path(size: number): Path2D {
    const wide = this.coarse ? size : size * this.view.source.geometry.scale[1];
    const cut = CUTS.filter((one) => one * wide <= MOST_CUT).pop() ?? 0;
    const kept = this.paths.get(cut);
    if (kept) return kept;
    const made = toPath(this.traced.outlines.map((polygon) => (cut ? cutCorners(polygon, cut) : polygon).map((point) => this.place(point))));
    this.paths.set(cut, made);
    return made;
  }

  /** The topmost point of the outline, where its number stands. */
  get top(): Point {
    return this.traced.top;
  }

  /** Its first and last corner, in pixels of the source. */
  get box(): [Point, Point] {
    return this.traced.box;
  }

  /** Whether a pixel of the source, by its place in C order, is inside. */
  has(place: number): boolean {
    this.runs ??= runEnds(this.region.mask);
    return isInside(this.runs, place);
  }
}
