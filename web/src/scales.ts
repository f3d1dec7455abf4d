// Colors and numbers: palettes, the map's colors, windows, the scale bar, texts of values.

/** Okabe and Ito (2008), told apart by everyone: on images, and darker or lighter where they are lines on a page. */
export const ON_IMAGE = ["#E69F00", "#56B4E9", "#00B884", "#CC79A7", "#F0E442", "#3D9BE0", "#F27A24"];
export const PALETTE_SIZE = ON_IMAGE.length;

const MAGMA: [number, number, number][] = [
  [0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
  [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191],
];

/** The color of a value from 0 to 1 on matplotlib's magma, in linear steps. */
export function magma(value: number): [number, number, number] {
  const place = Math.min(Math.max(value, 0), 1) * (MAGMA.length - 1);
  const low = Math.min(Math.floor(place), MAGMA.length - 2);
  const share = place - low;
  return [0, 1, 2].map((c) => Math.round(MAGMA[low][c] * (1 - share) + MAGMA[low + 1][c] * share)) as [number, number, number];
}

/** The pixels of a map (0 … 1 of its limit): transparent below the threshold, opaque above it. */
export function colorMap(values: Float32Array, threshold: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(values.length * 4);
  const table = Array.from({ length: 256 }, (_, step) => magma(0.15 + (0.85 * step) / 255));
  const soft = 0.06; // the border of what is transparent
  values.forEach((value, index) => {
    const [red, green, blue] = table[Math.min(255, Math.round(value * 255))];
    pixels[index * 4] = red;
    pixels[index * 4 + 1] = green;
    pixels[index * 4 + 2] = blue;
    pixels[index * 4 + 3] = value <= threshold ? 0 : Math.min(1, (value - threshold) / soft) * 255;
  });
  return pixels;
}

const ORANGE = [255, 170, 64];
const BLUE = [92, 178, 255];
const FAINT = 1.5; // steps of the image that are no difference yet

/** The pixels of differences: orange where the first is brighter, blue where it is darker, transparent without one. */
export function signedMap(values: Float32Array, limit: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(values.length * 4);
  values.forEach((value, index) => {
    const size = Math.abs(value);
    if (size < FAINT) return;
    const bright = 0.2 + 0.8 * Math.sqrt(Math.min(size / limit, 1));
    const color = value > 0 ? ORANGE : BLUE;
    for (let channel = 0; channel < 3; channel++) pixels[index * 4 + channel] = color[channel] * bright;
    pixels[index * 4 + 3] = 255;
  });
  return pixels;
}

/** The gray of each of `count` original values in a window, as one number per pixel (ABGR in memory order RGBA). */
export function windowTable(count: number, low: number, high: number, invert: boolean): Uint32Array {
  const table = new Uint32Array(count);
  const width = Math.max(high - low, 1e-9);
  for (let value = 0; value < count; value++) {
    const share = Math.min(Math.max((value - low) / width, 0), 1);
    const gray = Math.round((invert ? 1 - share : share) * 255);
    table[value] = (0xff000000 | (gray << 16) | (gray << 8) | gray) >>> 0;
  }
  return table;
}

/** A round length in mm that is at most `room` px long, at `pxPerMm`: 1, 2 or 5 times a power of ten. */
export function barLength(pxPerMm: number, room: number): number {
  const most = room / pxPerMm;
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((digit) => digit * power).find((length) => length <= most) ?? power;
}

/** Places along a line in the order of `wanted`, each with a room of its own below, as near as possible to it. */
export function spread(wanted: number[], rooms: number[], low: number, high: number): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  const places = [...wanted];
  let least = low;
  for (const index of order) {
    places[index] = Math.max(wanted[index], least);
    least = places[index] + rooms[index];
  }
  let most = high;
  for (const index of [...order].reverse()) {
    places[index] = Math.min(places[index], most - rooms[index]);
    most = places[index];
  }
  return places;
}

const MINUS = "\u2212";

/** A number with its sign; a true minus, so that columns line up. */
export function signed(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : (value < 0 ? MINUS : "+") + text;
}

/** A probability as percent, with a digit more where it is small. */
export function percent(value: number): string {
  if (value >= 0.095) return `${Math.round(value * 100)}\u202f%`;
  return value >= 0.0005 ? `${(value * 100).toFixed(1)}\u202f%` : "0\u202f%";
}

/** A share that can be more than all: per cent up to 150 %, then a multiple, as in the reasons of verdicts. */
export function multiple(share: number): string {
  if (share <= 1.5) return percent(Math.max(0, share));
  if (share > 100) return ">\u202f100\u202f×";
  return `${share < 9.95 ? share.toFixed(1) : Math.round(share)}\u202f×`;
}

/** A number in three significant digits, short for the very small and large. */
export function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 0.001 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** A count in groups of three digits. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** The last part of a path; names are shown, never followed. */
export function baseName(name: string): string {
  return name.split(/[\\/]/).filter(Boolean).pop() ?? name;
}
