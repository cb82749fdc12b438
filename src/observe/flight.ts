/**
 * The flight recorder: what each thread did in its last moments, in rings in shared memory that another thread can read
 * while the one that wrote it is held.
 *
 *     head      written i32 (events so far), origin f64 (epoch milliseconds of the thread's clock)
 *     events    24 bytes each, a ring:   t f64 | dur f32 (ms) | kind u32 | a u32 | b u32
 *
 * Hot path: `FlightRecorder.record`, once per chunk, batch and connection, never per line.
 *
 * @module
 */

/** What is recorded; `a` and `b` of each. The place in this list is the number in the ring. */
export const flightKinds = [
  /** A chunk of a connection went through rules and into batches. */
  { name: "chunk", a: "connection", b: "bytes" },
  { name: "connection opened", a: "connection", b: "" },
  { name: "connection closed", a: "connection", b: "" },
  /** A connection waits: 0 room in memory, 1 room for dead letters, 2 its next turn. */
  { name: "waits", a: "connection", b: "for" },
  /** From its first line to its closing. */
  { name: "batch filled", a: "lines", b: "bytes" },
  /** From its closing to its acknowledgement. */
  { name: "batch delivered", a: "lines", b: "bytes" },
  { name: "batch rejected", a: "lines", b: "bytes" },
  /** On the disk, since its closing. */
  { name: "batch committed", a: "lines", b: "bytes" },
  { name: "rules adopted", a: "version", b: "" },
  { name: "worker held", a: "worker", b: "" },
  { name: "orphan", a: "stage", b: "" },
  /** While the thread waited. */
  { name: "garbage collected", a: "bytes", b: "" },
] as const;

/** A member of `flightKinds`. */
export type FlightKind = (typeof flightKinds)[number]["name"];

/** Kind -> its number. */
export const flightKind: Readonly<Record<FlightKind, number>> = Object.freeze(
  Object.fromEntries(flightKinds.map(({ name }, index) => [name, index])) as Record<FlightKind, number>,
);

/** Events of one thread that are kept; a power of two. At a full load of large chunks they are some seconds. */
export const eventsMax = 32_768;

const headBytes = 64;
const eventBytes = 24;
const regionBytes = headBytes + eventsMax * eventBytes;

/** Shared memory for so many threads. Pages that nobody has written cost nothing. */
export function createFlight(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * regionBytes);
}

interface Views {
  readonly written: Int32Array;
  readonly origin: Float64Array;
  readonly times: Float64Array;
  readonly durations: Float32Array;
  readonly words: Uint32Array;
}

function viewsOf(shared: SharedArrayBuffer, thread: number): Views {
  const at = thread * regionBytes;
  return {
    written: new Int32Array(shared, at, 1),
    origin: new Float64Array(shared, at + 8, 1),
    times: new Float64Array(shared, at + headBytes, eventsMax * 3),
    durations: new Float32Array(shared, at + headBytes, eventsMax * 6),
    words: new Uint32Array(shared, at + headBytes, eventsMax * 6),
  };
}

/** The writer's side, one per thread. */
export class FlightRecorder {
  readonly #views: Views;
  #next = 0;

  /** @param originMs epoch milliseconds at 0 of this thread's `performance.now()` */
  constructor(shared: SharedArrayBuffer, thread: number, originMs = performance.timeOrigin) {
    this.#views = viewsOf(shared, thread);
    this.#views.origin[0] = originMs;
  }

  /** Something began at `sinceMs` (`performance.now()`) and took `ms`; 0 for what happens in a moment. */
  record(kind: number, sinceMs: number, ms: number, a: number, b: number): void {
    const { times, durations, words, written } = this.#views;
    const next = this.#next;
    const index = next & (eventsMax - 1);
    times[index * 3] = sinceMs;
    durations[index * 6 + 2] = ms;
    const word = index * 6 + 3;
    words[word] = kind;
    words[word + 1] = a;
    words[word + 2] = b;
    this.#next = next + 1 | 0;
    written[0] = this.#next;
  }
}

/** One event of a Chrome trace. */
export interface TraceEvent {
  readonly name: string;
  /** `X`: it took `dur`; `i`: it happened; `M`: a name. */
  readonly ph: "X" | "i" | "M";
  /** Microseconds since 1970. */
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly s?: "t";
  readonly args: Readonly<Record<string, unknown>>;
}

/**
 * What the threads did, as Chrome trace JSON (Trace Event Format), which Perfetto and chrome://tracing open.
 *
 * @param sinceMs epoch milliseconds before which nothing is wanted
 */
export function flightTrace(
  shared: SharedArrayBuffer,
  threads: readonly string[],
  pid: number,
  sinceMs = 0,
): { readonly traceEvents: readonly TraceEvent[]; readonly displayTimeUnit: "ms" } {
  const traceEvents = threads.flatMap((name, thread): TraceEvent[] => [
    { name: "thread_name", ph: "M", ts: 0, pid, tid: thread, args: { name } },
    ...eventsOf(viewsOf(shared, thread), pid, thread, sinceMs),
  ]);
  return { traceEvents, displayTimeUnit: "ms" };
}

function eventsOf(
  { written, origin, times, durations, words }: Views,
  pid: number,
  tid: number,
  sinceMs: number,
): TraceEvent[] {
  const end = Atomics.load(written, 0);
  const count = end < 0 || end > eventsMax ? eventsMax : end;
  const events: TraceEvent[] = [];
  for (let nth = end - count; nth !== end; nth = nth + 1 | 0) {
    const index = nth & (eventsMax - 1);
    const epochMs = origin[0]! + times[index * 3]!;
    const kind = flightKinds[words[index * 6 + 3]!];
    // The oldest may be overwritten while they are read; what is half one and half the other is left out.
    if (kind === undefined || epochMs < sinceMs) continue;
    const ms = durations[index * 6 + 2]!;
    const args = argsOf(kind, words[index * 6 + 4]!, words[index * 6 + 5]!);
    const ts = Math.round(epochMs * 1000);
    events.push(
      ms > 0
        ? { name: kind.name, ph: "X", ts, dur: Math.round(ms * 1000), pid, tid, args }
        : { name: kind.name, ph: "i", ts, pid, tid, s: "t", args },
    );
  }
  // What was written while this read went round the ring comes first, out of order.
  return events.sort((a, b) => a.ts - b.ts);
}

function argsOf(kind: (typeof flightKinds)[number], a: number, b: number): Record<string, number> {
  return { [kind.a]: a, ...(kind.b === "" ? {} : { [kind.b]: b }) };
}
