/**
 * Nanoseconds per line of 1 to 5,000 rules of which one matches; text is decoded, nothing is framed or sent.
 *
 *     bun bench/rules.ts [--record]        deno run -A --no-check bench/rules.ts [--record]
 *
 * `same`: all lines are for one rule (the mean over six kinds of rule), the others are beside it. `spread`: the
 * lines are for all rules in turn, so that the engines' code for thousands of patterns goes through the caches.
 * `tried`: as `same`, with every rule tried in order. `--record` appends to bench/history/rules.jsonl, from
 * which tools/plot.ts makes docs/rules-benchmark.svg.
 *
 * Each size runs in a process of its own. A figure is the best of many rounds of a millisecond: others on the machine
 * only ever add, and a round of a millisecond has a chance to run undisturbed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type TextBuffer, textBufferOf } from "../src/core/text_buffer.ts";
import { invariant } from "../src/core/invariant.ts";
import { compileRules } from "../src/rules/compile.ts";
import type { FieldName, FrameBytes, Line, Program } from "../src/rules/program.ts";
import { recordResults, runtimeName } from "./history.ts";
import { lineBytes, lineOf, ruleKinds, ruleOf } from "./many_rules.ts";

/** What one number of rules gave. */
export interface RulesResult {
  readonly rules: number;
  readonly sameNs: number;
  readonly spreadNs: number;
  /** Left out where it would take minutes. */
  readonly triedNs?: number;
  readonly compileMs: number;
}

const sizes = [1, 10, 100, 1000, 5000];
/** More rules are not tried one by one: the figure is the same per rule. */
const triedRulesMax = 1000;
const lines = 1000;
const linesPerRound = 2000;
/** A figure is taken when so many rounds in a row brought no better one, or after so long. */
const idleRoundsMax = 150;
const measureMs = 2_000;

class BenchLine implements Line {
  readonly nowMs = Date.UTC(2026, 0, 2);
  readonly frame: FrameBytes | undefined;
  readonly bytes: TextBuffer;
  readonly isAscii = true;
  start = 0;
  messageStart = 0;
  end = 0;
  #message: string | undefined;

  constructor(texts: readonly string[], isFiltered: boolean) {
    this.bytes = textBufferOf(Buffer.from(texts.join("")));
    this.frame = isFiltered ? this : undefined;
  }

  move(index: number): void {
    this.start = this.messageStart = index * lineBytes;
    this.end = this.start + lineBytes;
    this.#message = undefined;
  }

  text(field: FieldName): string | undefined {
    if (field !== "msg" && field !== "raw") return undefined;
    return this.#message ??= this.bytes.latin1Slice(this.start, this.end);
  }

  startsWith(_field: "msg" | "raw", prefix: string): boolean {
    for (let index = 0; index < prefix.length; index++) {
      if (this.bytes[this.messageStart + index] !== prefix.charCodeAt(index)) return false;
    }
    return true;
  }

  severity(): number {
    return 6;
  }

  facility(): number {
    return 1;
  }

  structured(): undefined {
    return undefined;
  }

  structuredData(): undefined {
    return undefined;
  }

  json(): undefined {
    return undefined;
  }
}

function compile(rules: readonly unknown[]): Program {
  const sources = rules.map((value, index) => ({
    value,
    file: "bench",
    path: `rules.${index}`,
    line: 1,
    places: {},
  }));
  const ruleSet = { dialect: "corndog" as const, rules: sources, tests: [], files: [] };
  const compiled = compileRules(ruleSet, { version: "0.0.0", defaultTopic: "logs" });
  if (!compiled.ok) throw new TypeError(compiled.faults.map(({ message }) => message).join("; "));
  return compiled.program;
}

function measure(program: Program, ruleAt: (i: number) => number, isFiltered: boolean): number {
  const line = new BenchLine(Array.from({ length: lines }, (_, i) => lineOf(ruleAt(i), i)), isFiltered);
  let best = Infinity;
  const until = performance.now() + measureMs;
  for (let idle = 0; idle < idleRoundsMax && performance.now() < until; idle++) {
    let sent = 0;
    const start = performance.now();
    for (let i = 0; i < linesPerRound; i++) {
      line.move(i % lines);
      sent += program.apply(line).count;
    }
    const ns = (performance.now() - start) * 1e6 / linesPerRound;
    invariant(sent === linesPerRound, "every line matches one rule");
    if (ns < best) [best, idle] = [ns, 0];
  }
  return best;
}

function measureRules(count: number): RulesResult {
  const round = (ns: number) => Math.round(ns * 10) / 10;
  const started = performance.now();
  const program = compile(Array.from({ length: count }, (_, n) => ruleOf(n)));
  const compileMs = performance.now() - started;
  // The middle of the rules, one of each kind.
  const middle = count < ruleKinds ? 0 : (count >> 1) - (count >> 1) % ruleKinds;
  const kinds = Array.from({ length: ruleKinds }, (_, kind) => middle + kind);
  const mean = (isFiltered: boolean) =>
    kinds.map((n) => {
      const own = count < ruleKinds ? compile([ruleOf(n)]) : program;
      return measure(own, () => n, isFiltered);
    }).reduce((sum, ns) => sum + ns, 0) / ruleKinds;
  return {
    rules: count,
    sameNs: round(mean(true)),
    spreadNs: round(measure(program, (i) => (i * 7919) % count, true)),
    triedNs: count <= triedRulesMax ? round(mean(false)) : undefined,
    compileMs: Math.round(compileMs),
  };
}

function run([mode, count]: readonly string[]): void {
  if (mode === "--rules") {
    process.stdout.write(JSON.stringify(measureRules(Number(count))));
  } else {
    const options = process.versions.bun === undefined ? ["run", "-A", "--no-check"] : [];
    process.stdout.write(
      `${runtimeName}, ns per line of ${lineBytes} bytes\n\n rules    same  spread   tried  compile ms\n`,
    );
    const results = sizes.map((size) => {
      const output = execFileSync(
        process.execPath,
        [...options, fileURLToPath(import.meta.url), "--rules", String(size)],
        { encoding: "utf8" },
      );
      const result: RulesResult = JSON.parse(output);
      const { rules, sameNs, spreadNs, triedNs, compileMs } = result;
      const cells = [rules, sameNs.toFixed(0), spreadNs.toFixed(0), triedNs?.toFixed(0) ?? "-", compileMs];
      process.stdout.write(cells.map((cell, i) => String(cell).padStart(i === 0 ? 6 : 8)).join("") + "\n");
      return result;
    });
    if (mode === "--record") recordResults("rules", results);
  }
}

if (import.meta.main) run(process.argv.slice(2));
