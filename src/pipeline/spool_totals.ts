/**
 * The workers' spools as one section of `/admin/stats`.
 *
 * @module
 */
import type { ParkedTopic, SpoolTotals } from "../admin/stats_view.ts";
import type { SpoolReport } from "./spool_stage_parts.ts";

/** Milliseconds with two digits. */
const centMs = (ms: number): number => Math.round(ms * 100) / 100;

/** Sums what the workers report. Undefined where there is no spool, and while no worker has answered. */
export function spoolTotals(reports: readonly (SpoolReport | undefined)[]): SpoolTotals | undefined {
  const spools = reports.filter((report) => report !== undefined);
  const first = spools[0];
  if (first === undefined) return undefined;
  const sum = (of: (report: SpoolReport) => number) => spools.reduce((total, one) => total + of(one), 0);
  const most = (of: (report: SpoolReport) => number) => Math.max(...spools.map(of));
  const unready = spools.find(({ state }) => state !== "ready");
  const problem = spools.find((one) => one.problem !== undefined)?.problem;
  return {
    dir: first.dir,
    durability: first.durability,
    state: unready?.state ?? "ready",
    ...(problem === undefined ? {} : { problem }),
    bytes: sum(({ bytes }) => bytes),
    bytes_max: sum(({ bytesMax }) => bytesMax),
    segments: sum(({ segments }) => segments),
    lines: sum(({ records }) => records),
    batches: sum(({ batches }) => batches),
    backlog_lines: sum(({ backlogRecords }) => backlogRecords),
    backlog_batches: sum(({ backlogBatches }) => backlogBatches),
    replay_lines: sum(({ replayRecords }) => replayRecords),
    replay_batches: sum(({ replayBatches }) => replayBatches),
    pending_batches: sum(({ pendingBatches }) => pendingBatches),
    pending_bytes: sum(({ pendingBytes }) => pendingBytes),
    oldest_age_s: Math.round(most(({ oldestAgeMs }) => oldestAgeMs) / 100) / 10,
    parked: parkedTopics(spools),
    commit_ms: {
      p50: centMs(most(({ commitMs }) => commitMs.p50)),
      p99: centMs(most(({ commitMs }) => commitMs.p99)),
      p999: centMs(most(({ commitMs }) => commitMs.p999)),
      max: centMs(most(({ commitMs }) => commitMs.max)),
    },
    commits: sum(({ commits }) => commits),
    batches_committed: sum(({ batchesCommitted }) => batchesCommitted),
    bytes_committed: sum(({ bytesCommitted }) => bytesCommitted),
    given_up: sum(({ givenUp }) => givenUp),
    read_back: sum(({ readBack }) => readBack),
    held: sum(({ held }) => held),
    passed_by: sum(({ passedBy }) => passedBy),
    damaged_batches: sum(({ damagedBatches }) => damagedBatches),
    quarantined_batches: sum(({ quarantinedBatches }) => quarantinedBatches),
  };
}

function parkedTopics(spools: readonly SpoolReport[]): ParkedTopic[] {
  const topics = new Map<string, { lines: number; bytes: number; full: boolean }>();
  for (const { parked } of spools) {
    for (const { topic, records, bytes, full } of parked) {
      const all = topics.get(topic) ?? { lines: 0, bytes: 0, full: false };
      topics.set(topic, {
        lines: all.lines + records,
        bytes: all.bytes + bytes,
        full: all.full || full,
      });
    }
  }
  return [...topics].map(([topic, all]) => ({ topic, ...all }));
}

/** Why nothing can be kept, in words for an operator, once each. */
export function spoolProblems(reports: readonly (SpoolReport | undefined)[]): string[] {
  const problems = reports.flatMap((report) =>
    report === undefined || report.state === "ready" ? [] : [report.problem ?? `The spool is ${report.state}`]
  );
  return [...new Set(problems)];
}
