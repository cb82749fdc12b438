/**
 * A run beside an earlier one (`--compare base.json`): what changed, and whether the two can be compared at all.
 *
 * @module
 */
import type { Percentiles, Result } from "../result.ts";
import { paintFor } from "./summary.ts";
import { countText, msText } from "./text.ts";

/** Changes smaller than this are noise. */
const noise = 0.05;

/** One line of the comparison. */
interface Compared {
  readonly name: string;
  readonly before: number;
  readonly now: number;
  readonly text: (value: number) => string;
  readonly moreIsBetter: boolean;
}

/** The comparison as text. `base` is what an earlier `--json` wrote. */
export function compareText(base: Result, result: Result, colors: boolean): string {
  const paint = paintFor(colors);
  const rows: Compared[] = [
    {
      name: "rate",
      before: base.achieved.answeredRate,
      now: result.achieved.answeredRate,
      text: rateText,
      moreIsBetter: true,
    },
    ...percentileRows("", base.latency.corrected, result.latency.corrected),
    ...percentileRows("end to end ", base.endToEnd?.latency ?? null, result.endToEnd?.latency ?? null),
    {
      name: "not good",
      before: base.messages.due - base.messages.good,
      now: result.messages.due - result.messages.good,
      text: countText,
      moreIsBetter: false,
    },
  ];
  const lines = rows.map(({ before, moreIsBetter, name, now, text }) => {
    const change = before === 0 ? (now === 0 ? 0 : Infinity) : now / before - 1;
    const shown = change === Infinity ? "new" : `${change >= 0 ? "+" : ""}${(100 * change).toFixed(1)} %`;
    const painted = Math.abs(change) < noise
      ? shown
      : change > 0 === moreIsBetter
      ? paint.good(shown)
      : paint.bad(shown);
    return `  ${name.padEnd(15)}${text(before).padStart(10)}  ->${text(now).padStart(10)}  ${painted}`;
  });
  const odd = differences(base, result).map((text) => `  ${paint.bad("not the same load:")} ${text}`);
  return ["", `  ${paint.bold(`beside the run of ${base.startedAt}`)}`, ...odd, ...lines, ""].join("\n");
}

/** Reads an earlier `--json`. @throws Error where it is none. */
export function readBase(text: string): Result {
  const base = parsed(text) as Partial<Result> | null;
  const isResult = typeof base === "object" && base !== null && base.messages !== undefined &&
    base.achieved !== undefined && base.latency !== undefined && base.requested !== undefined;
  if (!isResult) throw new TypeError("it is not what --json writes");
  return base as Result;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function percentileRows(prefix: string, before: Percentiles | null, now: Percentiles | null): Compared[] {
  if (before === null || now === null) return [];
  return (["p50", "p99", "p999", "max"] as const).map((name) => ({
    name: prefix + (name === "p999" ? "p99.9" : name),
    before: before[name],
    now: now[name],
    text: msText,
    moreIsBetter: false,
  }));
}

/** What makes two runs incomparable. */
function differences(base: Result, result: Result): string[] {
  const said: string[] = [];
  const differ = (name: string, before: unknown, now: unknown): void => {
    if (String(before) !== String(now)) said.push(`${name} was ${before ?? "none"} and is ${now ?? "none"}`);
  };
  differ("the target", base.target, result.target);
  differ("the model", base.model, result.model);
  differ("the requested rate", base.requested.rate, result.requested.rate);
  differ("the number of connections", base.requested.connections, result.requested.connections);
  differ("the work", base.work, result.work);
  for (const [name, run] of [["the earlier run", base], ["this run", result]] as const) {
    if (run.generator.verdict !== "ok") said.push(`${name} was limited by its generator`);
  }
  return said;
}

function rateText(rate: number): string {
  return `${countText(rate)}/s`;
}
