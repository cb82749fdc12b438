/**
 * How long lines are: a fixed size, an even spread, or a distribution as logs have it.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** Bytes of a line. */
export type SizeSpec =
  | { readonly kind: "fixed"; readonly bytes: number }
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "lognormal"; readonly median: number; readonly sigma: number };

/** No line is longer, whatever the distribution says. */
export const lineBytesMax = 1024 * 1024;

/** One size. */
export function drawSize(spec: SizeSpec, random: Random): number {
  switch (spec.kind) {
    case "fixed":
      return spec.bytes;
    case "uniform":
      return random.integer(spec.low, spec.high);
    case "lognormal":
      return Math.max(
        1,
        Math.min(lineBytesMax, Math.round(spec.median * Math.exp(spec.sigma * random.normal()))),
      );
  }
}

/** Reads `200`, `100-400`, `logn(300,0.5)` (median and sigma); undefined for anything else. */
export function readSizeSpec(text: string): SizeSpec | undefined {
  const fits = (bytes: number): boolean => bytes >= 1 && bytes <= lineBytesMax;
  const fixed = /^(\d+)$/.exec(text);
  if (fixed) {
    const bytes = Number(fixed[1]);
    return fits(bytes) ? { kind: "fixed", bytes } : undefined;
  }
  const span = /^(\d+)-(\d+)$/.exec(text);
  if (span) {
    const [low, high] = [Number(span[1]), Number(span[2])];
    return fits(low) && fits(high) && low <= high ? { kind: "uniform", low, high } : undefined;
  }
  const logn = /^logn(?:ormal)?\((\d+(?:\.\d+)?),(\d+(?:\.\d+)?)\)$/.exec(text);
  if (logn) {
    const [median, sigma] = [Number(logn[1]), Number(logn[2])];
    return fits(median) && sigma <= 3 ? { kind: "lognormal", median, sigma } : undefined;
  }
  return undefined;
}
