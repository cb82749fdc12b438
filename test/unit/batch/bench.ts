/**
 * What the tests of this stage need around a batcher: a small kernel, rows and records put into it, and what came out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Batcher, type BatcherOptions } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { FakeTimers } from "./fake_timers.ts";

/** A record as read back from a batch. */
export interface ReadBack {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string;
  readonly timestampMs: number;
}

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Made once per size: an instance costs milliseconds, and the runs of a property need hundreds. */
const kernels = new Map<number, Kernel>();

/** A kernel with room for frames of 4 KiB and `arenaBytes` of batches. */
export function smallKernel(arenaBytes: number): Kernel {
  let kernel = kernels.get(arenaBytes);
  if (kernel === undefined) {
    kernel = createKernel({
      frameBytesMax: 4096,
      pieceBytes: 16 * 1024,
      rowsMax: 64,
      scratchBytes: 64 * 1024,
      arenaBytes,
    });
    kernels.set(arenaBytes, kernel);
  }
  return kernel;
}

/** Records of a closed batch; fails the test if it cannot be read. */
export function readBatch(kernel: Kernel, batch: ClosedBatch): ReadBack[] {
  const opened = openBatch(kernel.bytes, batch);
  if (!opened.ok) assert.fail(opened.fault);
  const found: ReadBack[] = [];
  for (const reader = opened.records; reader.next();) {
    const key = reader.key();
    assert.equal(reader.offsetDelta, found.length);
    found.push({
      topic: batch.topic,
      key: key === null ? null : latin1.decode(key),
      value: latin1.decode(reader.value()!),
      timestampMs: reader.timestampMs,
    });
  }
  assert.equal(opened.records.fault, undefined);
  assert.equal(found.length, batch.count);
  return found;
}

/** Writes frames into the input region, with rows for them. */
export function putRows(kernel: Kernel, frames: readonly string[]): number {
  let at = kernel.inputAt;
  const start = at;
  for (const frame of frames) {
    at += utf8.encodeInto(frame, kernel.bytes.subarray(at, kernel.inputAt + kernel.inputBytes)).written;
    kernel.bytes[at++] = 10;
  }
  return kernel.scanNewline(start, at);
}

/** Writes key and value into the scratch region. */
export function putRecord(kernel: Kernel, key: string | null, value: string) {
  const { scratchAt } = kernel;
  const end = scratchAt + kernel.sizes.scratchBytes;
  const keyLength = key === null ? -1 : utf8.encodeInto(key, kernel.bytes.subarray(scratchAt, end)).written;
  const valueAt = scratchAt + Math.max(0, keyLength);
  const valueLength = utf8.encodeInto(value, kernel.bytes.subarray(valueAt, end)).written;
  return { keyAt: scratchAt, keyLength, valueAt, valueLength };
}

/** A sink that does what the test says. */
export class FakeSink {
  hungry = true;
  ready = true;
  status(): { ready: boolean } {
    return { ready: this.ready };
  }
}

/** A batcher whose batches end up in `emitted`. */
export class Rig {
  readonly kernel: Kernel;
  readonly timers = new FakeTimers();
  readonly sink = new FakeSink();
  readonly emitted: ClosedBatch[] = [];
  readonly batcher: Batcher;

  constructor(
    arenaBytes: number,
    options: Partial<Pick<BatcherOptions, "batchBytesMax" | "lingerMs" | "lanesMax">> = {},
  ) {
    this.kernel = smallKernel(arenaBytes);
    this.batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax: 32 * 1024,
      lingerMs: 5,
      lanesMax: 8,
      ...options,
      sink: this.sink,
      timers: this.timers,
      emit: (batch) => this.emitted.push(batch),
    });
  }

  append(topic: string, key: string | null, value: string, nowMs = 1_700_000_000_000): boolean {
    const { keyAt, keyLength, valueAt, valueLength } = putRecord(this.kernel, key, value);
    const lane = this.batcher.lane(topic);
    return this.batcher.append(lane, nowMs, keyAt, keyLength, valueAt, valueLength, 0, 0);
  }

  appendRows(topic: string, frames: readonly string[], nowMs = 1_700_000_000_000, from = 0): number {
    const rows = putRows(this.kernel, frames);
    assert.equal(rows, frames.length);
    return this.batcher.appendRows(this.batcher.lane(topic), from, rows, 0, nowMs);
  }

  /** Reads all batches that were emitted, in order, and gives them back. */
  take(): ReadBack[] {
    const batches = this.emitted.splice(0);
    return batches.flatMap((batch) => {
      const records = readBatch(this.kernel, batch);
      this.batcher.release(batch);
      return records;
    });
  }
}
