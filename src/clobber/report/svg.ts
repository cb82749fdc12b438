/**
 * Line plots as SVG: axes with round numbers, linear or logarithmic, a legend, one line per series. Pure.
 *
 * @module
 */

/** One line of a plot. */
export interface Line {
  readonly name: string;
  /** Class of the page's style sheet, which gives the colour. */
  readonly style: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Points are marked, not only joined. */
  readonly dots?: boolean;
}

/** An axis. */
export interface Axis {
  readonly title: string;
  readonly log?: boolean;
  readonly text: (value: number) => string;
  /** Stands behind a value that is pointed at. */
  readonly unit?: string;
}

const width = 960;
const height = 280;
const left = 66;
const right = 22;
const top = 34;
const bottom = 30;
/** Series with more points than this are too dense to be pointed at. */
const pointedMax = 200;
/** Width of a letter in the legend, about. */
const letterWidth = 6.2;
const ticksWanted = 6;

/** Draws a plot. Values that a logarithmic axis cannot show are left out. */
export function plot(lines: readonly Line[], x: Axis, y: Axis): string {
  const shown = lines.map((line) => ({
    ...line,
    points: line.points.filter(([px, py]) => isShown(px, x) && isShown(py, y)),
  })).filter(({ points }) => points.length > 0);
  if (shown.length === 0) return `<p class="none">nothing was measured</p>`;
  const all = shown.flatMap(({ points }) => points);
  const xs = scale(all.map(([value]) => value), x, left, width - right);
  const ys = scale(all.map(([, value]) => value), y, height - bottom, top, true);
  const grid = [
    ...ys.ticks.map((value) => {
      const at = round(ys.place(value));
      return `<path class="grid" d="M${left} ${at}H${width - right}"/>` +
        `<text class="tick" x="${left - 8}" y="${at + 4}" text-anchor="end">${escape(y.text(value))}</text>`;
    }),
    ...xs.ticks.map((value) => {
      const at = round(xs.place(value));
      return `<path class="grid" d="M${at} ${top}V${height - bottom}"/>` +
        `<text class="tick" x="${at}" y="${height - bottom + 18}" text-anchor="${
          at > width - right - 20 ? "end" : "middle"
        }">${escape(x.text(value))}</text>`;
    }),
  ];
  const floor = height - bottom;
  const drawn = shown.map(({ name, style, points, dots }) => {
    const places = points.map(([px, py]) => [round(xs.place(px)), round(ys.place(py))] as const);
    const path = places.map(([px, py]) => `${px} ${py}`).join("L");
    const [first, last] = [places[0]!, places[places.length - 1]!];
    const marks = places.map(([cx, cy], index) => {
      if (dots !== true && points.length > pointedMax) return "";
      const [px, py] = points[index]!;
      const said = `<title>${
        escape(`${name} ${y.text(py)} at ${x.text(px)} ${x.unit ?? ""}`.trim())
      }</title>`;
      const dot = dots === true ? `<circle class="dot ${style}" cx="${cx}" cy="${cy}" r="3.2"/>` : "";
      return `${dot}<circle class="hit" cx="${cx}" cy="${cy}" r="4">${said}</circle>`;
    }).join("");
    return `<path class="area ${style}" d="M${path}L${last[0]} ${floor}L${first[0]} ${floor}Z"/>` +
      `<path class="line ${style}" d="M${path}"/>${marks}`;
  });
  let at = left;
  const legend = shown.map(({ name, style }) => {
    const here = at;
    at += 44 + name.length * letterWidth;
    return `<g transform="translate(${round(here)} 16)"><path class="line ${style}" d="M0 -4H20"/>` +
      `<text class="tick" x="26" y="0">${escape(name)}</text></g>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(y.title)} over ${
    escape(x.title)
  }">` +
    `${grid.join("")}${drawn.join("")}${legend.join("")}` +
    `<text class="tick" x="${width - right}" y="16" text-anchor="end">${escape(y.title)} over ${
      escape(x.title)
    }</text></svg>`;
}

interface Scale {
  readonly ticks: readonly number[];
  readonly place: (value: number) => number;
}

function isShown(value: number, axis: Axis): boolean {
  return Number.isFinite(value) && (axis.log !== true || value > 0);
}

function scale(values: readonly number[], axis: Axis, from: number, to: number, zero = false): Scale {
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (axis.log === true) {
    const [first, last] = [
      Math.floor(Math.log10(low)),
      Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1),
    ];
    const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
    return { ticks, place: (value) => from + (Math.log10(value) - first) / (last - first) * (to - from) };
  }
  if (zero) low = Math.min(0, low);
  if (high <= low) high = low + 1;
  const step = roundStep((high - low) / ticksWanted);
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) {
    ticks.push(Math.round(tick / step) * step);
  }
  const most = zero ? Math.max(high, ticks[ticks.length - 1] ?? high) : high;
  return { ticks, place: (value) => from + (value - low) / (most - low) * (to - from) };
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const rest = step / power;
  return (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10) * power;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Text for HTML and SVG. */
export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
