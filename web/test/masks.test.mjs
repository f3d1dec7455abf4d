import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { decodeMask, isInside, runEnds, sliceVolume } = await load("masks");

test("run lengths begin outside", () => {
  assert.deepEqual([...decodeMask({ shape: [2, 3], runs: [1, 2, 3] })], [0, 1, 1, 0, 0, 0]);
  assert.deepEqual([...decodeMask({ shape: [2, 2], runs: [0, 4] })], [1, 1, 1, 1]);
});

test("pixels can be looked up without decoding", () => {
  let seed = 7;
  const random = (most) => (seed = (seed * 16807) % 2147483647) % most;
  for (let trial = 0; trial < 50; trial++) {
    const inside = Array.from({ length: 60 }, () => random(2));
    const runs = [];
    let last = 0;
    let length = 0;
    for (const value of inside) {
      if (value !== last) {
        runs.push(length);
        [last, length] = [value, 0];
      }
      length++;
    }
    runs.push(length);
    const mask = { shape: [6, 10], runs };
    assert.deepEqual([...decodeMask(mask)], inside);
    const ends = runEnds(mask);
    assert.deepEqual(inside.map((_, place) => Number(isInside(ends, place))), inside);
  }
});

test("huge run lengths take no memory beyond the shape", () => {
  const inside = decodeMask({ shape: [4, 4], runs: [1, 1e15, 1e15] });
  assert.equal(inside.length, 16);
  assert.equal(inside.reduce((sum, value) => sum + value), 15);
});

test("planes of a volume are those of the array", () => {
  const shape = [2, 3, 4];
  const values = Uint8Array.from({ length: 24 }, (_, index) => index);
  const at = (d, h, w) => d * 12 + h * 4 + w;
  assert.deepEqual([...sliceVolume(values, shape, 0, 1)], Array.from({ length: 12 }, (_, index) => 12 + index));
  assert.deepEqual([...sliceVolume(values, shape, 1, 2)], [0, 1].flatMap((d) => [0, 1, 2, 3].map((w) => at(d, 2, w))));
  assert.deepEqual([...sliceVolume(values, shape, 2, 3)], [0, 1].flatMap((d) => [0, 1, 2].map((h) => at(d, h, 3))));
});
