/**
 * Which source of TCP bytes a worker uses: the runtime's own sockets, or io_uring with receive buffers in the kernel
 * module's memory, where a chunk stays until its lines are encoded.
 *
 * `io: auto` takes io_uring where it is permitted and `bench/io.ts` shows that it wins (docs/DECISIONS.md); `io: uring`
 * takes it wherever it is permitted. Anything that goes wrong before the first listener is bound leads to the native
 * sockets, with the reason in the log and in `GET /admin/stats`.
 *
 * Only syslog comes through it: HTTP and RELP answer, and TLS is node:tls.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";
import { type Kernel, receiveBufferBytes, receiveHeadBytes } from "../kernel/kernel.ts";
import { runtime } from "../runtime/current.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { probeUring } from "../runtime/uring/probe.ts";
import { openUringTcp, type UringTcp } from "../runtime/uring/tcp_source.ts";
import type { WorkerLog } from "./protocol.ts";

/** Receive buffers of a worker, 128 KiB of addresses each; memory that is never received into costs nothing. */
const receiveBuffers = 256;

/** What is in use, and why. */
export interface IoReport {
  /** What the configuration asks for. */
  readonly wanted: Config["io"];
  readonly used: "native" | "uring";
  readonly reason: string;
}

/** Where a worker's plain TCP of syslog comes from. */
export interface TcpSource {
  readonly report: IoReport;
  readonly listenTcp: Runtime["listenTcp"];
  close(): Promise<void>;
}

/** What `auto` takes where io_uring is permitted, and why: the figures are in docs/DECISIONS.md. */
const autoTakes: Readonly<
  Record<Runtime["name"], { readonly used: IoReport["used"]; readonly reason: string }>
> = {
  bun: {
    used: "native",
    reason: "auto: the sockets of Bun are nearly as fast, and io_uring is opt-in there",
  },
  deno: { used: "uring", reason: "auto: io_uring takes less CPU per line than the sockets of Deno" },
};

/** Whether it is worth asking for io_uring. A reload may bring the first listener for it. */
function asks({ io }: Config): boolean {
  return io === "uring" || io === "auto" && autoTakes[runtime.name].used === "uring";
}

/** Receive buffers that the kernel of a worker needs. */
export function receiveBuffersOf(config: Config): number {
  return asks(config) ? receiveBuffers : 0;
}

/** Opens it; `log` hears of a refusal. Never rejects. */
export async function openTcpSource(config: Config, kernel: Kernel, log: WorkerLog): Promise<TcpSource> {
  const { io } = config;
  if (io === "native") return native(io, "io: native is configured");
  if (!asks(config)) return native(io, autoTakes[runtime.name].reason);
  const verdict = await probeUring();
  let problem = verdict.ok ? undefined : { code: verdict.code as string, reason: verdict.reason };
  let uring: UringTcp | undefined;
  if (problem === undefined) {
    try {
      uring = await openUringTcp({
        bytes: kernel.bytes,
        at: kernel.receiveAt,
        count: kernel.sizes.receiveBuffers,
        headBytes: receiveHeadBytes,
        bufferBytes: receiveBufferBytes,
      });
    } catch (error) {
      problem = { code: "failed", reason: messageOf(error) };
    }
  }
  if (uring === undefined) {
    const { code, reason } = problem!;
    const consequence = "syslog over plain TCP is read by the runtime's own sockets";
    log("io_uring_unavailable", { wanted: io, code, reason, consequence }, io === "uring" ? "warn" : "info");
    return native(io, reason);
  }
  const source = uring;
  return {
    report: {
      wanted: io,
      used: "uring",
      reason: io === "uring" ? "io: uring is configured" : autoTakes[runtime.name].reason,
    },
    // A socket that was inherited may block or not, and another process may accept from it too: the runtime knows how.
    listenTcp: (address, handler, giveAway) =>
      address.fd === undefined
        ? source.listenTcp(address, handler)
        : runtime.listenTcp(address, handler, giveAway),
    close: () => source.close(),
  };
}

function native(wanted: Config["io"], reason: string): TcpSource {
  return {
    report: { wanted, used: "native", reason },
    listenTcp: runtime.listenTcp,
    close: () => Promise.resolve(),
  };
}
