// @ts-check
/// <reference lib="dom" />
/**
 * What happened of late: workers that were held, waits that were lost, warnings and errors of the log, newest first.
 *
 * @module
 */
import { byId, element, replaceIfNew, setMark } from "./dom.js";
import { clock, count, latency, words } from "./format.js";
import { heldWords } from "./looks.js";

/** @typedef {import("../looks_view.ts").StallList} StallList */
/** @typedef {import("../../observe/recent_events.ts").EventList} EventList */
/** @typedef {EventList["events"][number]} RecentEvent */
/** @typedef {{ atMs: number, level: "error" | "warn" | "info", title: string, text: string, now?: boolean }} Happened */

/** Entries that are shown. */
const shownMax = 12;
/** What is older is no reason to look. */
const lateMs = 10 * 60_000;
/** Events that are told by entries of their own. */
const toldElsewhere = new Set(["worker_held", "worker_released"]);
/** Fields that say what is wrong, best first. */
const sentences = ["problem", "reason", "error", "message", "note"];

/**
 * @param {StallList} stalls
 * @param {EventList} events
 * @param {number} orphans
 */
export function renderHappened(stalls, events, orphans) {
  const entries = happenedOf(stalls, events);
  setMark("happened-mark", ...markOf(entries, orphans, Date.now()));
  const lost = orphans === 0 ? [] : [
    `${count(orphans)} waits were lost within corndog and made good: please report it.`,
  ];
  const shown = entries.slice(0, shownMax);
  const more = stalls.total > stalls.stalls.length ? [`${count(stalls.total)} stalls since the start.`] : [];
  replaceIfNew(byId("happened"), JSON.stringify([shown, lost, more]), () => [
    ...lost.map((text) => element("li", "event error", [element("div", "", text)])),
    ...shown.map(({ atMs, level, title, text }) => {
      const time = element("time", "", clock(atMs));
      time.dateTime = new Date(atMs).toISOString();
      time.title = new Date(atMs).toLocaleString();
      const body = [element("span", "event-title", title), ...(text === "" ? [] : [` ${text}`])];
      const kind = { error: "error", warn: "warning", info: "information" }[level];
      return element("li", `event ${level}`, [
        time,
        element("div", "", [element("span", "hidden", `${kind}: `), ...body]),
      ]);
    }),
    ...more.map((text) => element("li", "event info", [element("div", "", text)])),
    ...(entries.length + lost.length === 0
      ? [element("li", "muted", "No stall, no lost wait, no warning since the start.")]
      : []),
  ]);
}

/**
 * @param {readonly Happened[]} entries
 * @param {number} orphans
 * @param {number} nowMs
 * @returns {["good" | "warn" | "bad", string]}
 */
export function markOf(entries, orphans, nowMs) {
  if (entries.some(({ now }) => now === true)) return ["bad", "a worker is held"];
  if (orphans > 0) return ["bad", orphans === 1 ? "a lost wait" : `${count(orphans)} lost waits`];
  const late = entries.filter(({ atMs }) => atMs > nowMs - lateMs);
  const errors = late.filter(({ level }) => level === "error").length;
  if (errors > 0) return ["warn", errors === 1 ? "an error" : `${count(errors)} errors`];
  if (late.length > 0) return ["warn", late.length === 1 ? "a warning" : `${count(late.length)} warnings`];
  return ["good", entries.length === 0 ? "nothing" : "nothing of late"];
}

/**
 * @param {StallList} stalls
 * @param {EventList} events
 * @returns {Happened[]} newest first
 */
export function happenedOf({ stalls }, { events }) {
  /** @type {Happened[]} */
  const entries = stalls.map((stall) => ({
    atMs: Date.parse(stall.at),
    level: stall.over ? (stall.ms >= 1000 ? "error" : "warn") : "error",
    title: `Worker ${stall.worker} ${stall.over ? "was" : "is"} held for ${latency(stall.ms).join(" ")}`,
    text: [
      heldWords(stall.cause, stall.rule),
      stall.connection === undefined ? "" : `on connection ${stall.connection}`,
    ].filter((part) => part !== "").join(", "),
    now: !stall.over,
  }));
  for (const event of events) {
    if (toldElsewhere.has(event.event)) continue;
    entries.push({
      atMs: Date.parse(event.at),
      level: event.level,
      title: `${words(event.event)}${event.count > 1 ? ` (${count(event.count)} times)` : ""}`,
      text: eventText(event.fields),
    });
  }
  return entries.sort((a, b) => b.atMs - a.atMs);
}

/**
 * What is wrong first, then the other fields.
 * @param {Readonly<Record<string, string>>} fields
 */
function eventText(fields) {
  const main = sentences.filter((name) => Object.hasOwn(fields, name) && fields[name] !== "");
  const rest = Object.entries(fields).filter(([name]) => !main.includes(name));
  return [
    main.map((name) => fields[name]).join("; "),
    rest.map(([name, value]) => `${words(name)} ${value}`).join(", "),
  ].filter((part) => part !== "").join(" · ");
}
