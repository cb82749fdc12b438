// @ts-check
/// <reference lib="dom" />
/**
 * The ledger: every line that came is in exactly one place. In words, and as a table with shares.
 *
 * @module
 */
import { byId, setMark, setText } from "./dom.js";
import { count, rate, share, words } from "./format.js";
import { ledgerSides } from "./problems.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./history.js").History} History */

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderLedger({ ledger }, history) {
  const { came, went } = ledgerSides(ledger);
  const off = count(Math.abs(came - went));
  setMark(
    "balance",
    ledger.balanced ? "good" : "bad",
    ledger.balanced ? "balanced" : `off by ${off}`,
  );
  setText("ledger-words", ledgerWords(ledger));
  const perSecond = (/** @type {(stats: Stats) => number | undefined} */ select) => history.rate(select);
  /** @type {[name: string, kind: string, lines: number, perSecond: number | undefined, hint: string][]} */
  const rows = [
    [
      "delivered",
      "delivered",
      ledger.delivered,
      perSecond((one) => one.ledger.delivered),
      "The sink has acknowledged them.",
    ],
    ["spooled", "spooled", ledger.spooled, undefined, "On the disk, waiting for the sink."],
    ["in flight", "in-flight", ledger.in_flight, undefined, "In memory, on their way to the sink."],
    [
      "dead-lettered",
      "dead-lettered",
      ledger.dead_lettered,
      perSecond((one) => one.ledger.dead_lettered),
      "Kept in the dead letter with the reason.",
    ],
  ];
  if (ledger.joined > 0) {
    rows.push(["joined", "delivered", ledger.joined, undefined, "Became a part of the line before them."]);
  }
  for (const [reason, lines] of Object.entries(ledger.dropped)) {
    if (lines === 0) continue;
    const now = perSecond((one) => one.ledger.dropped[reason]);
    rows.push([`dropped: ${words(reason)}`, "dropped", lines, now, `Counted as dropped_${reason}.`]);
  }
  renderTable(byId("ledger"), {
    caption: "What became of the lines",
    columns: [{ title: "became", text: true }, { title: "lines" }, { title: "share" }, { title: "/s" }],
    rows: rows.map(([name, kind, lines, now, hint]) => ({
      key: name,
      className: `outcome ${kind}`,
      hint,
      cells: [name, count(lines), share(lines, came), now === undefined ? "" : rate(now)],
    })),
  });
}

/** @param {Stats["ledger"]} ledger */
export function ledgerWords(ledger) {
  const { came, went } = ledgerSides(ledger);
  const sources = [[ledger.fan_out, "copies by rules"], [ledger.split, "parts of long lines"], [
    ledger.replayed,
    "from earlier runs",
  ]].filter(([lines]) => Number(lines) > 0).map(([lines, name]) => `${count(Number(lines))} ${name}`);
  const plus = sources.length === 0 ? "" : `, and ${sources.join(", ")}`;
  const head = `${count(ledger.received)} lines received${plus}. `;
  if (!ledger.balanced) {
    const what = came > went ? "are in no place" : "are counted twice";
    return `${head}${count(Math.abs(came - went))} of them ${what}: please report it.`;
  }
  const way = ledger.in_flight + ledger.spooled;
  const dropped = Object.values(ledger.dropped).reduce((total, lines) => total + lines, 0);
  const ends = [
    way > 0 ? `${count(way)} are on their way` : "none is on its way",
    ledger.dead_lettered > 0 ? `${count(ledger.dead_lettered)} are in the dead letter` : "",
    dropped > 0 ? `${count(dropped)} were dropped, each with a reason` : "",
  ].filter((part) => part !== "");
  return `${head}Each is in exactly one place: ${ends.join(", ")}; nothing is missing.`;
}
