// @ts-check
/**
 * Where the parts of the flow picture lie: three columns of nodes (listeners, rules, what became of the lines) and
 * between them two bars in which the bands meet, since which line of a listener meets which rule is not counted.
 * A band is as thick as its rate. Pure.
 *
 * @module
 */

/**
 * A place that lines come from, pass, or end in.
 * @typedef {object} FlowNode
 * @property {string} name
 * @property {string} kind the style's name
 * @property {number} rate lines per second
 * @property {number} [waiting] of these, not acknowledged
 * @property {string} hint
 * @property {boolean} [quiet] no name of a thing, a remark
 */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box */
/** @typedef {Box & { node: FlowNode, labelY: number }} PlacedNode */
/** @typedef {{ kind: string, path: string, rate: number }} Band */
/**
 * @typedef {object} FlowPicture
 * @property {number} width
 * @property {number} height
 * @property {[PlacedNode[], PlacedNode[], PlacedNode[]]} columns
 * @property {[Box, Box]} bars
 * @property {Band[]} bands
 * @property {[number, number, number]} labelWidths pixels for the names of each column
 */

/** Greatest thickness of all lines together. */
const trunkHeight = 150;
/** A band of very few lines is still seen. */
const bandHeightMin = 1.5;
/** Height that a label needs. */
const rowHeight = 27;
const nodeWidth = 7;
const barWidth = 7;
/** Width of a character of a name, and characters of a rate with the space before it. */
export const charWidth = 6.9;
export const rateChars = 11;
/** Room above for the columns' titles. */
const top = 26;

/**
 * @param {[FlowNode[], FlowNode[], FlowNode[]]} columns
 * @param {number} width pixels
 * @returns {FlowPicture}
 */
export function layoutFlow(columns, width) {
  const sums = columns.map((nodes) => nodes.reduce((sum, { rate }) => sum + rate, 0));
  const most = Math.max(...sums);
  const scale = most > 0 ? trunkHeight / most : 0;
  const [left, inner, right] = labelWidths(columns, width);
  const gap = (width - left - inner - right - 3 * nodeWidth - 2 * barWidth) / 4;
  const xs = /** @type {const} */ ([
    left,
    left + nodeWidth + 2 * gap + barWidth,
    width - right - nodeWidth,
  ]);
  const barXs = [left + nodeWidth + gap, xs[1] + nodeWidth + inner + gap];
  const heights = columns.map((nodes) => nodes.map(({ rate }) => thickness(rate, scale)));
  const rows = heights.map((column) => column.map((one) => Math.max(rowHeight, one + 6)));
  const height = top + Math.max(trunkHeight, ...rows.map((column) => sum(column))) + 6;
  const placed = columns.map((nodes, column) => {
    let y = top + (height - top - sum(rows[column])) / 2;
    return nodes.map((node, index) => {
      const row = rows[column][index];
      const own = heights[column][index];
      const box = { x: xs[column], y: y + (row - own) / 2, width: nodeWidth, height: own };
      const labelY = y + row / 2;
      y += row;
      return { ...box, node, labelY };
    });
  });
  const bars = barXs.map((x, index) => {
    // What goes in is what was received; what comes out is what became of it.
    const own = Math.max(bandHeightMin, sums[index === 0 ? 0 : 2] * scale);
    return { x, y: top + (height - top - own) / 2, width: barWidth, height: own };
  });
  const bands = [
    ...joinBands(placed[0], bars[0], "in", 0),
    ...joinBands(placed[1], bars[0], "out", 0),
    ...joinBands(placed[1], bars[1], "in", inner),
    ...joinBands(placed[2], bars[1], "out", 0),
  ];
  return {
    width,
    height,
    columns: /** @type {FlowPicture["columns"]} */ (placed),
    bars: /** @type {FlowPicture["bars"]} */ (bars),
    bands,
    labelWidths: [left, inner, right],
  };
}

/**
 * What names and rates need, within a part of the width.
 * @param {readonly FlowNode[][]} columns
 * @param {number} width
 * @returns {[number, number, number]}
 */
function labelWidths(columns, width) {
  const widths = columns.map((nodes) => {
    const chars = Math.max(8, ...nodes.map(({ name }) => name.length + rateChars));
    return Math.round(Math.min(chars * charWidth + 18, width * 0.21));
  });
  return /** @type {[number, number, number]} */ (widths);
}

/**
 * Bands between nodes and the bar on their right (`in`) or left (`out`). At the bar they share its height.
 * @param {PlacedNode[]} nodes
 * @param {Box} bar
 * @param {"in" | "out"} direction
 * @param {number} labelWidth room for the names between the nodes and the bands' beginning
 * @returns {Band[]}
 */
function joinBands(nodes, bar, direction, labelWidth) {
  const whole = sum(nodes.map(({ height }) => height));
  let at = bar.y;
  return nodes.flatMap(({ x, y, width, height, node }) => {
    const share = whole > 0 ? bar.height * height / whole : 0;
    const from = at;
    at += share;
    if (node.rate <= 0) return [];
    const path = direction === "in"
      ? band(x + width + labelWidth, y, y + height, bar.x, from, at)
      : band(bar.x + bar.width, from, at, x, y, y + height);
    // What is taken and not acknowledged shows from afar.
    const waits = (node.waiting ?? 0) > node.rate / 2;
    return [{ kind: waits ? "waits" : node.kind, path, rate: node.rate }];
  });
}

/**
 * A band that leaves and arrives level.
 * @param {number} x1
 * @param {number} top1
 * @param {number} bottom1
 * @param {number} x2
 * @param {number} top2
 * @param {number} bottom2
 */
function band(x1, top1, bottom1, x2, top2, bottom2) {
  const middle = (x1 + x2) / 2;
  return [
    `M${fixed(x1)} ${fixed(top1)}`,
    `C${fixed(middle)} ${fixed(top1)} ${fixed(middle)} ${fixed(top2)} ${fixed(x2)} ${fixed(top2)}`,
    `V${fixed(bottom2)}`,
    `C${fixed(middle)} ${fixed(bottom2)} ${fixed(middle)} ${fixed(bottom1)} ${fixed(x1)} ${fixed(bottom1)}`,
    "Z",
  ].join("");
}

/** @param {number} value */
function fixed(value) {
  return value.toFixed(1);
}

/**
 * @param {number} rate
 * @param {number} scale
 */
function thickness(rate, scale) {
  return Math.max(bandHeightMin, rate * scale);
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, one) => total + one, 0);
}
