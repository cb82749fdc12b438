import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { spawn } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { probeAddress } from "../../../src/io/probe.ts";
import { dial, recorder } from "../runtime/support.ts";

/** A process of the same user that shares a TCP and a UDP port; gives both, and its end. */
async function foreignProcess(): Promise<{ tcp: number; udp: number; stop(): Promise<void> }> {
  const script = fileURLToPath(new URL("./foreign_listener.ts", import.meta.url));
  const args = runtime.name === "bun" ? [script] : ["run", "-A", "--no-check", "--unstable-net", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const line = await new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve));
  return {
    ...JSON.parse(line),
    stop() {
      child.kill("SIGKILL");
      return exited;
    },
  };
}

describe("probeAddress()", () => {
  it("throws address_in_use when another process shares the port with SO_REUSEPORT, and not once it is gone", async () => {
    const foreign = await foreignProcess();
    const shared = { hostname: "127.0.0.1", port: foreign.tcp, reusePort: true };
    const silent = await runtime.listenTcp(shared, recorder());
    await silent.close(); // Without the probe nothing is noticed.

    for (const transport of ["tcp", "udp"] as const) {
      await assert.rejects(
        probeAddress({ transport, hostname: "127.0.0.1", port: foreign[transport] }),
        (error) => {
          assert.ok(error instanceof ForwarderError);
          assert.equal(error.code, "address_in_use");
          assert.match(
            error.message,
            new RegExp(`^Cannot listen on "127\\.0\\.0\\.1:${foreign[transport]}"`),
          );
          return true;
        },
      );
    }
    await foreign.stop();
    for (const transport of ["tcp", "udp"] as const) {
      await probeAddress({ transport, hostname: "127.0.0.1", port: foreign[transport] });
    }
  });

  it("leaves the port free when it was", async () => {
    const address = { hostname: "127.0.0.1", port: 0, reusePort: false };
    const handler = recorder();
    const first = await runtime.listenTcp(address, handler);
    (await dial(first.port)).end();
    await first.close();
    for (let i = 0; i < 3; i++) {
      await probeAddress({ transport: "tcp", hostname: "127.0.0.1", port: first.port });
    }
    const second = await runtime.listenTcp({ ...address, port: first.port, reusePort: true }, handler);
    await second.close();
  });

  it("throws address_not_available when no interface has the address", async () => {
    for (const transport of ["tcp", "udp"] as const) {
      await assert.rejects(
        probeAddress({ transport, hostname: "192.0.2.1", port: 50_514 }),
        (error) => error instanceof ForwarderError && error.code === "address_not_available",
      );
    }
  });

  it("resolves when the port is 0", () => probeAddress({ transport: "tcp", hostname: "192.0.2.1", port: 0 }));
});
