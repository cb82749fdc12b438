/**
 * Waits of all workers, grouped by stage, as `GET /admin/inflight` shows them. Pure.
 *
 * @module
 */
import type { SeenWait, StageName, WaitingView } from "./stage_table.ts";
import { stageNames } from "./stage_table.ts";

/** The waits that are shown one by one. */
export const oldestMax = 10;

/** One of the oldest waits of a stage. */
export interface OldestWait extends Partial<WaitingView> {
  readonly worker: number;
  readonly age_ms: number;
  /** Until its deadline; missing where it has none. */
  readonly deadline_in_ms?: number;
  /** Missing: the worker is held and cannot say who waits. */
  readonly described: boolean;
}

/** One stage. */
export interface StageWaits {
  readonly stage: StageName;
  readonly count: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  readonly oldest: readonly OldestWait[];
}

/** Waits of one stage that nothing would have woken. */
export interface LostWaits {
  readonly stage: StageName;
  readonly lost: number;
  /** Of so many. */
  readonly waits: number;
}

/** `GET /admin/inflight`. */
export interface Inflight {
  readonly waits: number;
  readonly stages: readonly StageWaits[];
  /** Waits that nothing will wake, since the start. */
  readonly orphans: number;
  /** By stage; only those that have lost any. */
  readonly lost?: readonly LostWaits[];
  /** Waits beyond the table's slots, which are not seen here, since the start. */
  readonly overflows: number;
}

/** The waits to be described before `inflightOf` is called. */
export function oldestOf(waits: readonly SeenWait[]): SeenWait[] {
  return stageNames.flatMap((name) =>
    waits.filter(({ stage }) => stage === name).sort((a, b) => b.ageMs - a.ageMs).slice(0, oldestMax)
  );
}

/** Groups waits. `describe` knows who waits, or not. */
export function inflightOf(
  waits: readonly SeenWait[],
  counts: {
    readonly orphans: number;
    readonly lost?: readonly LostWaits[];
    readonly overflows: number;
  },
  describe: (wait: SeenWait) => WaitingView | undefined,
): Inflight {
  const stages = stageNames.flatMap((name): StageWaits[] => {
    const own = waits.filter(({ stage }) => stage === name).sort((a, b) => a.ageMs - b.ageMs);
    if (own.length === 0) return [];
    const at = (part: number) => rounded(own[Math.ceil(own.length * part) - 1]!.ageMs);
    return [{
      stage: name,
      count: own.length,
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      max_ms: at(1),
      oldest: own.slice(-oldestMax).reverse().map((wait) => {
        const view = describe(wait);
        return {
          worker: wait.worker,
          age_ms: rounded(wait.ageMs),
          ...(Number.isFinite(wait.leftMs) ? { deadline_in_ms: rounded(wait.leftMs) } : {}),
          described: view !== undefined,
          ...view,
        };
      }),
    }];
  });
  return { waits: waits.length, stages, ...counts };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
