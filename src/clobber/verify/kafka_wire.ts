/**
 * The requests of Kafka's protocol with which lines are read back, in versions that every broker from 0.11 to 4.x
 * knows (https://kafka.apache.org/protocol): Metadata 1, ListOffsets 1, Fetch 4, and the frame around them. What a
 * login says is in kafka_login.ts.
 *
 *     request:  length int32 | api int16 | version int16 | correlation int32 | client string | body
 *     response: length int32 | correlation int32 | body
 *
 * An own reader and no client library: the judge of a forwarder must not share its protocol code, and it looks for
 * marks in whole batches without making an object of each record.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Api keys. */
export const api = {
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  saslHandshake: 17,
  saslAuthenticate: 36,
} as const;
/** The version used of each. */
const versions: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 17: 1, 36: 0 };

const clientId = "corndog-clobber";

/** Writes a request's body. */
export class RequestWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    const bytes = Buffer.alloc(1);
    bytes.writeInt8(value);
    return this.#add(bytes);
  }

  int16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.#add(bytes);
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.#add(bytes);
  }

  int64(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(value));
    return this.#add(bytes);
  }

  string(value: string): this {
    const bytes = Buffer.from(value);
    return this.int16(bytes.length).#add(bytes);
  }

  bytes(value: Buffer): this {
    return this.int32(value.length).#add(value);
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    items.forEach(write);
    return this;
  }

  #add(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  /** The whole request. */
  frame(key: number, correlation: number): Buffer {
    const head = new RequestWriter().int16(key).int16(versions[key]!).int32(correlation).string(clientId);
    const body = Buffer.concat([...head.#parts, ...this.#parts]);
    return Buffer.concat([new RequestWriter().int32(body.length).#parts[0]!, body]);
  }
}

/** Reads a response's body. Reading past its end throws a RangeError. */
export class ResponseReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#move(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#move(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#move(4));
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#move(8)));
  }

  string(): string {
    const length = this.int16();
    if (length < 0) return "";
    const from = this.#move(length);
    return this.#bytes.toString("utf8", from, from + length);
  }

  bytes(): Buffer {
    const length = this.int32();
    if (length < 0) return Buffer.alloc(0);
    const from = this.#move(length);
    return this.#bytes.subarray(from, from + length);
  }

  array<T>(read: () => T): T[] {
    const count = this.int32();
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }

  #move(bytes: number): number {
    const from = this.#at;
    this.#at += bytes;
    return from;
  }
}

/** A partition and who leads it. */
export interface PartitionPlace {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
}

/** Brokers by id, partitions of topics. */
export interface ClusterView {
  readonly brokers: ReadonlyMap<number, { readonly host: string; readonly port: number }>;
  readonly partitions: readonly PartitionPlace[];
}

/** Asks for all topics: the wanted ones may be a pattern, and asking for a name may create it. */
export function metadataRequest(correlation: number): Buffer {
  return new RequestWriter().int32(-1).frame(api.metadata, correlation);
}

/** Reads the answer to it. */
export function readMetadata(reader: ResponseReader): ClusterView {
  const brokers = new Map<number, { host: string; port: number }>();
  reader.array(() => {
    const id = reader.int32();
    brokers.set(id, { host: reader.string(), port: reader.int32() });
    reader.string(); // rack
  });
  reader.int32(); // controller
  const topics = reader.array(() => {
    reader.int16(); // error
    const topic = reader.string();
    reader.int8(); // internal
    return reader.array((): PartitionPlace => {
      reader.int16(); // error: a missing leader shows as -1
      const partition = reader.int32();
      const leader = reader.int32();
      reader.array(() => reader.int32());
      reader.array(() => reader.int32());
      return { topic, partition, leader };
    });
  });
  return { brokers, partitions: topics.flat() };
}

/** Asks where partitions end (`latest`) or begin. */
export function listOffsetsRequest(
  correlation: number,
  partitions: readonly PartitionPlace[],
  latest: boolean,
): Buffer {
  const writer = new RequestWriter().int32(-1);
  writer.array(byTopic(partitions), ([topic, places]) => {
    writer.string(topic).array(places, ({ partition }) => {
      writer.int32(partition).int64(latest ? -1 : -2);
    });
  });
  return writer.frame(api.listOffsets, correlation);
}

/** One answer about a partition's offset. */
export interface OffsetAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly offset: number;
}

/** Reads the answer to it. */
export function readOffsets(reader: ResponseReader): OffsetAnswer[] {
  return reader.array(() => {
    const topic = reader.string();
    return reader.array((): OffsetAnswer => {
      const partition = reader.int32();
      const error = reader.int16();
      reader.int64(); // timestamp
      return { topic, partition, error, offset: reader.int64() };
    });
  }).flat();
}

/** A partition and from where to read it. */
export interface FetchFrom extends PartitionPlace {
  readonly offset: number;
}

/** Asks for records. */
export function fetchRequest(
  correlation: number,
  from: readonly FetchFrom[],
  maxWaitMs: number,
  bytesMax: number,
): Buffer {
  // Broker, wait, at least one byte, at most these, also what no transaction has committed.
  const writer = new RequestWriter().int32(-1).int32(maxWaitMs).int32(1).int32(bytesMax).int8(0);
  writer.array(byTopic(from), ([topic, places]) => {
    writer.string(topic).array(places, ({ partition, offset }) => {
      writer.int32(partition).int64(offset).int32(bytesMax);
    });
  });
  return writer.frame(api.fetch, correlation);
}

/** Records of one partition. */
export interface FetchAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly records: Buffer;
}

/** Reads the answer to it. */
export function readFetch(reader: ResponseReader): FetchAnswer[] {
  reader.int32(); // throttle
  return reader.array(() => {
    const topic = reader.string();
    return reader.array((): FetchAnswer => {
      const partition = reader.int32();
      const error = reader.int16();
      reader.int64(); // high watermark
      reader.int64(); // last stable offset
      reader.array(() => [reader.int64(), reader.int64()]); // aborted transactions; null is a length of -1
      return { topic, partition, error, records: reader.bytes() };
    });
  }).flat();
}

function byTopic<T extends PartitionPlace>(places: readonly T[]): [string, T[]][] {
  const topics = new Map<string, T[]>();
  for (const place of places) topics.set(place.topic, [...topics.get(place.topic) ?? [], place]);
  return [...topics];
}
