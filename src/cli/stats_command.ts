/**
 * `corndog stats`: asks a running corndog for its counters.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import { adminOptions, askAdmin } from "./admin_client.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { counted } from "./report.ts";

/** `corndog stats`. */
export const statsCommand: Command = {
  name: "stats",
  usage: "[--admin URL] [--token-file FILE] [--json]",
  summary: "counters of a running corndog",
  details: `Asks the admin API for the ledger: what was received, and what became of it.`,
  options: adminOptions,
  examples: [["corndog stats --json | jq .ledger", "for scripts"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const answers = await askAdmin<[Stats]>(call, ["/admin/stats"]);
    if (answers === undefined) return exitCode.faults;
    const { given, io } = call;
    io.out(
      given.switches.has("json") ? `${JSON.stringify(answers[0], undefined, 2)}\n` : statsText(answers[0]),
    );
    return exitCode.fine;
  },
};

/** The counters that a person asks for first. */
function statsText(stats: Stats): string {
  const { ledger, totals, latency_ms: { receive_to_ack: latency } } = stats;
  // Missing where the one that is asked is older.
  const { hash }: { hash?: string } = stats.rules;
  const reasons = Object.entries(ledger.dropped).filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${count}`).join(", ");
  const dropped = reasons === "" ? "" : ` (${reasons})`;
  const droppedSum = Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0);
  const rows: [string, string][] = [
    ["state", `${stats.state}, ${stats.uptime_s} s, corndog ${stats.version} on ${stats.runtime}`],
    ["received", String(ledger.received)],
    ["delivered", String(ledger.delivered)],
    ["in flight", String(ledger.in_flight)],
    ["spooled", String(ledger.spooled)],
    ["dead letters", String(ledger.dead_lettered)],
    ["dropped", `${droppedSum}${dropped}`],
    ["fan-out", String(ledger.fan_out)],
    ...(ledger.split > 0 ? [["split", String(ledger.split)] as [string, string]] : []),
    ...(ledger.joined > 0 ? [["joined", String(ledger.joined)] as [string, string]] : []),
    ...(ledger.replayed > 0 ? [["replayed", String(ledger.replayed)] as [string, string]] : []),
    ["ledger", ledger.balanced ? "balanced" : "NOT BALANCED"],
    ["latency", `p50 ${ms(latency.p50)}, p99 ${ms(latency.p99)}, max ${ms(latency.max)}`],
    [
      "connections",
      `${totals.connections_open} open, ${totals.connections_accepted} accepted, ${totals.connections_refused} refused`,
    ],
    ["sink", `${stats.sink.name}, ${stats.sink.ready ? "ready" : stats.sink.problems.join("; ")}`],
    [
      "rules",
      `version ${stats.rules.version}${hash === undefined ? "" : ` (${hash})`}, ${
        counted(stats.rules.hits.length, "rule")
      } from ${stats.rules.source}`,
    ],
  ];
  return rows.map(([name, value]) => `${name.padEnd(13)}${value}\n`).join("");
}

/** Three digits are what can be told apart. */
function ms(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}
