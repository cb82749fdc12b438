// @ts-check
/// <reference lib="dom" />
/**
 * Where lines go and come from, in tables: sink and brokers, spool, topics, listeners, workers.
 *
 * @module
 */
import { byId, setMark, setText, showPairs } from "./dom.js";
import { bytes, count, duration, latency, rate, share } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./history.js").History} History */

/** A broker that answers later is worth a word. */
const silentMsMax = 1_000;

/** @param {Stats} stats */
export function renderSink({ sink, kafka, totals, spool, dead_letter: letters }) {
  setMark(
    "sink-mark",
    sink.ready ? "good" : spool?.state === "ready" ? "warn" : "bad",
    sink.ready ? "ready" : "not ready",
  );
  const words = sink.ready
    ? "takes what it is given"
    : spool?.state === "ready"
    ? "cannot deliver; the spool keeps the lines"
    : "cannot deliver; lines wait in memory and senders are slowed";
  setText(
    "sink-words",
    [`${sink.name} ${words}.`, ...sink.problems.map((problem) => `${problem}.`)].join(" "),
  );
  byId("brokers").hidden = kafka.brokers.length === 0;
  renderTable(byId("brokers"), {
    caption: "Kafka brokers",
    columns: [
      { title: "broker", text: true },
      { title: "state", text: true },
      { title: "requests out" },
      { title: "answers take" },
      { title: "sent" },
    ],
    rows: kafka.brokers.map((broker) => {
      const { sum_ms: ms, count: answers } = broker.answer_ms;
      return {
        key: String(broker.id),
        hint: broker.problem ??
          `${count(broker.requests)} requests, ${count(broker.unanswered)} without an answer`,
        className: broker.problem === undefined ? "" : "trouble",
        cells: [
          `${broker.id} ${broker.host}`,
          broker.problem ??
            (broker.silent_ms > silentMsMax
              ? `silent for ${duration(broker.silent_ms / 1000)}`
              : broker.connected
              ? "connected"
              : broker.connections > 0
              ? "connected in part"
              : "not connected"),
          count(broker.inFlight),
          answers === 0 ? "–" : latency(ms / answers).join(" "),
          bytes(broker.bytesSent).join(" "),
        ],
      };
    }),
  });
  const reasons = Object.entries(letters?.reasons ?? {}).map(([reason, lines]) =>
    `${reason.replaceAll("_", " ")} ${count(lines)}`
  );
  setText("letter-words", reasons.length === 0 ? "" : `Dead letters: ${reasons.join(", ")}.`);
  showPairs(byId("totals"), {
    "without a header": count(totals.unparsed),
    "cut at the limit": count(totals.frames_truncated),
    "damaged frames": count(totals.frames_damaged),
    "empty": count(totals.frames_empty),
    "datagrams": count(totals.datagrams),
    "datagrams lost": count(totals.datagrams_lost),
    "reading stopped": count(totals.pauses),
    "bytes": bytes(totals.bytes_received).join(" "),
  });
}

/** @param {Stats} stats */
export function renderSpool({ spool }) {
  byId("spool-card").hidden = spool === undefined;
  if (spool === undefined) return;
  const ready = spool.state === "ready";
  setMark("spool-mark", ready ? "good" : "bad", ready ? spool.durability : spool.state);
  const meter = /** @type {HTMLMeterElement} */ (byId("spool-meter"));
  meter.max = spool.bytes_max;
  meter.high = spool.bytes_max * 0.8;
  meter.value = spool.bytes;
  meter.textContent = share(spool.bytes, spool.bytes_max);
  const most = bytes(spool.bytes_max).join(" ");
  setText(
    "spool-words",
    `${bytes(spool.bytes).join(" ")} of ${most} on the disk. ${spool.problem ?? ""}`.trim(),
  );
  showPairs(byId("spool-figures"), {
    "not acknowledged": count(spool.lines),
    "on the disk alone": count(spool.backlog_lines),
    "from earlier runs": count(spool.replay_lines),
    "oldest": spool.lines === 0 ? "–" : duration(spool.oldest_age_s),
    "commit p99": latency(spool.commit_ms.p99).join(" "),
    "parked topics": count(spool.parked.length),
  });
}

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderTopics({ kafka: { topics } }, history) {
  const sorted = Object.entries(topics).sort(([, a], [, b]) => b.delivered - a.delivered);
  setText("topics-count", sorted.length === 0 ? "" : count(sorted.length));
  renderTable(byId("topics"), {
    caption: "Topics",
    columns: [
      { title: "topic", text: true },
      { title: "/s" },
      { title: "delivered" },
      { title: "waiting" },
      { title: "dead letters" },
    ],
    rows: sorted.map(([name, topic]) => {
      const waiting = topic.submitted - topic.delivered - topic.dead_lettered;
      const delivered = (/** @type {Stats} */ one) =>
        Object.hasOwn(one.kafka.topics, name) ? one.kafka.topics[name].delivered : undefined;
      return {
        key: name,
        hint: name,
        cells: [
          name,
          rate(history.rate(delivered) ?? 0),
          count(topic.delivered),
          count(Math.max(0, waiting)),
          count(topic.dead_lettered),
        ],
      };
    }),
    empty: "No line has been forwarded yet.",
  });
}

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderInputs({ listeners, workers }, history) {
  const perSecond = (/** @type {(stats: Stats) => unknown} */ select) =>
    history.rate((one) => Number(select(one) ?? 0)) ?? 0;
  renderTable(byId("listeners"), {
    caption: "Listeners",
    columns: [
      { title: "listener", text: true },
      { title: "address", text: true },
      { title: "/s" },
      { title: "lines" },
      { title: "open" },
    ],
    rows: listeners.map((listener, index) => ({
      key: String(index),
      hint: listener.certificate_ends_at === undefined
        ? String(listener.address)
        : `${listener.address}, certificate until ${listener.certificate_ends_at}`,
      cells: [
        listener.kind === listener.transport
          ? String(listener.kind)
          : `${listener.kind} ${listener.transport}`,
        String(listener.address),
        rate(perSecond((one) => one.listeners[index]?.lines)),
        count(Number(listener.lines ?? 0)),
        count(Number(listener.connections ?? 0)),
      ],
    })),
    empty: "No listener is bound yet.",
  });
  renderTable(byId("workers"), {
    caption: "Workers",
    columns: [
      { title: "worker", text: true },
      { title: "/s" },
      { title: "received" },
      { title: "in flight" },
      { title: "open" },
      { title: "rules" },
      { title: "heartbeat" },
    ],
    rows: workers.map((worker, index) => ({
      key: String(index),
      className: Number(worker.heartbeat_age_ms) > 3000 ? "trouble" : "",
      cells: [
        String(worker.worker ?? index),
        rate(perSecond((one) => one.workers[index]?.received)),
        count(Number(worker.received ?? 0)),
        count(Number(worker.in_flight ?? 0)),
        count(Number(worker.connections_open ?? 0)),
        String(worker.rules_version ?? "–"),
        worker.heartbeat_age_ms === undefined
          ? "–"
          : `${latency(Number(worker.heartbeat_age_ms)).join(" ")} ago`,
      ],
    })),
  });
}
