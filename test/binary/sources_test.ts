/**
 * Sources beside TCP and UDP, and the limits of listeners, with the running program: standard input, /dev/log,
 * inherited sockets, PROXY headers, refusals. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { Corndog, corndogCommand, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

/** All values in the file sink of `dir`, sorted. */
async function values(dir: string): Promise<string[]> {
  const folder = join(dir, "out", "logs");
  const lines: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const text = await readFile(join(folder, name), "utf8");
    for (const row of text.split("\n")) if (row.endsWith("}")) lines.push(JSON.parse(row).value);
  }
  return lines.sort();
}

const arrive = (dir: string, want: readonly string[]) =>
  until(
    `${want}`,
    async () => JSON.stringify(await values(dir)) === JSON.stringify([...want].sort()) || undefined,
    15_000,
  );

const common = `admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
`;

describe("standard input", () => {
  it("forwards what it reads, ends with it, and loses nothing", async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-stdin-"));
    try {
      await writeFile(join(dir, "corndog.yml"), `listen: [{ syslog: "stdin:" }]\n${common}`);
      const [command, ...first] = corndogCommand();
      const child = spawn(command!, [...first, "run", "-c", "corndog.yml"], {
        cwd: dir,
        env: { ...process.env, CORNDOG_LOG: "json" },
        stdio: ["pipe", "ignore", "pipe"],
      });
      let log = "";
      child.stderr.on("data", (data) => log += data);
      const lines = Array.from({ length: 50_000 }, (_, index) => `line ${index}`);
      child.stdin.end(lines.join("\n"));
      const code = await new Promise((resolve) => child.once("close", resolve));
      assert.equal(code, 0, log);
      assert.match(log, /"event":"stdin_ended"/);
      assert.deepEqual(await values(dir), lines.sort());
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

describe("unix datagrams", () => {
  it("takes logger as /dev/log does, and a rule sees who sent it", async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-devlog-"));
    const corndog = await Corndog.start(`listen: [{ syslog: "unixgram://${dir}/log" }]
${common}rules:
  - name: mine
    field: peer
    regex: "^unix:pid=\\\\d+,uid=${process.getuid!()},"
    actions: [{ type: forward, topic: logs, value: "{{peer}} {{msg}}" }]
`);
    try {
      await corndog.started();
      assert.equal(spawnSync("logger", ["-u", `${dir}/log`, "-t", "app", "hello"]).status, 0);
      const [line] = await until("the line", async () => {
        const lines = await values(corndog.dir);
        return lines.length === 1 ? lines : undefined;
      });
      assert.match(line!, /^unix:pid=\d+,uid=\d+,gid=\d+ .*hello$/);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

/** Binds sockets, then becomes the program behind `--` with them, as systemd starts it. */
const activator = `
import os, socket, sys
ports, path = sys.argv[1].split(","), sys.argv[2]
def tcp(port):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(port))); s.listen(64); return s
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", int(ports[2])))
stream = socket.socket(socket.AF_UNIX); stream.bind(path + "/stream"); stream.listen(64)
gram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); gram.bind(path + "/gram")
spare = socket.socket(); spare.bind(("127.0.0.1", 0)); spare.listen(1)
sockets = [tcp(ports[0]), tcp(ports[1]), udp, stream, gram, spare]
high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
for i, fd in enumerate(high): os.dup2(fd, 3 + i, True)
os.environ["LISTEN_FDS"] = str(len(high)); os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[4], sys.argv[4:])
`;

describe("inherited sockets", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "corndog-activation-"));
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    spawnSync("openssl", [...args, "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")]);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("takes each kind from the service manager, on all workers, and names one that nobody wants", async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    await writeFile(
      join(dir, "corndog.yml"),
      `listen:
  - syslog: tcp://127.0.0.1:${ports[0]}
  - syslog: tls://127.0.0.1:${ports[1]}
    tls: { cert: cert.pem, key: key.pem }
  - syslog: udp://127.0.0.1:${ports[2]}
  - syslog: unix://${dir}/stream
  - syslog: unixgram://${dir}/gram
${common}`,
    );
    const args = [
      "-c",
      activator,
      ports.join(","),
      dir,
      "--",
      ...corndogCommand(),
      "run",
      "-c",
      "corndog.yml",
    ];
    const child = spawn("python3", args, {
      cwd: dir,
      env: { ...process.env, CORNDOG_LOG: "json" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.on("data", (data) => log += data);
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      await until("the start", () => log.includes('"event":"started"') || undefined, 20_000).catch(
        (error) => {
          throw new Error(`${error.message}: ${log}`);
        },
      );
      const wanted: string[] = [];
      for (let index = 0; index < 20; index++) {
        const socket = await dial(ports[0]!);
        await write(socket, `tcp ${index}\n`);
        await finish(socket);
        wanted.push(`tcp ${index}`);
      }
      const client = (program: string, input: string, ...args: string[]) => {
        assert.equal(spawnSync(program, args, { input }).status, 0, program);
        wanted.push(input.trim());
      };
      client(
        "openssl",
        "over tls\n",
        "s_client",
        "-connect",
        `127.0.0.1:${ports[1]}`,
        "-quiet",
        "-no_ign_eof",
      );
      client("nc", "over unix\n", "-N", "-U", `${dir}/stream`);
      client("nc", "over gram\n", "-u", "-U", "-w", "1", `${dir}/gram`);
      const udp = createSocket("udp4");
      await new Promise<void>((resolve) => udp.send("over udp", ports[2]!, "127.0.0.1", () => resolve()));
      udp.close();
      wanted.push("over udp");
      await arrive(dir, wanted);
      assert.equal(log.match(/"event":"socket_inherited"/g)?.length, 5);
      assert.match(log, /"event":"socket_unused"/);
    } finally {
      if (child.exitCode === null) process.kill(child.pid!, "SIGTERM");
      assert.equal(await ended, 0, log);
    }
  });
});

describe("limits of listeners", () => {
  it("takes the sender behind a PROXY header, refuses other networks, and counts each refusal", async () => {
    const corndog = await Corndog.start(`listen:
  - syslog: tcp://127.0.0.1:0
    proxy_from: [127.0.0.0/8]
    allow_from: [192.0.2.0/24]
limits: { connections_per_peer: 2, partial: 1s }
${common}rules:
  - field: raw
    regex: .*
    actions: [{ type: forward, topic: logs, value: "{{peer}} {{raw}}" }]
`);
    try {
      await corndog.started();
      const port = corndog.port("tcp");
      const send = async (text: string) => {
        const socket = await dial(port);
        await write(socket, text);
        return socket;
      };
      const header = (address: string) => `PROXY TCP4 ${address} 10.0.0.1 1234 514\r\n`;
      const first = await send(`${header("192.0.2.7")}one\n`);
      const second = await send(`${header("192.0.2.7")}two\n`);
      await arrive(corndog.dir, ["192.0.2.7:1234 one", "192.0.2.7:1234 two"]);
      await finish(await send(`${header("192.0.2.7")}three\n`));
      await finish(await send(`${header("198.51.100.7")}four\n`));
      await finish(await send("five\n"));
      const { totals } = await corndog.statsWhen(
        "the refusals",
        ({ totals }) => totals.connections_refused === 3,
      );
      const { connections_per_peer, network, proxy_header } = totals.connections_refused_by;
      assert.deepEqual([connections_per_peer, network, proxy_header], [1, 1, 1]);
      assert.equal(totals.connections_accepted, 2);
      const reasons = corndog.logs.filter(({ event }) => event === "connection_refused").map(({ reason }) =>
        reason
      );
      assert.deepEqual(reasons.sort(), ["connections_per_peer", "network", "proxy_header"]);
      // A line without an end holds its connection for a second; what came of it is forwarded.
      await write(first, "half a line");
      await arrive(corndog.dir, ["192.0.2.7:1234 one", "192.0.2.7:1234 two", "192.0.2.7:1234 half a line"]);
      await corndog.event("connection_ended");
      second.destroy();
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("holds a sender to its rate, and drops datagrams over it by name", async () => {
    const corndog = await Corndog.start(`listen:
  - syslog: tcp://127.0.0.1:0
    rate: 1MiB
  - syslog: udp://127.0.0.1:0
    rate: 64KiB
${common}`);
    try {
      await corndog.started();
      const line = `${"x".repeat(1023)}\n`;
      const socket = await dial(corndog.port("tcp"));
      const began = performance.now();
      await write(socket, line.repeat(4096));
      await corndog.statsWhen("4096 lines", ({ ledger }) => ledger.received === 4096);
      const seconds = (performance.now() - began) / 1000;
      // One second's worth may come at once, and what one read gives more.
      assert.ok(seconds > 2, `4 MiB at 1 MiB/s took ${seconds} s`);
      const udp = createSocket("udp4");
      const packets = 200;
      const sentMs = performance.now();
      for (let packet = 0; packet < packets; packet++) udp.send(line, corndog.port("udp"), "127.0.0.1");
      const { ledger } = await corndog.statsWhen(
        "the datagrams",
        ({ ledger }) => ledger.received === 4096 + packets,
      );
      const passedMax = 64 * (1 + (performance.now() - sentMs) / 1000) + 16;
      const dropped = ledger.dropped.rate_udp ?? 0;
      assert.ok(dropped > packets - passedMax && dropped < 150, `${dropped} of ${packets}, ${passedMax}`);
      assert.equal(ledger.balanced, true);
      udp.close();
      socket.destroy();
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});
