/**
 * Renders `Stats` for `GET /metrics`, in either format of metric_text.ts.
 *
 * The label names are fixed; the values of those that a log line, a sender or a cluster can choose are capped.
 *
 * @module
 */
import type { BrokerStats, Stats } from "../admin/stats_view.ts";
import { LabelCap, otherLabel } from "./label_cap.ts";
import {
  type Family,
  family,
  histogram,
  type MetricFormat,
  metricText,
  type Samples,
  single,
} from "./metric_text.ts";

/** Topics, and rules, with series of their own. */
const labelledMax = 200;
/** Senders with series of their own, brokers, and parked topics. */
const peersMax = 100;

/** Renders `Stats`; one per process, because it remembers which topics have series of their own. */
export class Exposition {
  readonly #topics: LabelCap;
  readonly #rules: LabelCap;
  readonly #peers = new LabelCap(peersMax);
  readonly #brokers = new LabelCap(peersMax);
  readonly #parked = new LabelCap(peersMax);

  constructor(namesMax: number = labelledMax) {
    this.#topics = new LabelCap(namesMax);
    this.#rules = new LabelCap(namesMax);
  }

  /** The whole text, ready to send. */
  render(stats: Stats, format: MetricFormat = "prometheus"): string {
    return metricText([
      ...ledgerFamilies(stats),
      ...totalFamilies(stats),
      ...this.#namedFamilies(stats),
      ...this.#brokerFamilies(stats),
      ...stateFamilies(stats),
      ...processFamilies(stats),
      ...latencyFamilies(stats),
    ], format);
  }

  /** Over the connections of all workers. */
  #brokerFamilies({ kafka: { brokers } }: Stats): Family[] {
    const named = brokers.slice(0, peersMax).map((broker) =>
      [this.#brokers.labelOf(broker.host), broker] as const
    );
    const each = (name: string, type: "counter" | "gauge", help: string, pick: (of: BrokerStats) => number) =>
      family(
        `corndog_kafka_broker_${name}`,
        type,
        help,
        labelled("broker", this.#brokers.sum(named, pick)),
      );
    return [
      each("connections", "gauge", "Workers that are connected to the broker.", (of) => of.connections),
      each("in_flight_requests", "gauge", "Produce requests without an answer.", (of) => of.inFlight),
      each("in_flight_bytes", "gauge", "Bytes of batches in them.", (of) => of.bytesInFlight),
      each(
        "silent_seconds",
        "gauge",
        "How long the broker has said nothing though requests are out.",
        (of) => of.silent_ms / 1000,
      ),
      each("requests_total", "counter", "Produce requests.", (of) => of.requests),
      each("sent_bytes_total", "counter", "Bytes of batches in them.", (of) => of.bytesSent),
      each(
        "requests_unanswered_total",
        "counter",
        "Produce requests that came back because their connection ended.",
        (of) => of.unanswered,
      ),
      each(
        "throttled_seconds_total",
        "counter",
        "Pauses that the broker asked for because this client is over a quota.",
        (of) => of.throttled_ms / 1000,
      ),
      histogram(
        "corndog_kafka_broker_answer_seconds",
        "From a Produce request to its answer.",
        named.filter(([label]) => label !== otherLabel).map(([broker, { answer_ms }]) =>
          [{ broker }, answer_ms] as const
        ),
      ),
    ];
  }

  #namedFamilies(stats: Stats): Family[] {
    const senders = Object.entries(stats.senders ?? {});
    const troubles = (["oversize", "unparsed", "damaged"] as const).flatMap((trouble) =>
      Array.from(
        this.#peers.sum(senders, (sender) => sender[trouble]),
        ([peer, count]) => [{ peer, trouble }, count] as const,
      )
    );
    const topics = Object.entries(stats.kafka.topics);
    const hits = stats.rules.hits.map((hit) => [hit.rule, hit.hits] as const);
    return [
      family(
        "corndog_topic_submitted_total",
        "counter",
        "Records handed to the sink, by topic.",
        labelled("topic", this.#topics.sum(topics, (topic) => topic.submitted)),
      ),
      family(
        "corndog_topic_delivered_total",
        "counter",
        "Records that the sink acknowledged, by topic.",
        labelled("topic", this.#topics.sum(topics, (topic) => topic.delivered)),
      ),
      family(
        "corndog_topic_dead_lettered_total",
        "counter",
        "Records that went to the dead letter instead, by topic.",
        labelled("topic", this.#topics.sum(topics, (topic) => topic.dead_lettered)),
      ),
      family(
        "corndog_rule_hits_total",
        "counter",
        "Lines that a rule matched.",
        labelled("rule", this.#rules.sum(hits, (count) => count)),
      ),
      family(
        "corndog_sender_troubles_total",
        "counter",
        "Lines that are not as they should be, of senders that have such: oversize, unparsed, damaged.",
        troubles,
      ),
      family(
        "corndog_spool_parked_lines",
        "gauge",
        "Lines of topics that cannot be delivered, in a place of their own.",
        labelled(
          "topic",
          this.#parked.sum(
            (stats.spool?.parked ?? []).map(({ topic, lines }) => [topic, lines] as const),
            (lines) => lines,
          ),
        ),
      ),
    ];
  }
}

/** By place and reason, and how full the file is. */
function deadLetterFamilies(stats: Stats["dead_letter"]): Family[] {
  if (stats === undefined) return [];
  const { file, topic, reasons } = stats;
  return [
    family("corndog_dead_letters_total", "counter", "Dead letters that are safe, by place.", [
      [{ place: "file" }, file.lines],
      ...(topic === undefined ? [] : [[{ place: "topic" }, topic.lines] as const]),
    ]),
    family(
      "corndog_dead_letter_reasons_total",
      "counter",
      "Dead letters, by reason.",
      Object.entries(reasons).map(([reason, lines]) => [{ reason }, lines] as const),
    ),
    single("corndog_dead_letter_file_bytes", "gauge", "Size of the dead-letter file.", file.bytes),
    single(
      "corndog_dead_letter_file_bytes_max",
      "gauge",
      "Bound of the dead-letter file; at it corndog stops reading.",
      file.bytes_max,
    ),
  ];
}

function spoolFamilies(stats: Stats["spool"]): Family[] {
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

function ledgerFamilies({ ledger, dead_letter: deadLetter, spool }: Stats): Family[] {
  const dropped = Object.entries(ledger.dropped).map(([reason, count]) => [{ reason }, count] as const);
  return [
    single("corndog_lines_received_total", "counter", "Lines read from all listeners.", ledger.received),
    single(
      "corndog_lines_fan_out_total",
      "counter",
      "Additional copies of lines that rules made.",
      ledger.fan_out,
    ),
    single(
      "corndog_lines_split_total",
      "counter",
      "Further parts of lines that were cut in several.",
      ledger.split,
    ),
    single(
      "corndog_lines_replayed_total",
      "counter",
      "Lines that earlier sessions left in the spool.",
      ledger.replayed,
    ),
    single(
      "corndog_lines_joined_total",
      "counter",
      "Lines that became a part of the line before them.",
      ledger.joined,
    ),
    single("corndog_lines_delivered_total", "counter", "Lines that the sink acknowledged.", ledger.delivered),
    single("corndog_lines_dead_lettered_total", "counter", "Lines in the dead letter.", ledger.dead_lettered),
    ...deadLetterFamilies(deadLetter),
    ...spoolFamilies(spool),
    family("corndog_lines_dropped_total", "counter", "Lines dropped on purpose, by reason.", dropped),
    single("corndog_lines_spooled", "gauge", "Lines that the disk alone has.", ledger.spooled),
    single("corndog_lines_in_flight", "gauge", "Lines in memory on their way to the sink.", ledger.in_flight),
    single(
      "corndog_ledger_balanced",
      "gauge",
      "1 while every line is accounted for.",
      Number(ledger.balanced),
    ),
  ];
}

function totalFamilies({ totals }: Stats): Family[] {
  return [
    single(
      "corndog_received_bytes_total",
      "counter",
      "Bytes read from all listeners.",
      totals.bytes_received,
    ),
    single("corndog_connections", "gauge", "Open connections.", totals.connections_open),
    single(
      "corndog_connections_accepted_total",
      "counter",
      "Connections taken.",
      totals.connections_accepted,
    ),
    family(
      "corndog_connections_refused_total",
      "counter",
      "Connections refused, by reason.",
      Object.entries(totals.connections_refused_by).map(([reason, count]) => [{ reason }, count] as const),
    ),
    single(
      "corndog_tls_handshakes_failed_total",
      "counter",
      "Connections that ended before their TLS handshake was done.",
      totals.handshakes_failed,
    ),
    family(
      "corndog_connections_ended_total",
      "counter",
      "Connections ended by a limit, by reason.",
      Object.entries({ idle: totals.connections_idled, partial: totals.connections_partial }).map(
        ([reason, count]) => [{ reason }, count] as const,
      ),
    ),
    single(
      "corndog_connections_held_total",
      "counter",
      "Times that a connection was not read because its sender was over its rate.",
      totals.connections_held,
    ),
    single(
      "corndog_datagrams_refused_total",
      "counter",
      "Datagrams of senders that may not send.",
      totals.datagrams_refused,
    ),
    single(
      "corndog_datagrams_lost_total",
      "counter",
      "Datagrams that the kernel dropped because the receive buffer was full.",
      totals.datagrams_lost,
    ),
    single("corndog_frames_empty_total", "counter", "Frames without a byte.", totals.frames_empty),
    single(
      "corndog_frames_truncated_total",
      "counter",
      "Frames cut at the size limit.",
      totals.frames_truncated,
    ),
    single(
      "corndog_frames_damaged_total",
      "counter",
      "Places in octet-counted streams where no count was.",
      totals.frames_damaged,
    ),
    single(
      "corndog_connections_foreign_total",
      "counter",
      "Connections to syslog ports that spoke TLS or HTTP.",
      totals.connections_foreign,
    ),
    single("corndog_lines_unparsed_total", "counter", "Lines without a syslog header.", totals.unparsed),
    single("corndog_datagrams_total", "counter", "Datagrams read.", totals.datagrams),
    single(
      "corndog_pauses_total",
      "counter",
      "Times that reading stopped because memory was full.",
      totals.pauses,
    ),
    single("corndog_http_requests_total", "counter", "HTTP requests to listeners.", totals.http_requests),
    single(
      "corndog_http_failures_total",
      "counter",
      "HTTP requests that were answered with a status of 400 or more.",
      totals.http_failures,
    ),
    single(
      "corndog_http_timeouts_total",
      "counter",
      "HTTP requests whose head or body came too slowly.",
      totals.http_timeouts,
    ),
  ];
}

function stateFamilies(stats: Stats): Family[] {
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

function latencyFamilies({ latency_ms: { buckets, stages = {} } }: Stats): Family[] {
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

function processFamilies({ process, watch, workers }: Stats): Family[] {
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

function labelled(label: string, sums: Map<string, number>): Samples {
  return Array.from(sums, ([value, count]) => [{ [label]: value }, count] as const);
}
