import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { until } from "./support.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-unixgram-"));
after(() => rmSync(dir, { recursive: true }));

/** Sends datagrams with a program of its own: neither runtime can. */
function send(path: string, ...texts: string[]): void {
  const script =
    "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.connect(sys.argv[1])\n" +
    "for t in sys.argv[2:]: s.send(t.encode())\n";
  execFileSync("python3", ["-c", script, path, ...texts]);
}

describe("listenUnixgram()", { skip: process.platform !== "linux" }, () => {
  it("receives datagrams with the credentials of their sender, and removes its file in the end", async () => {
    const path = join(dir, "log");
    const texts: string[] = [];
    const peers = new Set<string>();
    const listener = await runtime.listenUnixgram(path, {
      received(packet, peer) {
        texts.push(new TextDecoder().decode(packet));
        peers.add(peer);
      },
    });
    assert.equal(listener.address, path);
    assert.equal(statSync(path).mode & 0o777, 0o666);
    send(path, "one", "two");
    send(path, "x".repeat(60_000));
    await until("three datagrams", () => texts.length === 3);
    assert.deepEqual(texts.map((text) => text.length), [3, 3, 60_000]);
    for (const peer of peers) {
      assert.match(peer, new RegExp(`^unix:pid=\\d+,uid=${process.getuid!()},gid=${process.getgid!()}$`));
    }
    assert.equal(peers.size, 2, "each process has its own pid");
    await listener.close();
    assert.equal(existsSync(path), false);
  });

  it("is what logger(1) writes to", async () => {
    const path = join(dir, "devlog");
    const texts: string[] = [];
    const listener = await runtime.listenUnixgram(path, {
      received: (packet) => void texts.push(new TextDecoder().decode(packet)),
    });
    execFileSync("logger", ["-u", path, "-t", "app", "-p", "user.notice", "from logger"]);
    await until("the line", () => texts.length === 1);
    assert.match(texts[0]!, /^<13>.*app: from logger$/);
    await listener.close();
  });

  it("takes 20,000 datagrams of a sender that is held up while nobody reads", async () => {
    const path = join(dir, "burst");
    let count = 0;
    const listener = await runtime.listenUnixgram(path, { received: () => void count++ });
    const script =
      "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.connect(sys.argv[1])\n" +
      "for i in range(20000): s.send(b'<13>line %d' % i)\n";
    const child = spawn("python3", ["-c", script, path], { stdio: "ignore" });
    await until("all of them", () => count === 20_000, 15_000);
    await new Promise((resolve) => child.exitCode === null ? child.once("close", resolve) : resolve(0));
    await listener.close();
  });

  it("takes the path over when its owner was killed, and not when it lives, or is no socket", async () => {
    const path = join(dir, "stale");
    const script =
      "import socket,sys,os\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\n" +
      "os.kill(os.getpid(), 9)\n";
    assert.throws(() => execFileSync("python3", ["-c", script, path], { stdio: "ignore" }));
    assert.equal(existsSync(path), true);
    const listener = await runtime.listenUnixgram(path, { received() {} });
    const busy = (error: unknown) => error instanceof ForwarderError && error.code === "address_in_use";
    await assert.rejects(runtime.listenUnixgram(path, { received() {} }), busy);
    await listener.close();
    writeFileSync(path, "a file");
    await assert.rejects(runtime.listenUnixgram(path, { received() {} }), busy);
    rmSync(path);
  });

  it("throws permission_denied or address_not_available when it cannot be bound", async () => {
    await assert.rejects(
      runtime.listenUnixgram(join(dir, "no", "such", "folder"), { received() {} }),
      (error) => error instanceof ForwarderError && /directory does not exist/.test(error.message),
    );
  });
});

describe("listenUnix()", { skip: process.platform !== "linux" }, () => {
  it("names the process at the other end where the runtime shows a descriptor", async () => {
    const path = join(dir, "stream");
    const peers: string[] = [];
    const listener = await runtime.listenUnix(path, {
      opened: (connection) => {
        peers.push(connection.peer);
        return {};
      },
      received() {},
      closed() {},
    });
    execFileSync("python3", [
      "-c",
      "import socket,sys;socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
      path,
    ]);
    await until("the connection", () => peers.length === 1);
    const named = new RegExp(`^unix:pid=\\d+,uid=${process.getuid!()},gid=${process.getgid!()}$`);
    assert.match(peers[0]!, runtime.name === "bun" ? named : /^unix$/);
    await listener.close();
  });
});

describe("Listener.drops()", { skip: process.platform !== "linux" }, () => {
  it("counts what the kernel dropped when nobody reads a burst", async () => {
    let received = 0;
    const listener = await runtime.listenUdp({ hostname: "127.0.0.1", port: 0, reusePort: false }, {
      received: () => void received++,
    });
    assert.equal(listener.drops!(), 0);
    // Synchronously, so that the loop does not turn: 40,000 datagrams are more than any buffer holds.
    const script = "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n" +
      "for i in range(40000): s.sendto(b'x'*700,('127.0.0.1',int(sys.argv[1])))\n";
    execFileSync("python3", ["-c", script, String(listener.port)]);
    await until("all accounted for", () => received + listener.drops!()! === 40_000, 15_000);
    assert.ok(listener.drops!()! > 0, "the buffer is smaller than the burst");
    await listener.close();
    assert.equal(listener.drops!(), undefined);
  });
});
