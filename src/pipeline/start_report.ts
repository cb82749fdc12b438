/**
 * What is in force, as the event `started` says it: one object for machines, a page for people (src/observe/banner.ts).
 *
 * @module
 */
import process from "node:process";
import type { RulesView } from "../admin/rules_view.ts";
import type { Config } from "../config/config.ts";
import { formatSize } from "../config/fields.ts";
import type { LogSettings } from "../core/log_names.ts";
import type { LogFields } from "../observe/log.ts";
import type { IoReport } from "./tcp_source.ts";

/** What has started. */
export interface Started {
  readonly config: Config;
  readonly version: string;
  readonly runtime: string;
  /** With their real addresses. */
  readonly listeners: readonly { readonly transport: string; readonly address: string }[];
  readonly io: IoReport | undefined;
  readonly rules: RulesView;
  readonly adminUrl: string | undefined;
}

/** The fields of `started`. */
export function startReport(
  { config, listeners, io, rules, adminUrl, version, runtime }: Started,
): LogFields {
  const { spool, deadLetter } = config;
  const readsPlainTcp = config.listen.some(({ kind, transport }) => kind === "syslog" && transport === "tcp");
  const files = rules.files.map(({ path }) => path).filter((path) => path !== config.file);
  return {
    version,
    runtime,
    pid: process.pid,
    config: config.file ?? "embedded default",
    rules: config.rules.rules.length,
    rules_version: rules.version,
    rules_hash: rules.hash,
    ...(files.length === 0 ? {} : { rule_files: files }),
    listeners: listeners.map((listener, index) => listenerName(config, listener, index)),
    workers: config.workers,
    memory: formatSize(config.limits.memoryBytes),
    ...(io === undefined || !readsPlainTcp ? {} : { io: io.used, io_reason: io.reason }),
    sink: config.sink,
    ...(config.sink === "kafka"
      ? { brokers: config.kafka.brokers.join(","), topic: config.kafka.topic }
      : {}),
    ...(config.sink === "file" ? { dir: config.fileSink.dir } : {}),
    spool: spool === undefined ? "none" : `${spool.dir} (${spool.durability})`,
    ...(spool === undefined ? {} : { spool_bytes_max: formatSize(spool.bytesMax) }),
    dead_letter: deadLetter.topic === undefined
      ? [deadLetter.file]
      : [`topic ${deadLetter.topic}`, deadLetter.file],
    ...(adminUrl === undefined ? {} : { admin: adminUrl }),
    log: logText(config.log),
  };
}

/** `syslog tcp://0.0.0.0:1514`, as the configuration would say it. */
function listenerName(
  { listen }: Config,
  { transport, address }: Started["listeners"][number],
  index: number,
): string {
  const kind = listen[index]?.kind ?? "";
  if (transport === "stdin") return `${kind} ${address}`;
  const scheme = kind !== "http" ? transport : transport === "tls" ? "https" : "http";
  return `${kind} ${scheme}://${address}`;
}

/** `info, kafka debug`. */
function logText({ level, levels }: LogSettings): string {
  return [level, ...Object.entries(levels).map(([name, own]) => `${name} ${own}`)].join(", ");
}
