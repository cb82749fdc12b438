/**
 * Flags that say how much is sent when, and over how many connections; and whether thresholds can be measured then.
 *
 * @module
 */
import { type FlagReader, rateMax, refuse, UsageError } from "./flags.ts";
import { type Gate, readGate, readGates } from "./measure/gate.ts";
import type { Answer, Concurrency, Pace } from "./plan.ts";
import { type Segment, segmentsOf, type Stage } from "./schedule/schedule.ts";
import { readRate, readTime } from "./units.ts";

/** Length of a step of a search: enough for a p99 that means something, short enough for twenty of them. */
const stepMsDefault = 3000;

/** `0:1k,60s:50k`. */
export function readStages(reader: FlagReader): Stage[] {
  const text = reader.text("stages");
  if (text === undefined) return [];
  const example = "write moments and rates, such as 0:1k,60s:50k";
  const stages = text.split(",").map((part): Stage => {
    const [moment, rate, ...more] = part.split(":");
    const atMs = readTime(moment ?? "");
    const perSecond = /^0(?:\/s)?$/.test(rate?.trim() ?? "") ? 0 : readRate(rate ?? "");
    if (atMs === undefined || perSecond === undefined || perSecond > rateMax || more.length > 0) {
      refuse("stages", `"${part}" is no stage; ${example}`);
    }
    return { atMs, rate: perSecond };
  });
  if (stages[0]!.atMs !== 0) refuse("stages", `the first stage begins at 0; ${example}`);
  stages.forEach((stage, index) => {
    if (index > 0 && stage.atMs < stages[index - 1]!.atMs) refuse("stages", `moments go up; ${example}`);
  });
  return stages;
}

/** How much when. */
export function readPace(reader: FlagReader, stages: readonly Stage[], durationMs: number): Pace {
  const chosen = ["rate", "stages", "find-max"].filter((name) => reader.text(name) !== undefined);
  if (reader.has("max")) chosen.push("max");
  if (chosen.length > 1) {
    throw new UsageError(`--${chosen[0]} and --${chosen[1]} say two different things; keep one`);
  }
  const rate = reader.rate("rate");
  if (rate !== undefined) return { kind: "open", segments: [{ ms: durationMs, from: rate, to: rate }] };
  if (stages.length > 0) {
    const segments: Segment[] = segmentsOf(stages, durationMs);
    if (segments.every((segment) => segment.from === 0 && segment.to === 0)) {
      refuse("stages", "all rates are 0");
    }
    return { kind: "open", segments };
  }
  const find = reader.text("find-max");
  if (find === undefined) {
    for (const name of ["find-from", "find-step", "confirm"]) {
      if (reader.text(name) !== undefined) refuse(name, "belongs to --find-max");
    }
    return { kind: "closed" };
  }
  const gates = readGates(find);
  if (typeof gates === "string") refuse("find-max", gates);
  return {
    kind: "find",
    gates: gates.map((gate) => gate.text),
    from: reader.rate("find-from") ?? 1000,
    stepMs: reader.span("find-step") ?? stepMsDefault,
    confirmMs: reader.span("confirm") ?? 20_000,
  };
}

/** Thresholds of a search are held against each step. @throws UsageError */
export function checkSearch(gates: readonly string[], answer: Answer, reader: FlagReader): void {
  const isVerified = reader.text("verify") !== undefined;
  for (const text of gates) {
    const gate = readGate(text);
    if (typeof gate === "string") continue;
    const isWhole = ["reorder", "cpu", "connections"].includes(gate.metric);
    if (isWhole) refuse("find-max", `${gate.metric} is not known for a single step; use it with --fail`);
    if (!isVerified && (gate.metric === "dup" || /^e2e\./.test(gate.metric))) {
      refuse("find-max", `${gate.metric} is known only with --verify`);
    }
    if (gate.metric === "loss" && answer.kind === "none" && !isVerified) {
      refuse("find-max", "nothing answers on this target, so loss is only known with --verify");
    }
  }
}

/** A threshold on what this run does not measure would fail every time, or worse, pass. */
export function checkMeasurable(
  flag: string,
  gate: Gate,
  pace: Pace,
  isStream: boolean,
  isVerified: boolean,
): void {
  const { metric } = gate;
  const isFarEnd = /^e2e\./.test(metric) || ["loss", "dup", "reorder"].includes(metric);
  if (isFarEnd && !isVerified) refuse(flag, `${metric} is known only with --verify`);
  const isTimed = pace.kind !== "closed";
  if (metric === "achieved" && !isTimed) refuse(flag, "achieved needs a rate: --rate or --stages");
  const isLatency = /^(?:raw\.)?(?:p\d.*|max|mean)$/.test(metric);
  if (isLatency && isStream && !isTimed) {
    refuse(flag, "nothing answers on this target, and without --rate nothing is due: there is no latency");
  }
}

/** How the number of connections is found. */
export function readConcurrency(reader: FlagReader, pace: Pace, isStream: boolean): Concurrency {
  const text = reader.text("concurrency");
  if (text !== undefined && text !== "auto") {
    refuse("concurrency", `write auto, or a number with --connections`);
  }
  if (text === undefined && !reader.has("max")) return "fixed";
  if (isStream) {
    refuse(
      text === undefined ? "max" : "concurrency",
      "nothing answers on this target, so more connections tell nothing; give --connections",
    );
  }
  if (pace.kind === "find") {
    refuse("concurrency", "--find-max searches with a fixed number; give --connections");
  }
  return text === undefined ? "aimd" : "pid";
}
