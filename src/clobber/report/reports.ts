/**
 * Writes what was asked for: summary, JSON, histograms, series, page, comparison.
 *
 * @module
 */
import type { Driven } from "../drive.ts";
import type { Result } from "../result.ts";
import type { Settings } from "../settings.ts";
import { compareText } from "./compare.ts";
import { htmlReport } from "./html.ts";
import { summaryText } from "./summary.ts";

/** Where reports go. */
export interface ReportOutside {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly colors: boolean;
}

/**
 * Writes all reports; a file that cannot be written is said and does not keep the others from being written.
 *
 * @returns whether all could be written
 */
export function writeReports(
  result: Result,
  driven: Driven,
  settings: Settings,
  base: Result | undefined,
  outside: ReportOutside,
  writeFile: (path: string, text: string) => void,
): boolean {
  const { output } = settings;
  let isWhole = true;
  const save = (path: string | undefined, make: () => string): void => {
    if (path === undefined) return;
    if (path === "-") {
      outside.out(make());
      return;
    }
    try {
      writeFile(path, make());
    } catch (error) {
      isWhole = false;
      outside.err(`corndog: cannot write ${path}: ${(error as Error).message}\n`);
    }
  };
  const { hgrm, html, json, series } = output;
  // What a program is to read stands alone.
  if (!output.quiet && ![hgrm, html, json, series].includes("-")) {
    outside.out(summaryText(result, outside.colors));
    if (base !== undefined) outside.out(compareText(base, result, outside.colors));
  }
  save(json, () => `${JSON.stringify(result, undefined, 2)}\n`);
  save(hgrm, () => driven.to.latency.corrected.since(driven.from.latency.corrected).hgrm());
  save(html, () => htmlReport(result));
  save(series, () => result.windows.map((window) => `${JSON.stringify(window)}\n`).join(""));
  return isWhole;
}
