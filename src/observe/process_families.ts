/**
 * What the process is at, what it needs, and how long lines take, as families of metrics.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import { type Family, family, histogram, single } from "./metric_text.ts";

/** What runs and what is in force. */
export function stateFamilies(stats: Stats): Family[] {
  const heartbeats = stats.workers.map((worker, index) =>
    [{ worker: String(worker.worker ?? index) }, Number(worker.heartbeat_age_ms) / 1000] as const
  ).filter(([, age]) => Number.isFinite(age));
  const states = (["starting", "running", "draining"] as const).map((state) =>
    [{ state }, Number(stats.state === state)] as const
  );
  const ends = stats.listeners.flatMap(({ address, certificate_ends_at: end }) =>
    typeof end === "string" ? [[{ listener: String(address) }, Date.parse(end) / 1000] as const] : []
  );
  return [
    family(
      "corndog_certificate_end_timestamp_seconds",
      "gauge",
      "When the first certificate of a TLS listener ends.",
      ends,
    ),
    single("corndog_rules_version", "gauge", "Version of the rules in force.", stats.rules.version),
    single(
      "corndog_rules_last_swap_refused",
      "gauge",
      "1 if the newest rules had faults and the former ones are in force.",
      Number(stats.rules.last_error !== undefined),
    ),
    family("corndog_sink_ready", "gauge", "1 while the sink can deliver.", [
      [{ sink: stats.sink.name }, Number(stats.sink.ready)],
    ]),
    family(
      "corndog_worker_heartbeat_age_seconds",
      "gauge",
      "How long a worker's loop has not turned.",
      heartbeats,
    ),
    family("corndog_state", "gauge", "1 for the state that the process is in.", states),
    single("corndog_uptime_seconds", "gauge", "Time since the start.", stats.uptime_s),
    family("corndog_build_info", "gauge", "Always 1; what runs is in the labels.", [
      [{ version: stats.version, runtime: stats.runtime }, 1],
    ]),
  ];
}

/** Memory, waits, CPU. */
export function processFamilies({ process, watch, workers }: Stats): Family[] {
  const sum = (pick: (worker: Stats["workers"][number]) => unknown) =>
    workers.reduce((total, worker) => total + (Number(pick(worker)) || 0), 0);
  const arena = (name: string) =>
    sum((worker) => (worker.arena as Record<string, number> | undefined)?.[name]);
  return [
    single("corndog_batch_memory_bytes", "gauge", "Memory for batches, of all workers.", arena("bytes")),
    single("corndog_batch_memory_used_bytes", "gauge", "Of that, what batches hold.", arena("bytesInUse")),
    single(
      "corndog_connections_waiting",
      "gauge",
      "Connections that are not read because something of ours has no room or time.",
      sum(({ waiting }) => (waiting as Record<string, number> | undefined)?.connections),
    ),
    ...(watch === undefined ? [] : [
      single("corndog_stalls_total", "counter", "Times that a worker was held for 100 ms.", watch.stalls),
      single("corndog_orphans_total", "counter", "Waits that nothing would have woken.", watch.orphans),
    ]),
    ...(process === undefined ? [] : [
      single("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes),
      single("process_cpu_seconds_total", "counter", "CPU time, user and system.", process.cpu_s),
    ]),
  ];
}

/** Latencies of lines, in all and by stage; none where they are not measured. */
export function latencyFamilies({ latency_ms: { buckets, stages = {} } }: Stats): Family[] {
  if (buckets === undefined) return [];
  return [
    histogram(
      "corndog_receive_to_ack_seconds",
      "From the reading of a line to the sink's acknowledgement.",
      [[{}, buckets]],
    ),
    histogram(
      "corndog_stage_seconds",
      "Where that time goes: lines by stage; requests for http_reply and relp_reply.",
      Object.entries(stages).map(([stage, { buckets }]) => [{ stage }, buckets] as const),
    ),
  ];
}
