/**
 * Work on large bodies, in turns: a body is read record by record as a generator that can be left anywhere, so that
 * no body, however it is made, holds the connections beside it.
 *
 *     run ──> first turn at once ──whole──> result
 *                   │
 *                   └──> queue ──a turn of the event loop──> next body in line ──> done
 *
 * Bodies that are not finished stand in line: a turn of the event loop reads on in one of them. Those that come in one
 * turn have a bound together too, behind which they stand in line unread.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Reads a body; wherever it yields it can be left for a while. */
export type Reading<Result> = Generator<undefined, Result>;

/** What one turn may take, as a connection's in the intake. */
const turnMs = 2;
/** What the bodies that come in one turn of the event loop may take of it together, as all connections in the intake. */
const allMs = 5;
/** Smaller bodies are read in one go: a generator that is asked for the time costs more than it is worth. */
export const turnsBytesMin = 32 * 1024;
/** Records between two looks at the clock: under 0.1 ms of the dearest. */
export const recordsAStep = 32;
/** Bytes of records between two looks at the clock: about 2 ms of the dearest JSON. */
export const bytesAStep = 64 * 1024;

/** Tells a reader of records when to yield: after so many, or so many bytes of them. */
export class Steps {
  #records = 0;
  #bytes = 0;

  /** One more record was read, of `bytes`; true where it is time to yield. */
  due(bytes: number): boolean {
    this.#bytes += bytes;
    if (++this.#records < recordsAStep && this.#bytes < bytesAStep) return false;
    this.#records = this.#bytes = 0;
    return true;
  }
}

interface Work {
  /** True when it is finished, or nobody wants it any more. */
  readonly goOn: (untilMs: number) => boolean;
}

/** The bodies that one service reads. */
export class Turns {
  readonly #nowMs: () => number;
  readonly #line: Work[] = [];
  /** Until when bodies of this turn of the event loop are read at once; 0 where none has come. */
  #endsMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Bodies that are not finished. */
  get waiting(): number {
    return this.#line.length;
  }

  /**
   * Reads: the result where it comes within this turn, else undefined; then `done` is called in a later turn, with
   * undefined where `isWanted` says that nobody waits any more.
   */
  run<Result>(
    reading: Reading<Result>,
    isWanted: () => boolean,
    done: (result: Result | undefined) => void,
  ): { readonly value: Result } | undefined {
    if (this.#line.length === 0) {
      const step = this.#readAtOnce(reading);
      if (step !== undefined) return step;
    }
    this.#line.push({
      goOn: (untilMs) => {
        const step = isWanted() ? this.#read(reading, untilMs) : { value: undefined };
        if (step === undefined) return false;
        done(step.value);
        return true;
      },
    });
    if (this.#line.length === 1) setImmediate(this.#turn);
    return undefined;
  }

  #readAtOnce<Result>(reading: Reading<Result>): { readonly value: Result } | undefined {
    const nowMs = this.#nowMs();
    if (this.#endsMs === 0) {
      this.#endsMs = nowMs + allMs;
      setImmediate(this.#end);
    }
    return nowMs < this.#endsMs ? this.#read(reading, Math.min(nowMs + turnMs, this.#endsMs)) : undefined;
  }

  #read<Result>(reading: Reading<Result>, untilMs: number): { readonly value: Result } | undefined {
    for (;;) {
      const step = reading.next();
      if (step.done === true) return step;
      if (this.#nowMs() >= untilMs) return undefined;
    }
  }

  readonly #end = (): void => {
    this.#endsMs = 0;
  };

  readonly #turn = (): void => {
    const work = this.#line[0]!;
    const isDone = work.goOn(this.#nowMs() + turnMs);
    this.#line.shift();
    if (!isDone) this.#line.push(work);
    if (this.#line.length > 0) setImmediate(this.#turn);
  };
}

/** Reads in one go. */
export function wholly<Result>(reading: Reading<Result>): Result {
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}
