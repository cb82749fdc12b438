/**
 * Lines as they pass, for people who look: what each was, which rule decided, where it went. One worker's side.
 *
 * It never holds the data path: lines beyond `linesPerSecond` are counted and not looked at, what was seen is sent in
 * bundles, and without a tap none of this runs. The text of a line is told only where it was asked for. Lines that are
 * traced are told when they are at their end; there are few of them at a time.
 *
 * @module
 */
import type { TapEvent, TapFilter } from "../admin/tap_view.ts";
import type { Outcome, Program } from "../rules/program.ts";
import type { FrameLine } from "./frame_line.ts";
import { LineTrace, traceMsMax, type TraceTimes } from "./line_trace.ts";

/** Lines of one tap and worker that are told in a second, at most. */
const linesPerSecond = 100;
/** Lines that one tap and worker follow to their end at a time. */
const tracesMax = 16;
/** Characters of a line's text. */
const textCharsMax = 1024;
/** Seen lines are sent on this often. */
export const tapBundleMs = 100;

/** Sends what was seen: events, and how many lines that matched were left out. */
export type SendTapped = (id: number, events: readonly TapEvent[], leftOut: number) => void;

interface Open {
  readonly id: number;
  readonly filter: TapFilter;
  events: TapEvent[];
  leftOut: number;
  /** Lines of this second. */
  told: number;
  secondEndsMs: number;
  /** Lines that are being followed, with when that began. */
  readonly traces: Map<LineTrace, { readonly event: TapEvent; readonly sinceMs: number }>;
}

/** All taps of one worker. */
export class Taps {
  readonly #worker: number;
  readonly #send: SendTapped;
  readonly #open = new Map<number, Open>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(worker: number, send: SendTapped) {
    this.#worker = worker;
    this.#send = send;
  }

  /** True while somebody looks. */
  get open(): boolean {
    return this.#open.size > 0;
  }

  /** True while somebody follows lines: `saw` is to be told the times. */
  get tracing(): boolean {
    for (const { filter } of this.#open.values()) if (filter.trace === true) return true;
    return false;
  }

  /** Begins a tap, or ends it where `filter` is undefined. */
  set(id: number, filter: TapFilter | undefined): void {
    if (filter === undefined) {
      for (const trace of this.#open.get(id)?.traces.keys() ?? []) trace.forget();
      this.#open.delete(id);
    } else {
      const traces: Open["traces"] = new Map();
      this.#open.set(id, { id, filter, events: [], leftOut: 0, told: 0, secondEndsMs: 0, traces });
    }
    if (this.#open.size > 0) this.#timer ??= setInterval(() => this.#flush(), tapBundleMs);
    else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  /**
   * A line passes. `connection` is its number within the worker, 0 for none. Where it is to be followed, which takes
   * the times of its way so far, its trace; `placed` it when its copies are in their batches.
   */
  saw(
    line: FrameLine,
    outcome: Outcome,
    program: Program,
    connection: number,
    times?: TraceTimes,
  ): LineTrace | undefined {
    const nowMs = performance.now();
    let trace: LineTrace | undefined;
    for (const one of this.#open.values()) {
      const follows = one.filter.trace === true;
      // One tap at a time follows a line.
      if (follows && (times === undefined || trace !== undefined)) continue;
      if (one.filter.sample < 1 && Math.random() >= one.filter.sample) continue;
      if (nowMs >= one.secondEndsMs) {
        one.secondEndsMs = nowMs + 1000;
        one.told = 0;
      }
      // Beyond the bound not even the filter is asked: it may have to decode text.
      if (one.told >= linesPerSecond || one.traces.size >= tracesMax) {
        one.leftOut++;
        continue;
      }
      const event = this.#eventOf(line, outcome, program, connection, one.filter);
      if (event === undefined) continue;
      one.told++;
      if (!follows) one.events.push(event);
      else trace = this.#follow(one, event, times!);
    }
    return trace;
  }

  #follow(one: Open, event: TapEvent, times: TraceTimes): LineTrace {
    const trace: LineTrace = new LineTrace(times, () => this.#tellTrace(one, trace));
    one.traces.set(trace, { event, sinceMs: times.receivedMs });
    return trace;
  }

  #tellTrace(one: Open, trace: LineTrace): void {
    const known = one.traces.get(trace);
    if (known === undefined) return;
    one.traces.delete(trace);
    one.events.push({ ...known.event, trace: trace.view(known.event.outcome) });
  }

  #flush(): void {
    const lateMs = performance.now() - traceMsMax;
    for (const one of this.#open.values()) {
      for (const [trace, { event, sinceMs }] of one.traces) {
        if (sinceMs > lateMs) continue;
        one.traces.delete(trace);
        one.events.push({ ...event, trace: trace.view(event.outcome) });
        trace.forget();
      }
      if (one.events.length === 0 && one.leftOut === 0) continue;
      this.#send(one.id, one.events, one.leftOut);
      one.events = [];
      one.leftOut = 0;
    }
  }

  #eventOf(
    line: FrameLine,
    outcome: Outcome,
    program: Program,
    connection: number,
    filter: TapFilter,
  ): TapEvent | undefined {
    const id = connection === 0 ? undefined : `${this.#worker}-${connection}`;
    if (filter.connection !== undefined && filter.connection !== id) return undefined;
    if (filter.peer !== undefined && !line.peer.includes(filter.peer)) return undefined;
    const rule = program.names[outcome.rule];
    if (filter.rule !== undefined && filter.rule !== rule) return undefined;
    const topics = outcome.kind === "default"
      ? [program.fallback.topic]
      : outcome.forwards.slice(0, outcome.kind === "forward" ? outcome.count : 0).map(({ topic }) => topic);
    if (filter.topic !== undefined && !topics.includes(filter.topic)) return undefined;
    if (filter.field !== undefined && line.text(filter.field.name) !== filter.field.value) return undefined;
    const redacted = outcome.redaction !== "none";
    return {
      at: new Date(line.nowMs).toISOString(),
      worker: this.#worker,
      ...(id === undefined ? {} : { connection: id }),
      peer: line.peer,
      outcome: outcome.kind,
      ...(rule === undefined ? {} : { rule }),
      topics,
      ...(outcome.reason === "" ? {} : { reason: outcome.reason }),
      severity: line.text("severity") ?? "",
      hostname: line.text("hostname") ?? "",
      appname: line.text("appname") ?? "",
      bytes: line.end - line.start,
      // What a rule redacted is not shown by the way round it.
      ...(filter.payload && !redacted ? { text: (line.text("raw") ?? "").slice(0, textCharsMax) } : {}),
    };
  }
}
