/**
 * `corndog stats`: asks a running corndog for its counters.
 *
 * @module
 */
import type { Stats } from "../admin/control.ts";
import { messageOf } from "../core/errors.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";

/** A control plane answers in milliseconds; one that does not is held. */
const answerMsMax = 5_000;

/** `corndog stats`. */
export const statsCommand: Command = {
  name: "stats",
  usage: "[--admin URL] [--token-file FILE] [--json]",
  summary: "counters of a running corndog",
  details: `Asks the admin API for the ledger: what was received, and what became of it.`,
  options: [
    { name: "admin", value: "URL", description: "admin API; default: http://127.0.0.1:8585" },
    { name: "token-file", value: "FILE", description: "file with the token that the API wants" },
    { name: "json", description: "the whole answer as JSON" },
  ],
  examples: [["corndog stats --json | jq .ledger", "for scripts"]],
  restMax: 0,
  async act({ given, io }: Call): Promise<number> {
    const written = given.values.get("admin")?.[0] ?? "http://127.0.0.1:8585";
    const base = /^https?:\/\//.test(written) ? written : `http://${written}`;
    const headers: Record<string, string> = {};
    try {
      const tokenFile = given.values.get("token-file")?.[0];
      if (tokenFile !== undefined) headers["authorization"] = `Bearer ${io.readFile(tokenFile).trim()}`;
    } catch (error) {
      reportError(io, `--token-file: ${messageOf(error)}`);
      return exitCode.faults;
    }
    try {
      const url = `${base.replace(/\/+$/, "")}/admin/stats`;
      const response = await io.fetch(url, { headers, signal: AbortSignal.timeout(answerMsMax) });
      if (!response.ok) {
        await response.body?.cancel();
        const cure = response.status === 401 || response.status === 403
          ? "; give the token with --token-file"
          : "";
        reportError(io, `${url} answered ${response.status} ${response.statusText}${cure}`);
        return exitCode.faults;
      }
      const stats = await response.json() as Stats;
      io.out(given.switches.has("json") ? `${JSON.stringify(stats, undefined, 2)}\n` : statsText(stats));
      return exitCode.fine;
    } catch (error) {
      reportError(
        io,
        `no corndog answers at ${base}: ${messageOf(error)}; is it running, and is --admin its address?`,
      );
      return exitCode.faults;
    }
  },
};

/** The counters that a person asks for first. */
function statsText(stats: Stats): string {
  const { ledger, totals, latency_ms: { receive_to_ack: latency } } = stats;
  const dropped = Object.entries(ledger.dropped).map(([reason, count]) => ` (${reason} ${count})`).join("");
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
    ["latency", `p50 ${latency.p50} ms, p99 ${latency.p99} ms, max ${latency.max} ms`],
    [
      "connections",
      `${totals.connections_open} open, ${totals.connections_accepted} accepted, ${totals.connections_refused} refused`,
    ],
    ["sink", `${stats.sink.name}, ${stats.sink.ready ? "ready" : stats.sink.problems.join("; ")}`],
    ["rules", `version ${stats.rules.version}, ${stats.rules.hits.length} rules from ${stats.rules.source}`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(13)}${value}\n`).join("");
}
