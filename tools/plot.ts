/**
 * Draws bench/history/rules.jsonl: the last run of each runtime as docs/rules-benchmark.svg, and as the table in
 * docs/RULES_BENCHMARK.md.
 *
 *     bun tools/plot.ts && deno fmt docs/rules-benchmark.svg docs/RULES_BENCHMARK.md
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BenchRecord, readHistory } from "../bench/history.ts";
import type { RulesResult } from "../bench/rules.ts";

/** One line of a plot; both axes are logarithmic. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly dashed: boolean;
  readonly points: readonly (readonly [number, number])[];
}

/** What stands around the lines. */
export interface PlotText {
  readonly title: string;
  readonly x: string;
  readonly y: string;
}

const width = 720;
const height = 420;
const box = { left: 70, right: 530, top: 40, bottom: 370 } as const;

/** Whole powers of ten around `values`. */
function decades(values: readonly number[]): number[] {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}

function scale(ticks: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks[ticks.length - 1])];
  return (value) => Math.round((from + (Math.log10(value) - low) / (high - low) * (to - from)) * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function label(x: number, y: number, anchor: string, text: string, more = ""): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escapeXml(text)}</text>`;
}

/** A plot as an SVG document. */
export function plotSvg(series: readonly Series[], text: PlotText): string {
  const points = series.flatMap((one) => one.points);
  const xTicks = decades(points.map(([x]) => x));
  const yTicks = decades(points.map(([, y]) => y));
  const toX = scale(xTicks, box.left, box.right);
  const toY = scale(yTicks, box.bottom, box.top);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    label((box.left + box.right) / 2, 22, "middle", text.title, ' font-size="14"'),
    label((box.left + box.right) / 2, height - 12, "middle", text.x),
    label(
      18,
      (box.top + box.bottom) / 2,
      "middle",
      text.y,
      ` transform="rotate(-90 18 ${(box.top + box.bottom) / 2})"`,
    ),
  ];
  for (const tick of xTicks) {
    parts.push(`<path d="M${toX(tick)} ${box.top}V${box.bottom}" stroke="#ddd"/>`);
    parts.push(label(toX(tick), box.bottom + 18, "middle", tick.toLocaleString("en")));
  }
  for (const tick of yTicks) {
    parts.push(`<path d="M${box.left} ${toY(tick)}H${box.right}" stroke="#ddd"/>`);
    parts.push(label(box.left - 8, toY(tick) + 4, "end", tick.toLocaleString("en")));
  }
  for (const [index, one] of series.entries()) {
    const stroke = `stroke="${one.color}" stroke-width="2"${one.dashed ? ' stroke-dasharray="5 4"' : ""}`;
    const path = one.points.map(([x, y]) => `${toX(x)} ${toY(y)}`).join("L");
    const y = box.top + 14 + index * 22;
    parts.push(`<path d="M${path}" fill="none" ${stroke}/>`);
    for (const [x, y] of one.points) {
      parts.push(`<circle cx="${toX(x)}" cy="${toY(y)}" r="3" fill="${one.color}"/>`);
    }
    parts.push(`<path d="M${box.right + 16} ${y - 4}h24" ${stroke}/>`);
    parts.push(label(box.right + 46, y, "start", one.name));
  }
  return [...parts, "</svg>", ""].join("\n");
}

type Run = BenchRecord<RulesResult[]>;

/** The last run of each runtime, whatever its version. */
function lastRuns(history: readonly Run[]): Run[] {
  return [...new Map(history.map((run) => [run.runtime.split(" ")[0], run])).values()];
}

const colors = ["#0969da", "#bc4c00"];

function seriesOf(runs: readonly Run[]): Series[] {
  return runs.flatMap(({ runtime, results }, index): Series[] => {
    const line = (
      name: string,
      dashed: boolean,
      of: (result: RulesResult) => number | undefined,
    ): Series => ({
      name: `${runtime.split(" ")[0]}: ${name}`,
      color: colors[index % colors.length],
      dashed,
      points: results.flatMap((result) => {
        const ns = of(result);
        return ns === undefined ? [] : [[result.rules, ns] as const];
      }),
    });
    return [
      line("lines for one rule", false, ({ sameNs }) => sameNs),
      line("for all in turn", true, ({ spreadNs }) => spreadNs),
      ...(index === 0
        ? [{ ...line("every rule tried", true, ({ triedNs }) => triedNs), color: "#888" }]
        : []),
    ];
  });
}

/** The runs as a Markdown table, as `deno fmt` would write it. */
export function tableOf(runs: readonly Run[]): string {
  const rows = [["runtime", "rules", "one rule", "to 1", "in turn", "every rule tried", "load"]];
  for (const { runtime, results } of runs) {
    for (const { rules, sameNs, spreadNs, triedNs, compileMs } of results) {
      const ratio = `${(sameNs / results[0].sameNs).toFixed(1)}×`;
      const tried = triedNs === undefined ? "" : `${triedNs.toFixed(0)} ns`;
      rows.push([
        runtime,
        rules.toLocaleString("en"),
        `${sameNs.toFixed(0)} ns`,
        ratio,
        `${spreadNs.toFixed(0)} ns`,
        tried,
        `${compileMs.toLocaleString("en")} ms`,
      ]);
    }
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    `| ${row.map((cell, at) => at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])).join(" | ")} |`
  );
  const rule = `| ${
    widths.map((width, at) => at === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":").join(" | ")
  } |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

const begin = "<!-- the table is written by tools/plot.ts -->";
const end = "<!-- end of the table -->";

if (import.meta.main) {
  const docs = fileURLToPath(new URL("../docs/", import.meta.url));
  const runs = lastRuns(readHistory<RulesResult[]>("rules"));
  const text = {
    title: "Cost of a line by number of rules",
    x: "rules, one of which matches",
    y: "ns per line",
  };
  writeFileSync(`${docs}rules-benchmark.svg`, plotSvg(seriesOf(runs), text));
  const page = readFileSync(`${docs}RULES_BENCHMARK.md`, "utf8");
  const [before, rest] = page.split(begin);
  const behind = rest.split(end)[1];
  const machines = [...new Set(runs.map(({ machine, date }) => `${machine}, ${date}`))].join("; ");
  writeFileSync(
    `${docs}RULES_BENCHMARK.md`,
    `${before}${begin}\n\n${tableOf(runs)}\n\nMachine: ${machines}.\n\n${end}${behind}`,
  );
}
