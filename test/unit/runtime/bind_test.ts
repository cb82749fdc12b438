import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, lstat, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { ForwarderError } from "../../../src/core/errors.ts";
import { bindError, formatAddress, PeerNames } from "../../../src/runtime/address.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { dial, recorder, until } from "./support.ts";

const dir = await mkdtemp(join(tmpdir(), "corndog-bind-"));
after(() => rm(dir, { recursive: true }));

describe("listenTcp()", () => {
  it("throws address_in_use with address and cure when the port is taken", async () => {
    const address = { hostname: "127.0.0.1", port: 0, reusePort: false };
    const listener = await runtime.listenTcp(address, recorder());
    await assert.rejects(runtime.listenTcp({ ...address, port: listener.port }, recorder()), (error) => {
      assert.ok(error instanceof ForwarderError);
      assert.equal(error.code, "address_in_use");
      assert.equal(
        error.message,
        `Cannot listen on "127.0.0.1:${listener.port}": address in use, ` +
          "stop the process that has it or choose another port",
      );
      return true;
    });
    await listener.close();
  });

  it("throws address_not_available when no interface has the address or the name is unknown", async () => {
    for (const hostname of ["192.0.2.1", "no-such-host.invalid"]) {
      await assert.rejects(
        runtime.listenTcp({ hostname, port: 0, reusePort: false }, recorder()),
        (error) => error instanceof ForwarderError && error.code === "address_not_available",
        hostname,
      );
    }
  });

  it("can be bound again at once when it was closed", async () => {
    const address = { hostname: "127.0.0.1", port: 0, reusePort: false };
    const first = await runtime.listenTcp(address, recorder());
    (await dial(first.port)).destroy();
    await first.close();
    const second = await runtime.listenTcp({ ...address, port: first.port }, recorder());
    assert.equal(second.port, first.port);
    await second.close();
  });

  it("has a backlog of 2048 on Linux", { skip: process.platform !== "linux" }, async () => {
    const listener = await runtime.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: true }, recorder());
    const somaxconn = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
    const output = await run("ss", ["-Hltn", `sport = :${listener.port}`]);
    if (output !== undefined) assert.equal(Number(output.trim().split(/\s+/)[2]), Math.min(2048, somaxconn));
    await listener.close();
  });

  it("shares one port between worker threads when reusePort is set", async () => {
    const workers = Array.from(
      { length: 3 },
      () =>
        new Worker(new URL("./listener_worker.ts", import.meta.url), {
          workerData: { hostname: "127.0.0.1" },
        }),
    );
    const opened = [0, 0, 0];
    const ports = [0, 0, 0];
    let bytes = 0;
    workers.forEach((worker, index) =>
      worker.on("message", (message: { port?: number; opened?: number; bytes?: number }) => {
        if (message.port !== undefined) ports[index] = message.port;
        if (message.opened !== undefined) opened[index] += message.opened;
        if (message.bytes !== undefined) bytes += message.bytes;
      })
    );
    workers[0].postMessage({ listen: 0 });
    await until("the first is bound", () => ports[0] > 0);
    workers[1].postMessage({ listen: ports[0] });
    workers[2].postMessage({ listen: ports[0] });
    await until("all are bound", () => ports.every((port) => port === ports[0]));

    const sockets = await Promise.all(Array.from({ length: 200 }, () => dial(ports[0])));
    for (const socket of sockets) socket.end("0123456789");
    await until("all bytes", () => bytes === 2000);
    assert.equal(opened[0] + opened[1] + opened[2], 200);
    // 200 hashes over three: fewer than 20 for one has a probability under 1e-9.
    for (const count of opened) assert.ok(count >= 20, `balanced: ${opened}`);
    for (const worker of workers) await worker.terminate();
  });
});

describe("listenUnix()", () => {
  it("replaces the socket file when its owner was killed", async () => {
    const path = join(dir, "stale.sock");
    const script = `import { createServer } from "node:net"; import process from "node:process";
      createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    const child = spawn(process.execPath, [runtime.name === "bun" ? "-e" : "eval", script], {
      stdio: "ignore",
    });
    await new Promise((resolve) => child.on("exit", resolve));
    assert.ok((await lstat(path)).isSocket(), "the dead owner left its file");
    const handler = recorder();
    const listener = await runtime.listenUnix(path, handler);
    assert.equal(listener.address, path);
    (await dial(path)).end("hi");
    await until("bytes", () => handler.records[0]?.text === "hi");
    assert.match(handler.records[0].connection.peer, /^unix(?::pid=\d+,uid=\d+,gid=\d+)?$/);
    await listener.close();
    await until("the file is gone", () => !exists(path));
  });

  it("lets every user send when the umask would not", async () => {
    const path = join(dir, "open.sock");
    const umask = process.umask(0o077);
    try {
      const listener = await runtime.listenUnix(path, recorder());
      assert.equal(((await lstat(path)).mode & 0o777).toString(8), "666");
      await listener.close();
    } finally {
      process.umask(umask);
    }
  });

  it("throws address_in_use and leaves the file when a process listens there", async () => {
    const path = join(dir, "live.sock");
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once("listening", resolve));
    await assert.rejects(
      runtime.listenUnix(path, recorder()),
      (error) => error instanceof ForwarderError && error.code === "address_in_use",
    );
    (await dial(path)).destroy();
    server.close();
  });

  it("throws and leaves the file when a file that is no socket lies there", async () => {
    const path = join(dir, "file");
    await writeFile(path, "keep");
    await assert.rejects(runtime.listenUnix(path, recorder()), /a file that is no socket lies there/);
    assert.equal(readFileSync(path, "utf8"), "keep");
  });

  it("names the cure when the directory does not exist or may not be written", async () => {
    await assert.rejects(
      runtime.listenUnix(join(dir, "none", "a.sock"), recorder()),
      /its directory does not exist/,
    );
    if (process.getuid?.() === 0) return; // root may write everywhere
    await chmod(dir, 0o500);
    await assert.rejects(
      runtime.listenUnix(join(dir, "b.sock"), recorder()),
      (error) => error instanceof ForwarderError && error.code === "permission_denied",
    );
    await chmod(dir, 0o700);
  });
});

describe("bindError()", () => {
  const table = [
    {
      name: "privileged port",
      port: 514,
      error: { code: "EACCES" },
      want: 'Cannot listen on "0.0.0.0:514": permission denied, ports under 1024 need CAP_NET_BIND_SERVICE',
    },
    { name: "EPERM", port: 5140, error: { code: "EPERM", message: "no" }, want: /: permission denied/ },
    { name: "Deno's permissions", port: 514, error: { name: "NotCapable" }, want: /Deno needs --allow-net$/ },
    { name: "no interface", port: 1, error: { code: "EADDRNOTAVAIL" }, want: /: no interface of this host/ },
    {
      name: "name not found",
      port: 1,
      error: new Error("lookup failed"),
      want: /not available \(lookup failed\)$/,
    },
  ];
  for (const { name, port, error, want } of table) {
    it(`names address and cure when the cause is ${name}`, () => {
      const { message } = bindError("0.0.0.0", port, error);
      if (typeof want === "string") assert.equal(message, want);
      else assert.match(message, want);
    });
  }
});

describe("formatAddress()", () => {
  for (
    const { hostname, want } of [
      { hostname: "10.0.0.1", want: "10.0.0.1:5" },
      { hostname: "::1", want: "[::1]:5" },
      { hostname: "::ffff:10.0.0.1", want: "10.0.0.1:5" },
      { hostname: "localhost", want: "localhost:5" },
    ]
  ) {
    it(`gives ${want} when the host is ${hostname}`, () => assert.equal(formatAddress(hostname, 5), want));
  }
});

describe("PeerNames", () => {
  it("of() names each sender when two share a slot", () => {
    const peers = new PeerNames();
    assert.equal(peers.of("10.0.0.1", 1024), "10.0.0.1:1024");
    assert.equal(peers.of("10.0.0.2", 1024), "10.0.0.2:1024");
    assert.equal(peers.of("10.0.0.1", 2048), "10.0.0.1:2048");
    assert.equal(peers.of("10.0.0.1", 1024), "10.0.0.1:1024");
  });
});

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "ENOENT";
  }
}

/** Standard output of a command; undefined where it is not installed. */
function run(command: string, args: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (chunk) => text += chunk);
    child.on("error", () => resolve(undefined));
    child.on("close", () => resolve(text));
  });
}
