/**
 * Which topics a line may go to. A topic from the rule file is trusted; one that a log line chose must be a legal
 * Kafka name, allowed by `kafka.topics.allow`, and one of at most `topics.max`. Neither may be the topic of the dead
 * letters, so that what is read there was refused by corndog.
 * Answers are remembered, so that the hot path asks a set.
 *
 * @module
 */
import { compileTopicAllow, topicNameFault } from "../rules/topic_name.ts";

/** Refused topics that are remembered; an attacker must not fill the memory with names. */
const refusalsMax = 1_000;

/** Why a topic was refused: constant names, as in the dead letter's `reason`. */
export type TopicRefusal = "topic_not_legal" | "topic_not_allowed" | "topic_is_dead_letter" | "topics_max";

/** Decides per topic, once. */
export class TopicGate {
  readonly #allowed: (topic: string) => boolean;
  readonly #topicsMax: number;
  readonly #deadLetterTopic: string | undefined;
  readonly #trusted = new Set<string>();
  readonly #chosen = new Set<string>();
  readonly #refused = new Map<string, TopicRefusal>();

  constructor(allow: readonly string[], topicsMax: number, deadLetterTopic?: string) {
    this.#deadLetterTopic = deadLetterTopic;
    this.#allowed = compileTopicAllow(allow);
    this.#topicsMax = topicsMax;
  }

  /** undefined admits the topic. `fromLine` says that the line had a say in its name. */
  refusal(topic: string, fromLine: boolean): TopicRefusal | undefined {
    const admitted = fromLine ? this.#chosen : this.#trusted;
    if (admitted.has(topic)) return undefined;
    if (fromLine) {
      const known = this.#refused.get(topic);
      if (known !== undefined) return known;
    }
    const refusal = this.#decide(topic, fromLine);
    if (refusal === undefined) admitted.add(topic);
    else if (fromLine && refusal !== "topics_max" && this.#refused.size < refusalsMax) {
      this.#refused.set(topic, refusal);
    }
    return refusal;
  }

  #decide(topic: string, fromLine: boolean): TopicRefusal | undefined {
    if (topicNameFault(topic) !== undefined) return "topic_not_legal";
    if (topic === this.#deadLetterTopic) return "topic_is_dead_letter";
    if (fromLine && !this.#allowed(topic)) return "topic_not_allowed";
    if (fromLine && this.#chosen.size >= this.#topicsMax) return "topics_max";
    return undefined;
  }
}
