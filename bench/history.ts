/**
 * Results of benchmarks as JSON lines, so that a figure can be held against that of last month.
 *
 * @module
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** One run of one benchmark on one runtime. */
export interface BenchRecord<Result> {
  /** Day of the run, UTC. */
  readonly date: string;
  /** `bun 1.4.5`. */
  readonly runtime: string;
  /** Model of the processor and how many there are. */
  readonly machine: string;
  readonly results: Result;
}

/** `bun 1.4.5` or `deno 2.9.6`. */
export const runtimeName: string = process.versions.bun === undefined
  ? `deno ${process.versions.deno}`
  : `bun ${process.versions.bun}`;

/** The processor and how many there are. */
export const machineName: string = `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`;

function fileOf(bench: string): string {
  return fileURLToPath(new URL(`history/${bench}.jsonl`, import.meta.url));
}

/** Appends a run of today on this machine. */
export function recordResults<Result>(bench: string, results: Result): void {
  const record: BenchRecord<Result> = {
    date: new Date().toISOString().slice(0, 10),
    runtime: runtimeName,
    machine: machineName,
    results,
  };
  const file = fileOf(bench);
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, JSON.stringify(record) + "\n");
}

/** All runs of a benchmark, oldest first. */
export function readHistory<Result>(bench: string): BenchRecord<Result>[] {
  const file = fileOf(bench);
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}
