import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const scales = await load("scales");

test("a window maps its ends to black and white", () => {
  const table = scales.windowTable(256, 50, 150, false);
  assert.deepEqual([table[50] & 255, table[100] & 255, table[150] & 255, table[255] & 255], [0, 128, 255, 255]);
  const inverted = scales.windowTable(256, 50, 150, true);
  for (let value = 0; value < 256; value++) assert.ok([255, 256].includes((table[value] & 255) + (inverted[value] & 255)));
  assert.ok(table.every((value) => value >>> 24 === 255));
});

test("the full window changes nothing", () => {
  const table = scales.windowTable(256, 0, 255, false);
  for (let value = 0; value < 256; value++) assert.equal(table[value] & 255, value);
});

test("scale bars have round lengths that fit", () => {
  for (const pxPerMm of [0.013, 0.5, 1, 7.7, 400]) {
    const length = scales.barLength(pxPerMm, 120);
    assert.ok(length * pxPerMm <= 120.0001 && length * pxPerMm > 120 / 2.51);
    assert.ok([1, 2, 5].includes(Number((length / 10 ** Math.floor(Math.log10(length) + 1e-9)).toPrecision(6))));
  }
});

test("names are spread without touching and in their order", () => {
  const wanted = [50, 52, 53, 10, 200];
  const places = scales.spread(wanted, [20, 20, 20, 20, 20], 0, 220);
  const order = [3, 0, 1, 2, 4];
  for (let index = 1; index < order.length; index++) assert.ok(places[order[index]] - places[order[index - 1]] >= 20);
  assert.ok(Math.min(...places) >= 0 && Math.max(...places) <= 200);
});

test("below the threshold a map is transparent, and above it opaque", () => {
  const pixels = scales.colorMap(Float32Array.of(0, 0.2, 0.3, 1), 0.2);
  assert.deepEqual([pixels[3], pixels[7], pixels[11], pixels[15]], [0, 0, 255, 255]);
  const bright = (index) => pixels[index * 4] + pixels[index * 4 + 1] + pixels[index * 4 + 2];
  assert.ok(bright(3) > bright(2));
});

test("numbers are short, and have a true minus", () => {
  assert.deepEqual([scales.signed(1.234), scales.signed(-1.234), scales.signed(-0.001)], ["+1.23", "\u22121.23", "0.00"]);
  assert.deepEqual([scales.percent(0.5), scales.percent(0.0123), scales.percent(0)], ["50\u202f%", "1.2\u202f%", "0\u202f%"]);
  assert.deepEqual([scales.short(0.10834), scales.short(1234567), scales.short(0)], ["0.108", "1.2e+6", "0"]);
  assert.equal(scales.baseName("/a/b\\c.png"), "c.png");
});

test("shares above 150 % are multiples", () => {
  assert.deepEqual([-0.2, 0.5, 1.5, 1.84, 9.96, 27.06, 4e6].map(scales.multiple), ["0\u202f%", "50\u202f%", "150\u202f%", "1.8\u202f×", "10\u202f×", "27\u202f×", ">\u202f100\u202f×"]);
});
