/**
 * Renders `Stats` for `GET /metrics`, in either format of metric_text.ts.
 *
 * The label names are fixed; the values of those that a log line, a sender or a cluster can choose are capped: their
 * families are here, the others in files of their own (`*_families.ts`).
 *
 * @module
 */
import type { BrokerStats, Stats } from "../admin/stats_view.ts";
import { LabelCap, otherLabel } from "./label_cap.ts";
import { ledgerFamilies } from "./ledger_families.ts";
import { type Family, family, histogram, labelled, type MetricFormat, metricText } from "./metric_text.ts";
import { latencyFamilies, processFamilies, stateFamilies } from "./process_families.ts";
import { totalFamilies } from "./total_families.ts";

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
