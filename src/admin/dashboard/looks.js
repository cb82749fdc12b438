// @ts-check
/// <reference lib="dom" />
/**
 * Who waits for what: connections that somebody should look at, stages in which lines wait, workers that were held.
 *
 * @module
 */
import { bytes, clock, count, duration, latency } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../control.ts").ConnectionList} ConnectionList */
/** @typedef {import("../control.ts").ConnectionView} ConnectionView */
/** @typedef {import("../control.ts").StallList} StallList */
/** @typedef {import("../../observe/inflight.ts").Inflight} Inflight */
/** @typedef {{ connections: ConnectionList, inflight: Inflight, stalls: StallList }} Looks */

const answerDeadlineMs = 6000;
/** Verdicts that are nobody's trouble. */
const calm = new Set(["flowing", "client_silent"]);
const stallsShown = 5;

/**
 * Asks for all three; undefined where there is no answer, which the poll of the statistics tells.
 * @returns {Promise<Looks | undefined>}
 */
export async function askLooks() {
  const ask = async (/** @type {string} */ path) => {
    const response = await fetch(path, { signal: AbortSignal.timeout(answerDeadlineMs), cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    return await response.json();
  };
  try {
    const [connections, inflight, stalls] = await Promise.all([
      ask("admin/connections?limit=200"),
      ask("admin/inflight"),
      ask("admin/stalls"),
    ]);
    return { connections, inflight, stalls };
  } catch {
    return undefined;
  }
}

/**
 * @param {(id: string) => HTMLElement} byId
 * @param {Looks} looks
 */
export function showLooks(byId, { connections, inflight, stalls }) {
  const troubled = connections.connections.filter(({ stuck, verdict }) => stuck || !calm.has(verdict));
  const mark = byId("looks-mark");
  const stuck = troubled.some((one) => one.stuck) || stalls.stalls.some(({ over }) => !over);
  mark.className = stuck ? "mark bad" : "mark good";
  mark.textContent = stuck ? "✕ something is stuck" : "✓ nothing is stuck";
  renderTable(byId("waiting-connections"), {
    caption: "Connections that need a look",
    columns: [
      { title: "peer", text: true },
      { title: "verdict", text: true },
      { title: "waits" },
      { title: "half a line" },
      { title: "unread" },
      { title: "lines" },
    ],
    rows: troubled.map((one) => ({
      key: one.id,
      hint: `${one.id} on ${one.listener}`,
      className: one.stuck ? "trouble" : undefined,
      cells: cellsOf(one),
    })),
    empty: `None of ${count(connections.open)} needs a look.`,
  });
  byId("stages").hidden = inflight.stages.length === 0;
  renderTable(byId("stages"), {
    caption: "What lines wait for",
    columns: [{ title: "waits in", text: true }, { title: "now" }, { title: "p50" }, { title: "p99" }, {
      title: "oldest",
    }],
    rows: inflight.stages.map((one) => ({
      key: one.stage,
      cells: [
        one.stage,
        count(one.count),
        ...[one.p50_ms, one.p99_ms, one.max_ms].map((ms) => latency(ms).join(" ")),
      ],
    })),
  });
  showStalls(byId("stalls"), stalls, inflight.orphans);
}

/** @param {ConnectionView} one */
function cellsOf(one) {
  const wait = one.waits_ms ?? one.partial_ms ?? one.idle_ms;
  return [
    one.peer,
    one.verdict.replaceAll("_", " "),
    duration(wait / 1000),
    one.partial_bytes === 0 ? "–" : bytes(one.partial_bytes).join(" "),
    one.recv_q === undefined ? "–" : bytes(one.recv_q).join(" "),
    count(one.lines),
  ];
}

/**
 * @param {HTMLElement} list
 * @param {StallList} stalls
 * @param {number} orphans
 */
function showStalls(list, { stalls, total }, orphans) {
  const lines = stalls.slice(0, stallsShown).map(({ worker, ms, rule, over, at, cause }) => {
    const by = rule !== undefined
      ? ` by rule "${rule}"`
      : cause === "machine"
      ? ", as was the whole machine"
      : "";
    return `${clock(Date.parse(at))} Worker ${worker} ${over ? "was" : "is"} held for ${
      duration(ms / 1000)
    }${by}.`;
  });
  if (total > stallsShown) lines.push(`${count(total)} stalls since the start.`);
  if (orphans > 0) {
    lines.push(`${count(orphans)} waits were lost within corndog and made good: please report it.`);
  }
  const text = lines.join("\n");
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
}
