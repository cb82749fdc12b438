// @ts-check
/// <reference lib="dom" />
/**
 * The rules in force with their hits, and what was wrong with the last change.
 *
 * @module
 */
import { byId, element, replaceIfNew, setMark, setText } from "./dom.js";
import { clock, count, duration, latency, rate } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {import("./history.js").History} History */

/** Faults that are shown one by one. */
const faultsShown = 5;

/**
 * @param {Stats} stats
 * @param {History} history
 */
export function renderRules({ rules, ledger }, history) {
  const failed = rules.last_error !== undefined;
  setMark("rules-mark", failed ? "warn" : "good", `version ${rules.version}`);
  const loadedAtMs = Date.parse(rules.loaded_at);
  const ago = Number.isNaN(loadedAtMs) ? "" : `, ${duration((Date.now() - loadedAtMs) / 1000)} in force`;
  setText("rules-origin", `${rules.source}${ago}`);
  renderFaults(rules.last_error);
  renderTable(byId("rules"), {
    caption: "Rules in their order",
    columns: [{ title: "rule", text: true }, { title: "/s" }, { title: "hits" }, { title: "a try takes" }],
    rows: rules.hits.map(({ rule, hits, mean_ns: ns }, index) => ({
      key: `${index} ${rule}`,
      hint: hits === 0 && ledger.received > 0 ? `${rule}: no line has matched it yet` : rule,
      className: hits === 0 && ledger.received > 0 ? "never" : "",
      cells: [
        rule,
        rate(history.rate((one) => hitsOf(one, rules.version, index)) ?? 0),
        count(hits),
        ns === undefined ? "–" : latency(ns / 1e6).join(" "),
      ],
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

/** @param {Stats["rules"]["last_error"]} error */
function renderFaults(error) {
  const faults = error?.faults ?? [];
  replaceIfNew(byId("rules-error"), JSON.stringify([error?.at, faults]), () => {
    if (error === undefined) return [];
    const more = faults.length - faultsShown;
    return [
      element("p", "fault", `Refused at ${clock(Date.parse(error.at))}, the rules before stay in force:`),
      ...faults.slice(0, faultsShown).map((fault) => {
        const place = fault.line > 0 ? `${fault.file}:${fault.line}:${fault.column}` : fault.file;
        const path = fault.path === "" ? "" : `${fault.path}: `;
        return element("p", "fault", [element("code", "", place), ` ${path}${fault.message}`]);
      }),
      ...(more > 0 ? [element("p", "fault", `and ${count(more)} more`)] : []),
    ];
  });
}
