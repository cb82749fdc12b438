// @ts-check
/**
 * What the flow picture shows: listeners, rules and what became of the lines, each with its rate. Pure.
 *
 * @module
 */
import { count, rate as rateText, words } from "./format.js";
import { visible } from "./visible.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./flow_layout.js").FlowNode} FlowNode */
/** @typedef {(select: (stats: Stats) => number | undefined) => number | undefined} PerSecond */

/** Nodes of a column that are shown one by one. */
const shownMax = 8;

/**
 * @param {Stats} stats
 * @param {PerSecond} perSecond
 * @returns {[FlowNode[], FlowNode[], FlowNode[]]}
 */
export function flowNodes(stats, perSecond) {
  const rate = (/** @type {(stats: Stats) => number | undefined} */ select) => perSecond(select) ?? 0;
  const shown = (/** @type {FlowNode[]} */ nodes) =>
    nodes.map((node) => ({ ...node, name: visible(node.name), hint: visible(node.hint) }));
  return [shown(listenersOf(stats, rate)), shown(rulesOf(stats, rate)), shown(outcomesOf(stats, rate))];
}

/**
 * @param {Stats} stats
 * @param {(select: (stats: Stats) => number | undefined) => number} rate
 */
function listenersOf({ listeners, ledger }, rate) {
  const nodes = listeners.map((listener, index) => ({
    name: `${listener.transport}://${String(listener.address).replace(/^\w+:\/\//, "")}`,
    kind: "listener",
    rate: rate((one) => Number(one.listeners[index]?.lines ?? 0)),
    hint: `${listener.kind}, ${count(Number(listener.connections ?? 0))} connections, ${
      count(Number(listener.lines ?? 0))
    } lines since the start`,
  }));
  if (ledger.replayed > 0) {
    nodes.push({
      name: "spool of earlier runs",
      kind: "spooled",
      rate: rate((one) => one.ledger.replayed),
      hint: `${count(ledger.replayed)} lines replayed since the start`,
    });
  }
  return shorten(nodes, "listeners", "listener");
}

/**
 * @param {Stats} stats
 * @param {(select: (stats: Stats) => number | undefined) => number} rate
 */
function rulesOf({ rules }, rate) {
  const nodes = rules.hits.map(({ rule, hits }, index) => ({
    name: rule,
    kind: "rule",
    // Another version may have another rule in this place.
    rate: rate((one) => one.rules.version === rules.version ? one.rules.hits[index]?.hits : undefined),
    hint: `${count(hits)} hits in version ${rules.version}`,
  }));
  const received = rate((one) => one.ledger.received);
  const hits = nodes.reduce((total, node) => total + node.rate, 0);
  const rest = received - hits;
  const shown = shorten(nodes, "rules", "rule");
  // A line may match several rules, so that this is exact only where each matches one.
  if (nodes.length === 0 || rest > received * 0.005) {
    shown.push({
      name: nodes.length === 0 ? "no rules" : "no rule",
      kind: "no-rule",
      rate: Math.max(0, rest),
      hint: "Lines received, less the hits of all rules: they go to the default topic.",
      quiet: true,
    });
  }
  return shown;
}

/**
 * @param {Stats} stats
 * @param {(select: (stats: Stats) => number | undefined) => number} rate
 */
function outcomesOf({ kafka, ledger }, rate) {
  const topics = Object.entries(kafka.topics).map(([name, topic]) => {
    const submitted = rate((one) => own(one.kafka.topics, name)?.submitted);
    const delivered = rate((one) => own(one.kafka.topics, name)?.delivered);
    const waiting = topic.submitted - topic.delivered - topic.dead_lettered;
    return {
      name,
      kind: "topic",
      rate: submitted,
      waiting: Math.max(0, submitted - delivered),
      hint: `${rateText(delivered)}/s acknowledged, ${count(topic.delivered)} since the start, ${
        count(waiting)
      } wait`,
    };
  });
  const nodes = shorten(topics, "topics", "topic");
  /** @param {string} name @param {string} kind @param {number} perSecond @param {string} hint */
  const remark = (name, kind, perSecond, hint) => {
    if (perSecond > 0) nodes.push({ name, kind, rate: perSecond, hint, quiet: true });
  };
  remark(
    "dead letter",
    "dead-lettered",
    rate((one) => one.ledger.dead_lettered),
    `${count(ledger.dead_lettered)} since the start, kept with the reason`,
  );
  for (const [reason, lines] of Object.entries(ledger.dropped)) {
    const perSecond = rate((one) => one.ledger.dropped[reason]);
    remark(`dropped: ${words(reason)}`, "dropped", perSecond, `${count(lines)} since the start`);
  }
  return nodes;
}

/**
 * A member that is its own: names of topics come from log lines.
 * @template Value
 * @param {Readonly<Record<string, Value>>} record
 * @param {string} name
 * @returns {Value | undefined}
 */
function own(record, name) {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/**
 * The busiest in their order, the others as one.
 * @param {FlowNode[]} nodes
 * @param {string} what
 * @param {string} kind
 * @returns {FlowNode[]}
 */
function shorten(nodes, what, kind) {
  if (kind === "topic") nodes.sort((a, b) => b.rate - a.rate || (a.name < b.name ? -1 : 1));
  if (nodes.length <= shownMax) return nodes;
  const kept = new Set([...nodes].sort((a, b) => b.rate - a.rate).slice(0, shownMax - 1));
  const rest = nodes.filter((node) => !kept.has(node));
  const sum = (/** @type {(node: FlowNode) => number} */ pick) =>
    rest.reduce((total, node) => total + pick(node), 0);
  return [...nodes.filter((node) => kept.has(node)), {
    name: `${count(rest.length)} more ${what}`,
    kind,
    rate: sum((node) => node.rate),
    waiting: sum((node) => node.waiting ?? 0),
    hint: rest.slice(0, 20).map(({ name }) => name).join(", "),
    quiet: true,
  }];
}
