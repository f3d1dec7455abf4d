// What erasing changed: the image before the first round, minus the model's input later.
import { type Pixels, canvasOf } from "./blobs";
import { signedMap } from "./scales";

export interface Difference {
  picture: HTMLCanvasElement;
  /** The largest difference of the track, in steps of the image. */
  limit: number;
}

/** Lightness of each pixel: its value, or the mean of its colors. */
export function lightness({ values, color }: Pixels): Float32Array {
  if (!color) return Float32Array.from(values);
  const result = new Float32Array(values.length / 4);
  for (let index = 0; index < result.length; index++) result[index] = (values[4 * index] + values[4 * index + 1] + values[4 * index + 2]) / 3;
  return result;
}

/** The first minus the second, pixel by pixel. */
export function subtract(first: ArrayLike<number>, second: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: first.length }, (_, index) => first[index] - second[index]);
}

/** The largest difference, either way. */
export function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** A difference as a picture; the limit is that of the last image of the track, so that all rounds have one scale. */
export function differenceOf(first: Pixels, second: Pixels, last: Pixels): Difference {
  const light = lightness(first);
  const limit = largest(subtract(light, lightness(last)));
  return { picture: canvasOf(signedMap(subtract(light, lightness(second)), limit), first.width, first.height), limit };
}
