/**
 * A Kafka broker on a real socket, with a hook per request: what a real one cannot be made to do. It keeps a log per
 * partition and checks sequences as Kafka does; everything that corndog asks a broker is answered.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import type { FakePartition } from "./fake_cluster.ts";
import { checkSequence } from "./fake_cluster.ts";
import { readRequest, type WirePart, writeAnswer } from "./wire.ts";

/** API keys that are answered. */
export const api = {
  produce: 0,
  metadata: 3,
  apiVersions: 18,
  initProducerId: 22,
  describeConfigs: 32,
} as const;

/** A request as the hook sees it. */
export interface HookRequest {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  /** Requests of this API before it, over all connections. */
  readonly nth: number;
  /** The batches of a Produce request. */
  readonly parts: readonly WirePart[];
}

/** What the broker does with one request instead of answering it at once. */
export interface Misdeed {
  /** The answer comes so much later, and those behind it too. */
  readonly lateMs?: number;
  /** Error code of a part; the part is not appended then, unless `appends`. */
  readonly refuse?: (part: WirePart) => number | undefined;
  readonly appends?: boolean;
  /** The connection ends: before the request is looked at, or after its batches are in the log. */
  readonly close?: "before" | "after";
  /** Only so many bytes of the answer are written, then the connection ends. */
  readonly cutAt?: number;
  /** The answer names another request. */
  readonly wrongCorrelation?: boolean;
  /** These bytes come instead of the answer. */
  readonly garbage?: Buffer;
  /** Nothing is read for so long, so that the other side's writes pile up. */
  readonly deafMs?: number;
  /** The answer comes in pieces of so many bytes. */
  readonly pieces?: number;
}

/** One broker that is the whole cluster. */
export class SocketBroker {
  readonly topics = new Map<string, FakePartition[]>();
  /** `max.message.bytes` by topic. */
  readonly limits = new Map<string, number>();
  hook: (request: HookRequest) => Misdeed = () => ({});
  /** False while it names no broker of the cluster, not even itself. */
  isListed = true;
  /** Error code of InitProducerId; 0 gives an id. */
  producerIdError = 0;
  /** Produce versions that it says it speaks. */
  produceVersions: readonly [number, number] = [3, 11];
  readonly sockets = new Set<net.Socket>();
  readonly requests: HookRequest[] = [];
  #server: net.Server | undefined;
  #port = 0;
  #producerIds = 0;

  get port(): number {
    return this.#port;
  }

  create(topic: string, partitions: number): FakePartition[] {
    const made = Array.from(
      { length: partitions },
      (): FakePartition => ({ leader: 1, log: [], producers: new Map() }),
    );
    this.topics.set(topic, made);
    return made;
  }

  async listen(): Promise<this> {
    const server = net.createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as net.AddressInfo).port;
    this.#server = server;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server!.close(resolve));
  }

  #serve(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => {});
    let held = Buffer.alloc(0);
    const waiting: Buffer[] = [];
    let isBusy = false;
    const next = (): void => {
      const frame = waiting.shift();
      if (frame === undefined || socket.destroyed) return;
      isBusy = true;
      this.#answer(socket, frame, () => {
        isBusy = false;
        next();
      });
    };
    socket.on("data", (data: Buffer) => {
      held = Buffer.concat([held, data]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0);
        waiting.push(Buffer.from(held.subarray(0, end)));
        held = held.subarray(end);
      }
      if (!isBusy) next();
    });
  }

  #answer(socket: net.Socket, frame: Buffer, done: () => void): void {
    const apiKey = frame.readInt16BE(4);
    const version = frame.readInt16BE(6);
    const correlationId = frame.readInt32BE(8);
    const parts = apiKey === api.produce ? readRequest(frame).parts : [];
    const nth = this.requests.filter((one) => one.apiKey === apiKey).length;
    const request: HookRequest = { apiKey, version, correlationId, nth, parts };
    this.requests.push(request);
    const misdeed = this.hook(request);
    const later = (task: () => void, delayMs: number): void => {
      if (delayMs === 0) task();
      else setTimeout(task, delayMs);
    };
    if (misdeed.close === "before") return void socket.destroy();
    if (misdeed.deafMs !== undefined) {
      socket.pause();
      setTimeout(() => socket.resume(), misdeed.deafMs);
    }
    const body = this.#body(request, frame, misdeed);
    later(() => {
      if (socket.destroyed) return;
      if (misdeed.close === "after") return void socket.destroy();
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 4);
      head.writeInt32BE(misdeed.wrongCorrelation ? correlationId + 1 : correlationId, 4);
      const answer = misdeed.garbage ?? Buffer.concat([head, body]);
      if (misdeed.cutAt !== undefined) return void socket.end(answer.subarray(0, misdeed.cutAt));
      const piece = misdeed.pieces ?? answer.length;
      for (let at = 0; at < answer.length; at += piece) socket.write(answer.subarray(at, at + piece));
      done();
    }, misdeed.lateMs ?? 0);
  }

  #body({ apiKey, version, parts }: HookRequest, frame: Buffer, misdeed: Misdeed): Buffer {
    switch (apiKey) {
      case api.produce: {
        const answers = parts.map((part) => {
          const refusal = misdeed.refuse?.(part);
          const verdict = refusal === undefined || misdeed.appends ? this.#append(part) : 0;
          return { topic: part.topic, partition: part.partition, errorCode: refusal ?? verdict };
        });
        return writeAnswer(answers, 0, version);
      }
      case api.metadata:
        return this.#metadata(frame);
      case api.initProducerId: {
        const body = Buffer.alloc(16);
        body.writeInt16BE(this.producerIdError, 4);
        body.writeBigInt64BE(BigInt(1000 + this.#producerIds++), 6);
        return body;
      }
      case api.describeConfigs:
        return this.#configs(frame);
      default:
        return apiVersions(this.produceVersions);
    }
  }

  #append({ topic, partition, batch }: WirePart): number {
    const target = this.topics.get(topic)?.[partition];
    if (target === undefined) return 3;
    if (batch.bytes > (this.limits.get(topic) ?? Infinity)) return 10;
    const verdict = checkSequence(target.producers, batch);
    if (verdict === "append") target.log.push(...batch.values);
    return typeof verdict === "number" ? verdict : 0;
  }

  /** Metadata v6. */
  #metadata(frame: Buffer): Buffer {
    const asked = readStrings(frame, bodyAt(frame));
    const topics = asked.map((name) => {
      const partitions = this.topics.get(name);
      const list = (partitions ?? []).map(({ leader }, id) => {
        const fields = [int32(id), int32(leader), int32(1), int32(1), int32(1), int32(1), int32(0)];
        return Buffer.concat([int16(leader === -1 ? 5 : 0), ...fields]);
      });
      return Buffer.concat([
        int16(partitions === undefined ? 3 : 0),
        text(name),
        Buffer.from([0]),
        int32(list.length),
        ...list,
      ]);
    });
    return Buffer.concat([
      int32(0),
      int32(this.isListed ? 1 : 0),
      ...this.isListed ? [int32(1), text("127.0.0.1"), int32(this.#port), int16(-1)] : [],
      ...[int16(-1), int32(1), int32(topics.length)],
      ...topics,
    ]);
  }

  /** DescribeConfigs v1 and v2: the size limit of each topic. */
  #configs(frame: Buffer): Buffer {
    let at = bodyAt(frame);
    const count = frame.readInt32BE(at);
    at += 4;
    const resources: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      const length = frame.readInt16BE(at + 1);
      const name = frame.toString("utf8", at + 3, at + 3 + length);
      at += 3 + length;
      for (let left = frame.readInt32BE(at), first = true; left > 0; left--, first = false) {
        at += (first ? 4 : 0) + 2 + frame.readInt16BE(at + (first ? 4 : 0));
      }
      const entry = [text("max.message.bytes"), text(String(this.limits.get(name) ?? 1_048_588))];
      resources.push(
        Buffer.concat([int16(0), int16(-1), Buffer.from([2]), text(name), int32(1), ...entry]),
        Buffer.from([0, 5, 0, 0, 0, 0, 0]),
      );
    }
    return Buffer.concat([int32(0), int32(count), ...resources]);
  }
}

/** ApiVersions v2. */
function apiVersions([produceMin, produceMax]: readonly [number, number]): Buffer {
  const apis = [
    [api.produce, produceMin, produceMax],
    [api.metadata, 0, 6],
    [api.apiVersions, 0, 2],
    [api.initProducerId, 0, 1],
    [api.describeConfigs, 1, 2],
  ];
  return Buffer.concat([int16(0), int32(apis.length), ...apis.flat().map(int16), int32(0)]);
}

/** Where a request's body begins: behind its client id. */
function bodyAt(frame: Buffer): number {
  return 14 + frame.readInt16BE(12);
}

function readStrings(frame: Buffer, at: number): string[] {
  const strings: string[] = [];
  let left = frame.readInt32BE(at);
  at += 4;
  for (; left > 0; left--) {
    const length = frame.readInt16BE(at);
    strings.push(frame.toString("utf8", at + 2, at + 2 + length));
    at += 2 + length;
  }
  return strings;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
