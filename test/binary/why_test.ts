/**
 * Who waits for what, asked of a running corndog whose broker is away.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import type { ConnectionList } from "../../src/admin/looks_view.ts";
import type { Inflight } from "../../src/observe/inflight.ts";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:9"], topic: logs, compression: none }
spool: { bytes_max: 32MiB, free_min: 0 }
workers: 2
limits: { memory: 64MiB }
`;

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return socket;
}

describe("corndog without its broker", () => {
  let corndog: Corndog;
  let silent: Socket;
  let ended = 0;
  const ask = async <Answer>(path: string, init?: RequestInit) =>
    await (await fetch(`${corndog.admin}${path}`, init)).json() as Answer;

  before(async () => {
    corndog = await (await Corndog.start(config)).started();
    silent = await dial(corndog.port("tcp"));
    silent.write("<13>half a li");
    silent.on("close", () => ended++);
    // So long that the line at which it comes to wait has mostly come in two pieces: a part of it is held.
    const line = `<13>1 - h a - - - ${"x".repeat(60_000)}\n`;
    const full = await dial(corndog.port("tcp"));
    full.write(line.repeat(1_500));
    await until("a wait for room", async () => {
      const { waiting } = await ask<ConnectionList>("/admin/connections");
      return waiting.room.count === 1 || undefined;
    });
  });
  after(async () => {
    corndog.signal("SIGKILL");
    await corndog.dispose();
  });

  it("says at the start what is in force", async () => {
    const started = await corndog.event("started");
    assert.deepEqual([started.workers, started.sink, started.brokers], [2, "kafka", "127.0.0.1:9"]);
    assert.match(String(started.spool), /spool \((os|fsync)\)$/);
    assert.equal(started.rules_version, 1);
    assert.match(String(started.config), /corndog\.yml$/);
  });

  it("GET /admin/connections says what each waits for, with bytes that lie in the kernel", async () => {
    // Whichever worker took it: rows are in the order of the workers.
    const waiting = ({ connections }: ConnectionList) => connections.find((one) => one.waits_for === "room");
    const list = await until("unread bytes of a connection that waits for room", async () => {
      const list = await ask<ConnectionList>("/admin/connections");
      return (waiting(list)?.recv_q ?? 0) > 0 ? list : undefined;
    });
    assert.equal(list.open, 2);
    const full = waiting(list);
    const half = list.connections.find((one) => one !== full);
    assert.deepEqual([full!.state, full!.verdict], ["waiting", "kafka"]);
    assert.ok(full!.lines > 100);
    if (process.platform === "linux") {
      for (const { tcp, retransmits } of list.connections) {
        assert.ok(tcp!.rtt_ms > 0 && tcp!.received_ms_ago < 60_000, JSON.stringify(tcp));
        assert.deepEqual([tcp!.lost, retransmits], [0, 0]);
      }
    }
    assert.deepEqual([half!.state, half!.partial_bytes, half!.lines], ["reading", 13, 0]);
    const filtered = await ask<ConnectionList>(`/admin/connections?peer=${half!.peer}`);
    assert.deepEqual(filtered.connections.map(({ id }) => id), [half!.id]);
  });

  it("GET /admin/inflight has both waits in their stages, with the connection", async () => {
    const oldest = await until("both stages", async () => {
      const { stages } = await ask<Inflight>("/admin/inflight");
      const oldest = new Map(stages.map(({ stage, oldest }) => [stage, oldest[0]!]));
      return oldest.get("memory")?.connection !== undefined && oldest.has("frame") ? oldest : undefined;
    });
    assert.match(oldest.get("memory")!.connection!, /^[01]-[12]$/);
    assert.equal(oldest.get("frame")!.bytes, 13);
  });

  it("corndog why names both causes and what the sink lacks, and ends with 1", async () => {
    let seen: ConnectionList | undefined;
    await until("five seconds of waiting", async () => {
      seen = await ask<ConnectionList>("/admin/connections");
      return (seen.waiting.room.long === 1 && seen.half_lines_long === 1) || undefined;
      // It counts from when the spool is full, which takes its time on a busy machine.
    }, 40_000).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(seen)}`);
    });
    const [command, ...first] = corndogCommand();
    const why = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
    assert.equal(why.status, 1, why.stderr);
    assert.match(why.stdout, /2 of 2 connections wait for over 5 s:/);
    assert.match(why.stdout, / 1 {2}kafka: there is no room until Kafka acknowledges lines/);
    assert.match(why.stdout, / 1 {2}client_silent: /);
    assert.match(why.stdout, /13 bytes of a line/);
    assert.match(why.stdout, /Sink kafka is not ready:\n {2}.*127\.0\.0\.1:9/);
    const table = spawnSync(command!, [...first, "connections", "--stuck", "--admin", corndog.admin], {
      encoding: "utf8",
    });
    assert.equal(table.status, 0, table.stderr);
    assert.equal(table.stdout.trim().split("\n").length, 3);
    assert.match(table.stdout, /RTT +RESENT +VERDICT/);
  });

  it("DELETE /admin/connections/ID ends that connection", async () => {
    const { connections } = await ask<ConnectionList>("/admin/connections?state=reading");
    const [half] = connections;
    assert.deepEqual(await ask(`/admin/connections/${half!.id}`, { method: "DELETE" }), { ended: half!.id });
    await until("the end", () => ended === 1 || undefined);
  });
});

describe("corndog with a request that waits for Kafka", () => {
  it("says so of its connection, which has long sent all, and of no other", async () => {
    const http = `listen: [{ http: "http://127.0.0.1:0", ack_timeout: 1m }]\n`;
    const corndog = await (await Corndog.start(config.replace(/listen:.*\n/, http))).started();
    try {
      const port = corndog.port("http");
      const idle = await dial(port);
      idle.write("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
      const hangs = await dial(port);
      const line = "<13>1 - h a - - - one\n";
      hangs.write(
        `POST /v1/ingest?ack=kafka HTTP/1.1\r\nHost: x\r\nContent-Length: ${line.length}\r\n\r\n${line}`,
      );
      const list = async (query = "") =>
        await (await fetch(`${corndog.admin}/admin/connections${query}`)).json() as ConnectionList;
      const stuck = await until("a stuck connection", async () => {
        const { connections } = await list("?stuck=1");
        return connections.length > 0 ? connections : undefined;
      }, 40_000);
      const peer = `127.0.0.1:${hangs.localPort}`;
      assert.deepEqual(
        stuck.map(({ peer, state, waits_for, verdict }) => [peer, state, waits_for, verdict]),
        [
          [peer, "waiting", "answer", "kafka"],
        ],
      );
      const { connections, waiting } = await list();
      assert.equal(waiting.answer.long, 1);
      const others = connections.filter((one) => one.peer !== peer);
      assert.ok(others.every(({ waits_for, stuck }) => waits_for === undefined && !stuck));
      const [command, ...first] = corndogCommand();
      const why = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
      assert.equal(why.status, 1, why.stderr);
      assert.match(
        why.stdout,
        /1 of \d connections wait for over 5 s:\n +1 {2}kafka: their requests are answered when/,
      );
      idle.destroy();
      hangs.destroy();
    } finally {
      corndog.signal("SIGKILL");
      await corndog.dispose();
    }
  });
});

describe("corndog why", () => {
  it("ends with 0 when nothing is stuck", async () => {
    const calm = config.replace(/kafka:.*/, "sink: blackhole").replace(/spool:.*\n/, "");
    const corndog = await (await Corndog.start(calm)).started();
    try {
      const [command, ...first] = corndogCommand();
      const why = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
      assert.equal(why.status, 0, why.stdout);
      assert.match(why.stdout, /Nothing is stuck\./);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("says how to reach a corndog that does not answer", () => {
    const [command, ...first] = corndogCommand();
    const why = spawnSync(command!, [...first, "why", "--admin", "127.0.0.1:9"], { encoding: "utf8" });
    assert.equal(why.status, 1);
    assert.match(why.stderr, /no corndog answers at http:\/\/127\.0\.0\.1:9: .*is --admin its address\?/);
  });
});
