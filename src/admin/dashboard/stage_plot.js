// @ts-check
/// <reference lib="dom" />
/**
 * Latency over the last minutes: the whole way of lines and each stage of it, as the percentile that the reader chose.
 * A stage has a line while something was in it in that time.
 *
 * @module
 */
import { byId, element, replaceIfNew } from "./dom.js";
import { latency } from "./format.js";
import { Plot, seriesMax } from "./plot.js";
import { wayOrder } from "./stages.js";

/** @typedef {import("./history.js").Point} Point */
/** @typedef {import("./plot.js").Series} Series */
/** @typedef {"p50" | "p99" | "p999"} Percentile */

/** What people call them. @type {Readonly<Record<Percentile, string>>} */
const percentileNames = { p50: "p50", p99: "p99", p999: "p99.9" };
const colorNames = ["one", "two", "three", "four", "five", "six", "seven"];

/** The whole way, by the name that screen readers hear too. */
export const wholeWay = "read to acknowledged";

/** Makes the plot; the returned function draws it. */
export function createStagePlot() {
  const choice = /** @type {HTMLSelectElement} */ (byId("times-percentile"));
  const plot = new Plot(byId("times-plot"), {
    label: "Latency",
    series: [],
    format: (value) => latency(value).join(" "),
    logarithmic: true,
  });
  let shown = "";
  /** @type {readonly Point[]} */
  let last = [];
  let lastMs = 0;
  /**
   * @param {readonly Point[]} points
   * @param {number} nowMs
   */
  const draw = (points, nowMs) => {
    [last, lastMs] = [points, nowMs];
    const percentile = /** @type {Percentile} */ (choice.value);
    const series = stageSeries(points, percentile);
    const key = [percentile, ...series.map(({ name }) => name)].join("\n");
    if (key !== shown) {
      shown = key;
      plot.change(`Latency by stage, ${percentileNames[percentile]}`, series);
    }
    replaceIfNew(byId("times-legend"), key, () => series.map(legendOf));
    plot.draw(points, nowMs);
  };
  choice.addEventListener("change", () => draw(last, lastMs));
  return draw;
}

/**
 * The lines: the whole way first, then the stages in the order of a line's way; where there are too many, the slowest.
 * @param {readonly Point[]} points
 * @param {Percentile} percentile
 * @returns {Series[]}
 */
export function stageSeries(points, percentile) {
  /** @type {Map<string, number>} */
  const highest = new Map();
  for (const { stages = {} } of points) {
    for (const [name, figures] of Object.entries(stages)) {
      highest.set(name, Math.max(highest.get(name) ?? 0, figures[percentile]));
    }
  }
  const slowest = [...highest].sort((a, b) => b[1] - a[1]).slice(0, seriesMax - 1).map(([name]) => name);
  return [
    { name: wholeWay, of: (point) => point[percentile] },
    ...wayOrder(slowest).map((name) => ({
      name: name.replaceAll("_", " "),
      of: (/** @type {Point} */ point) => point.stages?.[name]?.[percentile],
    })),
  ];
}

/**
 * @param {Series} series
 * @param {number} index
 */
function legendOf({ name }, index) {
  return element("li", "", [element("span", `key ${colorNames[index]}`), name]);
}
