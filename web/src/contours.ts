// Contours: closed polygons around the pixels of a mask, with corners cut so that stairs become lines.

export type Point = [number, number];
export type Polygon = Point[];

const STEPS: Point[] = [[1, 0], [0, 1], [-1, 0], [0, -1]]; // right, down, left, up

/** The borders of all pixels inside, as polygons on the corners of pixels (x, y); pixels lie to the right of them. */
export function traceContours(inside: Uint8Array, height: number, width: number): Polygon[] {
  const at = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x] === 1;
  const open = new Set<number>(); // edges that aren't walked yet: 4 per corner, by direction
  const key = (x: number, y: number, direction: number) => (y * (width + 1) + x) * 4 + direction;
  const first = inside.indexOf(1);
  const [top, bottom] = first < 0 ? [0, 0] : [Math.floor(first / width), Math.floor(inside.lastIndexOf(1) / width) + 1];
  for (let y = top; y < bottom; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      if (!at(x, y - 1)) open.add(key(x, y, 0));
      if (!at(x + 1, y)) open.add(key(x + 1, y, 1));
      if (!at(x, y + 1)) open.add(key(x + 1, y + 1, 2));
      if (!at(x - 1, y)) open.add(key(x, y + 1, 3));
    }
  }
  const polygons: Polygon[] = [];
  for (const edge of open) {
    const polygon = walk(edge, open, width + 1);
    if (polygon.length >= 4) polygons.push(polygon);
  }
  return polygons;
}

function walk(first: number, open: Set<number>, stride: number): Polygon {
  const polygon: Polygon = [];
  let edge = first;
  let before = -1;
  while (open.delete(edge)) {
    const direction = edge % 4;
    const corner = (edge - direction) / 4;
    if (direction !== before) polygon.push([corner % stride, Math.floor(corner / stride)]);
    before = direction;
    const [dx, dy] = STEPS[direction];
    const next = corner + dx + dy * stride;
    // Left first: pixels that touch at a corner are one region.
    const turn = [3, 0, 1].find((change) => open.has(next * 4 + ((direction + change) % 4))) ?? 0;
    edge = next * 4 + ((direction + turn) % 4);
  }
  // The walk may begin in the middle of a side.
  if (before === first % 4 && polygon.length > 4) polygon.shift();
  return polygon;
}

/** The polygon with each corner cut by at most `cut`, and never beyond the middle of a side. */
export function cutCorners(polygon: Polygon, cut: number): Polygon {
  const result: Polygon = [];
  polygon.forEach((corner, index) => {
    const before = polygon[(index + polygon.length - 1) % polygon.length];
    const after = polygon[(index + 1) % polygon.length];
    for (const other of [before, after]) {
      const length = Math.hypot(other[0] - corner[0], other[1] - corner[1]);
      const share = Math.min(0.5, cut / length);
      result.push([corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share]);
    }
  });
  return result;
}

/** The path of polygons, scaled and moved: x · sx + ox, y · sy + oy. */
export function toPath(polygons: Polygon[], sx = 1, sy = 1, ox = 0, oy = 0): Path2D {
  const path = new Path2D();
  for (const polygon of polygons) {
    polygon.forEach(([x, y], index) => (index ? path.lineTo(x * sx + ox, y * sy + oy) : path.moveTo(x * sx + ox, y * sy + oy)));
    path.closePath();
  }
  return path;
}

/** The area that polygons enclose, holes left out. */
export function areaOf(polygons: Polygon[]): number {
  let sum = 0;
  for (const polygon of polygons) {
    polygon.forEach(([x, y], index) => {
      const [nextX, nextY] = polygon[(index + 1) % polygon.length];
      sum += x * nextY - nextX * y;
    });
  }
  return Math.abs(sum) / 2;
}
