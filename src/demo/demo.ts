/**
 * `corndog demo`: the embedded default with realistic traffic against itself, so that a person sees in a minute what
 * it does. Everything stays on loopback and in `./corndog-data`.
 *
 * @module
 */
import process from "node:process";
import type { Config } from "../config/config.ts";
import { parseRuleFile } from "../config/rule_files.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import { createLogger, type Logger } from "../observe/log.ts";
import { probeAddress } from "../io/probe.ts";
import type { ControlPlane } from "../pipeline/control_plane.ts";
import { runForwarder } from "../pipeline/run.ts";
import type { SpawnWorker } from "../pipeline/worker_parts.ts";
import type { Stats } from "../admin/stats_view.ts";
import { liveLine, summary } from "./report.ts";
import { demoRules } from "./rules.ts";
import { type Senders, startSenders } from "./senders.ts";

/** Lively, and nothing that a laptop's fan would notice. */
const linesPerSecond = 5_000;

/** What a demo needs. */
export interface DemoParts {
  /** The embedded default. */
  readonly config: Config;
  readonly durationMs: number;
  readonly spawn: SpawnWorker;
  readonly write: (text: string) => void;
  readonly terminal: boolean;
}

/** Runs the demo. Ctrl-C ends it early. Returns the exit code: 0 if the ledger balances and nothing was lost. */
export async function runDemo(parts: DemoParts): Promise<number> {
  const config = await demoConfig(parts.config);
  const log = quietLog(parts.write);
  let senders: Senders | undefined;
  let plane: ControlPlane | undefined;
  let ticking: ReturnType<typeof setInterval> | undefined;
  const exitCode = await runForwarder({
    config,
    log,
    spawn: parts.spawn,
    readConfig: () => ({ ok: true, config }),
    // Ctrl-C too: what the demo still sends while the forwarder drains would look lost.
    beforeDrain: async () => await senders?.stop(),
    started: (started, adminUrl) => {
      plane = started;
      parts.write(
        `\ncorndog demo: ${linesPerSecond.toLocaleString("en-US")} lines/s of syslog against itself\n`,
      );
      for (const { transport, address } of started.listeners) {
        parts.write(`  syslog     ${transport}://${address}\n`);
      }
      parts.write(`  files      ${config.fileSink.dir}\n`);
      parts.write(`  dashboard  ${adminUrl}/\n\n`);
      begin(started).catch((error) => {
        parts.write(`\ncorndog demo: ${messageOf(error)}\n`);
        started.drain();
      });
    },
  });
  clearInterval(ticking);
  invariant(plane !== undefined, "a demo that ended without an error had started");
  const stats = await plane.stats();
  parts.write(summary(stats, senders?.sent() ?? 0, `Look at them: tail ${config.fileSink.dir}/*/*.ndjson`));
  return stats.ledger.balanced ? exitCode : 1;

  async function begin(started: ControlPlane): Promise<void> {
    const port = (transport: string) =>
      started.listeners.find((listener) => listener.transport === transport)?.port;
    const tcp = port("tcp");
    if (tcp === undefined) {
      throw new ForwarderError("config_invalid", "Cannot send: no tcp:// listener is configured");
    }
    senders = await startSenders(tcp, port("udp"), linesPerSecond);
    let before: Stats | undefined;
    let ticks = 0;
    ticking = setInterval(async () => {
      const stats = await started.stats();
      // A terminal shows one line that moves, a log gets a line now and then.
      if (parts.terminal) parts.write(`\r\x1b[2K${liveLine(stats, before)}`);
      else if (ticks++ % 5 === 0) parts.write(`${liveLine(stats, before)}\n`);
      before = stats;
    }, 1_000);
    setTimeout(() => started.drain(), parts.durationMs);
  }
}

/** The default, with a free port where its own is taken: a demo must not fail because the real one runs. */
async function demoConfig(config: Config): Promise<Config> {
  const free = async (transport: "tcp" | "udp", hostname: string, port: number) => {
    try {
      await probeAddress({ transport, hostname, port });
      return port;
    } catch {
      return 0;
    }
  };
  const listen = await Promise.all(config.listen.map(async (entry) => ({
    ...entry,
    port: await free(entry.transport === "udp" ? "udp" : "tcp", entry.hostname, entry.port),
  })));
  const admin = config.admin &&
    { ...config.admin, port: await free("tcp", config.admin.hostname, config.admin.port) };
  const parsed = parseRuleFile(demoRules, "demo");
  invariant(parsed.ok, "the demo's own rules are valid");
  const rules = {
    dialect: "corndog" as const,
    rules: parsed.rules,
    tests: parsed.tests,
    files: [],
    text: demoRules,
  };
  return { ...config, listen, admin, rules };
}

/** Warnings and errors only: the demo speaks for itself. */
function quietLog(write: (text: string) => void): Logger {
  return createLogger({
    format: "human",
    level: "warn",
    colors: false,
    write: (line) => write(`\n${line}`),
    now: Date.now,
  });
}

/** Where a demo writes by default. */
export const demoOutput = {
  write: (text: string) => void process.stdout.write(text),
  terminal: process.stdout.isTTY === true,
};
