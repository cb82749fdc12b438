/**
 * One sender that sends as fast as it can beside 200 that send a line now and then and wait for its answer: the fat one
 * may cost the others little. The answer is RELP's with `ack: memory`, so that only the worker's turns count.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import process from "node:process";
import { it } from "node:test";
import { Corndog, dial } from "../support/corndog.ts";

const thin = 200;
/**
 * The load and the test share the cores with the worker: what the operating system's turns cost is not the worker's
 * doing. A worker without turns answers after seconds.
 */
const sharedCoresMs = 30;
const tries = 5;

it("one fat connection does not starve 200 thin ones", async () => {
  const corndog = await Corndog.start(`listen:
  - relp: tcp://127.0.0.1:0
    ack: memory
  - syslog: tcp://127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
sink: blackhole
workers: 1
`);
  const began: number[] = [];
  const latencies: number[] = [];
  try {
    await corndog.started();
    const offers = "relp_version=0\ncommands=syslog";
    const sockets = await Promise.all(Array.from({ length: thin }, () => dial(corndog.port("relp"))));
    sockets.forEach((socket, index) => {
      began.push(0);
      socket.on("data", (_: Buffer) => {
        if (began[index]! > 0) latencies.push(performance.now() - began[index]!);
        began[index] = 0;
      });
      socket.write(`1 open ${offers.length} ${offers}\n`);
    });
    /** The 99th percentile of the answers of a second; Infinity when they are too few to tell. */
    const p99 = async () => {
      latencies.length = 0;
      const until = performance.now() + 1000;
      for (let index = 0; performance.now() < until; index = (index + 1) % thin) {
        if (began[index] === 0) {
          began[index] = performance.now();
          sockets[index]!.write("2 syslog 20 <13>1 - h a - - - hi\n");
        }
        if (index % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      if (latencies.length <= thin) return Infinity;
      return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)]!;
    };
    await p99();
    const flood = `import socket,sys
s=socket.create_connection(("127.0.0.1",int(sys.argv[1])))
b=b"<13>1 2026-01-02T03:04:05Z h app - - - fat\\n"*4000
while True: s.sendall(b)`;
    const figures: string[] = [];
    for (let attempt = 0; attempt < tries; attempt++) {
      const without = await p99();
      const fat = spawn("python3", ["-c", flood, String(corndog.port("tcp"))], { stdio: "ignore" });
      const before = (await corndog.stats()).ledger.received;
      const beside = await p99();
      const lines = (await corndog.stats()).ledger.received - before;
      process.kill(fat.pid!, "SIGKILL");
      await new Promise((resolve) => fat.once("close", resolve));
      figures.push(`p99 ${without.toFixed(1)} ms alone, ${beside.toFixed(1)} ms beside ${lines} lines`);
      const isFair = Number.isFinite(without) && beside < 2 * without + sharedCoresMs;
      if (isFair && lines > 50_000) return console.log(figures.join("; "));
    }
    assert.fail(figures.join("; "));
  } finally {
    await corndog.dispose();
  }
});
