/**
 * Receive-only throughput of the runtime's TCP listener: what the source of bytes costs before anything is done with
 * them. A child process sends 200-byte lines; the listener counts bytes. CPU is this process's alone, so compare rows
 * at the same rate, or the CPU per line where reads are equally full.
 *
 *     bun bench/io.ts [--seconds 3] [--workload all|bulk|steady|trickle|idle] [--source all|native|uring]
 *     deno run -A bench/io.ts
 *
 * - `bulk`: 4 connections, 64 KiB a write, as fast as it goes.
 * - `steady`: 500 connections, one line a write, 200,000 lines/s in all.
 * - `trickle`: 50 connections, one line a write, 2,000 lines/s in all.
 * - `idle`: 50 connections that send nothing after their first line.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runtime } from "../src/runtime/current.ts";
import { probeUring } from "../src/runtime/uring/probe.ts";
import { openUringTcp, type UringTcp } from "../src/runtime/uring/tcp_source.ts";

const lineBytes = 200;

interface Workload {
  readonly name: string;
  readonly connections: number;
  readonly linesPerWrite: number;
  /** Lines per second in all; 0 is as fast as it goes. */
  readonly rate: number;
}

const workloads: readonly Workload[] = [
  { name: "bulk", connections: 4, linesPerWrite: 327, rate: 0 },
  { name: "steady", connections: 500, linesPerWrite: 1, rate: 200_000 },
  { name: "trickle", connections: 50, linesPerWrite: 1, rate: 2_000 },
  { name: "idle", connections: 50, linesPerWrite: 1, rate: 1 },
];

/** The child: sends until it is stopped. */
async function send(port: number, workload: Workload): Promise<void> {
  const line = "<13>1 2026-01-02T03:04:05Z host app - - - ".padEnd(lineBytes - 1, "x") + "\n";
  const block = new TextEncoder().encode(line.repeat(workload.linesPerWrite));
  const sockets = await Promise.all(
    Array.from({ length: workload.connections }, () =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, "127.0.0.1", () => resolve(socket.setNoDelay(true)));
        socket.on("error", reject);
      })),
  );
  if (workload.rate === 0) {
    for (const socket of sockets) {
      const fill = (): void => {
        while (socket.write(block));
      };
      socket.on("drain", fill);
      fill();
    }
    return;
  }
  const startMs = performance.now();
  let sent = 0;
  let next = 0;
  setInterval(() => {
    const due = (performance.now() - startMs) / 1000 * workload.rate;
    for (; sent < due; sent += workload.linesPerWrite) sockets[next++ % sockets.length].write(block);
  }, 1);
}

/** As the kernel module has it: src/kernel/instance.ts. */
function openUring(): Promise<UringTcp> {
  const [count, bytes] = [256, 64 * 1024];
  const { buffer } = new WebAssembly.Memory({ initial: 2 * count, maximum: 2 * count });
  return openUringTcp({ bytes: new Uint8Array(buffer), at: 0, count, headBytes: bytes, bufferBytes: bytes });
}

/** Listens, starts the child, and prints one row. */
async function measure(workload: Workload, seconds: number, source: "native" | "uring"): Promise<void> {
  const uring = source === "uring" ? await openUring() : undefined;
  const { listenTcp } = uring ?? runtime;
  let bytes = 0;
  let chunks = 0;
  const listener = await listenTcp<object>({ hostname: "127.0.0.1", port: 0, reusePort: false }, {
    opened: () => ({}),
    received(_state, chunk) {
      bytes += chunk.length;
      chunks += 1;
    },
    closed() {},
  });
  const self = fileURLToPath(import.meta.url);
  const args = runtime.name === "bun" ? [self] : ["run", "-A", "--no-check", "--unstable-net", self];
  const child = spawn(process.execPath, [
    ...args,
    "--send-to",
    String(listener.port),
    "--workload",
    workload.name,
  ], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const end = Date.now() + 10_000;
  while (bytes === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 500)); // Warm: buffers grown, code compiled.

  const from = { bytes, chunks, cpu: process.cpuUsage(), ms: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const cpu = process.cpuUsage(from.cpu);
  const lines = (bytes - from.bytes) / lineBytes;
  const elapsed = (performance.now() - from.ms) / 1000;
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  console.log(JSON.stringify({
    runtime: runtime.version,
    workload: workload.name,
    source,
    lines_per_s: Math.round(lines / elapsed),
    bytes_per_chunk: Math.round((bytes - from.bytes) / (chunks - from.chunks)),
    cpu_s_per_million_lines: Number((cpuSeconds / lines * 1e6).toFixed(3)),
    cores: Number((cpuSeconds / elapsed).toFixed(2)),
    rss_mib: Math.round(process.memoryUsage().rss / 1024 / 1024),
    ...uring?.counts,
  }));
  child.kill("SIGKILL");
  await exited;
  await listener.close();
  await uring?.close();
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    workload: { type: "string", default: "all" },
    source: { type: "string", default: "all" },
    "send-to": { type: "string" },
  },
});
const chosen = workloads.filter(({ name }) => values.workload === "all" || values.workload === name);
if (values["send-to"] !== undefined) {
  await send(Number(values["send-to"]), chosen[0]);
} else {
  const verdict = await probeUring();
  if (!verdict.ok) console.error(`no io_uring here: ${verdict.reason}`);
  for (const workload of chosen) {
    for (const source of ["native", "uring"] as const) {
      if (source === "uring" && !verdict.ok) continue;
      if (values.source === "all" || values.source === source) {
        await measure(workload, Number(values.seconds), source);
      }
    }
  }
  process.exit(0);
}
