// Masks: sets of pixels in run lengths that begin outside, in C order.
import type { Mask } from "./document";

/** The pixels of a mask, 1 inside. Bounded by the shape, whatever the run lengths are. */
export function decodeMask(mask: Mask): Uint8Array {
  const size = mask.shape.reduce((product, side) => product * side, 1);
  const inside = new Uint8Array(size);
  let place = 0;
  mask.runs.forEach((length, index) => {
    if (index % 2) inside.fill(1, place, Math.min(size, place + length));
    place += length;
  });
  return inside;
}

/** Where each run of a mask ends, to look up pixels without decoding it. */
export function runEnds(mask: Mask): Float64Array {
  const ends = new Float64Array(mask.runs.length);
  let place = 0;
  mask.runs.forEach((length, index) => {
    place += length;
    ends[index] = place;
  });
  return ends;
}

/** Whether a pixel, by its place in C order, is inside. */
export function isInside(ends: Float64Array, place: number): boolean {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle] > place) high = middle;
    else low = middle + 1;
  }
  return low < ends.length && low % 2 === 1;
}

/** A plane of a volume's mask across `axis`, at `index`; the shape is that of the other two axes. */
export function sliceVolume(values: Uint8Array, shape: number[], axis: number, index: number): Uint8Array {
  const [depth, height, width] = shape;
  if (axis === 0) return values.subarray(index * height * width, (index + 1) * height * width);
  const plane = new Uint8Array(depth * (axis === 1 ? width : height));
  let place = 0;
  for (let d = 0; d < depth; d++) {
    const base = d * height * width;
    if (axis === 1) for (let w = 0; w < width; w++) plane[place++] = values[base + index * width + w];
    else for (let h = 0; h < height; h++) plane[place++] = values[base + h * width + index];
  }
  return plane;
}
