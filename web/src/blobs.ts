// Blobs: PNG files and compressed bytes of a view, as pixels.
import type { Blob as ViewBlob } from "./document";

const MAX_BYTES = 2 ** 28;

export interface Pixels {
  width: number;
  height: number;
  /** One value per pixel, or four (RGBA) for color. */
  values: Uint8ClampedArray | Uint8Array | Uint16Array;
  color: boolean;
}

type Decoder = { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };

function bytesOf(blob: ViewBlob): Uint8Array<ArrayBuffer> {
  const decode = (Uint8Array as Decoder).fromBase64; // in browsers since 2025, several times as fast
  if (decode) return decode.call(Uint8Array, blob.data);
  const text = atob(blob.data);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** The bytes of a compressed blob, of the length that its shape says. */
export async function inflate(blob: ViewBlob): Promise<Uint8Array | Uint16Array> {
  const count = blob.shape.reduce((product, side) => product * side, 1);
  const size = count * (blob.dtype === "uint16" ? 2 : 1);
  if (size > MAX_BYTES) throw new Error("an array of this view is too large");
  const reader = new Blob([bytesOf(blob)]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const bytes = new Uint8Array(size);
  let place = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (place + value.length > size) {
      await reader.cancel();
      throw new Error("an array of this view is longer than its shape");
    }
    bytes.set(value, place);
    place += value.length;
  }
  return blob.dtype === "uint16" ? new Uint16Array(bytes.buffer) : bytes;
}

/** The picture of a PNG blob, for drawing. */
export async function bitmapOf(blob: ViewBlob): Promise<ImageBitmap> {
  const [height, width] = blob.shape;
  if (width * height * 4 > MAX_BYTES) throw new Error("an image of this view is too large");
  return createImageBitmap(new Blob([bytesOf(blob)], { type: "image/png" }), { colorSpaceConversion: "none" });
}

/** The values of an image with two axes. */
export async function pixelsOf(blob: ViewBlob): Promise<Pixels> {
  const [height, width] = blob.shape;
  if (blob.type === "application/gzip") return { width, height, values: await inflate(blob), color: false };
  const data = dataOf(await bitmapOf(blob));
  if (blob.shape.length === 3) return { width: data.width, height: data.height, values: data.data, color: true };
  const gray = new Uint8Array(data.width * data.height);
  for (let index = 0; index < gray.length; index++) gray[index] = data.data[index * 4];
  return { width: data.width, height: data.height, values: gray, color: false };
}

function dataOf(bitmap: ImageBitmap): ImageData {
  const canvas = makeCanvas(bitmap.width, bitmap.height);
  const context = contextOf(canvas, true);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

export function makeCanvas(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export function contextOf(canvas: HTMLCanvasElement, read = false): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: read });
  if (!context) throw new Error("this browser has no canvas");
  return context;
}

/** A drawable canvas of RGBA pixels. */
export function canvasOf(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): HTMLCanvasElement {
  const canvas = makeCanvas(width, height);
  contextOf(canvas).putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}
