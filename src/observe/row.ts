/**
 * One row of counters per worker in shared memory, so that the main thread can read a consistent snapshot of a
 * worker that is busy or held.
 *
 *     0       sequence i32 (odd while the writer is inside)      one cache line of its own
 *     64      counterNames.length x f64, in the order of the table
 *
 * A worker adds to private memory (`CounterRow.add`) and copies the whole row out once per chunk
 * (`CounterRow.publish`), under a sequence lock: what a reader sees is what held between two chunks, hence the
 * ledger balances at every snapshot. One writer per row; any number of readers.
 *
 * Hot path: `add` and `publish`.
 *
 * @module
 */

/** Why a line may be dropped on purpose. A new reason goes to the end; it shows as `dropped_<reason>`. */
export const dropReasons = [
  "rule_stop",
  "rule_drop",
  "empty_frame",
  "no_memory_udp",
  "shutdown",
  "rule_sample",
  "rule_throttle",
  "spool_damaged",
  "spool_full_udp",
  "rate_udp",
] as const;

/** A member of `dropReasons`. */
export type DropReason = (typeof dropReasons)[number];

const plainNames = [
  // The ledger: lines, or copies of lines.
  "received",
  "fan_out",
  "split",
  "replayed",
  "delivered",
  "spooled",
  "in_flight",
  "dead_lettered",
  "joined",
  // Where dead letters went; together they are dead_lettered.
  "dead_lettered_topic",
  "dead_lettered_file",
  // Totals since the start.
  "bytes_received",
  "connections_open",
  "connections_accepted",
  "connections_refused",
  "refused_connections",
  "refused_descriptors",
  "refused_connections_per_peer",
  "refused_network",
  "refused_proxy_header",
  "refused_proxy_network",
  "refused_handshake",
  "handshakes_failed",
  "connections_idled",
  "connections_partial",
  "connections_held",
  "datagrams_refused",
  "datagrams_lost",
  "frames_empty",
  "frames_truncated",
  "frames_damaged",
  "connections_foreign",
  "unparsed",
  "datagrams",
  "pauses",
  "http_requests",
  "http_failures",
  "http_timeouts",
  // Of those in flight: what the disk has too, so that an end at once loses nothing of it.
  "in_flight_on_disk",
  // State of the worker.
  "heartbeat",
  "rules_version",
] as const;

/**
 * Name of a counter. `spooled`, `in_flight`, `in_flight_on_disk`, `connections_open`, `heartbeat` and
 * `rules_version` go down too.
 */
export type CounterName = (typeof plainNames)[number] | `dropped_${DropReason}`;

/** All counters; the place in this list is the place in a row. */
export const counterNames: readonly CounterName[] = [
  ...plainNames,
  ...dropReasons.map((reason) => `dropped_${reason}` as const),
];

/** Place of each counter in a row: `row.add(counter.received, lines)`. */
export const counter: Readonly<Record<CounterName, number>> = Object.freeze(
  Object.fromEntries(counterNames.map((name, index) => [name, index])) as Record<CounterName, number>,
);

/** Place of the first drop reason; `firstDropped + i` belongs to `dropReasons[i]`. */
export const firstDropped = plainNames.length;

const cacheLineBytes = 64;
const valuesAt = cacheLineBytes;
const rowBytes = Math.ceil((valuesAt + counterNames.length * 8) / cacheLineBytes) * cacheLineBytes;

/** A writer is inside for some 50 ns; this many tries outlast that, and a descheduled writer must not hold the reader. */
const readAttemptsMax = 1000;

/** Shared memory for one row per worker. Post it to each worker together with its index. */
export function createCounterRows(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rowBytes * workers);
}

/** The writer's side, one per worker. A worker that took the place of a dead one counts on from its row. */
export class CounterRow {
  readonly #values = new Float64Array(counterNames.length);
  readonly #shared: Float64Array;
  readonly #sequence: Int32Array;

  constructor(rows: SharedArrayBuffer, worker: number) {
    this.#shared = new Float64Array(rows, worker * rowBytes + valuesAt, counterNames.length);
    this.#sequence = new Int32Array(rows, worker * rowBytes, 1);
    this.#values.set(this.#shared);
    if ((Atomics.load(this.#sequence, 0) & 1) === 1) this.publish();
  }

  /** Adds `n` (may be negative for a gauge) to the counter at `index`. Seen by readers after `publish`. */
  add(index: number, n: number): void {
    this.#values[index] += n;
  }

  /** Sets a gauge. */
  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** The writer's own, newest value. */
  value(index: number): number {
    return this.#values[index];
  }

  /** Makes all values visible at once. */
  publish(): void {
    const sequence = this.#sequence;
    const inside = Atomics.load(sequence, 0) | 1;
    Atomics.store(sequence, 0, inside);
    // A plain store may overtake the store above on ARM, not this load (store-release before load-acquire).
    Atomics.load(sequence, 0);
    this.#shared.set(this.#values);
    Atomics.store(sequence, 0, (inside + 1) | 0);
  }
}

/**
 * Brings the ledger of a worker that has ended to its end: what was in flight and is on the disk too is spooled, the
 * rest is dropped (`shutdown`).
 *
 * @returns the lines that are lost
 */
export function endRow(row: CounterRow): number {
  const inFlight = row.value(counter.in_flight);
  const kept = Math.max(0, Math.min(inFlight, row.value(counter.in_flight_on_disk)));
  row.set(counter.in_flight, 0);
  row.set(counter.in_flight_on_disk, 0);
  row.add(counter.spooled, kept);
  row.add(counter.dropped_shutdown, inFlight - kept);
  row.publish();
  return inFlight - kept;
}

/** The reader's side, one per worker row on the main thread. */
export class CounterRowReader {
  /** The newest consistent snapshot; overwritten by `read`. */
  readonly values: Float64Array = new Float64Array(counterNames.length);
  /** Reads that found no moment without the writer and kept the former snapshot. */
  staleReads = 0;
  readonly #copy = new Float64Array(counterNames.length);
  readonly #shared: Float64Array;
  readonly #sequence: Int32Array;

  constructor(rows: SharedArrayBuffer, worker: number) {
    this.#shared = new Float64Array(rows, worker * rowBytes + valuesAt, counterNames.length);
    this.#sequence = new Int32Array(rows, worker * rowBytes, 1);
  }

  /** Refreshes `values` and returns it. Never blocks: a writer that died inside leaves the former snapshot. */
  read(): Float64Array {
    const sequence = this.#sequence;
    for (let attempt = 0; attempt < readAttemptsMax; attempt++) {
      const before = Atomics.load(sequence, 0);
      if ((before & 1) === 1) continue;
      this.#copy.set(this.#shared);
      // Adding nothing reads the sequence after the copy: a plain load could be taken before it on ARM.
      if (Atomics.add(sequence, 0, 0) === before) {
        this.values.set(this.#copy);
        return this.values;
      }
    }
    this.staleReads++;
    return this.values;
  }
}
