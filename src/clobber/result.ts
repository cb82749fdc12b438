/**
 * What a run gives: the shape of `--json`, and what every report is made of. Times are milliseconds, rates are
 * messages per second, shares are fractions of 1.
 *
 * @module
 */
import type { GateResult } from "./measure/gate.ts";
import type { Latency } from "./measure/histogram.ts";
import type { Window } from "./measure/sampler.ts";
import type { EndToEnd } from "./verify/tally.ts";

/** Percentiles of one histogram. */
export interface Percentiles {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
  /** HDR V2, compressed, base64, in units of 100 ns. */
  readonly hdr: string;
}

/** One step of a search for the highest rate. */
export interface SearchStep {
  readonly kind: "ramp" | "search" | "confirm";
  readonly rate: number;
  readonly achieved: number;
  readonly p50: number;
  readonly p99: number;
  /** Through the forwarder; null where that is not watched. */
  readonly endToEndP99: number | null;
  /** Lines that did not come out at the far end; null where that is not watched. */
  readonly lost: number | null;
  readonly failed: number;
  readonly passed: boolean;
  /** Thresholds that were broken, or that the generator was the limit. */
  readonly why: readonly string[];
}

/** What a search for the highest rate found. */
export interface Search {
  /** Highest rate that was confirmed; where the search was ended before, the highest that held a step. 0 for none. */
  readonly rate: number;
  readonly confirmed: boolean;
  /** Highest rate that held a step, and how long steps and confirmations took, seconds. */
  readonly stepRate: number;
  readonly stepSeconds: number;
  readonly confirmSeconds: number;
  /** Where latency begins to bend, undefined where it never did. */
  readonly knee: number | undefined;
  readonly steps: readonly SearchStep[];
  /** The search ended because the generator could not go on. */
  readonly generatorLimited: boolean;
  /** Why it could not, and at which rate, if so. */
  readonly limits: readonly string[];
}

/** What the target said about itself during the run. */
export interface TargetView {
  readonly url: string;
  readonly answers: number;
  readonly failures: number;
  /** Sentences for a reader, the most telling first. */
  readonly findings: readonly string[];
}

/** A run. */
export interface Result {
  readonly program: string;
  readonly target: string;
  readonly address: string;
  readonly model: "open loop" | "closed loop";
  /** The target answers; otherwise "answered" counts what the sockets took. */
  readonly answers: boolean;
  /** What was sent, in words. */
  readonly work: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly seed: number;
  readonly run: string;
  readonly interrupted: boolean;
  readonly requested: {
    readonly rate: number | null;
    readonly messages: number | null;
    readonly connections: number;
    readonly seconds: number | null;
  };
  readonly achieved: {
    readonly sentRate: number;
    readonly answeredRate: number;
    /** Sent on time / requested; null in a closed loop. */
    readonly ofRequested: number | null;
    readonly connections: number;
    /** Connections that --max or --concurrency auto settled on; null without them. */
    readonly settledOn: number | null;
    readonly bytesOutRate: number;
    readonly bytesInRate: number;
  };
  readonly messages: {
    readonly due: number;
    readonly sent: number;
    /** Answered; on a stream without answers: taken by the socket. */
    readonly answered: number;
    readonly good: number;
    readonly lateForDeadline: number;
    readonly unsent: number;
    /** Sent and never answered. */
    readonly unanswered: number;
  };
  readonly latency: {
    /** From the intended time; in a closed loop there is none, and it is the time from sending. */
    readonly corrected: Percentiles | null;
    readonly uncorrected: Percentiles | null;
    readonly connect: Percentiles | null;
  };
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  readonly connections: {
    readonly tried: number;
    readonly opened: number;
    readonly closedByPeer: number;
  };
  readonly generator: {
    readonly threads: number;
    readonly cores: number;
    /** Processors used by the whole process. */
    readonly cpu: number;
    readonly busiest: number;
    readonly waited: number;
    readonly lateness: Percentiles | null;
    /** Fraction of the time in which the target kept due messages waiting. */
    readonly targetStalled: number;
    readonly verdict: "ok" | "generator-limited";
    readonly reasons: readonly string[];
  };
  readonly warnings: readonly string[];
  readonly windows: readonly Window[];
  readonly endToEnd: EndToEnd | null;
  readonly targetView: TargetView | null;
  readonly search: Search | null;
  readonly survived: boolean | null;
  readonly gates: readonly GateResult[];
}

/** The percentiles of a histogram; null when it is empty. */
export function percentilesOf(latency: Latency): Percentiles | null {
  const { count } = latency;
  if (count === 0) return null;
  return {
    count,
    min: latency.minMs,
    mean: latency.meanMs,
    p50: latency.percentileMs(50),
    p75: latency.percentileMs(75),
    p90: latency.percentileMs(90),
    p99: latency.percentileMs(99),
    p999: latency.percentileMs(99.9),
    p9999: latency.percentileMs(99.99),
    max: latency.maxMs,
    hdr: latency.encoded(),
  };
}
