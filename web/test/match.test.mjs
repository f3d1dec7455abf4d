import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { commonPixels, differencesOf, matchRegions, overlapOfAll, recolor } = await load("match");

// 4 x 10 pixels; runs begin outside.
const mask = (start, length) => ({ shape: [4, 10], runs: [start, length, 40 - start - length] });
const region = (number, start, length) => ({
  id: `r1.${number}`, number, area_px: length, mask: mask(start, length),
  box: { start: [Math.floor(start / 10), 0], stop: [Math.floor((start + length - 1) / 10) + 1, 10] },
});

test("common pixels are those of both sets", () => {
  const pixels = (one) => new Set(Array.from({ length: 40 }, (_, at) => at).filter((at) => at >= one.runs[0] && at < one.runs[0] + one.runs[1]));
  for (const [a, b] of [[mask(3, 9), mask(7, 20)], [mask(0, 40), mask(5, 2)], [mask(0, 4), mask(4, 4)]]) {
    const both = [...pixels(a)].filter((at) => pixels(b).has(at)).length;
    assert.equal(commonPixels(a, b), both);
    assert.equal(commonPixels(b, a), both);
  }
});

test("common pixels of masks with several runs, some of them empty", () => {
  const a = { shape: [1, 12], runs: [0, 3, 2, 3, 0, 1, 3] }; // 0-2, 5-7, 8
  const b = { shape: [1, 12], runs: [2, 5, 1, 4] }; // 2-6, 8-11
  assert.equal(commonPixels(a, b), 4); // 2, 5, 6, 8
});

test("regions are matched once, by the largest overlap", () => {
  const [first, second] = [[region(1, 0, 10), region(2, 12, 8)], [region(1, 2, 10), region(2, 13, 7), region(3, 35, 5)]];
  const pairs = matchRegions(first, second).map(({ first: a, second: b, overlap }) => [a?.number ?? null, b?.number ?? null, overlap]);
  assert.deepEqual(pairs, [[1, 1, 8 / 12], [2, 2, 7 / 8], [null, 3, 0]]);
});

test("regions that hardly overlap aren't the same place", () => {
  const pairs = matchRegions([region(1, 0, 10)], [region(1, 8, 10)]);
  assert.deepEqual(pairs.map(({ first, second }) => [first?.number, second?.number]), [[1, undefined], [undefined, 1]]);
});

test("everything found: pixels in regions of one run count once", () => {
  assert.equal(overlapOfAll([region(1, 0, 10), region(2, 5, 10)], [region(1, 10, 10)]), 5 / 20);
  assert.equal(overlapOfAll([], []), null);
  assert.equal(overlapOfAll([region(1, 0, 5)], []), 0);
});

const view = (changes) => ({
  source: { name: "a/b.png", sha256: "0".repeat(64) }, classifier: { name: "net", fingerprint: "1".repeat(64) },
  tracks: [{ stop: { text: "done" }, states: [{ predicted: [3], probabilities: [0.5] }] }], seed: 0, regions: [],
  labels: [{ index: 3, name: "cat", color: 0 }], targets: [{ name: "cat", color: 0 }],
  recipe: { name: "one", fill: { kind: "Mean" }, samples: 8, on: true, method: { kind: "Smooth", samples: 4 } }, ...changes,
});

test("settings that differ are named by their places, and other kinds as a whole", () => {
  const other = view({ recipe: { name: "two", fill: { kind: "Blur", sigma_px: 16 }, samples: 8, on: false, method: { kind: "Smooth", samples: 9 } } });
  assert.deepEqual(differencesOf(view(), other), [
    ["recipe", "one", "two"], ["fill", "Mean()", "Blur(sigma_px=16)"], ["on", "yes", "no"], ["method.samples", "4", "9"],
  ]);
  assert.deepEqual(differencesOf(view(), view()), []);
  assert.deepEqual(differencesOf(view(), view({ seed: 5 })), [["seed", "0", "5"]]);
});

test("labels of the same name have the same color", () => {
  const second = view({ labels: [{ name: "dog", color: 0 }, { name: "cat", color: 1 }], targets: [{ name: "dog", color: 0 }, { name: "cat", color: 1 }] });
  const changed = recolor(view(), second);
  assert.deepEqual(changed.targets.map(({ color }) => color), [1, 0]);
  assert.deepEqual(changed.labels.map(({ color }) => color), [1, 0]);
});
