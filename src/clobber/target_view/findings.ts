/**
 * What the waits inside the target say about the latency that was measured outside. Pure.
 *
 * @module
 */
import { msText, secondsText, shareText } from "../report/text.ts";
import type { TargetView } from "../result.ts";
import type { Watched } from "./watch.ts";

/** Places that are named, at most. */
const placesMax = 3;

/** Latencies that the waits inside are held against. */
export interface SlowLimits {
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

/** Shorter waits are every line's. */
const slowMsMin = 1;

/**
 * Sentences about where the slow lines were: the part of the time with a wait as long as the slowest lines took, by
 * the stage that had the longest one.
 *
 * @param latency of the load, end to end where that was measured
 * @param sent messages the load sent
 */
export function targetFindings(
  watched: Watched,
  latency: SlowLimits | null,
  sent: number,
): TargetView {
  const findings = [
    ...(latency === null ? [] : slowPlaces(watched, latency)),
    ...heldWorkers(watched),
    ...ledgerText(watched, sent),
  ];
  if (watched.looks.length === 0) {
    findings.push(`it did not answer: ${watched.problem ?? "the run was too short"}`);
  } else if (watched.failures > 0) {
    findings.push(`${watched.failures} of its answers failed: ${watched.problem}`);
  }
  return { url: watched.url, answers: watched.looks.length, failures: watched.failures, findings };
}

function slowPlaces({ looks }: Watched, { p90, p99, p999 }: SlowLimits): string[] {
  for (const [name, limitMs] of [["p99.9", p999], ["p99", p99], ["p90", p90]] as const) {
    // A wait inside is a part of the whole way, so the slowest lines show themselves below their percentile too.
    if (limitMs < slowMsMin) break;
    const places = new Map<string, number>();
    let slow = 0;
    for (const { waits } of looks) {
      const long = waits.filter(({ ageMs }) => ageMs >= limitMs);
      if (long.length === 0) continue;
      slow++;
      // A reply or a full memory waits for what lies behind it: the last stage with a long wait holds the others up.
      const cause = long.reduce((deepest, wait) => depth(wait.stage) > depth(deepest.stage) ? wait : deepest);
      const place = cause.who === "" ? `stage ${cause.stage}` : `stage ${cause.stage}, ${cause.who}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    if (slow === 0) continue;
    const sorted = [...places].sort(([, a], [, b]) => b - a).slice(0, placesMax);
    const list = sorted.map(([place, count]) => `${shareText(count / slow)} ${place}`).join("; ");
    return [
      `something in it waited longer than ${name} (${
        msText(limitMs)
      }) in ${slow} of ${looks.length} looks; ` +
      `of that time ${list}`,
    ];
  }
  return looks.length === 0 ? [] : [
    `nothing in it was seen to wait as long as p90 (${
      msText(p90)
    }): the time went elsewhere, or between two looks`,
  ];
}

/** The way of a line; what is not on it (a reply, room in memory) waits for something that is. */
const wayOfALine: readonly string[] = [
  "http_reply",
  "relp_reply",
  "memory",
  "frame",
  "rules",
  "dead_letter",
  "sink",
  "compress",
  "spool",
  "kafka",
];

function depth(stage: string): number {
  return wayOfALine.indexOf(stage);
}

function heldWorkers({ stalls }: Watched): string[] {
  if (stalls.length === 0) return [];
  const ms = stalls.reduce((sum, stall) => sum + stall.ms, 0);
  const rules = [...new Set(stalls.map(({ rule }) => rule).filter((rule) => rule !== ""))];
  const by = rules.length === 0 ? "" : `, by rule ${rules.join(", ")}`;
  const times = stalls.length === 1 ? "once" : `${stalls.length} times`;
  return [`its workers were held ${times}, ${secondsText(ms / 1000)} in all${by}`];
}

function ledgerText({ ledger }: Watched, sent: number): string[] {
  const received = ledger["received"];
  if (received === undefined) return [];
  const parts = Object.entries(ledger)
    .filter(([name, count]) => count > 0 && (name === "dead_lettered" || name.startsWith("dropped ")))
    .map(([name, count]) => `${count} ${name}`);
  const rest = parts.length === 0 ? "" : `, ${parts.join(", ")}`;
  return [`it received ${received} lines of ${sent} messages, ${ledger["delivered"] ?? 0} delivered${rest}`];
}
