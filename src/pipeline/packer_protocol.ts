/**
 * What a worker and its packer say to each other: buffers go there and come back, so that none is copied or made
 * anew. Answers come in the order of the questions.
 *
 * @module
 */
import type { Packing } from "../batch/pack.ts";

/** To the packer. */
export interface ToPacker {
  readonly packing: Packing;
  readonly buffer: ArrayBuffer;
  /** Bytes of it that are to be packed. */
  readonly length: number;
}

/** From the packer. */
export interface FromPacker {
  /** The same memory, with the packed bytes at its beginning. */
  readonly buffer: ArrayBuffer;
  /** How many they are; -1: nothing smaller came of it. */
  readonly length: number;
}

/** A packer's thread, as src/worker.ts makes it. */
export interface PackerThread {
  post(message: ToPacker): void;
  onMessage(handler: (message: FromPacker) => void): void;
  /** Called once when the thread ended, with why. */
  onExit(handler: (reason: string) => void): void;
  terminate(): void;
}

/** Makes one; the entry must lie beside src/main.ts, or a compiled binary does not find it. */
export type SpawnPacker = () => PackerThread;
