/**
 * The listeners in force: addresses that do not collide, certificates that fit.
 *
 * @module
 */
import type { Listen, ListenBase, SpoolConfig } from "./config.ts";
import type { Findings, ResolveContext } from "./findings.ts";
import { formatSize } from "./fields.ts";
import type { WrittenConfig } from "./schema.ts";
import type { ListenUrl } from "./schema_listen.ts";
import { resolveTls } from "./resolve_tls.ts";
import { formatHostPort } from "./units.ts";
import type { Path } from "./yaml.ts";

/** One written entry of `listen`. */
export type WrittenListen = NonNullable<WrittenConfig["listen"]>[number];

/** `frame_max` where no listener is written; the schema has the same for those that are. */
const defaultFrameBytesMax = 64 * 1024;

/** Where the embedded default listens: this machine only. */
const defaultListen: Listen[] = [
  { kind: "syslog", transport: "tcp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
  { kind: "syslog", transport: "udp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
];

/** The listeners in force. */
export function resolveListeners(
  written: WrittenConfig,
  spool: SpoolConfig | undefined,
  context: ResolveContext,
  findings: Findings,
): readonly Listen[] {
  const entries = written.listen;
  if (entries === undefined) return defaultListen;
  const taken = new Map<string, number>();
  const durable = spool !== undefined && spool.durability !== "none";
  return entries.flatMap((entry, index): Listen[] => {
    const url = addressOf(entry, index, findings);
    if (url === undefined) return [];
    const at = ["listen", index, entry.syslog === undefined ? "relp" : "syslog"];
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
    };
    if (entry.relp === undefined) return [{ kind: "syslog", ...base, framing: entry.framing ?? "auto" }];
    if (entry.ack === "disk" && !durable) {
      const cure = "write ack: kafka, or a spool with durability: os or fsync";
      findings.fault(["listen", index, "ack"], `there is no spool that keeps lines on disk; ${cure}`);
    }
    return [{ kind: "relp", ...base, ack: entry.ack ?? (durable ? "disk" : "kafka") }];
  });
}

/** The one address of an entry. */
function addressOf(entry: WrittenListen, index: number, findings: Findings): ListenUrl | undefined {
  const { syslog, relp } = entry;
  if (syslog !== undefined && relp !== undefined) {
    findings.fault(["listen", index, "relp"], "a listener is for syslog or for RELP; write two listeners");
  }
  if (syslog === undefined && relp === undefined) {
    findings.fault(["listen", index], "has no address; write syslog: tcp://0.0.0.0:1514");
  }
  return syslog ?? relp;
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
  }
  if (entry.ack !== undefined && entry.relp === undefined) {
    fault("ack", "syslog has no answers; remove the key, or listen for relp: instead");
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

/** The one `frame_max` of all listeners; a batch must hold a line of that size. */
export function resolveFrameBytesMax(written: WrittenConfig, findings: Findings): number {
  const entries = written.listen ?? [];
  const frameMax = entries[0]?.frame_max ?? defaultFrameBytesMax;
  entries.forEach((entry, index) => {
    if (entry.frame_max !== frameMax) {
      findings.fault(
        ["listen", index, "frame_max"],
        `this version has one frame_max for all listeners; write ${
          formatSize(frameMax)
        } as in listen.0 (64KiB where it is not written)`,
      );
    }
  });
  const batchMax = written.kafka.batch_max;
  if (batchMax < frameMax) {
    const sizes = `${formatSize(batchMax)} cannot hold a line of frame_max (${formatSize(frameMax)})`;
    findings.fault(["kafka", "batch_max"], `${sizes}; raise it or lower frame_max`);
  }
  return frameMax;
}
