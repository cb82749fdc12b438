/**
 * The listeners in force: addresses that do not collide, certificates that fit.
 *
 * @module
 */
import type { SyslogListen, TlsServer } from "./config.ts";
import { checkTls, type Findings, type ResolveContext } from "./findings.ts";
import { formatSize } from "./fields.ts";
import type { WrittenConfig } from "./schema.ts";
import { formatHostPort } from "./units.ts";
import type { Path } from "./yaml.ts";

type WrittenListen = NonNullable<WrittenConfig["listen"]>[number];

/** `frame_max` where no listener is written; the schema has the same for those that are. */
const defaultFrameBytesMax = 64 * 1024;

/** Where the embedded default listens: this machine only. */
const defaultListen: SyslogListen[] = [
  { kind: "syslog", transport: "tcp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
  { kind: "syslog", transport: "udp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
];

/** The listeners in force. */
export function resolveListeners(
  written: WrittenConfig,
  context: ResolveContext,
  findings: Findings,
): readonly SyslogListen[] {
  const entries = written.listen;
  if (entries === undefined) return defaultListen;
  const taken = new Map<string, number>();
  return entries.map((entry, index) => {
    const { transport, hostname, port, path } = entry.syslog;
    const name = transport === "unix"
      ? path
      : `${transport === "udp" ? "udp" : "tcp"} ${formatHostPort({ hostname, port })}`;
    const first = taken.get(name);
    if (first !== undefined && (port !== 0 || transport === "unix")) {
      findings.fault(
        ["listen", index, "syslog"],
        `the listener before (listen.${first}) has this address; remove one of them`,
      );
    } else taken.set(name, index);
    if (transport === "udp" && entry.framing !== undefined) {
      findings.fault(["listen", index, "framing"], "a datagram is one line; remove the key");
    }
    const tls = resolveTls(entry, index, context, findings);
    return {
      kind: "syslog",
      transport,
      hostname,
      port,
      path,
      framing: entry.framing ?? "auto",
      ...(tls === undefined ? {} : { tls }),
    };
  });
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

function resolveTls(
  entry: WrittenListen,
  index: number,
  context: ResolveContext,
  findings: Findings,
): TlsServer | undefined {
  const at: Path = ["listen", index, "tls"];
  if (entry.syslog.transport !== "tls") {
    if (entry.tls !== undefined) {
      const { hostname, port } = entry.syslog;
      const cure = entry.syslog.transport === "tcp"
        ? `write syslog: tls://${formatHostPort({ hostname, port })} or remove it`
        : "remove it";
      findings.fault(at, `certificates are for tls:// listeners; ${cure}`);
    }
    return undefined;
  }
  if (entry.tls === undefined) {
    findings.fault(at, "this key is missing; a tls:// listener needs tls: { cert: FILE, key: FILE }");
    return undefined;
  }
  const { absolute } = context;
  const { cert, key, ca } = entry.tls;
  const client = entry.tls.client ?? (ca === undefined ? "none" : "require");
  if (client !== "none" && ca === undefined) {
    findings.fault(
      [...at, "client"],
      `client: ${client} needs ca, the certificates that may sign client certificates`,
    );
  }
  if (client === "none" && ca !== undefined) {
    findings.warn([...at, "ca"], "client certificates are not asked for (client: none), so ca is not used");
  }
  const files = {
    cert: absolute(cert),
    key: absolute(key),
    ca: ca === undefined ? undefined : absolute(ca),
  };
  checkTls(files, at, context, findings);
  return {
    certFile: files.cert,
    keyFile: files.key,
    ...(files.ca === undefined ? {} : { caFile: files.ca }),
    client,
  };
}
