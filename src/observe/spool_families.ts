/**
 * The spool as families of metrics.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import { type Family, family, single } from "./metric_text.ts";

/** How full it is, and what it has done; none without a spool. */
export function spoolFamilies(stats: Stats["spool"]): Family[] {
  if (stats === undefined) return [];
  const gauge = (name: string, help: string, value: number) =>
    single(`corndog_spool_${name}`, "gauge", help, value);
  const total = (name: string, help: string, value: number) =>
    single(`corndog_spool_${name}_total`, "counter", help, value);
  const { commit_ms: commit } = stats;
  return [
    gauge(
      "ready",
      "1 while the spool takes what comes, 0 while it is full or its disk fails.",
      Number(stats.state === "ready"),
    ),
    gauge("bytes", "Size of the spool's files.", stats.bytes),
    gauge("bytes_max", "Bound of the spool's files; at it corndog stops reading.", stats.bytes_max),
    gauge("lines", "Lines in the spool that Kafka has not acknowledged.", stats.lines),
    gauge("backlog_lines", "Of these, lines that the disk alone has.", stats.backlog_lines),
    gauge("replay_lines", "Of these, lines that earlier sessions left.", stats.replay_lines),
    gauge("pending_bytes", "Bytes that wait for their commit.", stats.pending_bytes),
    gauge(
      "oldest_age_seconds",
      "Age of the oldest line that Kafka has not acknowledged.",
      stats.oldest_age_s,
    ),
    family(
      "corndog_spool_commit_seconds",
      "gauge",
      "From a batch's end to its commit, of the slowest worker.",
      [
        [{ quantile: "0.5" }, commit.p50 / 1000],
        [{ quantile: "0.99" }, commit.p99 / 1000],
        [{ quantile: "0.999" }, commit.p999 / 1000],
      ],
    ),
    total("commits", "Groups of batches that were committed.", stats.commits),
    total("committed_batches", "Batches that were committed.", stats.batches_committed),
    total("committed_bytes", "Bytes that were committed.", stats.bytes_committed),
    total("given_up_batches", "Batches that found no place in memory after their commit.", stats.given_up),
    total("read_back_batches", "Batches that were read back.", stats.read_back),
    total(
      "passed_by_batches",
      "Batches that were sent without the disk while it took nothing.",
      stats.passed_by,
    ),
    total("damaged_batches", "Batches that could not be read.", stats.damaged_batches),
    total("quarantined_batches", "Batches that were put aside.", stats.quarantined_batches),
  ];
}
