/**
 * Where the batches of one segment lie, as columns of numbers: no object per batch.
 *
 * Of the segment in writing it is in memory; of others it stands at the file's end and is read when somebody wants
 * a batch of it. `format.ts` draws its bytes.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";

const entryBytes = 16;
const batchesStart = 64;
/** Topic numbers are 16 bits; a commit may bring a few after the last look. */
const topicsMax = 0xffff - 64;

const utf8 = new TextDecoder();
const toUtf8 = new TextEncoder();

/** The index of one segment. */
export class SegmentIndex {
  /** Batches, missing ones included. */
  length = 0;
  readonly topics: string[] = [];
  #offsets = new Uint32Array(batchesStart);
  #recordBytes = new Uint32Array(batchesStart);
  #counts = new Uint32Array(batchesStart);
  #headBytes = new Uint16Array(batchesStart);
  #topicIds = new Uint16Array(batchesStart);
  #topicId = new Map<string, number>();

  /** True if no further topics should come: the segment is to end. */
  get topicsFull(): boolean {
    return this.topics.length >= topicsMax;
  }

  /** Notes the batch `index`; those between the last one and it are missing. */
  set(
    index: number,
    offset: number,
    headBytes: number,
    recordBytes: number,
    count: number,
    topic: string,
  ): void {
    while (index >= this.#offsets.length) this.#grow();
    this.#offsets[index] = offset;
    this.#recordBytes[index] = recordBytes;
    this.#counts[index] = count;
    this.#headBytes[index] = headBytes;
    this.#topicIds[index] = this.#idOf(topic);
    if (index >= this.length) this.length = index + 1;
  }

  /** False where the batch is missing or was damaged when the segment was scanned. */
  has(index: number): boolean {
    return index < this.length && this.#headBytes[index]! > 0;
  }

  offset(index: number): number {
    return this.#offsets[index]!;
  }

  headBytes(index: number): number {
    return this.#headBytes[index]!;
  }

  recordBytes(index: number): number {
    return this.#recordBytes[index]!;
  }

  /** Records in the batch. */
  count(index: number): number {
    return this.#counts[index]!;
  }

  topic(index: number): string {
    return this.topics[this.#topicIds[index]!]!;
  }

  /** The bytes that stand in front of a trailer. */
  encode(): Uint8Array {
    const names = this.topics.map((topic) => toUtf8.encode(topic));
    const namesBytes = names.reduce((sum, name) => sum + 2 + name.length, 0);
    const bytes = new Uint8Array(this.length * entryBytes + namesBytes);
    const view = new DataView(bytes.buffer);
    for (let index = 0, at = 0; index < this.length; index++, at += entryBytes) {
      view.setUint32(at, this.#offsets[index]!, true);
      view.setUint32(at + 4, this.#recordBytes[index]!, true);
      view.setUint32(at + 8, this.#counts[index]!, true);
      view.setUint16(at + 12, this.#headBytes[index]!, true);
      view.setUint16(at + 14, this.#topicIds[index]!, true);
    }
    let at = this.length * entryBytes;
    for (const name of names) {
      view.setUint16(at, name.length, true);
      bytes.set(name, at + 2);
      at += 2 + name.length;
    }
    return bytes;
  }

  #idOf(topic: string): number {
    let id = this.#topicId.get(topic);
    if (id === undefined) {
      invariant(this.topics.length < 0xffff, "a segment ends before its topics have no number left");
      id = this.topics.push(topic) - 1;
      this.#topicId.set(topic, id);
    }
    return id;
  }

  #grow(): void {
    const length = this.#offsets.length * 2;
    const grown = <T extends Uint32Array | Uint16Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#offsets = grown(new Uint32Array(length), this.#offsets);
    this.#recordBytes = grown(new Uint32Array(length), this.#recordBytes);
    this.#counts = grown(new Uint32Array(length), this.#counts);
    this.#headBytes = grown(new Uint16Array(length), this.#headBytes);
    this.#topicIds = grown(new Uint16Array(length), this.#topicIds);
  }
}

/** Reads an index of `batches` entries and `topics` names; undefined where the bytes are none. */
export function readIndex(bytes: Uint8Array, batches: number, topics: number): SegmentIndex | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  let at = batches * entryBytes;
  if (at > bytes.length) return undefined;
  for (let name = 0; name < topics; name++) {
    if (at + 2 > bytes.length) return undefined;
    const length = view.getUint16(at, true);
    if (at + 2 + length > bytes.length) return undefined;
    names.push(utf8.decode(bytes.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  if (at !== bytes.length) return undefined;
  const index = new SegmentIndex();
  for (let batch = 0, entry = 0; batch < batches; batch++, entry += entryBytes) {
    const headBytes = view.getUint16(entry + 12, true);
    if (headBytes === 0) continue;
    const topic = names[view.getUint16(entry + 14, true)];
    if (topic === undefined) return undefined;
    index.set(
      batch,
      view.getUint32(entry, true),
      headBytes,
      view.getUint32(entry + 4, true),
      view.getUint32(entry + 8, true),
      topic,
    );
  }
  index.length = batches;
  return index;
}
