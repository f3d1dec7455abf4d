import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { readPlace, writePlace } = await load("../app/place");
const { pText, progressOf, sizeText } = await load("../app/words");

test("a place survives the address", () => {
  for (const place of [{ job: "0f", round: 3, region: "t2r3.1" }, { job: "0f", round: 0, region: null }, { job: null, round: 0, region: null }]) {
    assert.deepEqual(readPlace(writePlace(place)), place);
  }
});

test("a round that is none is the round of all", () => {
  for (const round of ["-2", "x", "", "1e999"]) assert.ok(readPlace(`#job=a&round=${round}`).round >= 0);
  assert.equal(readPlace("#job=a&round=-2").round, 0);
  assert.equal(readPlace("#job=a&round=2.7").round, 2);
});

test("p-values and sizes have as many digits as mean something", () => {
  assert.deepEqual([0.0004, 0.025, 0.0999, 0.5, 1].map(pText), ["p < 0.001", "p = 0.025", "p = 0.100", "p = 0.50", "p = 1.00"]);
  assert.deepEqual([1, 999, 1000, 9_940_000, 67_108_864, 999_999_999].map(sizeText), ["1 byte", "999 bytes", "1.0 kB", "9.9 MB", "67 MB", "1.0 GB"]);
});

test("progress goes on within a round, and never beyond the end", () => {
  const at = (round, sample) => progressOf({ state: "running" }, { round, rounds: 4, sample, samples: 10, cards: false }).share;
  assert.equal(at(1, 0), 0);
  assert.equal(at(3, 5), 0.625);
  assert.equal(at(9, 10), 1);
  assert.equal(progressOf({ state: "running" }, undefined).share, null);
  assert.equal(progressOf({ state: "running" }, { round: 4, rounds: 4, sample: 3, samples: 12, cards: true }).share, 0.25);
});
