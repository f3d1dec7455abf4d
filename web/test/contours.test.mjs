import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { areaOf, cutCorners, traceContours } = await load("contours");
const parse = (...rows) => [Uint8Array.from(rows.join(""), (sign) => (sign === "#" ? 1 : 0)), rows.length, rows[0].length];

test("one pixel has four corners, in pixels", () => {
  const [polygon] = traceContours(...parse("...", ".#.", "..."));
  assert.deepEqual(new Set(polygon.map(String)), new Set(["1,1", "2,1", "2,2", "1,2"]));
});

test("a ring has two contours, and pixels that touch at a corner have one", () => {
  const ring = parse("####", "#..#", "####");
  assert.equal(traceContours(...ring).length, 2);
  assert.equal(traceContours(...parse("#.", ".#")).length, 1);
  assert.equal(traceContours(...parse("..", "..")).length, 0);
});

test("the area of contours is the number of pixels", () => {
  let seed = 11;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let trial = 0; trial < 40; trial++) {
    const inside = Uint8Array.from({ length: 8 * 9 }, () => Number(random() < 0.55));
    assert.equal(areaOf(traceContours(inside, 8, 9)), inside.reduce((sum, value) => sum + value));
  }
});

test("a stair becomes a straight line, and long sides stay", () => {
  const [stair] = traceContours(...parse("#...", "##..", "###.", "####"));
  const cut = cutCorners(stair, 0.5);
  const onDiagonal = cut.filter(([x, y]) => Math.abs(x - y - 0.5) < 1e-9);
  assert.ok(onDiagonal.length >= 6);
  const [square] = traceContours(...parse("####", "####", "####", "####"));
  assert.equal(areaOf([cutCorners(square, 0.5)]), 16 - 4 * 0.125);
});
