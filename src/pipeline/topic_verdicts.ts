/**
 * Topics that the rules chose, with the answer of the topic gate beside them: what `corndog test LOG` and traces show
 * is what a worker would do, also where it would refuse the topic.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import type { LineResult, SentRecord } from "../rules/explain.ts";
import { TopicGate, type TopicRefusal } from "./topic_gate.ts";

/** A record with what the gate says: a refused one goes to the dead letter, for that reason. */
export interface JudgedRecord extends SentRecord {
  readonly refused?: TopicRefusal;
}

/** What became of a line, topics judged. */
export type JudgedResult =
  | { readonly kind: "forward" | "default"; readonly records: readonly JudgedRecord[] }
  | Exclude<LineResult, { readonly records: readonly SentRecord[] }>;

/** Judges topics as one worker does from its start on: `topics.max` counts what it has seen. */
export class TopicVerdicts {
  readonly #gate: TopicGate;

  constructor({ kafka, deadLetter }: Pick<Config, "kafka" | "deadLetter">) {
    this.#gate = new TopicGate(kafka.topicsAllow, kafka.topicsMax, deadLetter.topic);
  }

  result(result: LineResult): JudgedResult {
    return "records" in result
      ? { ...result, records: result.records.map((record) => this.record(record)) }
      : result;
  }

  record(record: SentRecord): JudgedRecord {
    const refused = this.#gate.refusal(record.topic, record.topicFromLine);
    return refused === undefined ? record : { ...record, refused };
  }
}
