import assert from "node:assert/strict";
import { test } from "node:test";
import { plotSvg, tableOf } from "../../../tools/plot.ts";

test("plotSvg() draws every point on logarithmic axes and escapes names", () => {
  const svg = plotSvg(
    [{ name: "a<b", color: "#000", dashed: false, points: [[1, 10], [10, 100], [100, 1000]] }],
    { title: "t", x: "x", y: "y" },
  );
  const at = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((
    [, x, y],
  ) => [Number(x), Number(y)]);
  assert.deepEqual(at, [[70, 370], [300, 205], [530, 40]]);
  assert.match(svg, />a&lt;b</);
});

test("tableOf() says how often the first row's cost a row is", () => {
  const table = tableOf([{
    date: "2026-01-02",
    runtime: "bun 1",
    machine: "m",
    results: [
      { rules: 1, sameNs: 100, spreadNs: 110, triedNs: 100, compileMs: 1 },
      { rules: 1000, sameNs: 250, spreadNs: 300, compileMs: 900 },
    ],
  }]);
  assert.match(table, /1,000 \| +250 ns \| 2\.5×/);
  assert.equal(new Set(table.split("\n").map((line) => line.length)).size, 1);
});
