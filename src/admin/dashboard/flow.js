// @ts-check
/// <reference lib="dom" />
/**
 * The ledger as a flow: what came in on the left, what became of it on the right, ribbons between whose width is
 * their share. The right side is a table, so that nothing depends on seeing the ribbons.
 *
 * @module
 */
import { svgElement } from "./chart.js";
import { count, rate, share, words } from "./format.js";
import { ledgerSides } from "./problems.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../control.ts").Stats} Stats */
/** @typedef {import("./history.js").History} History */
/** @typedef {{ name: string, kind: string, lines: number, perSecond: number | undefined, hint: string }} Outcome */

/** Height of a row of the table and of its head; the style sheet has the same. */
const rowHeight = 34;
/** Greatest width of all ribbons together, at the left. */
const trunkHeight = 96;
/** A ribbon of very few lines is still seen. */
const ribbonHeightMin = 1.5;

/**
 * Draws the ledger into `box` and says in `mark` whether it balances.
 * @param {HTMLElement} box
 * @param {HTMLElement} mark
 * @param {Stats} stats
 * @param {History} history
 */
export function renderFlow(box, mark, stats, history) {
  const { came, went } = ledgerSides(stats.ledger);
  mark.className = stats.ledger.balanced ? "mark good" : "mark bad";
  mark.textContent = stats.ledger.balanced ? "✓ balanced" : `✕ off by ${count(Math.abs(came - went))}`;
  const outcomes = outcomesOf(stats, history);
  if (box.childElementCount === 0) {
    const input = document.createElement("dl");
    input.className = "came";
    const ribbons = svgElement("svg", {
      class: "ribbons",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    const table = document.createElement("div");
    table.className = "scroll";
    box.append(input, ribbons, table);
  }
  const [input, ribbons, table] = box.children;
  renderCame(/** @type {HTMLElement} */ (input), stats);
  renderRibbons(/** @type {SVGSVGElement} */ (ribbons), outcomes, came);
  renderTable(/** @type {HTMLElement} */ (table), {
    caption: "What became of the lines",
    columns: [
      { title: "became", text: true },
      { title: "lines" },
      { title: "share" },
      { title: "/s" },
    ],
    rows: outcomes.map(({ name, kind, lines, perSecond, hint }) => ({
      key: name,
      className: `outcome ${kind}`,
      hint,
      cells: [name, count(lines), share(lines, came), perSecond === undefined ? "" : rate(perSecond)],
    })),
  });
}

/**
 * @param {HTMLElement} list
 * @param {Stats} stats
 */
function renderCame(list, { ledger }) {
  /** @type {[string, number][]} */
  const entries = [["received", ledger.received]];
  if (ledger.fan_out > 0) entries.push(["copies by rules", ledger.fan_out]);
  if (ledger.split > 0) entries.push(["parts of long lines", ledger.split]);
  if (ledger.replayed > 0) entries.push(["replayed from the spool", ledger.replayed]);
  list.replaceChildren(...entries.flatMap(([name, lines]) => {
    const term = document.createElement("dt");
    term.textContent = name;
    const figure = document.createElement("dd");
    figure.textContent = count(lines);
    return [term, figure];
  }));
}

/**
 * States that are always shown, then those that have lines.
 * @param {Stats} stats
 * @param {History} history
 * @returns {Outcome[]}
 */
function outcomesOf({ ledger }, history) {
  /** @type {Outcome[]} */
  const outcomes = [
    {
      name: "delivered",
      kind: "delivered",
      lines: ledger.delivered,
      perSecond: history.rate((one) => one.ledger.delivered),
      hint: "The sink has acknowledged them.",
    },
    {
      name: "in flight",
      kind: "in-flight",
      lines: ledger.in_flight,
      perSecond: undefined,
      hint: "In memory, on their way to the sink.",
    },
    {
      name: "dead-lettered",
      kind: "dead-lettered",
      lines: ledger.dead_lettered,
      perSecond: history.rate((one) => one.ledger.dead_lettered),
      hint: "Kept in the dead letter with the reason.",
    },
  ];
  if (ledger.spooled > 0) {
    outcomes.splice(1, 0, {
      name: "spooled",
      kind: "spooled",
      lines: ledger.spooled,
      perSecond: undefined,
      hint: "On disk, waiting for the sink.",
    });
  }
  if (ledger.joined > 0) {
    outcomes.push({
      name: "joined",
      kind: "delivered",
      lines: ledger.joined,
      perSecond: undefined,
      hint: "Became a part of the line before them.",
    });
  }
  const dropped = Object.entries(ledger.dropped).filter(([, lines]) => lines > 0);
  for (const [reason, lines] of dropped) {
    outcomes.push({
      name: `dropped: ${words(reason)}`,
      kind: "dropped",
      lines,
      perSecond: history.rate((one) => one.ledger.dropped[reason]),
      hint: `Counted as dropped_${reason}.`,
    });
  }
  if (dropped.length === 0) {
    outcomes.push({
      name: "dropped",
      kind: "dropped",
      lines: 0,
      perSecond: undefined,
      hint: "Nothing was dropped.",
    });
  }
  return outcomes;
}

/**
 * @param {SVGSVGElement} svg
 * @param {Outcome[]} outcomes
 * @param {number} came
 */
function renderRibbons(svg, outcomes, came) {
  const height = rowHeight * (outcomes.length + 1);
  svg.setAttribute("viewBox", `0 0 100 ${height}`);
  svg.setAttribute("height", String(height));
  const shown = outcomes.map((outcome, row) => ({ ...outcome, row })).filter(({ lines }) => lines > 0);
  const thickness = shown.map(({ lines }) =>
    Math.max(ribbonHeightMin, trunkHeight * Math.min(1, lines / Math.max(1, came)))
  );
  let from = (height - thickness.reduce((sum, one) => sum + one, 0)) / 2;
  svg.replaceChildren(...shown.map(({ kind, row }, index) => {
    const start = thickness[index];
    // At its row a ribbon may be no thicker than the row.
    const end = Math.min(start, rowHeight - 10);
    const middle = rowHeight * (row + 1.5);
    const [a, b, c, d] = [from, from + start, middle + end / 2, middle - end / 2];
    from += start;
    return svgElement("path", {
      class: `ribbon ${kind}`,
      d: `M0 ${a}C50 ${a} 50 ${d} 100 ${d}V${c}C50 ${c} 50 ${b} 0 ${b}Z`,
    });
  }));
}
