// The map's numbers without a map.

import assert from "node:assert/strict";
import test from "node:test";
import { nearest, rgb, unpacked } from "../page/canvas.js";

test("a click finds the cluster of the point beside it", () => {
  // Bottom left and top right.
  const map = unpacked(new Uint16Array([0, 65535, 0, 65535, 4, 9]).buffer);
  assert.equal(map.count, 2);
  assert.equal(nearest(map, 0.01, 0.99), 4);
  assert.equal(nearest(map, 0.99, 0.01), 9);
  assert.equal(nearest(map, 0.5, 0.5), null);
});

test("colours of the style sheet are read", () => {
  assert.deepEqual([rgb("#fff"), rgb("#0072b2")], [[255, 255, 255], [0, 114, 178]]);
});
