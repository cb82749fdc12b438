// @ts-check
/// <reference lib="dom" />
/**
 * The head of the page: is all well, in one sentence, else what is not; and the four figures with their plots.
 *
 * @module
 */
import { announce } from "./announce.js";
import { byId, element, replaceIfNew, setText } from "./dom.js";
import { bytes, compact, count, duration, latency, rate } from "./format.js";
import { latencyOf } from "./history.js";
import { Plot } from "./plot.js";
import { problemsOf } from "./problems.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./history.js").History} History */

/** Makes the plots; the returned function draws them. */
export function createPlots() {
  const plots = [
    new Plot(byId("lines-plot"), {
      label: "Lines per second",
      series: [{ name: "received", of: (point) => point.received }, {
        name: "acknowledged",
        of: (point) => point.delivered,
      }],
      format: compact,
    }),
    new Plot(byId("latency-plot"), {
      label: "Latency",
      series: [{ name: "p50", of: (point) => point.p50 }, { name: "p99", of: (point) => point.p99 }, {
        name: "p99.9",
        of: (point) => point.p999,
      }],
      format: (value) => latency(value).join(" "),
      logarithmic: true,
    }),
    new Plot(byId("waiting-plot"), {
      label: "Lines on their way",
      series: [{ name: "on their way", of: (point) => point.waiting }],
      format: compact,
    }),
    new Plot(byId("connections-plot"), {
      label: "Open connections",
      series: [{ name: "open", of: (point) => point.connections }],
      format: compact,
    }),
  ];
  return (/** @type {History} */ history, /** @type {number} */ nowMs) => {
    for (const plot of plots) plot.draw(history.points, nowMs);
  };
}

/**
 * @param {Stats} stats
 * @param {History} history
 * @param {readonly import("./problems.js").Problem[]} others what is known from elsewhere
 */
export function renderHead(stats, history, others) {
  const state = byId("state");
  state.hidden = false;
  state.className = `pill ${stats.state}`;
  setText(state, stats.state);
  setText("identity", `${stats.version} · ${stats.runtime} · up ${duration(stats.uptime_s)}`);
  const problems = [...problemsOf(stats, (select) => history.rate(select)), ...others]
    .sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
  const worst = problems[0]?.level ?? "well";
  const verdict = byId("verdict");
  if (verdict.className !== `verdict ${worst}`) verdict.className = `verdict ${worst}`;
  setText("verdict-sign", { error: "✕", warning: "!", well: "✓" }[worst]);
  setText("verdict-words", sentence(stats, history, problems));
  replaceIfNew(
    byId("problems"),
    JSON.stringify(problems),
    () => problems.map(({ level, text }) => element("li", `problem ${level}`, text)),
  );
  // Not the figures in them, which move: which problems there are.
  announce(problems.length === 0 ? "All is well." : problems.map(({ said }) => said).join(" "));
}

/**
 * @param {Stats} stats
 * @param {History} history
 * @param {readonly { level: string }[]} problems
 */
function sentence(stats, history, problems) {
  const errors = problems.filter(({ level }) => level === "error").length;
  if (errors > 0) return errors === 1 ? "One thing is wrong." : `${errors} things are wrong.`;
  if (problems.length > 0) return problems.length === 1 ? "Look at this." : "Look at these.";
  const received = history.rate((one) => one.ledger.received);
  const { connections_open: open } = stats.totals;
  const senders = `${count(open)} ${open === 1 ? "connection" : "connections"}`;
  if (received === undefined) return "All is well.";
  if (received > 0) {
    return `All is well: ${rate(received)} lines a second, ${senders} open, none is stuck or lost.`;
  }
  return stats.ledger.received === 0
    ? `Ready, and no line has come yet; ${senders} open.`
    : `All is well; no line comes at the moment, ${senders} open.`;
}

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderFigures(stats, history) {
  const received = history.rate((one) => one.ledger.received);
  const delivered = history.rate((one) => one.ledger.delivered);
  const bytesNow = history.rate((one) => one.totals.bytes_received);
  setText("lines-now", received === undefined ? "–" : rate(received));
  setText("delivered-now", delivered === undefined ? "–" : rate(delivered));
  if (received !== undefined) document.title = `${compact(Math.round(received))}/s · corndog`;
  if (bytesNow !== undefined) {
    setText("bytes-now", bytes(bytesNow).join(" "));
    setText("line-size", received ? count(bytesNow / received) : "–");
  }
  const now = latencyOf(stats);
  const parts = { p50: latency(now.p50), p99: latency(now.p99), p999: latency(now.p999) };
  setText("latency-now", now.count === 0 ? "–" : parts.p99[0]);
  setText("latency-unit", now.count === 0 ? "" : parts.p99[1]);
  setText("p50-now", now.count === 0 ? "–" : parts.p50.join(" "));
  setText("p999-now", now.count === 0 ? "–" : parts.p999.join(" "));
  const { in_flight: inFlight, spooled } = stats.ledger;
  setText("waiting-now", count(inFlight + spooled));
  setText("in-flight-now", count(inFlight));
  setText("spooled-now", count(spooled));
  setText("connections-now", count(stats.totals.connections_open));
  setText("accepted", count(stats.totals.connections_accepted));
  setText("refused", count(stats.totals.connections_refused));
}
