/**
 * A Kafka cluster in memory, as a carrier: brokers that go down and come back, leaders that move, and the broker's
 * side of idempotence (sequence check, memory of the last five batches). A hook per request decides what goes wrong.
 *
 * It checks, for every request: that it can be read, that each CRC is right, and that no byte of it changed from
 * the moment it was sent until its promise was resolved.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ForwarderError } from "../../../src/core/errors.ts";
import type {
  BrokerAddress,
  BrokerConnection,
  ClusterMetadata,
  ConnectionEvents,
  KafkaCarrier,
  ProducerId,
} from "../../../src/kafka/carrier.ts";
import type { FakeClock } from "./fake_clock.ts";
import { readRequest, type WireBatch, type WirePart, type WireRequest, writeAnswer } from "./wire.ts";

/** What goes wrong with one request. */
export interface Fault {
  /** Error code per part, `undefined` for what the broker would say. */
  readonly refuse?: (part: WirePart) => number | undefined;
  /** Records of a refused part that the broker names, by index. */
  readonly badRecords?: (part: WirePart) => readonly number[];
  /** The records are appended all the same, then `refuse` answers. */
  readonly appends?: boolean;
  /** The connection ends: before the request is looked at, or after it was appended. */
  readonly cut?: "before" | "after";
  /** Time from the request's turn to its answer. */
  readonly delayMs?: number;
  /** The answer is these bytes. */
  readonly garbage?: Buffer;
  readonly throttleMs?: number;
}

interface ProducerState {
  epoch: number;
  last: number;
  recent: { first: number; last: number }[];
}

/** One partition of the fake. */
export interface FakePartition {
  leader: number;
  /** Values in the order in which they were appended. */
  readonly log: string[];
  readonly producers: Map<bigint, ProducerState>;
}

/** The fake. */
export class FakeCluster implements KafkaCarrier {
  readonly brokers = new Map<number, { address: BrokerAddress; isUp: boolean }>();
  readonly topics = new Map<string, FakePartition[]>();
  /** `max.message.bytes` of topics that have a limit. */
  readonly limits = new Map<string, number>();
  /** False: nobody may ask for those limits. */
  describesLimits = true;
  /** Error codes that metadata says about topics. */
  readonly topicErrors = new Map<string, number>();
  readonly requests: { broker: number; request: WireRequest }[] = [];
  readonly metadataAsked: { topics: readonly string[]; create: boolean }[] = [];
  readonly connections = new Set<FakeConnection>();
  /** Hosts that are gone: they refuse nothing, and each try to connect takes its five seconds. */
  readonly gone = new Set<number>();
  /** Decides about each request. */
  fault: (request: WireRequest, broker: number) => Fault = () => ({});
  /** Refuses connections and metadata with this error. */
  denial: ForwarderError | undefined;
  ackMs = 2;
  produceVersion = 8;
  producerIds = 0;
  isAutoCreating = false;
  isClosed = false;
  readonly clock: FakeClock;

  constructor(clock: FakeClock, brokers: number) {
    this.clock = clock;
    for (let id = 1; id <= brokers; id++) {
      this.brokers.set(id, { address: { id, host: `broker-${id}`, port: 9092 }, isUp: true });
    }
  }

  /** Makes a topic; leaders in turn. */
  create(name: string, partitions: number): FakePartition[] {
    const ids = [...this.brokers.keys()];
    const made = this.topics.get(name) ?? [];
    for (let id = made.length; id < partitions; id++) {
      made.push({ leader: ids[id % ids.length], log: [], producers: new Map() });
    }
    this.topics.set(name, made);
    return made;
  }

  /** Ends all its connections and takes no new ones. */
  down(id: number): void {
    this.brokers.get(id)!.isUp = false;
    for (const connection of [...this.connections]) if (connection.broker === id) connection.lose("down");
  }

  up(id: number): void {
    this.brokers.get(id)!.isUp = true;
  }

  async metadata(topics: readonly string[], create: boolean): Promise<ClusterMetadata> {
    this.metadataAsked.push({ topics, create });
    await this.#pause(1);
    if (this.denial !== undefined) throw this.denial;
    const up = [...this.brokers.values()].filter(({ isUp }) => isUp);
    if (up.length === 0) throw unreachable("broker-1:9092");
    if (create && this.isAutoCreating) {
      for (const topic of topics) if (!this.topics.has(topic)) this.create(topic, 2);
    }
    return {
      brokers: up.map(({ address }) => address),
      topics: topics.map((name) => {
        const partitions = this.topics.get(name);
        const errorCode = this.topicErrors.get(name) ?? (partitions === undefined ? 3 : 0);
        return {
          name,
          errorCode,
          partitions: errorCode !== 0 ? [] : partitions!.map(({ leader }, id) => ({
            id,
            leader: this.brokers.get(leader)?.isUp ? leader : -1,
          })),
        };
      }),
    };
  }

  async batchBytesMax(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    await this.#pause(1);
    if (this.denial !== undefined) throw this.denial;
    if (!this.describesLimits) return new Map();
    return new Map(topics.map((topic) => [topic, this.limits.get(topic) ?? 1048588]));
  }

  async initProducerId(): Promise<ProducerId> {
    await this.#pause(1);
    if (this.denial !== undefined) throw this.denial;
    if (![...this.brokers.values()].some(({ isUp }) => isUp)) throw unreachable("broker-1:9092");
    return { producerId: BigInt(1000 + this.producerIds++), epoch: 0 };
  }

  async connect(broker: BrokerAddress, events: ConnectionEvents): Promise<BrokerConnection> {
    await this.#pause(this.gone.has(broker.id) ? 5000 : 1);
    if (this.denial !== undefined) throw this.denial;
    if (this.gone.has(broker.id) || !this.brokers.get(broker.id)!.isUp) {
      throw unreachable(`${broker.host}:${broker.port}`);
    }
    const connection = new FakeConnection(this, broker.id, events);
    this.connections.add(connection);
    return connection;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** What the leader does with one part; the error code. */
  append({ topic, partition, batch }: WirePart, broker: number): number {
    const target = this.topics.get(topic)?.[partition];
    if (target === undefined) return 3;
    if (target.leader !== broker) return 6;
    if (batch.bytes > (this.limits.get(topic) ?? Infinity)) return 10;
    const verdict = checkSequence(target.producers, batch);
    if (verdict === "append") target.log.push(...batch.values);
    return typeof verdict === "number" ? verdict : 0;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(delayMs, resolve));
  }
}

/** ProducerStateManager of Kafka, for producers without transactions. */
export function checkSequence(
  producers: Map<bigint, ProducerState>,
  batch: WireBatch,
): "append" | "known" | number {
  const first = batch.sequence;
  const last = (first + batch.count - 1) % 2 ** 31;
  const state = producers.get(batch.producerId);
  if (state !== undefined) {
    if (batch.epoch < state.epoch) return 47;
    if (batch.epoch > state.epoch && first !== 0) return 45;
    if (batch.epoch === state.epoch) {
      if (state.recent.some((one) => one.first === first && one.last === last)) return "known";
      if (first !== (state.last + 1) % 2 ** 31) return 45;
    }
  }
  const recent = state === undefined || state.epoch !== batch.epoch ? [] : state.recent.slice(-4);
  producers.set(batch.producerId, { epoch: batch.epoch, last, recent: [...recent, { first, last }] });
  return "append";
}

interface Pending {
  readonly request: WireRequest;
  readonly views: readonly Uint8Array[];
  readonly copy: Buffer;
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (cause: ForwarderError) => void;
}

/** One connection: requests are handled one after the other. */
export class FakeConnection implements BrokerConnection {
  readonly broker: number;
  readonly #cluster: FakeCluster;
  readonly #events: ConnectionEvents;
  readonly #pending: Pending[] = [];
  #correlationId = 0;
  #isBusy = false;
  #isGone = false;
  #isUsable = true;

  constructor(cluster: FakeCluster, broker: number, events: ConnectionEvents) {
    this.#cluster = cluster;
    this.broker = broker;
    this.#events = events;
  }

  get produceVersion(): number {
    return this.#cluster.produceVersion;
  }

  get usable(): boolean {
    return this.#isUsable && !this.#isGone;
  }

  /** As while a session is authenticated again. */
  setUsable(isUsable: boolean): void {
    this.#isUsable = isUsable;
    if (isUsable) this.#events.usable();
  }

  nextCorrelationId(): number {
    return this.#correlationId++;
  }

  send(correlationId: number, views: readonly Uint8Array[]): Promise<Buffer> {
    const copy = Buffer.concat(views);
    const request = readRequest(copy);
    assert.equal(request.version, this.produceVersion, "version");
    assert.equal(request.correlationId, correlationId, "correlation id");
    this.#cluster.requests.push({ broker: this.broker, request });
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, views, copy, resolve, reject });
      assert.ok(this.#pending.length <= 5, "five requests in flight at most");
      this.#serve();
    });
  }

  destroy(cause: ForwarderError): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cluster.connections.delete(this);
    for (const pending of this.#pending) {
      this.#unchanged(pending);
      pending.reject(cause);
    }
    this.#events.closed(cause);
  }

  /** The network ends it. */
  lose(why: string): void {
    this.destroy(unreachable(`broker-${this.broker}:9092 (${why})`));
  }

  #serve(): void {
    if (this.#isBusy || this.#isGone || this.#pending.length === 0) return;
    this.#isBusy = true;
    const pending = this.#pending[0];
    const fault = this.#cluster.fault(pending.request, this.broker);
    if (fault.cut === "before") {
      this.#cluster.clock.after(fault.delayMs ?? 0, () => this.lose("cut before"));
      return;
    }
    const answers = pending.request.parts.map((part) => {
      const refusal = fault.refuse?.(part);
      const verdict = refusal === undefined || fault.appends ? this.#cluster.append(part, this.broker) : 0;
      const badRecords = refusal === undefined ? [] : fault.badRecords?.(part) ?? [];
      return { topic: part.topic, partition: part.partition, errorCode: refusal ?? verdict, badRecords };
    });
    this.#cluster.clock.after(fault.delayMs ?? this.#cluster.ackMs, () => {
      if (this.#isGone) return;
      if (fault.cut === "after") return this.lose("cut after");
      this.#isBusy = false;
      this.#pending.shift();
      this.#unchanged(pending);
      pending.resolve(fault.garbage ?? writeAnswer(answers, fault.throttleMs, this.produceVersion));
      this.#serve();
    });
  }

  #unchanged({ views, copy }: Pending): void {
    assert.ok(Buffer.concat(views).equals(copy), "no byte of a request changes while it is unresolved");
  }
}

function unreachable(broker: string): ForwarderError {
  return new ForwarderError("kafka_unreachable", `Cannot reach broker "${broker}": ECONNREFUSED`, {
    retryable: true,
  });
}
