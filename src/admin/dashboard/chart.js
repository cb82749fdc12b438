// @ts-check
/// <reference lib="dom" />
/**
 * A small time chart in SVG: lines over the last minutes, with a reading under the pointer or, with the keyboard,
 * under a cursor that the arrow keys move. Colours come from the style sheet.
 *
 * @module
 */
import { clock, duration } from "./format.js";
import { spanMs } from "./history.js";

/** @typedef {import("./history.js").Point} Point */
/** @typedef {Exclude<keyof Point, "atMs">} PointKey */
/**
 * @typedef {object} ChartOptions
 * @property {string} label for screen readers
 * @property {{ key: PointKey, name: string }[]} series drawn in the colours one, two, three
 * @property {(value: number) => string} format
 * @property {boolean} [logarithmic]
 */

const svgNamespace = "http://www.w3.org/2000/svg";
/** Coordinates inside; the drawing is stretched to the box. */
const width = 1000;
const height = 100;
const colors = ["one", "two", "three"];

/** One chart in a box of the page. */
export class Chart {
  /** @type {HTMLElement} */
  #box;
  /** @type {ChartOptions} */
  #options;
  #paths;
  #areas;
  #top;
  #bottom;
  #past;
  #cursor;
  #reading;
  /** @type {readonly Point[]} */
  #points = [];
  #nowMs = 0;
  #spanMs = 1;
  /** Time of the reading; undefined while there is none. @type {number | undefined} */
  #readAtMs;

  /**
   * @param {HTMLElement} box
   * @param {ChartOptions} options
   */
  constructor(box, options) {
    this.#box = box;
    this.#options = options;
    const svg = svgElement("svg", {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    for (const y of [0, height / 2, height]) {
      svg.append(svgElement("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }));
    }
    // An area only where one line stands for the whole.
    this.#areas = options.series.slice(0, options.logarithmic ? 0 : 1).map((_, index) =>
      svg.appendChild(svgElement("path", { class: `area ${colors[index]}` }))
    );
    this.#paths = options.series.map((_, index) =>
      svg.appendChild(svgElement("path", { class: `line ${colors[index]}` }))
    );
    this.#cursor = svg.appendChild(
      svgElement("line", { class: "cursor", y1: 0, y2: height, visibility: "hidden" }),
    );
    this.#top = label("axis high");
    this.#bottom = label("axis low");
    this.#reading = label("reading");
    this.#reading.hidden = true;
    this.#past = label("axis past");
    const present = label("axis present");
    present.textContent = "now";
    box.append(svg, this.#top, this.#bottom, this.#past, present, this.#reading);
    box.tabIndex = 0;
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", options.label);
    this.#listen();
  }

  #listen() {
    this.#box.addEventListener("pointermove", (event) => {
      const { left, width: boxWidth } = this.#box.getBoundingClientRect();
      this.#read(this.#nowMs - this.#spanMs * (1 - (event.clientX - left) / boxWidth));
    });
    this.#box.addEventListener("pointerleave", () => this.#read(undefined));
    this.#box.addEventListener("blur", () => this.#read(undefined));
    this.#box.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
      if (event.key === "Escape") this.#read(undefined);
      if (steps === undefined || this.#points.length === 0) return;
      event.preventDefault();
      const last = this.#points.length - 1;
      const from = this.#readAtMs === undefined ? last : this.#nearest(this.#readAtMs);
      this.#read(this.#points[Math.min(last, Math.max(0, from + steps))].atMs);
      this.#box.setAttribute("aria-label", `${this.#options.label}: ${this.#reading.textContent}`);
    });
  }

  /**
   * Draws anew.
   * @param {readonly Point[]} points
   * @param {number} nowMs
   */
  draw(points, nowMs) {
    this.#points = points;
    this.#nowMs = nowMs;
    this.#spanMs = spanMs(points, nowMs);
    const { series, format, logarithmic, label } = this.#options;
    const values = points.flatMap((point) => series.map(({ key }) => point[key])).filter((value) =>
      value !== undefined
    );
    const [low, high] = logarithmic ? decades(values) : [0, niceCeiling(Math.max(0, ...values))];
    const y = logarithmic
      ? (/** @type {number} */ value) =>
        height * (1 - Math.log(Math.max(value, low) / low) / Math.log(high / low))
      : (/** @type {number} */ value) => height * (1 - value / high);
    series.forEach(({ key }, index) => {
      const runs = runsOf(points, key, (atMs) => width * (1 - (nowMs - atMs) / this.#spanMs), y);
      this.#paths[index].setAttribute("d", runs.map((run) => `M${run.join("L")}`).join(""));
      this.#areas[index]?.setAttribute("d", runs.map(areaUnder).join(""));
    });
    this.#top.textContent = format(high);
    this.#bottom.textContent = format(low);
    this.#past.textContent = `−${duration(this.#spanMs / 1000).replace(" 0 s", "")}`;
    if (document.activeElement !== this.#box) {
      this.#box.setAttribute("aria-label", summary(label, series, points, format));
    }
    this.#read(this.#readAtMs);
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
   * @param {number | undefined} atMs
   */
  #read(atMs) {
    this.#readAtMs = atMs;
    const shown = atMs !== undefined && this.#points.length > 0;
    this.#reading.hidden = !shown;
    this.#cursor.setAttribute("visibility", shown ? "visible" : "hidden");
    if (!shown) return;
    const point = this.#points[this.#nearest(atMs)];
    const share = 1 - (this.#nowMs - point.atMs) / this.#spanMs;
    this.#cursor.setAttribute("x1", String(share * width));
    this.#cursor.setAttribute("x2", String(share * width));
    this.#reading.classList.toggle("left", share > 0.5);
    const { series, format } = this.#options;
    const figures = series.map(({ key, name }) => {
      const value = point[key];
      return `${name} ${value === undefined ? "–" : format(value)}`;
    });
    this.#reading.textContent = `${clock(point.atMs)}  ${figures.join("  ")}`;
  }
}

/**
 * Coordinates of unbroken stretches.
 * @param {readonly Point[]} points
 * @param {PointKey} key
 * @param {(atMs: number) => number} x
 * @param {(value: number) => number} y
 * @returns {string[][]}
 */
function runsOf(points, key, x, y) {
  /** @type {string[][]} */
  const runs = [];
  let broken = true;
  for (const point of points) {
    const value = point[key];
    if (value !== undefined) {
      if (broken) runs.push([]);
      runs[runs.length - 1].push(`${x(point.atMs).toFixed(1)} ${y(value).toFixed(2)}`);
    }
    broken = value === undefined;
  }
  return runs;
}

/** @param {string[]} run */
function areaUnder(run) {
  const start = run[0].split(" ")[0];
  const end = run[run.length - 1].split(" ")[0];
  return `M${start} ${height}L${run.join("L")}L${end} ${height}Z`;
}

/**
 * The next 1, 2 or 5 times a power of ten.
 * @param {number} value
 */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((step) => value <= step * power) ?? 10);
}

/**
 * Powers of ten around all values.
 * @param {number[]} values
 * @returns {[number, number]}
 */
function decades(values) {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  const low = 10 ** Math.floor(Math.log10(Math.min(...positive)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...positive)));
  return [low, Math.max(high, low * 10)];
}

/**
 * @param {string} label
 * @param {ChartOptions["series"]} series
 * @param {readonly Point[]} points
 * @param {(value: number) => string} format
 */
function summary(label, series, points, format) {
  const parts = series.map(({ key, name }) => {
    const values = points.map((point) => point[key]).filter((value) => value !== undefined);
    if (values.length === 0) return `${name} unknown`;
    return `${name} now ${format(values[values.length - 1])}, highest ${format(Math.max(...values))}`;
  });
  return `${label}: ${parts.join("; ")}`;
}

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} attributes
 */
export function svgElement(name, attributes) {
  const element = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** @param {string} className */
function label(className) {
  const element = document.createElement("span");
  element.className = className;
  element.setAttribute("aria-hidden", "true");
  return element;
}
