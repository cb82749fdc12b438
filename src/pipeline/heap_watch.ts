/**
 * Has a worker's garbage collected before there is much of it.
 *
 * JavaScriptCore collects young objects often, and beside the thread's work: what comes meanwhile outlives that
 * collection, and is old from then on. Old garbage waits for a full collection, which is due when there is as much of it
 * as is in use, and the kernel's memory counts as in use twice. With thousands of connections, of which every read is a
 * chunk of its own, that is some 40 MiB a worker, and as much again after connections have come and gone.
 *
 * So the heap is measured at a tick, and where it has grown it is collected, while the thread waits: a collection beside
 * the work would keep what comes meanwhile. The wait is some ten milliseconds, in which others' lines wait too: with fewer
 * than `connectionsMin` connections the memory is not worth it.
 *
 * Bounds: nothing is collected below `quietBytes` over the least, nor before `grownBytesMin` are new, and collecting takes
 * about one part in `restsPerCollection` of the time at most.
 *
 * @module
 */
import { flightKind, type FlightRecorder } from "../observe/flight.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { type Heap, openHeap } from "../runtime/collect.ts";

/** With fewer connections the heap is left to the runtime. */
export const connectionsMin = 1_000;
/** A heap that is not larger by this than it was at its smallest is left to the runtime. */
export const quietBytes = 12 * 1024 * 1024;
/** Since the last collection it has grown by this, or by a quarter of what is over the least. */
export const grownBytesMin = 4 * 1024 * 1024;
/** After a collection follows a rest of so many times what it took. */
export const restsPerCollection = 16;

/** What the watch needs. */
export interface HeapWatchParts {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Connections that are open. */
  connections(): number;
  /** Garbage was collected since `sinceMs`, for `ms`. */
  collected(sinceMs: number, ms: number, freedBytes: number): void;
}

/** Watches the heap of one thread. */
export class HeapWatch {
  readonly #heap: Heap;
  readonly #parts: HeapWatchParts;
  /** The smallest that was seen: what the worker has without connections. */
  #leastBytes = Infinity;
  /** What the last collection left, ours or the runtime's. */
  #leftBytes = Infinity;
  #notBeforeMs = 0;

  constructor(heap: Heap, parts: HeapWatchParts) {
    this.#heap = heap;
    this.#parts = parts;
  }

  /** Collects where it is worth it. Call it few times a second. */
  look(): void {
    const bytes = this.#heap.bytes();
    this.#leastBytes = Math.min(this.#leastBytes, bytes);
    this.#leftBytes = Math.min(this.#leftBytes, bytes);
    const usedBytes = this.#leftBytes - this.#leastBytes;
    if (bytes - this.#leastBytes < quietBytes || this.#parts.connections() < connectionsMin) return;
    if (bytes - this.#leftBytes < Math.max(grownBytesMin, usedBytes / 4)) return;
    const fromMs = this.#parts.nowMs();
    if (fromMs < this.#notBeforeMs) return;
    this.#leftBytes = this.#heap.collect();
    const tookMs = this.#parts.nowMs() - fromMs;
    this.#notBeforeMs = fromMs + tookMs * (1 + restsPerCollection);
    this.#parts.collected(fromMs, tookMs, Math.max(0, bytes - this.#leftBytes));
  }
}

/** The watch of this thread; undefined where the runtime shows no heap. The flight recorder has each collection. */
export async function openHeapWatch(
  counters: CounterRow,
  flight: Pick<FlightRecorder, "record">,
): Promise<HeapWatch | undefined> {
  const heap = await openHeap();
  if (heap === undefined) return undefined;
  const kind = flightKind["garbage collected"];
  return new HeapWatch(heap, {
    nowMs: () => performance.now(),
    connections: () => counters.value(counter.connections_open),
    collected: (sinceMs, ms, freedBytes) => flight.record(kind, sinceMs, ms, freedBytes, 0),
  });
}
