// @ts-check
/// <reference lib="dom" />
/**
 * A plot over the last minutes, drawn by uPlot, with a reading under the pointer or, with the keyboard, under a
 * cursor that the arrow keys move; the same figures as a table below it, on demand. Colours come from the style sheet.
 *
 * @module
 */
import { say } from "./announce.js";
import { element } from "./dom.js";
import { clock, duration } from "./format.js";
import { spanMs } from "./history.js";
import { decades, niceCeiling, powers } from "./scales.js";
import { renderTable } from "./tables.js";

/** @typedef {import("uplot")} Plotted */
/** @typedef {import("./history.js").Point} Point */
/** @typedef {{ name: string, of: (point: Point) => number | undefined }} Series */
/**
 * @typedef {object} PlotOptions
 * @property {string} label for screen readers
 * @property {readonly Series[]} series drawn in the colours one, two, three and so on
 * @property {(value: number) => string} format
 * @property {boolean} [logarithmic]
 */

/** Loaded by the page before this module. @type {typeof import("uplot")} */
const uPlot = /** @type {any} */ (globalThis).uPlot;

const colors = ["--one", "--two", "--three", "--four", "--five", "--six", "--seven"];
/** Lines that one plot can have. */
export const seriesMax = colors.length;
/** From this one on a line is dashed, for who does not see colours. */
const firstDashed = 3;
/** The table has a row for so many seconds. */
const tableStepMs = 5_000;

/** One plot in a box of the page. */
export class Plot {
  /** @type {HTMLElement} */
  #box;
  /** @type {PlotOptions} */
  #options;
  #canvas = element("div", "canvas");
  #reading = element("p", "reading");
  #details = element("details", "as-table");
  #table = element("div", "scroll");
  /** @type {Plotted | undefined} */
  #plot;
  /** @type {readonly Point[]} */
  #points = [];
  #nowMs = 0;
  /** What the vertical axis spans. @type {[number, number]} */
  #range = [0, 1];
  /** Time of the reading; undefined while there is none. @type {number | undefined} */
  #readAtMs;

  /**
   * @param {HTMLElement} box
   * @param {PlotOptions} options
   */
  constructor(box, options) {
    this.#box = box;
    this.#options = options;
    this.#reading.hidden = true;
    this.#reading.setAttribute("aria-hidden", "true");
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", options.label);
    this.#details.append(element("summary", "", "As a table"), this.#table);
    box.append(this.#canvas, this.#reading, this.#details);
    this.#listen();
  }

  #listen() {
    this.#canvas.addEventListener("pointermove", (event) => {
      const over = this.#plot?.over.getBoundingClientRect();
      if (over !== undefined) this.#read(this.#plot?.posToVal(event.clientX - over.left, "x"));
    });
    this.#canvas.addEventListener("pointerleave", () => this.#read(undefined));
    this.#canvas.addEventListener("blur", () => this.#read(undefined));
    this.#canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
      if (event.key === "Escape") this.#read(undefined);
      if (steps === undefined || this.#points.length === 0) return;
      event.preventDefault();
      const last = this.#points.length - 1;
      const from = this.#readAtMs === undefined ? last : this.#nearest(this.#readAtMs);
      this.#read(this.#points[Math.min(last, Math.max(0, from + steps))].atMs / 1000);
      say(`${this.#options.label}, ${this.#reading.textContent}`);
    });
    this.#details.addEventListener("toggle", () => this.#fillTable());
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#canvas);
    // The colours are read when the plot is made.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#plot?.destroy();
      this.#plot = undefined;
      this.draw(this.#points, this.#nowMs);
    });
  }

  #size() {
    return {
      width: Math.max(120, this.#canvas.clientWidth),
      height: Math.max(60, this.#canvas.clientHeight),
    };
  }

  /**
   * Shows other lines from the next drawing on.
   * @param {string} label
   * @param {readonly Series[]} series
   */
  change(label, series) {
    this.#options = { ...this.#options, label, series };
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  /**
   * Draws anew.
   * @param {readonly Point[]} points
   * @param {number} nowMs
   */
  draw(points, nowMs) {
    this.#points = points;
    this.#nowMs = nowMs;
    const { series, logarithmic, format, label } = this.#options;
    // What took no time that can be told has no place on a logarithmic axis.
    const columns = series.map(({ of }) =>
      points.map((point) => {
        const value = of(point);
        return value === undefined || logarithmic && !(value > 0) ? null : value;
      })
    );
    const values = columns.flat().filter((value) => value !== null);
    this.#range = logarithmic ? decades(values) : [0, niceCeiling(Math.max(0, ...values))];
    /** @type {import("uplot").AlignedData} */
    const data = [points.map(({ atMs }) => atMs / 1000), ...columns];
    if (this.#plot === undefined) this.#plot = new uPlot(this.#settings(), data, this.#canvas);
    else this.#plot.setData(data);
    if (document.activeElement !== this.#canvas) {
      this.#canvas.setAttribute("aria-label", summary(label, series, points, format));
    }
    if (this.#readAtMs !== undefined) this.#read(this.#readAtMs / 1000);
    this.#fillTable();
  }

  /** @returns {import("uplot").Options} */
  #settings() {
    const style = getComputedStyle(document.documentElement);
    const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const { series, format, logarithmic } = this.#options;
    const axis = {
      stroke: color("--muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: color("--grid"), width: 1 },
      ticks: { show: false },
      border: { show: false },
    };
    return {
      ...this.#size(),
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: () => this.#times() },
        y: { distr: logarithmic ? 3 : 1, log: 10, range: () => this.#range },
      },
      axes: [
        { ...axis, size: 20, gap: 4, grid: { show: false }, ...this.#timeAxis() },
        {
          ...axis,
          size: 52,
          gap: 4,
          space: 30,
          splits: () => logarithmic ? powers(...this.#range) : [0, this.#range[1] / 2, this.#range[1]],
          values: (_, splits) => splits.map(format),
        },
      ],
      series: [
        {},
        ...series.map(({ name }, index) => ({
          label: name,
          stroke: color(colors[index]),
          width: 1.75,
          points: { show: false },
          ...(index >= firstDashed ? { dash: [6, 3] } : {}),
          // An area only where one line stands for the whole.
          ...(index === 0 && !logarithmic ? { fill: color("--one-soft") } : {}),
        })),
      ],
    };
  }

  /** Both ends and the middle, as ages. */
  #timeAxis() {
    return {
      splits: () => {
        const [from, to] = this.#times();
        return [from, (from + to) / 2, to];
      },
      values: (/** @type {unknown} */ _, /** @type {number[]} */ splits) => {
        const to = splits[splits.length - 1];
        return splits.map((at) => at === to ? "now" : `−${duration(to - at).replace(" 0 s", "")}`);
      },
    };
  }

  /** @returns {[number, number]} seconds */
  #times() {
    const to = this.#nowMs / 1000;
    return [to - spanMs(this.#points, this.#nowMs) / 1000, to];
  }

  /** @param {number} atMs */
  #nearest(atMs) {
    let nearest = 0;
    this.#points.forEach((point, index) => {
      if (Math.abs(point.atMs - atMs) < Math.abs(this.#points[nearest].atMs - atMs)) nearest = index;
    });
    return nearest;
  }

  /**
   * Shows the figures of one moment.
   * @param {number | undefined} at seconds
   */
  #read(at) {
    const plot = this.#plot;
    const shown = at !== undefined && this.#points.length > 0 && plot !== undefined;
    this.#readAtMs = shown ? at * 1000 : undefined;
    this.#reading.hidden = !shown;
    if (!shown) {
      plot?.setCursor({ left: -10, top: -10 });
      return;
    }
    const point = this.#points[this.#nearest(at * 1000)];
    const left = plot.valToPos(point.atMs / 1000, "x");
    plot.setCursor({ left, top: plot.over.clientHeight / 2 });
    this.#reading.classList.toggle("left", left > plot.over.clientWidth / 2);
    const { series, format } = this.#options;
    const figures = series.map(({ of, name }) => {
      const value = of(point);
      return `${name} ${value === undefined ? "–" : format(value)}`;
    });
    this.#reading.textContent = `${clock(point.atMs)}  ${figures.join("  ")}`;
  }

  /** A row every few seconds, newest first, if somebody looks. */
  #fillTable() {
    if (!this.#details.open) return;
    const { series, format, label } = this.#options;
    /** @type {Point[]} */
    const shown = [];
    for (const point of this.#points.toReversed()) {
      const step = Math.floor(point.atMs / tableStepMs);
      const last = shown[shown.length - 1];
      if (last === undefined || Math.floor(last.atMs / tableStepMs) !== step) shown.push(point);
    }
    renderTable(this.#table, {
      caption: label,
      columns: [{ title: "time", text: true }, ...series.map(({ name }) => ({ title: name }))],
      rows: shown.map((point) => ({
        key: String(point.atMs),
        cells: [
          clock(point.atMs),
          ...series.map(({ of }) => {
            const value = of(point);
            return value === undefined ? "–" : format(value);
          }),
        ],
      })),
      empty: "No figures yet.",
    });
  }
}

/**
 * @param {string} label
 * @param {readonly Series[]} series
 * @param {readonly Point[]} points
 * @param {(value: number) => string} format
 */
function summary(label, series, points, format) {
  const parts = series.map(({ of, name }) => {
    const values = points.map(of).filter((value) => value !== undefined);
    if (values.length === 0) return `${name} unknown`;
    return `${name} now ${format(values[values.length - 1])}, highest ${format(Math.max(...values))}`;
  });
  return `${label}: ${parts.join("; ")}. Arrow keys read moments.`;
}
