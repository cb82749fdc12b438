/**
 * Numbers as people read them.
 *
 * @module
 */

import type { Result, Search } from "../result.ts";

/** `1.23 ms`, `45.6 us`, `2.10 s`: three digits. */
export function msText(ms: number): string {
  if (ms === 0) return "0";
  if (ms < 1) return `${digits(ms * 1000)} us`;
  if (ms < 1000) return `${digits(ms)} ms`;
  return `${digits(ms / 1000)} s`;
}

/** `812`, `12.3k`, `4.56M`. */
export function countText(count: number): string {
  if (count < 10_000) return Number.isInteger(count) ? String(count) : digits(count);
  if (count < 999_500) return `${digits(count / 1e3)}k`;
  if (count < 999_500_000) return `${digits(count / 1e6)}M`;
  return `${digits(count / 1e9)}G`;
}

/** `12,345,678`. */
export function exactText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1.2 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1e6) return `${digits(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${digits(bytes / 1e6)} MB`;
  return `${digits(bytes / 1e9)} GB`;
}

/** `99.98 %`. */
export function shareText(share: number): string {
  const percent = 100 * share;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent > 99 && percent < 100) return `${Math.floor(percent * 1000) / 1000} %`;
  if (percent < 0.01) return `${percent.toExponential(1)} %`;
  return `${percent < 10 ? percent.toFixed(2) : percent.toFixed(1)} %`;
}

/** `10.0 s`, `2 min 05 s`. */
export function secondsText(seconds: number): string {
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** What it means that the generator was the limit. */
export function limitedText({ search }: Pick<Result, "search">): string {
  return search !== null && search.rate > 0
    ? "the target may hold more than what was found"
    : "these numbers are about the generator, not about the target";
}

/** What a search found that came to no confirmation. */
export function unconfirmedText({ rate, stepRate, stepSeconds, confirmSeconds }: Search): string {
  if (stepRate === 0) return "no rate held";
  const briefly = `${countText(stepRate)}/s held for ${secondsText(stepSeconds)}`;
  return rate === 0
    ? `no rate held for ${secondsText(confirmSeconds)}; ${briefly}`
    : `${briefly}, and the search ended before it was confirmed`;
}

/** What a threshold was held against, in the unit of its metric. */
export function gateText(gate: string, measured: number | undefined): string {
  if (measured === undefined) return "not measured";
  return /^(?:[a-z0-9]+\.)?(?:p\d|max|mean)/.test(gate)
    ? msText(measured)
    : String(Number(measured.toPrecision(6)));
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
