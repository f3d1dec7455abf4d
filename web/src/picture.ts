// The image with a window applied, at about the resolution of the screen and where it is visible, so that dragging is fluid.
import { type Pixels, contextOf, makeCanvas } from "./blobs";
import { windowTable } from "./scales";

const WHOLE = 1 << 20; // pixels of a level that are windowed at once, and kept

/** Left, top, width and height. */
export type Box = [number, number, number, number];

/** How the image is shown: the values that are black and white, and canvas pixels per pixel of CSS. */
export interface Look {
  window: [number, number];
  invert: boolean;
  ratio: number;
  /** Whether it moves, so that a coarser image is good enough. */
  moving: boolean;
}

interface Windowed {
  canvas: HTMLCanvasElement;
  data: ImageData;
  key: string;
}

const empty = (): Windowed => ({ canvas: makeCanvas(1, 1), data: new ImageData(1, 1), key: "" });

export class Picture {
  private readonly levels: Pixels[];
  private readonly wholes = empty();
  private readonly part = empty();

  constructor(readonly pixels: Pixels) {
    this.levels = [pixels];
  }

  /** The number of values that a pixel can have. */
  get range(): number {
    return this.pixels.values instanceof Uint16Array ? 65536 : 256;
  }

  /** Draw the image into the box `to` of a canvas that shows `width` x `height`; false if it is coarser than the screen. */
  draw(context: CanvasRenderingContext2D, to: Box, [width, height]: [number, number], look: Look): boolean {
    const { window, invert } = look;
    const scale = (to[2] / this.pixels.width) * look.ratio;
    const exact = this.level(scale);
    const level = look.moving ? this.movable(exact) : exact;
    const { width: wide, height: high } = level;
    const whole = wide * high <= WHOLE;
    const [left, right] = whole ? [0, wide] : visible(to[0], to[2], width, wide);
    const [top, bottom] = whole ? [0, high] : visible(to[1], to[3], height, high);
    if (right <= left || bottom <= top) return true;
    const target = whole ? this.wholes : this.part;
    const key = [wide, left, right, top, bottom, ...window, invert].join(" ");
    if (target.key !== key) apply(target, level, [left, top, right - left, bottom - top], windowTable(this.range, window[0], window[1], invert));
    target.key = key;
    const [sx, sy] = [to[2] / wide, to[3] / high];
    context.drawImage(target.canvas, to[0] + left * sx, to[1] + top * sy, (right - left) * sx, (bottom - top) * sy);
    return level === exact;
  }

  /** The finest level up to this one that is windowed as a whole, and so needn't be again while the image moves. */
  private movable(level: Pixels): Pixels {
    let index = this.levels.indexOf(level);
    while (this.levels[index].width * this.levels[index].height > WHOLE) {
      this.levels[index + 1] ??= halved(this.levels[index]);
      index++;
    }
    return this.levels[index];
  }

  /** The coarsest level that still has a pixel per pixel of the screen. */
  private level(scale: number): Pixels {
    let index = 0;
    for (let rest = scale; rest <= 0.5 && this.levels[index].width > 64; rest *= 2) {
      this.levels[index + 1] ??= halved(this.levels[index]);
      index++;
    }
    return this.levels[index];
  }
}

/** Put a part of a level into a canvas, which is used again while its size stays the same. */
function apply(target: Windowed, level: Pixels, [left, top, width, height]: Box, table: Uint32Array): void {
  if (target.data.width !== width || target.data.height !== height) {
    [target.canvas.width, target.canvas.height] = [width, height];
    target.data = new ImageData(width, height);
  }
  const rgba = new Uint32Array(target.data.data.buffer);
  const { values } = level;
  let place = 0;
  for (let y = top; y < top + height; y++) {
    let from = y * level.width + left;
    if (!level.color) for (let x = 0; x < width; x++) rgba[place++] = table[values[from++]];
    else {
      for (let x = 0; x < width; x++, from++) {
        const [red, green, blue] = [table[values[4 * from]] & 255, table[values[4 * from + 1]] & 255, table[values[4 * from + 2]] & 255];
        rgba[place++] = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
      }
    }
  }
  contextOf(target.canvas, true).putImageData(target.data, 0, 0);
}

/** From where to where an axis is visible, in pixels of a level with one more at each end. */
function visible(start: number, length: number, room: number, count: number): [number, number] {
  const scale = count / length;
  return [Math.max(0, Math.floor(-start * scale) - 1), Math.min(count, Math.ceil((room - start) * scale) + 1)];
}

/** The image at half the size, by means of 2 x 2 pixels. */
function halved(pixels: Pixels): Pixels {
  const channels = pixels.color ? 4 : 1;
  const [width, height] = [pixels.width >> 1, pixels.height >> 1];
  const from = pixels.values;
  const values = new (from.constructor as new (length: number) => Uint8Array)(width * height * channels);
  const row = pixels.width * channels;
  let place = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let at = 2 * y * row + 2 * x * channels, end = at + channels; at < end; at++) {
        values[place++] = (from[at] + from[at + channels] + from[at + row] + from[at + row + channels] + 2) >> 2;
      }
    }
  }
  return { width, height, values, color: pixels.color };
}
