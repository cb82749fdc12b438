/**
 * `corndog why` and `corndog connections`: who waits for what in a running corndog.
 *
 * @module
 */
import type { ConnectionList, ConnectionView, StallList } from "../admin/looks_view.ts";
import type { Stats } from "../admin/stats_view.ts";
import type { Inflight } from "../observe/inflight.ts";
import { adminOptions, askAdmin } from "./admin_client.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";
import { whyText } from "./why_text.ts";

/** `corndog why`. */
export const whyCommand: Command = {
  name: "why",
  usage: "[--admin URL] [--token-file FILE] [--json]",
  summary: "what is stuck, where and why",
  details:
    `One page: connections that wait for over five seconds and for what, stages in which lines wait, held
workers with the rule that holds them, and what the sink lacks. Exit code 1 if something is stuck.`,
  options: adminOptions,
  examples: [["corndog why || page-somebody", "for a watchdog"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const answers = await askAdmin<[Stats, Inflight, ConnectionList, StallList]>(call, [
      "/admin/stats",
      "/admin/inflight",
      "/admin/connections?stuck=1&limit=1000",
      "/admin/stalls",
    ]);
    if (answers === undefined) return exitCode.faults;
    const [stats, inflight, connections, stalls] = answers;
    const { text, stuck } = whyText({ stats, inflight, connections, stalls });
    const { given, io } = call;
    io.out(
      given.switches.has("json")
        ? `${JSON.stringify({ stuck, inflight, connections, stalls }, undefined, 2)}\n`
        : text,
    );
    return stuck ? exitCode.faults : exitCode.fine;
  },
};

/** `corndog connections`. */
export const connectionsCommand: Command = {
  name: "connections",
  usage: "[--stuck] [--state STATE] [--peer TEXT] [--older TIME] [--limit N] [--admin URL] [--json]",
  summary: "the connections of a running corndog",
  details: `One line per connection, those first that somebody should look at, each with a verdict:
flowing, client_silent, we_are_not_reading, peer_not_reading, network_loss, kafka, disk, cpu, rule:NAME.`,
  options: [
    { name: "stuck", description: "only those that somebody should look at" },
    { name: "state", value: "STATE", description: "only those that are reading, or waiting" },
    { name: "peer", value: "TEXT", description: "only those whose address has this in it" },
    { name: "older", value: "TIME", description: "only those that are open for this long, such as 10s" },
    { name: "limit", value: "N", description: "at most so many, up to 1000; default: 50" },
    ...adminOptions,
  ],
  examples: [["corndog connections --stuck", "what to look at"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const { given, io } = call;
    const query = new URLSearchParams({ limit: "50" });
    for (const name of ["state", "peer", "older", "limit"]) {
      const value = given.values.get(name)?.[0];
      if (value !== undefined) query.set(name, value);
    }
    if (given.switches.has("stuck")) query.set("stuck", "1");
    const limit = Number(query.get("limit"));
    if (!Number.isInteger(limit) || limit < 1) {
      reportError(io, `--limit: expected a number from 1 to 1000, got "${query.get("limit")}"`);
      return exitCode.usage;
    }
    const answers = await askAdmin<[ConnectionList]>(call, [`/admin/connections?${query}`]);
    if (answers === undefined) return exitCode.faults;
    const [list] = answers;
    io.out(given.switches.has("json") ? `${JSON.stringify(list, undefined, 2)}\n` : table(list));
    return exitCode.fine;
  },
};

function table({ open, connections }: ConnectionList): string {
  const head = [
    "ID",
    "PEER",
    "LISTENER",
    "AGE",
    "IDLE",
    "LINES",
    "BYTES",
    "PART",
    "RECVQ",
    "SENDQ",
    "RTT",
    "RESENT",
    "VERDICT",
  ];
  const rows = connections.map((view) => [
    view.id,
    view.peer,
    view.listener,
    seconds(view.age_ms),
    seconds(view.idle_ms),
    String(view.lines),
    String(view.bytes),
    String(view.partial_bytes),
    String(view.recv_q ?? "-"),
    String(view.send_q ?? "-"),
    view.tcp === undefined ? "-" : `${view.tcp.rtt_ms.toFixed(1)}ms`,
    String(view.tcp?.retransmitted ?? "-"),
    verdictCell(view),
  ]);
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd();
  const rest = open - connections.length;
  const more = rest > 0 ? [`${rest} more are open or filtered out.`] : [];
  return `${[line(head), ...rows.map(line), ...more].join("\n")}\n`;
}

function verdictCell({ verdict, waits_ms }: ConnectionView): string {
  return waits_ms === undefined ? verdict : `${verdict}, ${seconds(waits_ms)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}
