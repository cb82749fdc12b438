// @ts-check
/// <reference lib="dom" />
/**
 * The flow picture: bands from listeners through rules to topics, as thick as their rates, and the same as a table,
 * which is what a phone shows.
 *
 * @module
 */
import { byId, setText } from "./dom.js";
import { charWidth, layoutFlow } from "./flow_layout.js";
import { flowNodes } from "./flow_nodes.js";
import { compact, rate, share } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./flow_layout.js").FlowNode} FlowNode */
/** @typedef {import("./flow_layout.js").FlowPicture} FlowPicture */
/** @typedef {import("./history.js").History} History */

const svgNamespace = "http://www.w3.org/2000/svg";
/** Names for the table's first column. */
const stages = ["listener", "rule", "topic"];
const titles = ["listeners", "rules", "topics"];

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderFlow(stats, history) {
  const columns = flowNodes(stats, (select) => history.rate(select));
  const picture = byId("flow-picture");
  if (picture.clientWidth > 0) draw(picture, columns);
  const received = history.rate((one) => one.ledger.received);
  const delivered = history.rate((one) => one.ledger.delivered);
  const waits = columns[2].some((node) => (node.waiting ?? 0) > node.rate / 2);
  setText(
    "flow-words",
    received === undefined
      ? "Measuring …"
      : received === 0 && delivered === 0
      ? "No lines at the moment."
      : `${rate(received)} lines a second come in, ${rate(delivered ?? 0)} are acknowledged${
        waits ? "; what waits for that is amber" : ""
      }.`,
  );
  fillTable(columns);
}

/**
 * @param {HTMLElement} box
 * @param {[FlowNode[], FlowNode[], FlowNode[]]} columns
 */
function draw(box, columns) {
  const layout = layoutFlow(columns, box.clientWidth);
  const svg = svgElement("svg", {
    viewBox: `0 0 ${layout.width} ${layout.height.toFixed(0)}`,
    width: layout.width,
    height: layout.height.toFixed(0),
    "aria-hidden": "true",
  });
  for (const { kind, path } of layout.bands) {
    svg.append(svgElement("path", { class: `band ${kind}`, d: path }));
  }
  for (const { x, y, width, height } of layout.bars) {
    svg.append(svgElement("rect", { class: "bar", x, y, width, height, rx: 2 }));
  }
  layout.columns.forEach((nodes, column) => {
    const head = svgElement("text", {
      class: "flow-head",
      x: nodes.length === 0 ? 0 : nodes[0].x + (column === 0 ? nodes[0].width : 0),
      y: 12,
      "text-anchor": column === 0 ? "end" : "start",
    });
    head.textContent = titles[column];
    svg.append(head);
    for (const placed of nodes) svg.append(nodeGroup(placed, column, layout));
  });
  box.replaceChildren(svg);
}

/**
 * @param {import("./flow_layout.js").PlacedNode} placed
 * @param {number} column
 * @param {FlowPicture} layout
 */
function nodeGroup({ x, y, width, height, node, labelY }, column, { labelWidths }) {
  const group = svgElement("g", { class: `node ${node.kind}${node.rate > 0 ? "" : " idle"}` });
  const title = svgElement("title", {});
  title.textContent = `${node.name}: ${rate(node.rate)} lines a second. ${node.hint}`;
  group.append(title);
  if (column === 1 && node.rate > 0) {
    group.append(svgElement("rect", { class: "band", x: x + width, y, width: labelWidths[1], height }));
  }
  group.append(svgElement("rect", { class: "stop", x, y, width, height, rx: 2 }));
  // The part that is not acknowledged.
  const waiting = node.rate > 0 ? Math.min(1, (node.waiting ?? 0) / node.rate) : 0;
  if (waiting > 0.05) {
    const part = height * waiting;
    group.append(
      svgElement("rect", { class: "unacknowledged", x, y: y + height - part, width, height: part, rx: 2 }),
    );
  }
  const room = labelWidths[column];
  const figure = node.rate > 0
    ? `${compact(node.rate < 10 ? Math.round(node.rate * 10) / 10 : node.rate)}/s`
    : "0";
  const label = svgElement("text", {
    x: column === 0 ? x - 9 : x + width + 9,
    y: labelY,
    dy: "0.35em",
    "text-anchor": column === 0 ? "end" : "start",
  });
  const name = svgElement("tspan", { class: node.quiet ? "remark" : "name" });
  name.textContent = cut(node.name, Math.floor((room - 20) / charWidth) - figure.length - 1, column === 0);
  const value = svgElement("tspan", { class: "rate" });
  value.textContent = figure;
  label.append(name, "  ", value);
  group.append(label);
  return group;
}

/**
 * Cut in the middle of addresses, whose ends say most, and at the end of names.
 * @param {string} text
 * @param {number} charsMax
 * @param {boolean} keepsEnd
 */
function cut(text, charsMax, keepsEnd) {
  if (text.length <= charsMax) return text;
  if (!keepsEnd) return `${text.slice(0, charsMax - 1)}…`;
  const half = Math.floor(charsMax / 2) - 1;
  return `${text.slice(0, half)}…${text.slice(half + 1 - charsMax)}`;
}

/** @param {[FlowNode[], FlowNode[], FlowNode[]]} columns */
function fillTable(columns) {
  const details = /** @type {HTMLDetailsElement} */ (byId("flow-details"));
  if (!details.open) return;
  const all = columns[0].reduce((total, node) => total + node.rate, 0);
  const box = byId("flow-table");
  renderTable(box, {
    whole: true,
    caption: "Lines a second by listener, rule and topic",
    columns: [
      { title: "name", text: true },
      { title: "stage", text: true },
      { title: "lines/s" },
      { title: "share" },
    ],
    rows: columns.flatMap((nodes, column) =>
      nodes.map((node, index) => ({
        key: `${column} ${node.name}`,
        className: `${node.kind}${index === 0 ? " first" : ""}`,
        hint: node.hint,
        bar: all > 0 ? Math.min(1, node.rate / all) : 0,
        cells: [
          node.name,
          node.kind === "dropped" || node.kind === "dead-lettered" ? "end" : stages[column],
          rate(node.rate),
          share(node.rate, all),
        ],
      }))
    ),
  });
}

/** The table stands in for the picture where there is no room for it. */
export function watchFlow() {
  const details = /** @type {HTMLDetailsElement} */ (byId("flow-details"));
  const narrow = matchMedia("(max-width: 44rem)");
  const fit = () => details.open = narrow.matches;
  narrow.addEventListener("change", fit);
  fit();
}

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} attributes
 */
function svgElement(name, attributes) {
  const created = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, String(value));
  return created;
}
