/**
 * Rows of the frame table that all get the same: they become records in one call. Where somebody looks, the first
 * rows of a chunk are shown, and the first may be followed; the others pass unseen.
 *
 * @module
 */
import type { Batcher } from "../batch/batcher.ts";
import { framePart, type Kernel } from "../kernel/kernel.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Program } from "../rules/program.ts";
import type { FrameLine } from "./frame_line.ts";
import type { LineAtHand } from "./line_at_hand.ts";
import type { LineTrace } from "./line_trace.ts";
import type { Taps } from "./tap.ts";

/** What all lines get. */
export type Uniform = NonNullable<Program["uniform"]>;

/** Rows of a chunk that are shown. */
const tappedRowsMax = 8;

/** What this joins. */
export interface UniformRowsParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly counters: CounterRow;
  readonly line: FrameLine;
  readonly hand: LineAtHand;
  readonly taps: Taps | undefined;
  /** The connection that the rows came from. */
  readonly connection: Int32Array;
}

/** Those of one placer. */
export class UniformRows {
  readonly #parts: UniformRowsParts;

  constructor(parts: UniformRowsParts) {
    this.#parts = parts;
  }

  /**
   * Places rows [0, rows) as `program.uniform` says; returns how many were taken: fewer mean no room. `receivedMs`
   * (`performance.now()`) where somebody looks.
   */
  place(program: Program, rows: number, peer: string, nowMs: number, receivedMs: number | undefined): number {
    const trace = receivedMs === undefined
      ? undefined
      : this.#tap(program, Math.min(rows, tappedRowsMax), peer, nowMs, receivedMs);
    if (trace === undefined) return this.#place(program, 0, rows, nowMs);
    // The first row by itself, because somebody follows it; then the others.
    const { batcher } = this.#parts;
    batcher.trace = trace;
    const first = this.#place(program, 0, 1, nowMs);
    batcher.trace = undefined;
    if (first === 1) trace.placed();
    // No room: when there is, it goes unseen.
    else trace.forget();
    return first + (first === 1 && rows > 1 ? this.#place(program, 1, rows, nowMs) : 0);
  }

  /** Shows rows. Somebody may want to follow the first. */
  #tap(
    program: Program,
    rows: number,
    peer: string,
    nowMs: number,
    receivedMs: number,
  ): LineTrace | undefined {
    const { kernel, line, taps, connection } = this.#parts;
    let trace: LineTrace | undefined;
    kernel.parseHeaders(0, rows);
    line.nowMs = nowMs;
    line.peer = peer;
    for (let row = 0; row < rows; row++) {
      line.move(row);
      const rulesFromMs = performance.now();
      const outcome = program.apply(line);
      const times = row === 0 ? { receivedMs, rulesFromMs, rulesToMs: performance.now() } : undefined;
      const seen = taps!.saw(line, outcome, program, connection[0]!, times);
      trace ??= seen;
    }
    // They are counted with the others when they are placed.
    const { rule } = program.uniform!;
    if (rule >= 0) program.hits[rule]! -= rows;
    return trace;
  }

  #place(program: Program, from: number, to: number, nowMs: number): number {
    const { kernel, batcher, counters, hand } = this.#parts;
    const uniform = program.uniform!;
    const request = hand.submission?.request;
    const isRaw = uniform.value === "raw" && (uniform.rule >= 0 || request?.value !== "message");
    const part = isRaw ? framePart.raw : framePart.message;
    if (part === framePart.message) kernel.parseHeaders(from, to);
    const topic = uniform.rule >= 0 ? uniform.topic : request?.topic ?? uniform.topic;
    const taken = batcher.appendRows(batcher.lane(topic), from, to, part, nowMs);
    counters.add(counter.received, taken);
    counters.add(counter.in_flight, taken);
    if (uniform.rule >= 0) program.hits[uniform.rule]! += taken;
    return taken;
  }
}
