/**
 * Thresholds: `p99<20ms`, `achieved>=0.99`, `loss==0`. For `--fail` and `--find-max`.
 *
 * @module
 */
import { didYouMean } from "../../core/suggest.ts";
import { readCount, readTime } from "../units.ts";

/** One threshold. */
export interface Gate {
  /** As it was written. */
  readonly text: string;
  readonly metric: string;
  readonly operator: "<" | "<=" | ">" | ">=" | "==" | "!=";
  /** Milliseconds for times, a fraction for percentages. */
  readonly value: number;
}

/** A gate with what was measured. A metric that was not measured fails. */
export interface GateResult {
  readonly text: string;
  readonly measured: number | undefined;
  readonly passed: boolean;
}

/** Metrics that gates may name beside percentiles (`p50`, `p99.9`, `raw.p99`, `e2e.p99`). */
export const metricNames: Readonly<Record<string, string>> = {
  max: "longest latency",
  mean: "mean latency",
  rate: "messages answered (or taken) per second",
  sent: "messages sent",
  achieved: "achieved rate / requested rate",
  good: "fraction of due messages answered in time and without error",
  errors: "fraction of due messages that failed",
  unsent: "fraction of due messages never sent",
  late: "fraction of answers behind --deadline",
  status4xx: "answers with a 4xx status",
  status5xx: "answers with a 5xx status",
  connections: "open connections / wanted connections",
  cpu: "processors that the generator used",
  loss: "fraction of marked lines that never came out (with --verify)",
  dup: "fraction of marked lines that came out again (with --verify)",
  reorder: "fraction of marked lines that were overtaken (with --verify)",
};

const percentile = /^(?:(?:raw|e2e|connect|lateness)\.)?(?:p\d{1,2}(?:\.\d+)?|p100|max|mean)$/;

/** Reads one gate, or says what is wrong. */
export function readGate(text: string): Gate | string {
  const [, metric, operator, written] = /^\s*([a-z0-9.]+)\s*(<=|>=|==|!=|<|>|=)\s*(\S+)\s*$/i.exec(text) ??
    [];
  if (metric === undefined) {
    return `"${text}" is no threshold; write a metric, a comparison and a value, such as p99<20ms`;
  }
  if (metricNames[metric] === undefined && !percentile.test(metric)) {
    const names = [...Object.keys(metricNames), "p50", "p99", "p99.9", "raw.p99", "e2e.p99", "lateness.p99"];
    return `"${metric}" is not measured${didYouMean(metric, names)}; there are ${names.join(" ")}`;
  }
  const value = readValue(written!);
  if (value === undefined) return `"${written}" is no value; write 20ms, 0.01%, 0.99 or 50k`;
  return {
    text: text.trim(),
    metric,
    operator: (operator === "=" ? "==" : operator) as Gate["operator"],
    value,
  };
}

/** Reads gates that are separated by commas. */
export function readGates(text: string): Gate[] | string {
  const gates: Gate[] = [];
  for (const part of text.split(",").filter((one) => one.trim() !== "")) {
    const gate = readGate(part);
    if (typeof gate === "string") return gate;
    gates.push(gate);
  }
  return gates.length === 0 ? `"${text}" has no threshold; write one such as p99<20ms` : gates;
}

function readValue(text: string): number | undefined {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (percent) return Number(percent[1]) / 100;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const micros = /^(\d+(?:\.\d+)?)(?:us|µs)$/.exec(text);
  if (micros) return Number(micros[1]) / 1000;
  // `5m` is five minutes where a time is compared, and nobody compares five million of anything here.
  return readTime(text) ?? readCount(text.replace(/\/s$/, ""));
}

/** Holds gates against what was measured. */
export function checkGates(
  gates: readonly Gate[],
  measured: (metric: string) => number | undefined,
): GateResult[] {
  return gates.map((gate) => {
    const value = measured(gate.metric);
    return { text: gate.text, measured: value, passed: value !== undefined && holds(gate, value) };
  });
}

function holds({ operator, value }: Gate, measured: number): boolean {
  switch (operator) {
    case "<":
      return measured < value;
    case "<=":
      return measured <= value;
    case ">":
      return measured > value;
    case ">=":
      return measured >= value;
    case "==":
      return measured === value;
    case "!=":
      return measured !== value;
  }
}
