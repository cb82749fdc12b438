/**
 * Streams that cannot go on, by what they wait for, first come first served.
 *
 * @module
 */
import { stage, type StageTable } from "../observe/stage_table.ts";
import type { Stream } from "./stream.ts";
import type { Wait } from "./line_placer.ts";

/** What a wait is called where people look. */
const stageOf: Readonly<Record<Wait, number>> = {
  room: stage.memory,
  letters: stage.dead_letter,
  turn: stage.rules,
};

/** The waiting streams of one worker. */
export class WaitingStreams {
  readonly #waits: StageTable;
  readonly #byWait: Readonly<Record<Wait, Set<Stream>>> = {
    room: new Set(),
    letters: new Set(),
    turn: new Set(),
  };

  constructor(waits: StageTable) {
    this.#waits = waits;
  }

  /** How many there are, over all waits. */
  get size(): number {
    const { room, letters, turn } = this.#byWait;
    return room.size + letters.size + turn.size;
  }

  /** How many wait for this. */
  count(wait: Wait): number {
    return this.#byWait[wait].size;
  }

  add(stream: Stream, wait: Wait): void {
    const nowMs = performance.now();
    this.#byWait[wait].add(stream);
    stream.wait = wait;
    stream.waitSinceMs = nowMs;
    stream.waitSlot = this.#waits.enter(
      stageOf[wait],
      stream.waiting,
      nowMs,
      stream.submission?.deadlineMs ?? Infinity,
    );
  }

  delete(stream: Stream): void {
    if (stream.wait === undefined) return;
    this.#byWait[stream.wait].delete(stream);
    stream.wait = undefined;
    this.#waits.leave(stream.waitSlot, performance.now());
    stream.waitSlot = -1;
  }

  /** True while the stream stands in the queue that will be served. */
  has(stream: Stream): boolean {
    return stream.wait !== undefined && this.#byWait[stream.wait].has(stream);
  }

  /** Those that wait for this now, in order; who is added later is not among them. */
  of(wait: Wait): readonly Stream[] {
    return [...this.#byWait[wait]];
  }

  /** All of them. */
  all(): readonly Stream[] {
    return [...this.of("room"), ...this.of("letters"), ...this.of("turn")];
  }
}
