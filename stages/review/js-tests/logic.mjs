// The page's decisions without a page: node --test stages/review/js-tests/*.mjs

import assert from "node:assert/strict";
import test from "node:test";
import * as logic from "../page/logic.js";

const told = (name = null, mark = null, carried = null) => ({ name, mark, carried, author: null, own: 0 });
const cluster = (number, name = null, confidence = null) => ({ number, size: 1, medoid: number, subjects: 0, confidence, proposal: name && { name, share: 1, from: "headers" } });

test("every key is listed once and means one thing", () => {
  const keys = logic.KEYS.flatMap((one) => one.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(logic.KEYS.map((one) => one.act)).size, logic.KEYS.length);
  for (const one of logic.KEYS) for (const key of one.keys) assert.equal(logic.actOf({ key }, false), one.act);
});

test("no key acts while text is typed, but the one that ends it", () => {
  for (const one of logic.KEYS) for (const key of one.keys) {
    assert.equal(logic.actOf({ key }, true), key === "Escape" ? "escape" : null);
  }
  assert.equal(logic.actOf({ key: "z", ctrlKey: true }, true), null);
});

test("control and its kin are the browser's but for undo and redo", () => {
  assert.equal(logic.actOf({ key: "z", ctrlKey: true }, false), "undo");
  assert.equal(logic.actOf({ key: "Z", ctrlKey: true, shiftKey: true }, false), "redo");
  assert.equal(logic.actOf({ key: "z", metaKey: true }, false), "undo");
  assert.equal(logic.actOf({ key: "y", ctrlKey: true }, false), "redo");
  for (const key of ["a", "f", "x", "1", "Tab"]) {
    assert.equal(logic.actOf({ key, ctrlKey: true }, false), null);
    assert.equal(logic.actOf({ key, altKey: true }, false), null);
  }
  assert.equal(logic.actOf({ key: "Tab", shiftKey: true }, false), null);
});

test("progress in words", () => {
  const run = { images: 1000, clusters: Array.from({ length: 104 }, (_, number) => cluster(number)) };
  const state = { named: 62, covered: 912, open: 40, minutes: 8.2 };
  assert.equal(logic.progress(run, state), "62 of 104 named, 91 % of the images, about 8 minutes left");
  assert.equal(logic.progress(run, { named: 104, covered: 1000, open: 0, minutes: 0 }), "104 of 104 named, 100 % of the images, all clusters seen");
  assert.deepEqual([0.2, 1, 60, 120].map(logic.duration), ["a minute", "1 minute", "60 minutes", "2.0 hours"]);
  assert.deepEqual([0, 0.001, 0.5, 0.9999, 1].map(logic.percent), ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]);
  assert.deepEqual([0, 999, 1000, 192276].map(logic.grouped), ["0", "999", "1,000", "192,276"]);
  assert.deepEqual([logic.sentence("cluster 3 is “SA”"), logic.sentence(undefined)], ["Cluster 3 is “SA”.", ""]);
});

test("filters and the search leave some clusters", () => {
  const clusters = [cluster(10, "T1"), cluster(1, "T2"), cluster(7), cluster(101)];
  const all = [told("SA"), told(), told(null, "mixed"), told("AO", null, 0.9)];
  const shown = (filter, text = "") => logic.shown(clusters, all, filter, text);
  assert.deepEqual(shown("all"), [0, 1, 2, 3]);
  assert.deepEqual(shown("unnamed"), [1]);
  assert.deepEqual(shown("mixed"), [2]);
  assert.deepEqual(shown("carried"), [3]);
  assert.deepEqual(shown("all", "10"), [0], "a number is that number");
  assert.deepEqual(shown("all", "sa"), [0]);
  assert.deepEqual(shown("all", " t2 "), [1]);
  assert.deepEqual(shown("unnamed", "t1"), []);
  const sure = [cluster(1, null, 0.95), cluster(2, null, 0.5), cluster(3)];
  assert.deepEqual(logic.shown(sure, [told(), told(), told()], "doubtful", ""), [1], "without categories nothing is doubtful");
});

test("agreement in words", () => {
  const pair = { authors: ["anna", "ben"], both: 52, same: 40, kappa: 0.7123, count: 12, different: [] };
  assert.equal(logic.agreed(pair), "anna and ben: 40 of 52 named by both have the same name (77 %, kappa 0.71)");
  assert.equal(logic.agreed({ ...pair, same: 52, kappa: null }), "anna and ben: 52 of 52 named by both have the same name (100 %)");
});

test("j and k stay in the list, space goes round", () => {
  assert.equal(logic.further([0, 2, 5], 2, 1), 5);
  assert.equal(logic.further([0, 2, 5], 5, 1), 5);
  assert.equal(logic.further([0, 2, 5], 0, -1), 0);
  assert.equal(logic.further([0, 2, 5], 3, 1), 5, "from one that the filter hides");
  assert.equal(logic.further([0, 2, 5], 3, -1), 2);
  assert.equal(logic.further([0, 2, 5], 9, 1), 5);
  assert.equal(logic.further([], 3, 1), 3);
  const all = [told(), told("SA"), told(null, "unsure"), told()];
  assert.equal(logic.nextOpen(all, 0), 3);
  assert.equal(logic.nextOpen(all, 3), 0);
  assert.equal(logic.nextOpen([told("SA")], 0), null);
});

test("arrows move in a grid whose last row is short", () => {
  const at = (from, key) => logic.moved(from, key, 4, 10);
  assert.deepEqual([at(0, "ArrowLeft"), at(0, "ArrowUp"), at(0, "ArrowRight"), at(0, "ArrowDown")], [0, 0, 1, 4]);
  assert.deepEqual([at(6, "ArrowDown"), at(9, "ArrowDown"), at(9, "ArrowRight")], [9, 9, 9]);
  assert.deepEqual([at(5, "Home"), at(5, "End")], [0, 9]);
  assert.deepEqual(logic.range(5, 3), [3, 4, 5]);
});

test("Enter takes what is typed, else what is proposed, in the spelling that there is", () => {
  const proposal = { name: "T1", share: 1, from: "headers" };
  const categories = [{ name: "SA", clusters: 1, images: 1 }];
  assert.deepEqual(logic.taken("", proposal, categories), { name: "T1", isNew: true });
  assert.deepEqual(logic.taken("  ", null, categories), { name: "", isNew: false });
  assert.deepEqual(logic.taken(" sa ", proposal, categories), { name: "SA", isNew: false });
  assert.deepEqual(logic.taken("<b>", proposal, categories), { name: "<b>", isNew: true });
  assert.equal(logic.because(null), "Headers and labels propose no name.");
  assert.equal(logic.because(proposal), "100 % of the headers say so");
  assert.equal(logic.because({ name: "T1", share: 0.61, from: "earlier" }), "It was called so before, with 61 % of the images");
});

test("a tile is found in its picture", () => {
  assert.deepEqual(logic.tile(0, 1, 10), { size: "100% 100%", position: "0% 0%" });
  assert.deepEqual(logic.tile(11, 12, 10), { size: "1000% 200%", position: `${100 / 9}% 100%` });
  assert.deepEqual(logic.tile(2, 3, 10), { size: "300% 100%", position: "100% 0%" });
});

test("window and level", () => {
  const grey = (low, high) => [...logic.windowed(new Uint16Array([0, 1000, 2000, 65535]), low, high)].filter((_, at) => at % 4 === 0);
  assert.deepEqual(grey(0, 65535), [0, 4, 8, 255]);
  assert.deepEqual(grey(1000, 2000), [0, 0, 255, 255]);
  assert.equal(logic.windowed(new Uint16Array([5]), 7, 7).length, 4, "no window is no trouble");
  const wider = logic.dragged({ low: 0, high: 1000 }, 0.5, 0);
  assert.ok(wider.high - wider.low > 1000 && wider.high + wider.low === 1000);
  assert.ok(logic.dragged({ low: 0, high: 1000 }, -9, 0).high > logic.dragged({ low: 0, high: 1000 }, -9, 0).low);
});
