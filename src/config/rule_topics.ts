/**
 * Says at load, not at the first dead letter, that a rule lets lines choose topics that nothing allows, or forwards
 * to the topic of the dead letters.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";
import type { RuleSource } from "./config.ts";
import { locateInRule } from "./rule_files.ts";

/** Faults of rules that forward to the topic of the dead letters. */
export function deadLetterTopicFaults(
  rules: readonly RuleSource[],
  deadLetterTopic: string | undefined,
): Fault[] {
  if (deadLetterTopic === undefined) return [];
  return rules.flatMap((source) => {
    const actions = (source.value as { actions?: unknown }).actions;
    if (!Array.isArray(actions)) return [];
    return actions.flatMap((action: unknown, index) =>
      (action as { topic?: unknown } | null)?.topic !== deadLetterTopic ? [] : [locateInRule({
        source,
        path: `actions.${index}.topic`,
        message:
          `is dead_letter.topic, which takes refused lines only; forward to another topic or use type: dead_letter`,
      })]
    );
  });
}

/** Warnings for rules whose `topic` has a variable in it, where `kafka.topics.allow` is not written. */
export function templatedTopicWarnings(rules: readonly RuleSource[], defaultTopic: string): Fault[] {
  return rules.flatMap((source) => {
    const actions = (source.value as { actions?: unknown }).actions;
    if (!Array.isArray(actions)) return [];
    return actions.flatMap((action: unknown, index) => {
      const topic = (action as { topic?: unknown } | null)?.topic;
      if (typeof topic !== "string" || !topic.includes("{{")) return [];
      return [locateInRule({
        source,
        path: `actions.${index}.topic`,
        message:
          `lines choose this topic, and only logs-* and ${defaultTopic} are allowed; others go to the dead letter until kafka.topics.allow names them`,
      })];
    });
  });
}
