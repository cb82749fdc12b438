/**
 * The workers' dead letters as one section of `/admin/stats`.
 *
 * @module
 */
import type { DeadLetterStats } from "../admin/stats_view.ts";
import { counter } from "../observe/row.ts";
import type { LettersReport } from "./letters.ts";

/** Sums what the workers report; `sum` is the sum of their counter rows. Undefined while no worker has answered. */
export function deadLetterStats(
  reports: readonly LettersReport[],
  sum: Float64Array,
): DeadLetterStats | undefined {
  const first = reports[0];
  if (first === undefined) return undefined;
  const reasons = new Map<string, number>();
  for (const report of reports) {
    for (const [reason, lines] of Object.entries(report.reasons)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + lines);
    }
  }
  const fileProblem = reports.find(({ file }) => file.problem !== undefined)?.file.problem;
  return {
    file: {
      path: first.file.path,
      lines: sum[counter.dead_lettered_file]!,
      bytes: Math.max(...reports.map(({ file }) => file.bytes)),
      bytes_max: first.file.bytesMax,
      bytes_waiting: reports.reduce((bytes, { file }) => bytes + file.bytesWaiting, 0),
      ready: fileProblem === undefined,
      ...(fileProblem === undefined ? {} : { problem: fileProblem }),
    },
    ...(first.topic === undefined ? {} : { topic: topicStats(reports, first.topic.name, sum) }),
    reasons: Object.fromEntries([...reasons].sort(([, one], [, other]) => other - one)),
  };
}

function topicStats(
  reports: readonly LettersReport[],
  name: string,
  sum: Float64Array,
): NonNullable<DeadLetterStats["topic"]> {
  const problem = reports.find(({ topic }) => topic?.problem !== undefined)?.topic?.problem;
  return {
    name,
    lines: sum[counter.dead_lettered_topic]!,
    ready: reports.every(({ topic }) => topic?.ready === true),
    ...(problem === undefined ? {} : { problem }),
  };
}
