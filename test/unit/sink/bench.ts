/**
 * What the tests of the sinks need: batches in kernel memory, directories that go away, and conditions to wait for.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BatchOutcome, ClosedBatch } from "../../../src/batch/record_batch.ts";
import { Arena } from "../../../src/batch/arena.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { headroomBytes } from "../../../src/batch/record_batch.ts";
import type { Sink, SinkEvents } from "../../../src/sink/sink.ts";

/** Receive time of every record; `isoTime` is the same as text. */
export const epoch = 1_767_323_045_678;
/** @see epoch */
export const isoTime = "2026-01-02T03:04:05.678Z";

/** A record to be put into a batch; text or bytes. */
export interface Put {
  readonly value: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** Encoded by hand: name and value. */
  readonly headers?: readonly (readonly [string, string | null])[];
}

/** The kernel of all tests of one file. */
export const kernel = createKernel({ arenaBytes: 32 * 1024 * 1024, scratchBytes: 256 * 1024 });
const arena = new Arena(kernel.arenaAt, kernel.sizes.arenaBytes);

/** A closed batch of `records` in kernel memory. */
export function batchOf(topic: string, records: readonly (Put | string)[]): ClosedBatch {
  const parts = records.map((record) => typeof record === "string" ? { value: record } : record);
  const bytes = parts.reduce(
    (sum, { value, key, headers }) =>
      sum + 400 + value.length * 3 + (key?.length ?? 0) * 3 + (headers?.length ?? 0) * 200,
    0,
  );
  const extent = arena.allocate(headroomBytes + batchHeaderBytes + bytes);
  assert.ok(extent > 0, "the test's arena is large enough");
  const at = extent + headroomBytes;
  let end = at + batchHeaderBytes;
  parts.forEach((part, i) => {
    let scratch = kernel.scratchAt;
    const put = (data: Uint8Array) => {
      kernel.bytes.set(data, scratch);
      scratch += data.length;
      return scratch - data.length;
    };
    const key = part.key === undefined ? undefined : Buffer.from(part.key as string);
    const keyAt = key === undefined ? 0 : put(key);
    const value = Buffer.from(part.value as string);
    const valueAt = put(value);
    const headers = encodeHeaders(part.headers ?? []);
    const headersAt = put(headers);
    end = kernel.encodeRecord(
      end,
      i,
      0,
      keyAt,
      key?.length ?? -1,
      valueAt,
      value.length,
      headersAt,
      headers.length,
    );
  });
  return {
    topic,
    partition: -1,
    at,
    end,
    count: records.length,
    rawBytes: end - at - batchHeaderBytes,
    attributes: 0,
    baseTimestampMs: epoch,
    maxTimestampMs: epoch,
    openedAtMs: 0,
  };
}

function encodeHeaders(headers: NonNullable<Put["headers"]>): Uint8Array {
  if (headers.length === 0) return new Uint8Array(0);
  // Lengths below 64, so that a zigzag varint is one byte.
  const bytes = [headers.length * 2];
  for (const [name, value] of headers) {
    bytes.push(name.length * 2, ...Buffer.from(name, "latin1"));
    if (value === null) bytes.push(1);
    else bytes.push(value.length * 2, ...Buffer.from(value, "latin1"));
  }
  return Uint8Array.from(bytes);
}

/** Events of a sink, noted down. Settled batches give their memory back, and it is overwritten. */
export class Notes implements SinkEvents {
  readonly settledBatches: ClosedBatch[] = [];
  readonly outcomes: BatchOutcome[] = [];
  wanted = 0;

  settled(batch: ClosedBatch, outcome: BatchOutcome): void {
    assert.ok(!this.settledBatches.includes(batch), "a batch is settled once");
    this.settledBatches.push(batch);
    this.outcomes.push(outcome);
    kernel.bytes.fill(0xee, batch.at, batch.end);
    arena.free(batch.at - headroomBytes);
  }

  wants(): void {
    this.wanted++;
  }
}

/** A directory that is removed when it goes out of scope. */
export class TempDir implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "corndog-sink-"));

  /** Path of something in it. */
  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Waits until `condition` holds; fails the test when it does not in time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition();) {
    assert.ok(Date.now() < deadline, `in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Starts a sink and closes it at the end of `body`, whatever happens. */
export async function using(sink: Sink, body: (sink: Sink) => Promise<void>): Promise<void> {
  sink.start();
  try {
    await body(sink);
  } finally {
    await sink.close();
  }
}

/** The lines of a file, parsed; a line that is not JSON fails the test. */
export function linesOf(path: string): Record<string, unknown>[] {
  const text = readFileSync(path, "utf8");
  if (text === "") return [];
  assert.ok(text.endsWith("\n"), "the last line is whole");
  return text.slice(0, -1).split("\n").map((line) => JSON.parse(line));
}

/** Files of a topic, by name. */
export function filesOf(dir: string, topic: string): string[] {
  return readdirSync(join(dir, topic)).sort();
}

/** Values of all files of a topic, in the order of their names. */
export function valuesOf(dir: string, topic: string): unknown[] {
  return filesOf(dir, topic).flatMap((name) => linesOf(join(dir, topic, name))).map((line) => line.value);
}
