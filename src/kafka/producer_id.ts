/**
 * Keeps the producer id: asks for one at the start and for another one when the cluster refuses it, for ever.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { clientRetryMs } from "./broker_lane.ts";
import type { KafkaCarrier, ProducerId } from "./carrier.ts";
import { backoffMs, type CancelTimer, type KafkaClock } from "./clock.ts";

/** The producer id of one sink. */
export class ProducerIdKeeper {
  readonly #carrier: KafkaCarrier;
  readonly #clock: KafkaClock;
  readonly #changed: () => void;
  #current: ProducerId | undefined;
  #asking = false;
  #cancel: CancelTimer | undefined;
  #problem: ForwarderError | undefined;
  #failures = 0;
  #isClosed = false;

  /** `changed` is called when there is a (new) id. */
  constructor(carrier: KafkaCarrier, clock: KafkaClock, changed: () => void) {
    this.#carrier = carrier;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** The id in force. */
  get current(): ProducerId | undefined {
    return this.#current;
  }

  /** Why there is none, while asking fails. */
  get problem(): ForwarderError | undefined {
    return this.#problem;
  }

  /** Asks for an id unless there is one that is not `refused`. */
  need(refused?: bigint): void {
    if (this.#isClosed || this.#asking) return;
    if (this.#current !== undefined && this.#current.producerId !== refused) return;
    this.#asking = true;
    this.#ask();
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #ask(): void {
    this.#carrier.initProducerId().then((producerId) => {
      if (this.#isClosed) return;
      this.#asking = false;
      this.#failures = 0;
      this.#problem = undefined;
      this.#current = producerId;
      this.#changed();
    }, (cause) => {
      if (this.#isClosed) return;
      if (!(cause instanceof ForwarderError)) throw cause;
      this.#problem = cause;
      const isDenied = cause.code === "kafka_authentication_failed";
      this.#cancel = this.#clock.after(
        isDenied ? clientRetryMs : backoffMs(this.#failures++, this.#clock),
        () => this.#ask(),
      );
    });
  }
}
