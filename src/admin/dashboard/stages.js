// @ts-check
/// <reference lib="dom" />
/**
 * Where the time of lines goes: each stage's median and p99 over the last seconds, in the order of a line's way.
 *
 * @module
 */
import { byId, setText } from "./dom.js";
import { count, latency } from "./format.js";
import { renderTable } from "./tables.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */
/** @typedef {NonNullable<Stats["latency_ms"]["stages"]>} Stages */

/** What happens there, in the order of a line's way. @type {Readonly<Record<string, string>>} */
const abouts = {
  work: "a chunk is framed, parsed and goes through the rules",
  rules: "a connection waits for its turn",
  memory: "a connection waits for room",
  batch: "lines gather in an open batch",
  compress: "the batch is compressed",
  spool: "the batch waits for the disk",
  kafka: "the batch waits for Kafka's acknowledgement",
  sink: "the batch waits for the sink",
  dead_letter: "a dead letter waits to be kept",
  http_reply: "an HTTP request waits for its answer",
  relp_reply: "a RELP sender waits for its answer",
};

/** @param {Stats} stats */
export function renderStages({ latency_ms: { stages = {} } }) {
  const shown = stagesOf(stages);
  const worst = Math.max(...shown.map(({ recent }) => recent.p99), 0);
  const slowest = shown.find(({ recent }) => recent.p99 === worst);
  setText(
    "times-words",
    slowest === undefined
      ? "No line was on its way in the last ten seconds."
      : `Most of it in ${slowest.name.replaceAll("_", " ")}, where ${slowest.about}.`,
  );
  renderTable(byId("times"), {
    whole: true,
    caption: "Time by stage, over the last ten seconds",
    columns: [{ title: "stage", text: true }, { title: "p50" }, { title: "p99" }, { title: "max" }, {
      title: "times",
    }],
    rows: shown.map(({ name, about, recent }) => ({
      key: name,
      hint: about,
      bar: worst > 0 ? recent.p99 / worst : 0,
      cells: [
        name.replaceAll("_", " "),
        ...[recent.p50, recent.p99, recent.max].map((ms) => latency(ms).join(" ")),
        count(recent.count),
      ],
    })),
    empty: "No figures.",
  });
}

/**
 * Stages that something was in, in the order of a line's way; those that are not known here come last.
 * @param {Stages} stages
 */
export function stagesOf(stages) {
  const busy = Object.keys(stages).filter((name) => stages[name].recent.count > 0);
  return wayOrder(busy).map((name) => ({
    name,
    recent: stages[name].recent,
    about: Object.hasOwn(abouts, name) ? abouts[name] : "something else happens",
  }));
}

/**
 * Names of stages in the order of a line's way; those that are not known here come last.
 * @param {readonly string[]} names
 */
export function wayOrder(names) {
  const order = Object.keys(abouts);
  const place = (/** @type {string} */ name) => order.includes(name) ? order.indexOf(name) : order.length;
  return [...names].sort((a, b) => place(a) - place(b));
}
