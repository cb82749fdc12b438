// @ts-check
/**
 * A line's way through the rules in words. Pure.
 *
 * @module
 */
import { count } from "./format.js";

/** @typedef {import("../../rules/trace.ts").Trace} Trace */
/** @typedef {import("../../rules/trace.ts").RuleTrace} RuleTrace */
/** @typedef {import("../../rules/trace.ts").ActionTrace} ActionTrace */
/** @typedef {import("../../rules/explain.ts").SentRecord & { refused?: string }} SentRecord */
/** @typedef {{ text: string, value?: string, bad?: boolean }} Detail */
/** @typedef {{ kind: "hit" | "miss" | "end" | "bad", title: string, about: string, details: Detail[] }} Step */

/**
 * @param {Trace} trace
 * @param {boolean} truncated
 * @returns {Step[]}
 */
export function stepsOf(trace, truncated) {
  const steps = [...trace.rules].sort((a, b) => a.rule - b.rule).map(stepOf);
  if (trace.misses_not_listed > 0) {
    const title = `${count(trace.misses_not_listed)} more rules did not match`;
    steps.push({ kind: "miss", title, about: "", details: [] });
  }
  if (trace.not_tried > 0) {
    const title = `${count(trace.not_tried)} ${trace.not_tried === 1 ? "rule was" : "rules were"} not tried`;
    steps.push({ kind: "miss", title, about: "the line had come to its end", details: [] });
  }
  const end = resultOf(trace);
  if (truncated) end.details.push({ text: "The line is longer than a frame may be and was cut.", bad: true });
  return [...steps, end];
}

/**
 * @param {RuleTrace} rule
 * @returns {Step}
 */
function stepOf(rule) {
  const about = rule.matcher;
  if (!rule.matched) {
    const why = rule.why === undefined || rule.why === "" ? [] : [{ text: rule.why }];
    return { kind: "miss", title: `${rule.name} does not match`, about, details: why };
  }
  return {
    kind: "hit",
    title: `${rule.name} matches`,
    about,
    details: [...variables("sets", rule.variables), ...(rule.actions ?? []).flatMap(actionDetails)],
  };
}

/**
 * @param {string} verb
 * @param {Readonly<Record<string, string>> | undefined} values
 * @returns {Detail[]}
 */
function variables(verb, values) {
  return Object.entries(values ?? {}).map(([name, value]) => ({ text: `${verb} ${name}`, value }));
}

/**
 * @param {ActionTrace} action
 * @returns {Detail[]}
 */
function actionDetails(action) {
  const { type } = action;
  switch (action.did) {
    case "sent":
      return (action.records ?? []).flatMap((record) => recordDetails(type, record));
    case "changed":
      return [{ text: `${type} makes it`, value: action.value ?? "" }];
    case "set":
      return variables(`${type} sets`, action.variables);
    case "ended":
      return [{ text: `${type} ends the line: ${action.message ?? action.reason ?? ""}` }];
    case "failed":
      return [{ text: `${type} fails: ${action.message ?? action.reason ?? ""}`, bad: true }];
    default:
      return [{ text: `${type} changes nothing` }];
  }
}

/**
 * @param {string} verb
 * @param {SentRecord} record
 * @returns {Detail[]}
 */
function recordDetails(verb, record) {
  const key = record.key === undefined ? "" : `, key ${record.key}`;
  const partition = record.partition === undefined ? "" : `, partition ${record.partition}`;
  const headers = Object.entries(record.headers ?? {}).map(([name, value]) => `${name}=${value}`).join(", ");
  const with_ = headers === "" ? "" : `, headers ${headers}`;
  const same = record.unchanged ? ", unchanged" : "";
  /** @type {Detail[]} */
  const details = [{
    text: `${verb} to topic ${record.topic}${key}${partition}${with_}${same}`,
    value: record.value,
  }];
  if (record.refused !== undefined) {
    const why = record.refused.replaceAll("_", " ");
    details.push({ text: `That topic is refused (${why}): the line goes to the dead letter.`, bad: true });
  }
  return details;
}

/**
 * @param {Trace} trace
 * @returns {Step}
 */
function resultOf({ result, us }) {
  const about = `${us < 1000 ? `${Math.round(us)} µs` : `${Math.round(us / 100) / 10} ms`} in all, cold`;
  switch (result.kind) {
    case "forward": {
      const records = /** @type {readonly SentRecord[]} */ (result.records);
      const sent = records.filter(({ refused }) => refused === undefined);
      const topics = [...new Set(sent.map(({ topic }) => topic))];
      const refused = records.length - sent.length;
      const title = topics.length === 0
        ? "It goes to the dead letter"
        : `It goes to ${topics.length === 1 ? "topic" : "topics"} ${topics.join(", ")}${
          refused > 0 ? ", and to the dead letter" : ""
        }`;
      return { kind: refused > 0 ? "bad" : "end", title, about, details: [] };
    }
    case "default": {
      const [record] = result.records;
      const title = `No rule forwards it: it goes to the default topic ${record.topic}`;
      return { kind: "end", title, about, details: [{ text: "sent", value: record.value }] };
    }
    case "drop":
      return { kind: "end", title: `It is dropped: ${result.message}`, about, details: [] };
    case "dead_letter":
      return { kind: "bad", title: `It goes to the dead letter: ${result.message}`, about, details: [] };
    default:
      return {
        kind: "bad",
        title: "The rules took too long for this line and were stopped",
        about,
        details: [],
      };
  }
}
