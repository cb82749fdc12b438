/**
 * A thread that packs batches, for codecs that the runtime has no threads for: lz4 and snappy, and on Deno all of
 * them. It begins with the worker, and is `ready` when it has answered once. If it ends by itself, batches go as they are from then on, and the log says
 * so once: that costs network and no line.
 *
 * @module
 */
import { type Pack, type Packing, packNow } from "../batch/pack.ts";
import { ForwarderError } from "../core/errors.ts";
import type { FromPacker, PackerThread, SpawnPacker, ToPacker } from "./packer_protocol.ts";

/** The thread's side: packs one message. */
export function answerPacker({ packing, buffer, length }: ToPacker): FromPacker {
  const bytes = new Uint8Array(buffer, 0, length);
  const packed = packNow(packing, bytes);
  if (packed.length >= length) return { buffer, length: -1 };
  bytes.set(packed);
  return { buffer, length: packed.length };
}

type Done = Parameters<Pack>[1];

/** The worker's side. */
export class Packer {
  readonly #packing: Packing;
  readonly #spawn: SpawnPacker;
  readonly #lost: (reason: string) => void;
  #thread: PackerThread | undefined;
  #ended: string | undefined;
  #ready = false;
  readonly #waiting: Done[] = [];
  /** Buffers that are not on their way; as many as were in work at once. */
  readonly #buffers: ArrayBuffer[] = [];

  /** `lost` is told when the thread ended by itself. */
  constructor(packing: Packing, spawn: SpawnPacker, lost: (reason: string) => void) {
    this.#packing = packing;
    this.#spawn = spawn;
    this.#lost = lost;
  }

  /** Begins the thread, so that no batch waits for its start. */
  start(): void {
    this.pack(new Uint8Array(1), (error) => this.#ready = error === null);
  }

  /** True when it has answered once. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The worker's `Pack`. */
  readonly pack: Pack = (bytes, done) => {
    const ended = this.#ended;
    if (ended !== undefined) return queueMicrotask(() => done(failed(ended), undefined));
    this.#thread ??= this.#begin();
    let buffer = this.#buffers.pop();
    if (buffer === undefined || buffer.byteLength < bytes.length) buffer = new ArrayBuffer(bytes.length);
    new Uint8Array(buffer).set(bytes);
    this.#waiting.push(done);
    this.#thread.post({ packing: this.#packing, buffer, length: bytes.length });
  };

  /** Ends the thread; what it had in work is left as it is. */
  close(): void {
    if (this.#ended !== undefined) return;
    this.#ended = "closed";
    this.#thread?.terminate();
    this.#failAll("closed");
  }

  #begin(): PackerThread {
    const thread = this.#spawn();
    thread.onMessage(({ buffer, length }) => {
      const done = this.#waiting.shift();
      done?.(null, length < 0 ? undefined : new Uint8Array(buffer, 0, length));
      this.#buffers.push(buffer);
    });
    thread.onExit((reason) => {
      if (this.#ended !== undefined) return;
      this.#ended = reason;
      this.#lost(reason);
      this.#failAll(reason);
    });
    return thread;
  }

  #failAll(reason: string): void {
    for (const done of this.#waiting.splice(0)) done(failed(reason), undefined);
  }
}

function failed(reason: string): ForwarderError {
  return new ForwarderError("worker_failed", `Cannot compress: the packer ended: ${reason}`);
}
