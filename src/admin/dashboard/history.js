// @ts-check
/**
 * What the page remembers: the last polls for rates, and one point per poll for the charts. Pure.
 *
 * @module
 */

/** @typedef {import("../stats_view.ts").Stats} Stats */

/**
 * One point of all charts; undefined where there was no answer.
 * @typedef {object} Point
 * @property {number} atMs
 * @property {number} [received] lines per second
 * @property {number} [delivered] lines per second
 * @property {number} [bytes] per second
 * @property {number} [connections]
 * @property {number} [waiting] lines in flight or in the spool
 * @property {number} [p50] milliseconds
 * @property {number} [p99]
 * @property {number} [p999]
 * @property {Readonly<Record<string, StagePoint>>} [stages] those in which something was
 */
/** @typedef {{ p50: number, p99: number, p999: number }} StagePoint milliseconds */

/** How far the charts look back. */
const windowMs = 5 * 60_000;
/** What they span when the page was just opened. */
const windowMsMin = 60_000;

/** Rates are taken over this many polls, so that figures can be read. */
const ratePolls = 3;

/**
 * The time that a chart of these points spans: it grows until it is full.
 * @param {readonly Point[]} points
 * @param {number} nowMs
 */
export function spanMs(points, nowMs) {
  return Math.min(windowMs, Math.max(windowMsMin, nowMs - (points[0]?.atMs ?? nowMs)));
}

/** The last polls and the charts' points. */
export class History {
  /** @type {{ atMs: number, stats: Stats }[]} */
  #polls = [];
  /** @type {Point[]} */
  points = [];

  /**
   * Takes an answer. A process that started anew begins with a gap.
   * @param {Stats} stats
   * @param {number} atMs
   */
  push(stats, atMs) {
    const former = this.#polls.at(-1);
    if (former !== undefined && (stats.uptime_s < former.stats.uptime_s || atMs <= former.atMs)) {
      this.gap(atMs);
    }
    this.#polls.push({ atMs, stats });
    if (this.#polls.length > ratePolls + 1) this.#polls.shift();
    if (this.#polls.length < 2) return;
    const perSecond = rateBetween(this.#polls[this.#polls.length - 2], this.#polls[this.#polls.length - 1]);
    const latency = latencyOf(stats);
    const idle = latency.count === 0;
    this.#add({
      atMs,
      received: perSecond((one) => one.ledger.received),
      delivered: perSecond((one) => one.ledger.delivered),
      bytes: perSecond((one) => one.totals.bytes_received),
      connections: stats.totals.connections_open,
      waiting: stats.ledger.in_flight + stats.ledger.spooled,
      p50: idle ? undefined : latency.p50,
      p99: idle ? undefined : latency.p99,
      p999: idle ? undefined : latency.p999,
      stages: stagePoints(stats),
    });
  }

  /**
   * Notes that there was no answer: rates start anew and the charts' lines break.
   * @param {number} atMs
   */
  gap(atMs) {
    if (this.#polls.length > 0) this.#add({ atMs });
    this.#polls = [];
  }

  /**
   * The rate per second of any counter over the last polls; undefined before the second answer.
   * @param {(stats: Stats) => number | undefined} select undefined where the counter did not exist yet
   * @returns {number | undefined}
   */
  rate(select) {
    if (this.#polls.length < 2) return undefined;
    return rateBetween(this.#polls[0], this.#polls[this.#polls.length - 1])(select);
  }

  /** @param {Point} point */
  #add(point) {
    this.points.push(point);
    while (this.points[0].atMs < point.atMs - windowMs) this.points.shift();
  }
}

/**
 * @param {{ atMs: number, stats: Stats }} from
 * @param {{ atMs: number, stats: Stats }} to
 * @returns {(select: (stats: Stats) => number | undefined) => number}
 */
function rateBetween(from, to) {
  const seconds = (to.atMs - from.atMs) / 1000;
  return (select) => Math.max(0, ((select(to.stats) ?? 0) - (select(from.stats) ?? 0)) / seconds);
}

/**
 * Percentiles of each stage in which something was in the last seconds.
 * @param {Stats} stats
 * @returns {Record<string, StagePoint>}
 */
function stagePoints({ latency_ms: { stages = {} } }) {
  const busy = Object.entries(stages).filter(([, { recent }]) => recent.count > 0);
  return Object.fromEntries(busy.map(([name, { recent: { p50, p99, p999 } }]) => [name, { p50, p99, p999 }]));
}

/**
 * The latency of the last seconds where the program tells it, else since the start.
 * @param {Stats} stats
 */
export function latencyOf(stats) {
  return stats.latency_ms.recent ?? stats.latency_ms.receive_to_ack;
}
