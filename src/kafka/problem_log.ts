/**
 * The producer's log: an event name and fields, each event about one subject at most every ten seconds.
 *
 * @module
 */
import type { KafkaClock } from "./clock.ts";

/** Takes one log line: a constant event name (`kafka_broker_lost`) and JSON-safe fields. */
export type KafkaLog = (event: string, fields: Readonly<Record<string, unknown>>, level?: "debug") => void;

/** The same event about the same subject is written once in this time. */
const quietMs = 10_000;
/** Subjects that are remembered; beyond it the oldest are forgotten. */
const subjectsMax = 1000;

/** Holds back repetitions and says how many there were. */
export class ProblemLog {
  readonly #log: KafkaLog | undefined;
  readonly #clock: KafkaClock;
  readonly #seen = new Map<string, { atMs: number; suppressed: number }>();

  constructor(log: KafkaLog | undefined, clock: KafkaClock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Writes what only those want to see who look for something: every time. */
  debug(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.#log?.(event, fields, "debug");
  }

  /** Writes the event unless it was written about `subject` a moment ago. */
  write(event: string, subject: string | number, fields: Readonly<Record<string, unknown>>): void {
    if (this.#log === undefined) return;
    const key = `${event} ${subject}`;
    const nowMs = this.#clock.nowMs();
    const last = this.#seen.get(key);
    if (last !== undefined && nowMs - last.atMs < quietMs) {
      last.suppressed++;
      return;
    }
    this.#seen.delete(key);
    this.#seen.set(key, { atMs: nowMs, suppressed: 0 });
    if (this.#seen.size > subjectsMax) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    const suppressed = last?.suppressed ?? 0;
    this.#log(event, suppressed > 0 ? { ...fields, suppressed } : fields);
  }
}
