// @ts-check
/// <reference lib="dom" />
/**
 * The dashboard: asks `/admin/stats` every second and shows the answer; says when there is none.
 *
 * @module
 */
import { Chart } from "./chart.js";
import { renderFlow } from "./flow.js";
import { bytes, clock, compact, count, duration, latency, rate, share } from "./format.js";
import { History, latencyOf } from "./history.js";
import { askLooks, showLooks } from "./looks.js";
import { problemsOf } from "./problems.js";
import { renderRecords, renderTable } from "./tables.js";

/** @typedef {import("../control.ts").Stats} Stats */

const pollMs = 1000;
const looksPollMs = 2000;
/** Longer than the server's own deadline for statistics. */
const answerDeadlineMs = 6000;

const history = new History();
const charts = [
  new Chart(byId("lines-chart"), {
    label: "Lines per second",
    series: [{ key: "received", name: "received" }, { key: "delivered", name: "delivered" }],
    format: compact,
  }),
  new Chart(byId("bytes-chart"), {
    label: "Bytes per second",
    series: [{ key: "bytes", name: "received" }],
    format: (value) => bytes(value).join(" "),
  }),
  new Chart(byId("latency-chart"), {
    label: "Latency",
    series: [{ key: "p50", name: "p50" }, { key: "p99", name: "p99" }, { key: "p999", name: "p99.9" }],
    format: (value) => latency(value).join(" "),
    logarithmic: true,
  }),
  new Chart(byId("connections-chart"), {
    label: "Open connections",
    series: [{ key: "connections", name: "open" }],
    format: compact,
  }),
];

/** When the last answer came; undefined before the first. @type {number | undefined} */
let answeredAtMs;
/** The version that served this page. @type {string | undefined} */
let version;

async function poll() {
  const startedAtMs = performance.now();
  try {
    const response = await fetch("admin/stats", {
      signal: AbortSignal.timeout(answerDeadlineMs),
      cache: "no-store",
    });
    if (!response.ok) throw new Error(await refusalOf(response));
    show(await response.json());
  } catch (error) {
    showGone(error instanceof Error && error.name === "Error" ? error.message : "No answer from corndog");
  }
  setTimeout(poll, Math.max(100, pollMs - (performance.now() - startedAtMs)));
}

/** Asks the workers too, and thus less often. */
async function pollLooks() {
  const looks = await askLooks();
  if (looks !== undefined) showLooks(byId, looks);
  setTimeout(pollLooks, looksPollMs);
}

/** @param {Response} response */
async function refusalOf(response) {
  if (response.status === 401) return "corndog asks for its token: reload this page";
  const problem = await response.json().catch(() => ({}));
  return `corndog answers ${response.status}: ${problem.detail ?? response.statusText}`;
}

/** @param {string} reason */
function showGone(reason) {
  history.gap(Date.now());
  document.body.classList.add("gone");
  const since = answeredAtMs === undefined ? "" : ` since ${clock(answeredAtMs)}. The figures are from then`;
  setText("link", `${reason}${since}. Trying again every second.`);
  document.title = "✕ corndog";
}

/** @param {Stats} stats */
function show(stats) {
  // The program was replaced by another version: so is its page.
  version ??= stats.version;
  if (stats.version !== version) return location.reload();
  answeredAtMs = Date.now();
  history.push(stats, answeredAtMs);
  document.body.classList.remove("gone");
  byId("main").removeAttribute("aria-busy");
  showHead(stats);
  showFigures(stats);
  for (const chart of charts) chart.draw(history.points, answeredAtMs);
  renderFlow(byId("ledger"), byId("balance"), stats, history);
  showSink(stats);
  showSpool(stats);
  showTopics(stats);
  showRules(stats);
  showWorkers(stats);
  renderRecords(byId("listeners"), "Listeners", stats.listeners);
}

/** @param {Stats} stats */
function showHead(stats) {
  const state = byId("state");
  state.hidden = false;
  state.className = `pill ${stats.state}`;
  setText("state", stats.state);
  setText("identity", `${stats.version} · ${stats.runtime} · up ${duration(stats.uptime_s)}`);
  setText("link", "Live");
  const problems = problemsOf(stats, (select) => history.rate(select));
  const list = byId("problems");
  const text = problems.map((problem) => problem.level + problem.text).join("\n");
  if (list.dataset.text !== text) {
    list.dataset.text = text;
    list.replaceChildren(...problems.map(({ level, text }) => element("li", `problem ${level}`, text)));
  }
}

/** @param {Stats} stats */
function showFigures(stats) {
  const received = history.rate((one) => one.ledger.received);
  const delivered = history.rate((one) => one.ledger.delivered);
  const bytesNow = history.rate((one) => one.totals.bytes_received);
  setText("lines-now", received === undefined ? "–" : rate(received));
  setText("delivered-now", delivered === undefined ? "–" : rate(delivered));
  if (received !== undefined) document.title = `${compact(received)}/s · corndog`;
  if (bytesNow !== undefined) {
    const [figure, unit] = bytes(bytesNow);
    setText("bytes-now", figure);
    setText("bytes-unit", unit);
    setText("line-size", received ? count(bytesNow / received) : "–");
  }
  const now = latencyOf(stats);
  const parts = { p50: latency(now.p50), p99: latency(now.p99), p999: latency(now.p999) };
  setText("latency-now", now.count === 0 ? "–" : parts.p99[0]);
  setText("latency-unit", parts.p99[1]);
  setText("p50-now", now.count === 0 ? "–" : parts.p50.join(" "));
  setText("p999-now", now.count === 0 ? "–" : parts.p999.join(" "));
  setText("connections-now", count(stats.totals.connections_open));
  setText("accepted", count(stats.totals.connections_accepted));
  setText("refused", count(stats.totals.connections_refused));
}

/** @param {Stats} stats */
function showSpool({ spool }) {
  byId("spool-card").hidden = spool === undefined;
  if (spool === undefined) return;
  const ready = spool.state === "ready";
  byId("spool-mark").className = ready ? "mark good" : "mark bad";
  setText("spool-mark", ready ? `✓ ${spool.durability}` : `✕ ${spool.state}`);
  const [now, unit] = bytes(spool.bytes);
  const [most, mostUnit] = bytes(spool.bytes_max);
  const meter = /** @type {HTMLMeterElement} */ (byId("spool-meter"));
  meter.max = spool.bytes_max;
  meter.high = spool.bytes_max * 0.8;
  meter.value = spool.bytes;
  meter.textContent = share(spool.bytes, spool.bytes_max);
  setText("spool-words", `${now} ${unit} of ${most} ${mostUnit} on the disk. ${spool.problem ?? ""}`.trim());
  const entries = {
    "not acknowledged": count(spool.lines),
    "on the disk alone": count(spool.backlog_lines),
    "from earlier runs": count(spool.replay_lines),
    "oldest": spool.lines === 0 ? "–" : duration(spool.oldest_age_s),
    "commit p99": latency(spool.commit_ms.p99).join(" "),
    "parked topics": count(spool.parked.length),
  };
  byId("spool-figures").replaceChildren(
    ...Object.entries(entries).map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(element("dt", "", name), element("dd", "", value));
      return pair;
    }),
  );
}

/** @param {Stats} stats */
function showSink({ sink, kafka, totals, spool }) {
  byId("sink-mark").className = sink.ready ? "mark good" : "mark bad";
  setText("sink-mark", sink.ready ? "✓ ready" : "✕ not ready");
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
  renderRecords(byId("brokers"), "Kafka brokers", kafka.brokers);
  const entries = {
    "without a header": totals.unparsed,
    "cut at the limit": totals.frames_truncated,
    "empty": totals.frames_empty,
    "datagrams": totals.datagrams,
    "reading stopped": totals.pauses,
    "bytes": totals.bytes_received,
  };
  byId("totals").replaceChildren(
    ...Object.entries(entries).map(([name, value]) => {
      const pair = document.createElement("div");
      const [figure, unit] = name === "bytes" ? bytes(value) : [count(value), ""];
      pair.append(element("dt", "", name), element("dd", "", `${figure} ${unit}`.trim()));
      return pair;
    }),
  );
}

/** @param {Stats} stats */
function showTopics({ kafka: { topics } }) {
  const sorted = Object.entries(topics).sort(([, a], [, b]) => b.delivered - a.delivered);
  setText("topics-count", sorted.length === 0 ? "" : count(sorted.length));
  renderTable(byId("topics"), {
    caption: "Topics",
    columns: [
      { title: "topic", text: true },
      { title: "/s" },
      { title: "delivered" },
      { title: "waiting" },
      { title: "dead-lettered" },
    ],
    rows: sorted.map(([name, topic]) => ({
      key: name,
      hint: name,
      cells: [
        name,
        rate(history.rate((one) => one.kafka.topics[name]?.delivered) ?? 0),
        count(topic.delivered),
        count(topic.submitted - topic.delivered - topic.dead_lettered),
        count(topic.dead_lettered),
      ],
    })),
    empty: "No line has been forwarded yet.",
  });
}

/** @param {Stats} stats */
function showRules({ rules }) {
  setText("rules-version", `version ${rules.version}`);
  const loadedAtMs = Date.parse(rules.loaded_at);
  const ago = Number.isNaN(loadedAtMs) ? "" : `, loaded ${duration((Date.now() - loadedAtMs) / 1000)} ago`;
  setText("rules-origin", `${rules.source}${ago}`);
  const faults = rules.last_error?.faults ?? [];
  byId("rules-error").replaceChildren(
    ...faults.slice(0, 5).map((fault) => {
      const place = fault.line > 0 ? `${fault.file}:${fault.line}:${fault.column}` : fault.file;
      const line = element("p", "fault", "");
      line.append(
        element("code", "", place),
        ` ${fault.path === "" ? "" : `${fault.path}: `}${fault.message}`,
      );
      return line;
    }),
  );
  renderTable(byId("rules"), {
    caption: "Rules in their order",
    columns: [{ title: "rule", text: true }, { title: "/s" }, { title: "hits" }],
    rows: rules.hits.map(({ rule, hits }, index) => ({
      key: `${index} ${rule}`,
      hint: rule,
      cells: [rule, rate(history.rate((one) => hitsOf(one, rules.version, index)) ?? 0), count(hits)],
    })),
    empty: "No rules: every line goes to the default topic.",
  });
}

/**
 * A rule's hits, if the rules are those of `version`: another version may have another rule in this place.
 * @param {Stats} stats
 * @param {number} version
 * @param {number} index
 */
function hitsOf({ rules }, version, index) {
  return rules.version === version ? rules.hits[index]?.hits : undefined;
}

/** @param {Stats} stats */
function showWorkers({ workers }) {
  const received = (/** @type {number} */ index) =>
    history.rate((one) => Number(one.workers[index]?.received ?? 0)) ?? 0;
  renderRecords(
    byId("workers"),
    "Workers",
    workers.map(({ worker, connections_open, rules_version, heartbeat_age_ms, ...rest }, index) => ({
      worker: String(worker ?? index),
      "/s": Math.round(received(index)),
      ...rest,
      connections: connections_open,
      rules: rules_version,
      heartbeat: heartbeat_age_ms === undefined
        ? undefined
        : `${latency(Number(heartbeat_age_ms)).join(" ")} ago`,
    })),
  );
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} text
 */
function element(name, className, text) {
  const created = document.createElement(name);
  if (className !== "") created.className = className;
  created.textContent = text;
  return created;
}

poll();
pollLooks();
