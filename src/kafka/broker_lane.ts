/**
 * The way to one broker: its connection, the requests that are out on it, and the partitions that have work for it.
 *
 *     idle ── want ──> connecting ──> ready ── lost ──> paused ── back-off ──> connecting
 *
 * One timer watches over progress while requests are out: after `stallMs` without an answer the owner is told (the
 * leaders may have moved), after `requestTimeoutMs` the connection is destroyed. The time counts from the last
 * answer, so that a slow broker with five requests in line is not taken for a dead one.
 *
 * @module
 */
import type { ClosedBatch } from "../batch/record_batch.ts";
import { ForwarderError } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import type { BrokerAddress, BrokerConnection, KafkaCarrier } from "./carrier.ts";
import { backoffMs, type CancelTimer, type KafkaClock } from "./clock.ts";
import type { InFlightRequest } from "./in_flight.ts";
import { LaneCounts } from "./lane_counts.ts";
import type { PartitionQueue } from "./partition_queue.ts";

/** Requests out at a time per broker; more than brokers remember batches of a producer would break the order. */
export const requestsInFlightMax = 5;
/** Silence after which leaders are looked for again. */
const stallMs = 2000;
/** Authentication does not mend itself; asking more often could lock an account. */
export const clientRetryMs = 5000;

/** Where a lane stands. */
export type LaneState =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly sinceMs: number }
  | { readonly kind: "ready"; readonly connection: BrokerConnection }
  | { readonly kind: "paused"; readonly cancel: CancelTimer; readonly cause: ForwarderError }
  | { readonly kind: "closed" };

/** What a lane tells the producer. */
export interface LaneEvents {
  /** Requests can go out: on a new connection, or again on the one there was. */
  ready(lane: BrokerLane, isNew: boolean): void;
  /** The connection broke, or could not be made. */
  lost(lane: BrokerLane, cause: ForwarderError, hadConnection: boolean): void;
  /** Requests are out and the broker is silent. */
  stalled(lane: BrokerLane): void;
}

/** What a lane is made of. */
export interface LaneOptions {
  readonly carrier: KafkaCarrier;
  readonly clock: KafkaClock;
  readonly requestTimeoutMs: number;
  readonly events: LaneEvents;
}

/** One broker. */
export class BrokerLane {
  readonly address: BrokerAddress;
  /** Partitions led by this broker that have batches to send, the one that waited longest first. */
  readonly active = new Set<PartitionQueue>();
  /** No request before this time: the broker asked for a pause (quota). */
  throttledUntilMs = 0;
  /** True once it was connected. */
  wasReady = false;
  /** When it was lost, or first could not be had; it says nothing while it is ready. */
  lostAtMs = 0;

  /** What went over it. */
  readonly counts = new LaneCounts();

  readonly #options: LaneOptions;
  /** Requests that are out, with the time at which they went. */
  readonly #requests = new Map<InFlightRequest, number>();
  #state: LaneState = { kind: "idle" };
  #failures = 0;
  #isLost = false;
  #progressAtMs = 0;
  #watch: CancelTimer | undefined;

  constructor(address: BrokerAddress, options: LaneOptions) {
    this.address = address;
    this.#options = options;
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#requests.size;
  }

  /** Adds their batches. */
  addHeld(into: Set<ClosedBatch>): void {
    for (const { entries } of this.#requests.keys()) for (const { batch } of entries) into.add(batch);
  }

  /** Bytes of them. */
  get bytesInFlight(): number {
    let bytes = 0;
    for (const request of this.#requests.keys()) bytes += request.bytes;
    return bytes;
  }

  /** How long the broker has said nothing though requests are out; 0 where none is. */
  silentMs(nowMs: number): number {
    return this.#requests.size === 0 ? 0 : nowMs - this.#progressAtMs;
  }

  /** The connection, if a request could go out on it now. */
  openConnection(nowMs: number): BrokerConnection | undefined {
    if (this.#state.kind !== "ready" || !this.#state.connection.usable) return undefined;
    if (this.#requests.size >= requestsInFlightMax || nowMs < this.throttledUntilMs) return undefined;
    return this.#state.connection;
  }

  /**
   * No answer for so long that its partitions should not wait for it, should they have another leader. A host that is
   * gone refuses nothing: each try to connect takes all its time.
   */
  isStalled(nowMs: number): boolean {
    if (this.#state.kind === "connecting") return this.#isLost || nowMs - this.#state.sinceMs >= stallMs;
    return this.#requests.size > 0 && nowMs - this.#progressAtMs >= stallMs;
  }

  /** Connects, unless it does or waits for the next try already. */
  want(): void {
    if (this.#state.kind !== "idle") return;
    const { carrier, clock } = this.#options;
    this.#state = { kind: "connecting", sinceMs: clock.nowMs() };
    let made: BrokerConnection | undefined;
    const events = {
      closed: (cause: ForwarderError) => this.#lost(cause, made),
      usable: () => this.#options.events.ready(this, false),
    };
    carrier.connect(this.address, events).then(
      (connection) => {
        made = connection;
        this.#connected(connection);
      },
      (cause) => this.#lost(asForwarderError(cause), undefined),
    );
  }

  /** A request went out. */
  sent(request: InFlightRequest): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#requests.size === 0) this.#progressAtMs = nowMs;
    this.#requests.set(request, nowMs);
    this.counts.sent(request.bytes);
    if (this.#watch === undefined) this.#watchIn(stallMs);
  }

  /** A request was answered. */
  answered(request: InFlightRequest): void {
    const nowMs = this.#options.clock.nowMs();
    this.counts.answered(nowMs - (this.#requests.get(request) ?? nowMs));
    this.#removed(request);
    this.#progressAtMs = nowMs;
    this.#failures = 0;
  }

  /** A request came back without an answer. */
  returned(request: InFlightRequest): void {
    this.#removed(request);
    this.counts.unanswered();
  }

  /** The broker asked for a pause of so long. */
  throttled(pauseMs: number): void {
    this.throttledUntilMs = this.#options.clock.nowMs() + pauseMs;
    this.counts.throttled(pauseMs);
  }

  #removed(request: InFlightRequest): void {
    invariant(this.#requests.delete(request), "a request is resolved once");
  }

  /** Destroys the connection; what is out comes back. */
  destroy(cause: ForwarderError): void {
    if (this.#state.kind === "ready") this.#state.connection.destroy(cause);
  }

  /** The end: no event comes after it. */
  close(): void {
    const before = this.#state;
    this.#state = { kind: "closed" };
    this.#watch?.();
    this.#watch = undefined;
    if (before.kind === "paused") before.cancel();
    if (before.kind === "ready") {
      before.connection.destroy(new ForwarderError("stopped", "Producer was closed"));
    }
  }

  #connected(connection: BrokerConnection): void {
    if (this.#state.kind !== "connecting") {
      connection.destroy(new ForwarderError("stopped", "Connection is not wanted any more"));
      return;
    }
    this.#state = { kind: "ready", connection };
    this.wasReady = true;
    this.#isLost = false;
    this.#options.events.ready(this, true);
  }

  #lost(cause: ForwarderError, connection: BrokerConnection | undefined): void {
    const state = this.#state;
    const isCurrent = connection === undefined
      ? state.kind === "connecting"
      : state.kind === "ready" && state.connection === connection;
    if (!isCurrent) return;
    const { clock, events } = this.#options;
    if (!this.#isLost) this.lostAtMs = clock.nowMs();
    this.#isLost = true;
    const pauseMs = cause.code === "kafka_authentication_failed" || cause.code === "certificate_unusable"
      ? clientRetryMs
      : backoffMs(this.#failures++, clock);
    const cancel = clock.after(pauseMs, () => {
      this.#state = { kind: "idle" };
      this.want();
    });
    this.#state = { kind: "paused", cancel, cause };
    events.lost(this, cause, connection !== undefined);
  }

  #watchIn(delayMs: number): void {
    this.#watch = this.#options.clock.after(delayMs, () => this.#check());
  }

  #check(): void {
    this.#watch = undefined;
    if (this.#requests.size === 0) return;
    const { clock, events, requestTimeoutMs } = this.#options;
    const silentMs = clock.nowMs() - this.#progressAtMs;
    if (silentMs >= requestTimeoutMs) {
      const { host, port } = this.address;
      const message =
        `Broker "${host}:${port}" did not answer for ${requestTimeoutMs} ms: connection destroyed`;
      this.destroy(new ForwarderError("deadline_exceeded", message, { retryable: true }));
    } else if (silentMs >= stallMs) events.stalled(this);
    if (this.#requests.size === 0 || this.#watch !== undefined) return;
    this.#watchIn(Math.max(1, Math.min(stallMs, requestTimeoutMs - silentMs)));
  }
}

function asForwarderError(cause: unknown): ForwarderError {
  if (cause instanceof ForwarderError) return cause;
  throw cause;
}
