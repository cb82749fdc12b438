/**
 * The brokers of all workers as one list: each worker has connections of its own to the same cluster.
 *
 * @module
 */
import type { BrokerStats } from "../admin/stats_view.ts";
import { answerBoundsMs, type LaneCountsReport } from "../kafka/lane_counts.ts";
import type { SinkStatus } from "../sink/sink.ts";

/** What a Kafka sink's status says of a broker. */
type BrokerReport = LaneCountsReport & {
  readonly id: number;
  readonly host: string;
  readonly connected: boolean;
  readonly inFlight: number;
  readonly bytesInFlight: number;
  readonly silentMs: number;
  readonly problem?: string;
};

/** Sums by broker, in the order in which the first worker names them. Empty for sinks without brokers. */
export function brokerTotals(sinks: readonly SinkStatus[]): BrokerStats[] {
  const byHost = new Map<string, BrokerReport[]>();
  for (const { details: { brokers } } of sinks) {
    if (!Array.isArray(brokers)) continue;
    for (const broker of brokers as BrokerReport[]) {
      const known = byHost.get(broker.host);
      if (known === undefined) byHost.set(broker.host, [broker]);
      else known.push(broker);
    }
  }
  return [...byHost.values()].map(totalOf);
}

function totalOf(reports: readonly BrokerReport[]): BrokerStats {
  const sum = (of: (report: BrokerReport) => number) => reports.reduce((total, one) => total + of(one), 0);
  const [{ id, host }] = reports as [BrokerReport];
  const problem = reports.find((one) => one.problem !== undefined)?.problem;
  return {
    id,
    host,
    connected: reports.every(({ connected }) => connected),
    connections: reports.filter(({ connected }) => connected).length,
    inFlight: sum(({ inFlight }) => inFlight),
    bytesInFlight: sum(({ bytesInFlight }) => bytesInFlight),
    requests: sum(({ requests }) => requests),
    unanswered: sum(({ unanswered }) => unanswered),
    bytesSent: sum(({ bytesSent }) => bytesSent),
    throttled_ms: sum(({ throttledMs }) => throttledMs),
    silent_ms: Math.round(Math.max(...reports.map(({ silentMs }) => silentMs))),
    answer_ms: {
      upper_bounds_ms: answerBoundsMs,
      cumulative: answerBoundsMs.map((_, index) => sum(({ answersWithin }) => answersWithin[index] ?? 0)),
      sum_ms: sum(({ answerMsSum }) => answerMsSum),
      count: sum(({ answers }) => answers),
    },
    ...(problem === undefined ? {} : { problem }),
  };
}
