/**
 * Learns how large a batch each topic takes: the smaller of its `max.message.bytes` and `segment.bytes`.
 *
 * Asked once a topic is known, again after minutes, and at once when a broker refused a batch for its size. Where this
 * client may not describe a topic's configuration the limit stays unknown, and brokers' refusals have to tell.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { clientRetryMs } from "./broker_lane.ts";
import type { KafkaCarrier } from "./carrier.ts";
import type { CancelTimer, KafkaClock } from "./clock.ts";
import type { TopicQueue } from "./topic_queue.ts";

/** Operators change limits rarely; a refusal shows it before this. */
const limitAgeMs = 300_000;
/** Topics of one question. */
const topicsPerQuestionMax = 100;
/** A refusal asks at once, but not more often. */
const refusalSpacingMs = 1000;

/** Asks for the limits of one sink's topics, one question at a time. */
export class TopicLimits {
  readonly #carrier: KafkaCarrier;
  readonly #clock: KafkaClock;
  readonly #topics: () => Iterable<TopicQueue>;
  #isAsking = false;
  #isClosed = false;
  #cancel: CancelTimer | undefined;

  constructor(carrier: KafkaCarrier, clock: KafkaClock, topics: () => Iterable<TopicQueue>) {
    this.#carrier = carrier;
    this.#clock = clock;
    this.#topics = topics;
  }

  /** Asks for topics whose limit is not known or old. */
  look(): void {
    if (this.#isAsking || this.#isClosed) return;
    const nowMs = this.#clock.nowMs();
    const due: TopicQueue[] = [];
    for (const topic of this.#topics()) {
      if (topic.state.kind !== "known" || nowMs - topic.limitAskedAtMs < limitAgeMs) continue;
      topic.limitAskedAtMs = nowMs;
      due.push(topic);
      if (due.length === topicsPerQuestionMax) break;
    }
    if (due.length === 0) return;
    this.#isAsking = true;
    this.#carrier.batchBytesMax(due.map(({ name }) => name)).then((limits) => {
      for (const topic of due) topic.batchBytesMax = limits.get(topic.name) ?? Infinity;
      this.#isAsking = false;
      this.look();
    }, (cause) => {
      if (!(cause instanceof ForwarderError)) throw cause;
      for (const topic of due) topic.limitAskedAtMs = -Infinity;
      if (this.#isClosed) return;
      // Nothing waits for it, and the connection is that of metadata: no hurry.
      this.#cancel = this.#clock.after(clientRetryMs, () => {
        this.#isAsking = false;
        this.look();
      });
    });
  }

  /** A broker refused a batch of the topic for its size: the limit may be another one by now. */
  refused(topic: TopicQueue): void {
    if (this.#clock.nowMs() - topic.limitAskedAtMs < refusalSpacingMs) return;
    topic.limitAskedAtMs = -Infinity;
    this.look();
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }
}
