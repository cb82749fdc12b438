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

/** The paper of a drawing, in its own units. */
interface Paper {
  readonly style: string;
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly ticksWanted: number;
  /** Points say their values to a mouse. */
  readonly pointed: boolean;
}

/** One for screens, one for phones, whose letters would be too small to read on the other; the page shows one. */
const papers: readonly Paper[] = [
  { style: "broad", width: 960, height: 280, left: 66, right: 22, ticksWanted: 6, pointed: true },
  { style: "slim", width: 400, height: 270, left: 58, right: 12, ticksWanted: 4, pointed: false },
];
const bottom = 30;
/** Height of a row of the legend. */
const legendRow = 18;
/** Series with more points than this are too dense to be pointed at. */
const pointedMax = 200;
/** Width of a letter in the legend, about. */
const letterWidth = 6.2;

/** Draws a plot. Values that a logarithmic axis cannot show are left out. */
export function plot(lines: readonly Line[], x: Axis, y: Axis): string {
  const shown = lines.map((line) => ({
    ...line,
    points: line.points.filter(([px, py]) => isShown(px, x) && isShown(py, y)),
  })).filter(({ points }) => points.length > 0);
  if (shown.length === 0) return `<p class="none">nothing was measured</p>`;
  return papers.map((paper) => draw(paper, shown, x, y)).join("");
}

function draw(paper: Paper, shown: readonly Line[], x: Axis, y: Axis): string {
  const { height, left, pointed, right, style, ticksWanted, width } = paper;
  const title = `${y.title} over ${x.title}`;
  const { rows, legend } = legendOf(paper, shown, title);
  const top = legendRow * rows + 16;
  const all = shown.flatMap(({ points }) => points);
  const xs = scale(all.map(([value]) => value), x, left, width - right, ticksWanted);
  const ys = scale(all.map(([, value]) => value), y, height - bottom, top, ticksWanted, true);
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
      if (dots !== true && (points.length > pointedMax || !pointed)) return "";
      const [px, py] = points[index]!;
      const said = `<title>${
        escape(`${name} ${y.text(py)} at ${x.text(px)} ${x.unit ?? ""}`.trim())
      }</title>`;
      const dot = dots === true ? `<circle class="dot ${style}" cx="${cx}" cy="${cy}" r="3.2"/>` : "";
      if (!pointed) return dot;
      return `${dot}<circle class="hit" cx="${cx}" cy="${cy}" r="4">${said}</circle>`;
    }).join("");
    return `<path class="area ${style}" d="M${path}L${last[0]} ${floor}L${first[0]} ${floor}Z"/>` +
      `<path class="line ${style}" d="M${path}"/>${marks}`;
  });
  return `<svg class="${style}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">` +
    `${grid.join("")}${drawn.join("")}${legend}` +
    `<text class="tick" x="${width - right}" y="16" text-anchor="end">${escape(title)}</text></svg>`;
}

/** Names of the lines, in as many rows as they need beside the title. */
function legendOf(
  { left, right, width }: Paper,
  shown: readonly Line[],
  title: string,
): { readonly rows: number; readonly legend: string } {
  let at = left;
  let row = 0;
  const entries = shown.map(({ name, style }) => {
    const wide = 44 + name.length * letterWidth;
    const end = width - right - (row === 0 ? title.length * letterWidth : -18);
    if (at + wide > end && (row === 0 || at > left)) {
      at = left;
      row++;
    }
    const here = `translate(${round(at)} ${16 + row * legendRow})`;
    at += wide;
    return `<g transform="${here}"><path class="line ${style}" d="M0 -4H20"/>` +
      `<text class="tick" x="26" y="0">${escape(name)}</text></g>`;
  });
  return { rows: row + 1, legend: entries.join("") };
}

interface Scale {
  readonly ticks: readonly number[];
  readonly place: (value: number) => number;
}

function isShown(value: number, axis: Axis): boolean {
  return Number.isFinite(value) && (axis.log !== true || value > 0);
}

function scale(
  values: readonly number[],
  axis: Axis,
  from: number,
  to: number,
  ticksWanted: number,
  zero = false,
): Scale {
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (axis.log === true) {
    const [first, last] = [
      Math.floor(Math.log10(low)),
      Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1),
    ];
    const every = Math.ceil((last - first + 1) / (ticksWanted + 2));
    const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
      .filter((_, index) => index % every === 0);
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
