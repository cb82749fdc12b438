/**
 * Decides when the cluster is asked for metadata, and keeps asking while it does not answer.
 *
 *     once a minute                     leaders, brokers and partition counts change without an error
 *     every few seconds                 for topics that were given up
 *     with back-off, at most a second   while a topic is unknown, a leader is missing, or something said so
 *
 * One question at a time. Topics that nobody sent to for minutes are left out, so that a deleted topic is not
 * called back to life; creation is allowed only for topics that batches wait for.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { clientRetryMs } from "./broker_lane.ts";
import type { ClusterMetadata, KafkaCarrier } from "./carrier.ts";
import { backoffMs, type CancelTimer, type KafkaClock } from "./clock.ts";

/** Age at which metadata is asked for again without a reason. */
const metadataAgeMs = 60_000;
/** How often topics that were given up are looked for. */
export const parkedRetryMs = 3000;

/** Many partitions may miss their leader at once: one question serves them all. */
const spacingMs = 50;

/** What to ask now, and how urgent the next question is. */
export interface MetadataNeeds {
  /** Topics to ask about without creating them. */
  readonly known: readonly string[];
  /** Topics that batches wait for; the broker may create them. */
  readonly wanted: readonly string[];
  /** Something cannot go on before the next answer. */
  readonly isUrgent: boolean;
  /** Some topics were given up. */
  readonly hasParked: boolean;
}

/** What the loop needs from its owner. */
export interface MetadataLoopOptions {
  readonly carrier: KafkaCarrier;
  readonly clock: KafkaClock;
  /** Looks what is needed at this moment. */
  needs(): MetadataNeeds;
  /** Takes an answer. */
  apply(metadata: ClusterMetadata): void;
  /** No broker could be asked. */
  failed(cause: ForwarderError): void;
}

/** The loop; one per sink. */
export class MetadataLoop {
  readonly #options: MetadataLoopOptions;
  #isRunning = false;
  #isAskedAgain = false;
  #isClosed = false;
  #dueAtMs = Infinity;
  #cancel: CancelTimer | undefined;
  #problem: ForwarderError | undefined;
  #failures = 0;
  #urgentInRow = 0;
  #askedAtMs = -Infinity;
  #hasAnswer = false;

  constructor(options: MetadataLoopOptions) {
    this.#options = options;
  }

  /** Why the last question had no answer; undefined if it had. */
  get problem(): ForwarderError | undefined {
    return this.#problem;
  }

  /** True once a broker has answered. */
  get hasAnswer(): boolean {
    return this.#hasAnswer;
  }

  /** Asks for the first time. */
  start(): void {
    this.#run();
  }

  /** Something does not fit the last answer: asks soon, sooner the longer it was quiet. */
  ask(): void {
    const { clock } = this.#options;
    if (this.#isRunning) this.#isAskedAgain = true;
    else if (this.#urgentInRow > 0) this.#within(backoffMs(this.#urgentInRow - 1, clock));
    else this.#within(Math.max(0, this.#askedAtMs + spacingMs - clock.nowMs()));
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #within(delayMs: number): void {
    const { clock } = this.#options;
    if (this.#isClosed || this.#isRunning || this.#problem !== undefined && this.#cancel !== undefined) {
      return;
    }
    const atMs = clock.nowMs() + delayMs;
    if (this.#cancel !== undefined && this.#dueAtMs <= atMs) return;
    this.#schedule(delayMs);
  }

  #schedule(delayMs: number): void {
    const { clock } = this.#options;
    this.#cancel?.();
    this.#dueAtMs = clock.nowMs() + delayMs;
    this.#cancel = clock.after(delayMs, () => this.#run());
  }

  #run(): void {
    this.#cancel = undefined;
    this.#askedAtMs = this.#options.clock.nowMs();
    this.#isRunning = true;
    this.#isAskedAgain = false;
    this.#askAll().then(
      () => this.#done(undefined),
      (cause) => {
        if (!(cause instanceof ForwarderError)) throw cause;
        this.#done(cause);
      },
    );
  }

  async #askAll(): Promise<void> {
    const { carrier, needs, apply } = this.#options;
    const { known, wanted } = needs();
    if (known.length > 0 || wanted.length === 0) {
      const metadata = await carrier.metadata(known, false);
      if (!this.#isClosed) apply(metadata);
    }
    if (wanted.length > 0 && !this.#isClosed) {
      const metadata = await carrier.metadata(wanted, true);
      if (!this.#isClosed) apply(metadata);
    }
  }

  #done(cause: ForwarderError | undefined): void {
    this.#isRunning = false;
    if (this.#isClosed) return;
    const { clock, needs, failed } = this.#options;
    this.#problem = cause;
    if (cause !== undefined) {
      const isDenied = cause.code === "kafka_authentication_failed" || cause.code === "certificate_unusable";
      this.#schedule(isDenied ? clientRetryMs : backoffMs(this.#failures++, clock));
      failed(cause);
      return;
    }
    this.#failures = 0;
    this.#hasAnswer = true;
    const { isUrgent, hasParked } = needs();
    if (isUrgent || this.#isAskedAgain) this.#schedule(backoffMs(this.#urgentInRow++, clock));
    else {
      this.#urgentInRow = 0;
      this.#schedule(hasParked ? parkedRetryMs : metadataAgeMs);
    }
  }
}
