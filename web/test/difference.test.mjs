import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { largest, lightness, subtract } = await load("difference");
const { signedMap } = await load("scales");

test("the lightness of colors is their mean", () => {
  const colored = { color: true, values: Uint8ClampedArray.of(0, 30, 60, 255, 90, 90, 90, 255) };
  assert.deepEqual([...lightness(colored)], [30, 90]);
  assert.deepEqual([...lightness({ color: false, values: Uint8Array.of(7, 8) })], [7, 8]);
});

test("differences go both ways", () => {
  const values = subtract(Uint8Array.of(10, 0, 200), Uint8Array.of(250, 0, 100));
  assert.deepEqual([...values], [-240, 0, 100]);
  assert.equal(largest(values), 240);
});

test("no difference is transparent; brighter is warmer, darker is colder, and larger ones are brighter", () => {
  const pixels = signedMap(Float32Array.of(0, 1, 20, 80, -80), 100);
  const at = (index) => [...pixels.subarray(4 * index, 4 * index + 4)];
  assert.deepEqual([at(0)[3], at(1)[3], at(2)[3]], [0, 0, 255]);
  assert.ok(at(3)[0] > at(3)[2] && at(4)[2] > at(4)[0]);
  assert.ok(at(3)[0] > at(2)[0]);
});
