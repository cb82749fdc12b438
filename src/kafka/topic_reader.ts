/**
 * Reads a topic from an offset on: for tools that work on what lies in Kafka. No group, no commits; whoever reads keeps
 * the offsets.
 *
 *     ListOffsets v1   size:i32 key:i16=2 version:i16 correlation:i32 client:string
 *                      replica:i32=-1 [topic:string [partition:i32 timestamp:i64]]
 *            answer    [topic:string [partition:i32 error:i16 timestamp:i64 offset:i64]]
 *     Fetch v10        … key=1 … replica:i32=-1 max_wait:i32 min_bytes:i32 max_bytes:i32 isolation:i8=0
 *                      session:i32=0 epoch:i32=-1 [topic [partition:i32 leader_epoch:i32=-1 offset:i64
 *                      log_start:i64=-1 max_bytes:i32]] forgotten:[]=0
 *            answer    throttle:i32 error:i16 session:i32 [topic [partition:i32 error:i16 high_watermark:i64
 *                      last_stable:i64 log_start:i64 aborted:[pid:i64 first:i64]? records:bytes]]
 *
 * (kafka.apache.org/protocol; both versions are spoken by Kafka 2.1 to 4.x.)
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { decodeBatch } from "../batch/decode.ts";
import type { RecordReader } from "../batch/record_reader.ts";
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type { BrokerAddress, BrokerConnection, ClusterMetadata, KafkaCarrier } from "./carrier.ts";
import { type KafkaClock, systemClock } from "./clock.ts";
import { kafkaError } from "./error_codes.ts";
import { createKafkajsCarrier } from "./kafkajs_carrier.ts";

/** Bytes of one answer; a larger batch comes alone (KIP-74). */
const fetchBytesMax = 4 * 1024 * 1024;
const answerTimeoutMs = 15_000;
/** Bits of a batch's attributes: its records are for transactions, not for readers. */
const controlBatch = 0x20;
/** Where a batch has the delta of its last offset. */
const lastOffsetDeltaAt = 23;

const api = { fetch: { key: 1, version: 10 }, listOffsets: { key: 2, version: 1 } } as const;

/** What a partition holds: offsets from `first` to before `end`. */
export interface PartitionRange {
  readonly id: number;
  readonly first: number;
  readonly end: number;
}

/** Takes the records of one read; `reader` is at the record, `offset` is its own. */
export type TakeRecord = (reader: RecordReader, offset: number) => void;

/** One reader; `close` it. */
export class TopicReader {
  readonly #carrier: KafkaCarrier;
  readonly #clientId: string;
  readonly #connections = new Map<number, Promise<BrokerConnection>>();
  #metadata: ClusterMetadata | undefined;

  constructor(config: KafkaConfig, clock: KafkaClock = systemClock) {
    this.#carrier = createKafkajsCarrier(config, clock);
    this.#clientId = config.clientId;
  }

  /** The partitions of a topic and what they hold now; empty where the cluster does not know the topic. */
  async ranges(topic: string): Promise<PartitionRange[]> {
    const metadata = this.#metadata = await this.#carrier.metadata([topic], false);
    const found = metadata.topics.find(({ name }) => name === topic);
    if (found === undefined || found.errorCode === 3) return [];
    if (found.errorCode !== 0) throw refused(topic, found.errorCode);
    return await Promise.all(
      found.partitions.map(async ({ id }) => ({
        id,
        first: await this.#offset(topic, id, -2n),
        end: await this.#offset(topic, id, -1n),
      })),
    );
  }

  /** Gives the records from `offset` on that one answer holds. Returns the next offset; the same one if there is nothing. */
  async read(topic: string, partition: number, offset: number, take: TakeRecord): Promise<number> {
    const body = new Writer().i32(-1).i32(500).i32(1).i32(fetchBytesMax).i8(0).i32(0).i32(-1).i32(1).text(
      topic,
    )
      .i32(1).i32(partition).i32(-1).i64(BigInt(offset)).i64(-1n).i32(fetchBytesMax).i32(0);
    const answer = await this.#ask(topic, partition, api.fetch, body);
    answer.i32();
    const fault = answer.i16();
    if (fault !== 0) throw refused(topic, fault);
    answer.i32();
    answer.only();
    answer.text();
    answer.only();
    answer.i32();
    const partitionFault = answer.i16();
    if (partitionFault !== 0) throw refused(topic, partitionFault);
    answer.skip(24);
    const aborted = answer.i32();
    if (aborted > 0) answer.skip(16 * aborted);
    return readBatches(answer.bytes(), topic, offset, take);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#carrier.close();
  }

  async #offset(topic: string, partition: number, timestamp: bigint): Promise<number> {
    const body = new Writer().i32(-1).i32(1).text(topic).i32(1).i32(partition).i64(timestamp);
    const answer = await this.#ask(topic, partition, api.listOffsets, body);
    answer.only();
    answer.text();
    answer.only();
    answer.i32();
    const fault = answer.i16();
    if (fault !== 0) throw refused(topic, fault);
    answer.skip(8);
    return Number(answer.i64());
  }

  async #ask(
    topic: string,
    partition: number,
    { key, version }: { readonly key: number; readonly version: number },
    body: Writer,
  ): Promise<Reader> {
    const connection = await this.#leader(topic, partition);
    const correlationId = connection.nextCorrelationId();
    const request = new Writer().i16(key).i16(version).i32(correlationId).text(this.#clientId).raw(
      body.done(),
    )
      .done();
    const timer = setTimeout(() => {
      connection.destroy(
        new ForwarderError(
          "deadline_exceeded",
          `A broker did not answer within ${answerTimeoutMs} ms (fetch)`,
          {
            retryable: true,
          },
        ),
      );
    }, answerTimeoutMs);
    try {
      const views = [new Writer().i32(request.length).done(), request];
      return new Reader(await connection.send(correlationId, views));
    } finally {
      clearTimeout(timer);
    }
  }

  #leader(topic: string, partition: number): Promise<BrokerConnection> {
    const { brokers = [], topics = [] } = this.#metadata ?? {};
    const found = topics.find(({ name }) => name === topic)?.partitions.find(({ id }) => id === partition);
    const broker = brokers.find(({ id }) => id === found?.leader);
    if (broker === undefined) {
      return Promise.reject(
        new ForwarderError("kafka_unreachable", `Partition ${partition} of topic "${topic}" has no leader`, {
          retryable: true,
        }),
      );
    }
    return this.#connect(broker);
  }

  #connect(broker: BrokerAddress): Promise<BrokerConnection> {
    const known = this.#connections.get(broker.id);
    if (known !== undefined) return known;
    const forget = (): void => void this.#connections.delete(broker.id);
    const connection = this.#carrier.connect(broker, { closed: forget, usable: () => {} });
    connection.catch(forget);
    this.#connections.set(broker.id, connection);
    return connection;
  }
}

/** Gives the records of whole batches; the last one of an answer may be cut off. */
function readBatches(bytes: Buffer, topic: string, from: number, take: TakeRecord): number {
  let next = from;
  for (let rest = bytes; rest.length > 0;) {
    const batch = decodeBatch(rest);
    if (!batch.ok) {
      if (batch.fault === "batch_cut_off") break;
      throw new ForwarderError(
        "kafka_protocol",
        `Cannot read topic "${topic}" at offset ${next}: ${batch.fault}`,
      );
    }
    const { header, records } = batch;
    const base = Number(header.baseOffset);
    if ((header.attributes & controlBatch) === 0) {
      while (records.next()) {
        const offset = base + records.offsetDelta;
        if (offset >= from) take(records, offset);
      }
      if (records.fault !== undefined) {
        throw new ForwarderError(
          "kafka_protocol",
          `Cannot read topic "${topic}" at offset ${base}: ${records.fault}`,
        );
      }
    }
    next = Math.max(next, base + rest.readInt32BE(lastOffsetDeltaAt) + 1);
    rest = rest.subarray(header.bytes);
  }
  return next;
}

function refused(topic: string, code: number): ForwarderError {
  return new ForwarderError("kafka_rejected", `Cannot read topic "${topic}": ${kafkaError(code).name}`, {
    retryable: true,
  });
}

/** Writes protocol fields. */
class Writer {
  readonly #parts: Uint8Array[] = [];

  i8(value: number): this {
    return this.raw(Uint8Array.of(value));
  }

  i16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.raw(bytes);
  }

  i32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.raw(bytes);
  }

  i64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return this.raw(bytes);
  }

  text(value: string): this {
    const bytes = Buffer.from(value);
    return this.i16(bytes.length).raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Reads protocol fields; past the end it throws `kafka_protocol`. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  i16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  text(): string {
    const length = this.i16();
    const at = this.#take(length);
    return this.#bytes.toString("utf8", at, at + length);
  }

  bytes(): Buffer {
    const length = Math.max(0, this.i32());
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  /** A list of which one entry was asked for. */
  only(): void {
    if (this.i32() !== 1) throw unreadable();
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes < 0 || at + bytes > this.#bytes.length) throw unreadable();
    this.#at = at + bytes;
    return at;
  }
}

function unreadable(): ForwarderError {
  return new ForwarderError(
    "kafka_protocol",
    "Answer of a broker is not readable: it has other parts than asked for",
  );
}
