/**
 * The driver of all fuzz tests: makes inputs from seeds until the time is over, and holds each to its bounds.
 *
 *     await fuzz({ name: "framing", make: (random) => …, run: (input) => …, show: (input) => … })
 *
 * Case `i` of a run has the seed `seed + i`, so that a failure is repeated by its own seed alone:
 *
 *     FUZZ_SEED=123 bun test ./test/fuzz/framing_test.ts     begins with that case
 *     FUZZ_SECONDS=300 …                                      instead of 10, or 60 with TEST_LONG
 *
 * Seeds that once failed stay in `test/fuzz/seeds/NAME.txt` (one per line, with what it was) and run first.
 *
 * A case fails if it throws, if it takes longer than `caseMsMax` in each of several tries (a machine under load
 * interrupts one or two of them), or if the process grows by more than `growthBytesMax` while it runs: inputs of one
 * size must not make it grow for ever.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { Random } from "./random.ts";

/** One target. */
export interface FuzzTarget<Input> {
  /** Names the file of kept seeds too. */
  readonly name: string;
  /** Makes an input; the same `random` makes the same input. */
  make(random: Random): Input;
  /** Throws where a promise is broken. Leaves nothing behind: a slow case is run again. */
  run(input: Input): void | Promise<void>;
  /** The input for people, in the message of a failure. */
  show(input: Input): string;
  /** What one case may take; `hangMs` where it is not said. */
  readonly caseMsMax?: number;
}

/** What a run did. */
export interface FuzzReport {
  readonly seed: number;
  readonly cases: number;
  readonly slowestMs: number;
}

/** No input may hold the event loop for longer. */
const hangMs = 50;
/** A case that was slow is tried this often before it is called slow. */
const slowTries = 5;
/** How much the process may grow after the first fifth of a run; garbage that waits is most of it. */
const growthBytesMax = 256 * 1024 * 1024;
/** For `test`: the runner's own limit must not end a long run. */
export const fuzzTimeout = { timeout: 600_000 } as const;

/** A shown input is cut here. */
const shownMax = 4_000;

/** Runs a target for its time. Prints its seed. @throws Error with the seed and the input of the first failure */
export async function fuzz<Input>(target: FuzzTarget<Input>): Promise<FuzzReport> {
  const seed = wantedSeed() ?? (Date.now() ^ (process.pid << 12)) >>> 0;
  for (const kept of keptSeeds(target.name)) await runCase(target, kept);
  const started = performance.now();
  const runMs = seconds() * 1000;
  let cases = 0;
  let slowestMs = 0;
  let grownFrom = 0;
  for (;;) {
    const elapsed = performance.now() - started;
    if (elapsed >= runMs) break;
    if (grownFrom === 0 && elapsed > runMs / 5) grownFrom = process.memoryUsage.rss();
    slowestMs = Math.max(slowestMs, await runCase(target, (seed + cases) >>> 0));
    cases++;
    // Timers, and the runner's own work.
    if (cases % 1024 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const grown = process.memoryUsage.rss() - grownFrom;
  if (grownFrom > 0 && grown > growthBytesMax) {
    throw new Error(`fuzz ${target.name}: the process grew by ${grown} bytes; seed ${seed}, ${cases} cases`);
  }
  console.log(`fuzz ${target.name}: seed ${seed}, ${cases} cases, the slowest ${slowestMs.toFixed(1)} ms`);
  return { seed, cases, slowestMs };
}

/** Returns how long it took. */
async function runCase<Input>(target: FuzzTarget<Input>, seed: number): Promise<number> {
  const input = target.make(new Random(seed));
  const limitMs = target.caseMsMax ?? hangMs;
  let bestMs = Infinity;
  for (let attempt = 0; attempt < slowTries && bestMs > limitMs; attempt++) {
    const start = performance.now();
    try {
      const pending = target.run(input);
      if (pending !== undefined) await pending;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(failure(target, seed, input, reason), { cause });
    }
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  if (bestMs > limitMs) {
    throw new Error(failure(target, seed, input, `${bestMs.toFixed(1)} ms, at most ${limitMs} are allowed`));
  }
  return bestMs;
}

function failure<Input>(target: FuzzTarget<Input>, seed: number, input: Input, reason: string): string {
  const shown = target.show(input);
  const text = shown.length > shownMax ? `${shown.slice(0, shownMax)}… (${shown.length})` : shown;
  return `fuzz ${target.name}: ${reason}\n  again: FUZZ_SEED=${seed}; then keep it in test/fuzz/seeds/${target.name}.txt\n  input: ${text}`;
}

function wantedSeed(): number | undefined {
  const text = process.env.FUZZ_SEED;
  return text === undefined ? undefined : Number(text) >>> 0;
}

function seconds(): number {
  return Number(process.env.FUZZ_SECONDS ?? (process.env.TEST_LONG === "1" ? 60 : 10));
}

/** Lines `SEED what it was`; `#` begins a comment. */
function keptSeeds(name: string): number[] {
  const file = new URL(`./seeds/${name}.txt`, import.meta.url);
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter((line) => /^\d/.test(line)).map((line) =>
    Number.parseInt(line, 10)
  );
}
