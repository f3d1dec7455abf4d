import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { load } from "./load.mjs";

const { Strokes, MOST_STROKES } = await load("../app/strokes");
const stored = new Map();
beforeEach(() => {
  stored.clear();
  globalThis.localStorage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key) };
});
const dot = (at) => ({ kind: "brush", width_px: 3, points: [[at, at]] });
const places = (strokes) => strokes.list.value.map((stroke) => stroke.points[0][0]);

test("eighty strokes can be undone and done again, one by one", () => {
  const strokes = new Strokes();
  strokes.load("a");
  for (let at = 0; at < 80; at++) strokes.push(dot(at));
  for (let left = 79; left >= 0; left--) {
    strokes.undo();
    assert.equal(strokes.list.value.length, left);
  }
  strokes.undo();
  for (let at = 0; at < 80; at++) strokes.redo();
  assert.deepEqual(places(strokes), Array.from({ length: 80 }, (_, at) => at));
});

test("a stroke after an undo ends what could be done again", () => {
  const strokes = new Strokes();
  strokes.load("a");
  for (const at of [1, 2, 3]) strokes.push(dot(at));
  strokes.undo();
  strokes.push(dot(9));
  strokes.redo();
  assert.deepEqual(places(strokes), [1, 2, 9]);
  assert.equal(strokes.redos.value, 0);
});

test("clearing is one step, and strokes of each run are kept apart", () => {
  const strokes = new Strokes();
  strokes.load("a");
  for (const at of [1, 2]) strokes.push(dot(at));
  strokes.replace([]);
  strokes.undo();
  strokes.load("b");
  assert.deepEqual(places(strokes), []);
  strokes.push(dot(7));
  strokes.load("a");
  assert.deepEqual(places(strokes), [1, 2]);
});

test("what was kept and isn't a stroke is left out", () => {
  const bad = [{ kind: "brush", points: [[1, 2]] }, { kind: "brush", width_px: 2, points: [["x", 1]] }, { kind: "region" }, { kind: "fill", points: [[1, 1]] }, null, 7];
  stored.set("unveil strokes a", JSON.stringify([...bad, dot(4), { kind: "region", region: "r1.1" }]));
  const strokes = new Strokes();
  strokes.load("a");
  assert.deepEqual(strokes.list.value.map((one) => one.kind), ["brush", "region"]);
  stored.set("unveil strokes c", "{");
  strokes.load("c");
  assert.deepEqual(strokes.list.value, []);
});

test("there are at most as many strokes as the server takes", () => {
  const strokes = new Strokes();
  strokes.load("a");
  for (let at = 0; at < MOST_STROKES; at++) assert.equal(strokes.push(dot(at)), true);
  assert.equal(strokes.push(dot(0)), false);
  assert.equal(strokes.list.value.length, MOST_STROKES);
});
