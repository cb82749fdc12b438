/**
 * What a forwarder at a fixed rate cannot go below on this machine: a program in C, and a bare one on Bun, that sleep for
 * 5 ms, read what has come from all senders, and write it on as one request, without looking at a byte of it.
 *
 *     make -C bench && bun bench/floor.ts [--connections 4] [--rate 50000] [--seconds 5]
 *
 * The third row leaves chunks that were read to the garbage collector instead of giving them back.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bunGlobal } from "../src/runtime/globals.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const warmSeconds = 3;
const lingerMs = 5;
const acknowledgedMs = 2;
const readerPort = 15_614;

/** The bare reader: its own process, `bun bench/floor.ts --reader PORT SINK_PORT gives|leaves`. */
function read(port: number, sinkPort: number, gives: boolean): void {
  const request = new Uint8Array(4 * 1024 * 1024);
  const head = new DataView(request.buffer);
  const never = new Int32Array(new SharedArrayBuffer(4));
  let end = 4;
  let isArmed = false;
  const sink = connect(sinkPort, "127.0.0.1").setNoDelay(true).on("data", () => {});
  const turnEnded = (): void => {
    isArmed = false;
    head.setUint32(0, end - 4);
    sink.write(request.subarray(0, end));
    end = 4;
    Atomics.wait(never, 0, 0, lingerMs);
  };
  bunGlobal!.listen<undefined>({
    hostname: "127.0.0.1",
    allowHalfOpen: false,
    port,
    socket: {
      data(_socket, chunk) {
        request.set(chunk, end);
        end += chunk.length;
        if (gives) (chunk.buffer as ArrayBuffer).transfer(0);
        if (!isArmed) setImmediate(turnEnded);
        isArmed = true;
      },
      open() {},
      end: (socket) => void socket.end(),
      drain() {},
      close() {},
      error() {},
    },
  });
}

/** Answers each request after 2 ms, as the benchmark's sink does. */
async function openSink(): Promise<number> {
  const server = createServer((socket) => {
    let left = 0;
    socket.setNoDelay(true).on("error", () => {}).on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) {
        if (left === 0) {
          left = chunk.readUInt32BE(at);
          at += 4;
        }
        const took = Math.min(left, chunk.length - at);
        at += took;
        left -= took;
        if (left === 0) setTimeout(() => socket.write(new Uint8Array(60)), acknowledgedMs);
      }
    });
  });
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  server.unref();
  return (server.address() as { port: number }).port;
}

/** Nanoseconds that all threads of a process were on a core, and its page faults. */
function usageOf(pid: number): { readonly ns: number; readonly faults: number } {
  const ns = readdirSync(`/proc/${pid}/task`)
    .map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "latin1").split(" ")[0]))
    .reduce((sum, ran) => sum + ran, 0);
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return { ns, faults: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[7]) };
}

async function measure(
  name: string,
  reader: ChildProcess,
  load: readonly string[],
  seconds: number,
): Promise<void> {
  await sleep(1_000);
  const sender = spawn(`${here}sendlines`, load, { stdio: "ignore" });
  const sent = new Promise((ended) => sender.once("exit", ended));
  await sleep(warmSeconds * 1_000);
  const before = usageOf(reader.pid!);
  const fromMs = performance.now();
  await sleep(seconds * 1_000);
  const after = usageOf(reader.pid!);
  const tookS = (performance.now() - fromMs) / 1_000;
  await sent;
  reader.kill();
  const lines = Number(load[load.indexOf("--rate") + 1]) * tookS;
  const cpu = (after.ns - before.ns) / 1e9 / lines * 1e6;
  const faults = (after.faults - before.faults) / tookS;
  console.log(
    `${name.padEnd(34)} ${cpu.toFixed(2)} CPU-s per million lines, ${faults.toFixed(0)} page faults/s`,
  );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reader: { type: "boolean", default: false },
    connections: { type: "string", default: "4" },
    rate: { type: "string", default: "50000" },
    seconds: { type: "string", default: "5" },
  },
});
if (values.reader) {
  const [port, sinkPort, chunks] = positionals;
  read(Number(port), Number(sinkPort), chunks === "gives");
} else {
  const sinkPort = String(await openSink());
  const seconds = Number(values.seconds);
  const lines = Math.ceil(Number(values.rate) * (seconds + warmSeconds + 1));
  const rows: readonly (readonly [string, string, readonly string[]])[] = [
    ["C", `${here}floor`, []],
    ["Bun, chunks are given back", process.execPath, ["gives"]],
    ["Bun, chunks are left to collect", process.execPath, ["leaves"]],
  ];
  for (const [index, [name, program, how]] of rows.entries()) {
    const port = String(readerPort + index);
    const script = how.length === 0 ? [] : [fileURLToPath(import.meta.url), "--reader"];
    const reader = spawn(program, [...script, port, sinkPort, ...how], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const to = ["--port", port, "--conns", values.connections, "--rate", values.rate];
    await measure(name, reader, [...to, "--lines", String(lines), "--linger", "1000"], seconds);
  }
}
