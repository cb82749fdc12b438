// @ts-check
/**
 * What is wrong, in words for an operator. Pure.
 *
 * @module
 */
import { clock, count, duration, rate } from "./format.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/**
 * @typedef {object} Problem
 * @property {"error" | "warning"} level
 * @property {string} text
 * @property {string} said the same without figures that move, for screen readers
 */

/** A worker's loop turns every few hundred milliseconds at least; this long without is a held loop. */
const heartbeatAgeMsMax = 3000;

/**
 * Lines on both sides of the ledger; they are equal while it balances.
 * @param {Stats["ledger"]} ledger
 */
export function ledgerSides(ledger) {
  const dropped = Object.values(ledger.dropped).reduce((sum, one) => sum + one, 0);
  return {
    came: ledger.received + ledger.fan_out + ledger.split + ledger.replayed,
    went: ledger.delivered + ledger.spooled + ledger.in_flight + ledger.dead_lettered + ledger.joined +
      dropped,
  };
}

/**
 * Worst first.
 * @param {Stats} stats
 * @param {(select: (stats: Stats) => number | undefined) => number | undefined} perSecond
 * @returns {Problem[]}
 */
export function problemsOf(stats, perSecond) {
  return [...errorsOf(stats), ...warningsOf(stats, perSecond)];
}

/**
 * @param {Stats} stats
 * @returns {Problem[]}
 */
function errorsOf(stats) {
  /** @type {Problem[]} */
  const problems = [];
  const error = (/** @type {string} */ text, said = text) => problems.push({ level: "error", text, said });
  const { came, went } = ledgerSides(stats.ledger);
  if (!stats.ledger.balanced) {
    const lines = count(Math.abs(came - went));
    error(
      `The ledger does not balance: ${lines} lines are ${came > went ? "missing" : "counted twice"}.`,
      "The ledger does not balance.",
    );
  }
  const { spool } = stats;
  if (spool !== undefined && spool.state !== "ready") {
    error(`The spool is ${spool.state}: ${spool.problem ?? ""}.`);
  }
  if (!stats.sink.ready && spool?.state !== "ready") {
    error(
      `Sink ${stats.sink.name} cannot deliver: ${stats.sink.problems.join("; ") || "it gives no reason"}.`,
    );
  }
  for (const worker of stats.workers) {
    const age = Number(worker.heartbeat_age_ms);
    if (age > heartbeatAgeMsMax) {
      error(
        `Worker ${worker.worker} has been held for ${duration(age / 1000)}.`,
        `Worker ${worker.worker} is held.`,
      );
    }
  }
  return problems;
}

/**
 * @param {Stats} stats
 * @param {(select: (stats: Stats) => number | undefined) => number | undefined} perSecond
 * @returns {Problem[]}
 */
function warningsOf(stats, perSecond) {
  /** @type {Problem[]} */
  const problems = [];
  const warn = (/** @type {string} */ text, said = text) => problems.push({ level: "warning", text, said });
  if (stats.state === "draining") {
    warn("corndog is draining: it takes no new lines and ends when what it holds is delivered.");
  }
  if (stats.rules.last_error !== undefined) {
    const { at, faults } = stats.rules.last_error;
    const many = faults.length === 1 ? "1 fault" : `${count(faults.length)} faults`;
    warn(
      `The rules of ${
        clock(Date.parse(at))
      } were refused (${many}); version ${stats.rules.version} stays in force.`,
    );
  }
  if (!stats.sink.ready && stats.spool?.state === "ready") {
    const { problems, name } = stats.sink;
    warn(`Sink ${name} cannot deliver: ${problems.join("; ")}. The spool keeps the lines.`);
  }
  for (const trouble of stats.sink.troubles ?? []) warn(`${trouble}.`);
  const pauses = perSecond((one) => one.totals.pauses) ?? 0;
  if (pauses > 0) {
    warn(
      `Senders wait: reading stops ${rate(pauses)} times a second because memory is full.`,
      "Senders wait.",
    );
  }
  const dead = perSecond((one) => one.ledger.dead_lettered) ?? 0;
  if (dead > 0) warn(`Lines go to the dead letter: ${rate(dead)} a second.`, "Lines go to the dead letter.");
  if (stats.sink.ready && stats.sink.problems.length > 0) {
    warn(`Sink ${stats.sink.name}: ${stats.sink.problems.join("; ")}.`);
  }
  return problems;
}
