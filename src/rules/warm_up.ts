/**
 * Engines compile a pattern when it is first run, in each of two forms: for texts of one byte a character, and for
 * others. Thousands of patterns that every line is tried on would be compiled by the first line, which would have to
 * wait for it. So they are run at load.
 *
 * @module
 */

import type { LineContext } from "./line_context.ts";
import type { FieldName, Line } from "./program.ts";
import type { Match } from "./leaf_matcher.ts";

/** V8 interprets a pattern the first time and compiles it the second. */
const runs = 2;

/** A short text of each form. */
const texts = ["warm-up", "warm-up \u2713"] as const;

/** Runs `matches` until nothing is left to compile. What they answer does not matter. */
export function warmUp(matches: readonly Match[], context: LineContext): void {
  for (const text of texts) {
    const line = new WarmUpLine(text);
    for (let run = 0; run < runs; run++) {
      for (const match of matches) {
        context.begin(line);
        match(context);
      }
    }
  }
}

/** A line whose every text is the same. */
class WarmUpLine implements Line {
  readonly nowMs = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  text(_field: FieldName): string {
    return this.#text;
  }

  /** True: what stands behind the prefix is to be run as well. */
  startsWith(): boolean {
    return true;
  }

  severity(): number {
    return -1;
  }

  facility(): number {
    return -1;
  }

  structured(): string {
    return this.#text;
  }

  structuredData(): undefined {
    return undefined;
  }

  json(): undefined {
    return undefined;
  }
}
