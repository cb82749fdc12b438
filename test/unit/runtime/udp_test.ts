import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";
import { receiveBufferBytes } from "../../../src/runtime/limits.ts";
import { until } from "./support.ts";

/** Sends one packet and waits until the operating system has it. */
function send(socket: Socket, packet: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, port, "127.0.0.1", (error) => error ? reject(error) : resolve());
  });
}

describe("listenUdp()", () => {
  it("receives a burst of 5000 packets whole, with the sender's address", async () => {
    const seen = new Set<string>();
    const peers = new Set<string>();
    const listener = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: false }, {
      received(packet, peer) {
        seen.add(new TextDecoder().decode(packet));
        peers.add(peer);
      },
    });
    const socket = createSocket("udp4");
    for (let i = 0; i < 5000; i += 100) {
      await Promise.all(
        Array.from(
          { length: 100 },
          (_, k) => send(socket, new TextEncoder().encode(`packet ${i + k}`), listener.port),
        ),
      );
    }
    await until("all packets", () => seen.size === 5000);
    assert.deepEqual([...peers], [`127.0.0.1:${socket.address().port}`]);
    socket.close();
    await listener.close();
  });

  it("takes empty and 60,000-byte packets when they come, and goes on when the handler throws", async () => {
    const faults: string[] = [];
    setFaultReporter((where) => faults.push(where));
    const lengths: number[] = [];
    const listener = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: false }, {
      received(packet) {
        if (packet.length === 3) throw new Error("broken");
        lengths.push(packet.length);
      },
    });
    const socket = createSocket("udp4");
    for (const bytes of [60_000, 3, 0, 17]) await send(socket, new Uint8Array(bytes), listener.port);
    await until("all packets", () => lengths.length === 3);
    assert.deepEqual(lengths, [60_000, 0, 17]);
    assert.deepEqual(faults, ["udp.received"]);
    setFaultReporter(undefined);
    socket.close();
    await listener.close();
    await listener.close();
  });

  it(
    "has a receive buffer of 8 MiB, or what the system allows",
    { skip: process.platform !== "linux" },
    async () => {
      const listener = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: true }, {
        received() {},
      });
      const text = await new Promise<string>((resolve) => {
        const child = spawn("ss", ["-Huanm", `sport = :${listener.port}`], {
          stdio: ["ignore", "pipe", "ignore"],
        });
        let output = "";
        child.stdout.on("data", (chunk) => output += chunk);
        child.on("error", () => resolve(""));
        child.on("close", () => resolve(output));
      });
      // CAP_NET_ADMIN is the right to pass it.
      const rights = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]}`);
      const allowed = (rights >> 12n & 1n) === 1n
        ? receiveBufferBytes
        : Number(readFileSync("/proc/sys/net/core/rmem_max", "utf8"));
      const got = /rb(\d+)/.exec(text);
      // The kernel counts twice what was asked for (socket(7)).
      if (got !== null) {
        assert.ok(
          Number(got[1]) >= 2 * Math.min(receiveBufferBytes, allowed),
          `got ${got[1]}`,
        );
      }
      await listener.close();
    },
  );

  it("shares the port when reusePort is set, and loses nothing", async () => {
    const counts = [0, 0];
    const first = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: true }, {
      received: () => void (counts[0] += 1),
    });
    const second = await runtime.listenUdp({ hostname: "127.0.0.1", port: first.port, reusePort: true }, {
      received: () => void (counts[1] += 1),
    });
    const sockets = Array.from({ length: 100 }, () => createSocket("udp4"));
    await Promise.all(sockets.map((socket) => send(socket, new Uint8Array(1), first.port)));
    await until("all packets", () => counts[0] + counts[1] === 100);
    assert.equal(counts[0] > 0 && counts[1] > 0, await runtime.udpBalanced(), `balanced: ${counts}`);
    for (const socket of sockets) socket.close();
    await first.close();
    await second.close();
  });

  it("throws address_in_use when another socket has the port alone", async () => {
    const address = { hostname: "127.0.0.1", port: 0, reusePort: false };
    const listener = await runtime.listenUdp(address, { received() {} });
    await assert.rejects(
      runtime.listenUdp({ ...address, port: listener.port }, { received() {} }),
      (error) => error instanceof ForwarderError && error.code === "address_in_use",
    );
    await listener.close();
    const again = await runtime.listenUdp({ ...address, port: listener.port }, { received() {} });
    await again.close();
  });

  it("is off the system's table when it was closed", { skip: process.platform !== "linux" }, async () => {
    const listener = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: false }, {
      received() {},
    });
    const row = `:${listener.port.toString(16).toUpperCase().padStart(4, "0")} `;
    assert.ok((await readFile("/proc/net/udp", "utf8")).includes(row));
    await listener.close();
    assert.ok(!(await readFile("/proc/net/udp", "utf8")).includes(row));
  });
});
