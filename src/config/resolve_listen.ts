/**
 * The listeners in force: addresses that do not collide, certificates that fit.
 *
 * @module
 */
import { isLoopback } from "../core/loopback.ts";
import {
  defaultFrameBytesMax,
  type HttpListen,
  type Listen,
  type ListenBase,
  type SpoolConfig,
} from "./config.ts";
import { tryRead } from "./files.ts";
import type { Findings, ResolveContext } from "./findings.ts";
import { formatSize } from "./fields.ts";
import type { WrittenConfig } from "./schema.ts";
import type { ListenUrl } from "./schema_listen.ts";
import { resolveTls } from "./resolve_tls.ts";
import { formatHostPort } from "./units.ts";
import type { Path } from "./yaml.ts";

/** One written entry of `listen`. */
export type WrittenListen = NonNullable<WrittenConfig["listen"]>[number];

/** Where the embedded default listens: this machine only. */
const defaultListen: Listen[] = [
  { kind: "syslog", transport: "tcp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
  { kind: "syslog", transport: "udp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
];

/** An answer comes by then: agents give up after 10 to 60 seconds. */
const defaultAnswerMs = 10_000;
/** Agents send batches of some megabytes. */
const defaultBodyBytesMax = 8 * 1024 * 1024;

/** HTTP on this machine, in the embedded default. */
function defaultHttp(durable: boolean): HttpListen {
  return {
    kind: "http",
    transport: "tcp",
    hostname: "127.0.0.1",
    port: 8080,
    path: "",
    ack: durable ? "disk" : "kafka",
    answerMs: defaultAnswerMs,
    bodyBytesMax: defaultBodyBytesMax,
    origins: [],
  };
}

/** The listeners in force. */
export function resolveListeners(
  written: WrittenConfig,
  spool: SpoolConfig | undefined,
  context: ResolveContext,
  findings: Findings,
): readonly Listen[] {
  const entries = written.listen;
  const durable = spool !== undefined && spool.durability !== "none";
  if (entries === undefined) return [...defaultListen, defaultHttp(durable)];
  const taken = new Map<string, number>();
  return entries.flatMap((entry, index): Listen[] => {
    const url = addressOf(entry, index, findings);
    if (url === undefined) return [];
    const at = ["listen", index, kindOf(entry)];
    const { transport, hostname, port, path } = url;
    const name = nameOf(url);
    const first = taken.get(name);
    if (first !== undefined && (port !== 0 || path !== "" || transport === "stdin")) {
      findings.fault(at, `the listener before (listen.${first}) has this address; remove one of them`);
    } else taken.set(name, index);
    checkKeys(entry, url, index, findings);
    const tls = resolveTls(entry, url, index, context, findings);
    const base: ListenBase = {
      transport,
      hostname,
      port,
      path,
      ...(tls === undefined ? {} : { tls }),
      ...(entry.allow_from === undefined ? {} : { allowFrom: entry.allow_from }),
      ...(entry.proxy_from === undefined ? {} : { proxyFrom: entry.proxy_from }),
      ...(entry.rate === undefined ? {} : { bytesPerSecond: entry.rate }),
      ...linesOf(entry),
    };
    if (entry.syslog !== undefined) return [{ kind: "syslog", ...base, framing: entry.framing ?? "auto" }];
    if (entry.ack === "disk" && !durable) {
      const cure = "write ack: kafka, or a spool with durability: os or fsync";
      findings.fault(["listen", index, "ack"], `there is no spool that keeps lines on disk; ${cure}`);
    }
    const ack = entry.ack ?? (durable ? "disk" : "kafka");
    if (entry.http !== undefined) return [{ ...base, ...resolveHttp(entry, ack, index, context, findings) }];
    if (ack === "none") {
      findings.fault(["listen", index, "ack"], "RELP answers each line; write memory, disk or kafka");
      return [];
    }
    return [{ kind: "relp", ...base, ack }];
  });
}

/** What an entry listens for. */
export function kindOf(entry: WrittenListen): Listen["kind"] {
  return entry.syslog !== undefined ? "syslog" : entry.http !== undefined ? "http" : "relp";
}

function resolveHttp(
  entry: WrittenListen,
  ack: HttpListen["ack"],
  index: number,
  context: ResolveContext,
  findings: Findings,
): Omit<HttpListen, keyof ListenBase> {
  const tokensFile = entry.tokens_file === undefined ? undefined : context.absolute(entry.tokens_file);
  if (tokensFile !== undefined) {
    const read = tryRead(context.files, tokensFile);
    if (!read.ok) {
      findings.fault(
        ["listen", index, "tokens_file"],
        `${tokensFile} ${read.problem}; make it: (umask 077; echo "NAME $(openssl rand -hex 32)" > ${tokensFile})`,
      );
    }
  } else if (
    !isLoopback(entry.http!.hostname) && entry.tls?.ca === undefined && entry.allow_from === undefined
  ) {
    findings.warn(
      ["listen", index, "http"],
      `${
        formatHostPort(entry.http!)
      } is reached from other machines, and everybody may send; write tokens_file, allow_from, or https:// with client certificates`,
    );
  }
  return {
    kind: "http",
    ack,
    answerMs: entry.ack_timeout ?? defaultAnswerMs,
    bodyBytesMax: entry.body_max ?? defaultBodyBytesMax,
    ...(tokensFile === undefined ? {} : { tokensFile }),
    origins: entry.cors ?? [],
  };
}

/** What an entry says of its lines, where it is not the default. */
function linesOf(entry: WrittenListen): Partial<ListenBase> {
  const { frame_max, oversize, unparsed, timezone, join } = entry;
  return {
    ...(frame_max === defaultFrameBytesMax ? {} : { frameBytesMax: frame_max }),
    ...(oversize === "truncate" ? {} : { oversize }),
    ...(unparsed === "forward" ? {} : { unparsed }),
    ...(timezone === "local" ? {} : { timezone }),
    ...(join === undefined ? {} : {
      join: { by: join.by, waitMs: join.wait, bytesMax: Math.min(join.max, frame_max) },
    }),
  };
}

/** The one address of an entry. */
function addressOf(entry: WrittenListen, index: number, findings: Findings): ListenUrl | undefined {
  const { syslog, relp, http } = entry;
  if (syslog !== undefined && relp !== undefined) {
    findings.fault(["listen", index, "relp"], "a listener is for syslog or for RELP; write two listeners");
  }
  if (http !== undefined && (syslog ?? relp) !== undefined) {
    findings.fault(
      ["listen", index, "http"],
      "a listener is for HTTP or for something else; write two listeners",
    );
  }
  if (syslog === undefined && relp === undefined && http === undefined) {
    findings.fault(["listen", index], "has no address; write syslog: tcp://0.0.0.0:1514");
  }
  return syslog ?? relp ?? http;
}

/** What cannot be bound twice. */
function nameOf({ transport, hostname, port, path }: ListenUrl): string {
  if (transport === "stdin") return transport;
  if (path !== "") return path;
  return `${transport === "udp" ? "udp" : "tcp"} ${formatHostPort({ hostname, port })}`;
}

/** Keys that do not fit the kind of the listener. */
function checkKeys(entry: WrittenListen, url: ListenUrl, index: number, findings: Findings): void {
  const { transport } = url;
  const fault = (key: string, message: string) => findings.fault(["listen", index, key] as Path, message);
  if (entry.framing !== undefined) {
    if (transport === "udp" || transport === "unixgram") {
      fault("framing", "a datagram is one line; remove the key");
    } else if (entry.relp !== undefined) fault("framing", "RELP has its own frames; remove the key");
    else if (entry.http !== undefined) fault("framing", "HTTP says it by Content-Type; remove the key");
  }
  if (entry.join !== undefined) {
    if (transport === "udp" || transport === "unixgram") {
      fault("join", "a datagram is one line, with all line ends in it; remove the key");
    } else if (entry.syslog === undefined) {
      fault("join", "RELP and HTTP have their own frames; remove the key");
    } else if (entry.framing === "octet" || entry.framing === "nul") {
      fault("join", `framing: ${entry.framing} has no line ends to join at; remove one of the keys`);
    }
  }
  if (entry.oversize !== "truncate" && entry.syslog === undefined) {
    fault("oversize", "RELP and HTTP take a line whole or refuse it; remove the key");
  }
  if (entry.ack !== undefined && entry.syslog !== undefined) {
    fault("ack", "syslog has no answers; remove the key, or listen for relp: instead");
  }
  if (entry.http === undefined) {
    for (const key of ["ack_timeout", "body_max", "tokens_file", "cors"] as const) {
      if (entry[key] !== undefined) fault(key, "this key is for http: listeners; remove it");
    }
  }
  const local = transport === "unix" || transport === "unixgram" || transport === "stdin";
  for (const key of ["allow_from", "proxy_from", "rate"] as const) {
    if (entry[key] !== undefined && local) {
      fault(key, `${transport} has no networks; remove the key`);
    }
  }
  if (entry.proxy_from !== undefined && transport === "udp") {
    fault("proxy_from", "datagrams have no PROXY header; remove the key");
  }
}

/** The longest `frame_max` of all listeners; a batch must hold a line of that size. */
export function resolveFrameBytesMax(written: WrittenConfig, findings: Findings): number {
  const sizes = (written.listen ?? []).map((entry) => entry.frame_max);
  const frameMax = sizes.length === 0 ? defaultFrameBytesMax : Math.max(...sizes);
  const batchMax = written.kafka.batch_max;
  if (batchMax < frameMax) {
    const words = `${formatSize(batchMax)} cannot hold a line of frame_max (${formatSize(frameMax)})`;
    findings.fault(["kafka", "batch_max"], `${words}; raise it or lower frame_max`);
  }
  return frameMax;
}
