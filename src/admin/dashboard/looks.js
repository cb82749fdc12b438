// @ts-check
/// <reference lib="dom" />
/**
 * Who waits for what: connections that somebody should look at, and stages in which lines wait.
 *
 * @module
 */
import { mayChange } from "./api.js";
import { byId, setMark, setText } from "./dom.js";
import { askToEnd } from "./end_connection.js";
import { bytes, count, duration, latency } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../looks_view.ts").ConnectionList} ConnectionList */
/** @typedef {import("../looks_view.ts").ConnectionView} ConnectionView */
/** @typedef {import("../looks_view.ts").StallList} StallList */
/** @typedef {import("../../observe/inflight.ts").Inflight} Inflight */
/** @typedef {import("../../observe/inflight.ts").OldestWait} OldestWait */
/** @typedef {{ connections: ConnectionList, inflight: Inflight, stalls: StallList,
 *   events: import("../../observe/recent_events.ts").EventList }} Looks */

/** Verdicts that are nobody's trouble. */
const calm = new Set(["flowing", "client_silent"]);

/** What people call a verdict. @type {Readonly<Record<string, string>>} */
const verdicts = {
  client_silent: "its sender is silent",
  we_are_not_reading: "corndog does not read it",
  peer_not_reading: "it does not take answers",
  network_loss: "packets are lost",
  kafka: "waits for Kafka",
  disk: "waits for the disk",
  cpu: "waits for the CPU",
};

/** @param {Looks} looks */
export function renderLooks({ connections, inflight, stalls }) {
  const troubled = connections.connections.filter(({ stuck, verdict }) => stuck || !calm.has(verdict));
  const held = stalls.stalls.some(({ over }) => !over);
  const mayEnd = mayChange();
  const stuck = troubled.some((one) => one.stuck) || held;
  if (stuck) setMark("looks-mark", "bad", "something is stuck");
  else if (troubled.length > 0) setMark("looks-mark", "warn", `${count(troubled.length)} wait`);
  else setMark("looks-mark", "good", "nothing is stuck");
  renderTable(byId("waiting-connections"), {
    caption: "Connections that need a look",
    columns: [
      { title: "peer", text: true },
      { title: "verdict", text: true },
      { title: "for" },
      { title: "half a line" },
      { title: "unread" },
      { title: "lines" },
      ...(mayEnd ? [{ title: "end", action: true }] : []),
    ],
    rows: troubled.map((one) => ({
      key: one.id,
      hint: `${one.id} on ${one.listener}${one.tls_peer === undefined ? "" : `, ${one.tls_peer}`}`,
      className: one.stuck ? "trouble" : "",
      cells: [...cellsOf(one), ...(mayEnd ? ["End"] : [])],
    })),
    act: (id) => {
      const one = troubled.find((view) => view.id === id);
      if (one !== undefined) void askToEnd(id, connectionWords(one));
    },
    empty: connections.open === 0
      ? "No connection is open."
      : `None of ${count(connections.open)} ${
        connections.open === 1 ? "connection" : "connections"
      } needs a look.`,
  });
  const heldWorkers = connections.workers_held;
  setText(
    "held-workers",
    heldWorkers.length === 0
      ? ""
      : `Workers ${heldWorkers.join(", ")} do not answer; their connections are missing here.`,
  );
  byId("stages").hidden = inflight.stages.length === 0;
  renderTable(byId("stages"), {
    caption: "What lines wait for",
    columns: [
      { title: "waits in", text: true },
      { title: "now" },
      { title: "p50" },
      { title: "p99" },
      { title: "oldest" },
      { title: "who", text: true },
    ],
    rows: inflight.stages.map((one) => ({
      key: one.stage,
      hint: one.stage,
      cells: [
        one.stage,
        count(one.count),
        ...[one.p50_ms, one.p99_ms, one.max_ms].map((ms) => latency(ms).join(" ")),
        one.oldest.length === 0 ? "" : ownerOf(one.oldest[0]),
      ],
    })),
  });
}

/**
 * What of it belongs into the sentence at the top.
 * @param {Looks} looks
 * @returns {import("./problems.js").Problem[]}
 */
export function lookProblems({ connections, inflight, stalls }) {
  /** @type {import("./problems.js").Problem[]} */
  const problems = stalls.stalls.filter(({ over }) => !over).map(({ worker, ms, rule, cause }) => {
    const words = heldWords(cause, rule);
    const by = words === "" ? "" : ` ${words}`;
    const said = `Worker ${worker} is held${by}.`;
    return { level: "error", text: `${said.slice(0, -1)}, for ${latency(ms).join(" ")} so far.`, said };
  });
  const stuck = connections.connections.filter((one) => one.stuck);
  if (stuck.length > 0) {
    const reasons = [...new Set(stuck.map(({ verdict }) => verdictWords(verdict)))].slice(0, 3).join("; ");
    const who = stuck.length === 1 ? "One connection is" : `${count(stuck.length)} connections are`;
    problems.push({ level: "warning", text: `${who} stuck: ${reasons}.`, said: "Connections are stuck." });
  }
  if (inflight.orphans > 0) {
    const text = `${count(inflight.orphans)} waits were lost within corndog and made good: please report it.`;
    problems.push({ level: "warning", text, said: "Waits were lost." });
  }
  return problems;
}

/**
 * By what a worker is or was held, and why; empty where it is its own work.
 * @param {string} cause
 * @param {string | undefined} rule
 */
export function heldWords(cause, rule) {
  /** @type {Readonly<Record<string, string>>} */
  const reasons = { machine: "for want of a core", gc: "collecting garbage", blocked: "asleep in a call" };
  return [rule === undefined ? "" : `by rule "${rule}"`, reasons[cause] ?? ""].filter((part) => part !== "")
    .join(", ");
}

/** @param {string} verdict */
function verdictWords(verdict) {
  return verdict.startsWith("rule:") ? `held by rule "${verdict.slice(5)}"` : verdicts[verdict] ?? verdict;
}

/** @param {ConnectionView} one */
function connectionWords(one) {
  const wait = duration((one.waits_ms ?? one.partial_ms ?? one.idle_ms) / 1000);
  const who = one.tls_peer === undefined ? one.peer : `${one.peer} (${one.tls_peer})`;
  return `${one.id}, ${who} on ${one.listener}: ${verdictWords(one.verdict)} for ${wait}, ${
    count(one.lines)
  } lines so far.`;
}

/** @param {ConnectionView} one */
function cellsOf(one) {
  const wait = one.waits_ms ?? one.partial_ms ?? one.idle_ms;
  return [
    one.peer,
    verdictWords(one.verdict),
    duration(wait / 1000),
    one.partial_bytes === 0 ? "–" : bytes(one.partial_bytes).join(" "),
    one.recv_q === undefined ? "–" : bytes(one.recv_q).join(" "),
    count(one.lines),
  ];
}

/** @param {OldestWait} wait */
function ownerOf({ described, worker, topic, partition, broker, peer, connection }) {
  if (!described) return `worker ${worker}, which is held`;
  if (topic !== undefined) {
    const place = partition === undefined || partition < 0 ? "" : ` partition ${partition}`;
    return `topic ${topic}${place}${broker === undefined ? "" : `, broker ${broker}`}`;
  }
  return [connection, peer].filter((part) => part !== undefined).join(" ");
}
