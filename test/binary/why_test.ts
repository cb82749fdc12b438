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

/** Asks until both workers answer, who may not in time on a busy machine, and `condition` is met. */
async function listWhen(
  corndog: Corndog,
  what: string,
  condition: (list: ConnectionList) => boolean,
  query = "",
): Promise<ConnectionList> {
  let seen: ConnectionList | undefined;
  return await until(what, async () => {
    seen = await (await fetch(`${corndog.admin}/admin/connections${query}`)).json() as ConnectionList;
    return (seen.workers_held.length === 0 && condition(seen)) || undefined;
    // Waits count from when the spool is full, which takes its time on a busy machine.
  }, 40_000).then(() => seen!, (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen)}`);
  });
}

/** What `corndog why` says, asked until it names `causes`: while a worker gets no time it has other things to say. */
async function whyWhen(corndog: Corndog, causes: readonly RegExp[]): Promise<string> {
  const [command, ...first] = corndogCommand();
  let page = "";
  return await until("the causes", () => {
    const why = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
    page = `${why.stdout}${why.stderr}`;
    assert.equal(why.status, 1, page);
    return causes.every((cause) => cause.test(page)) ? page : undefined;
  }, 40_000).catch((error) => {
    throw new Error(`${error.message}:\n${page}`);
  });
}

describe("corndog without its broker", () => {
  let corndog: Corndog;
  let silent: Socket;
  let ended = 0;

  before(async () => {
    corndog = await (await Corndog.start(config)).started();
    silent = await dial(corndog.port("tcp"));
    silent.write("<13>half a li");
    silent.on("close", () => ended++);
    // So long that the line at which it comes to wait has mostly come in two pieces: a part of it is held.
    const line = `<13>1 - h a - - - ${"x".repeat(60_000)}\n`;
    const full = await dial(corndog.port("tcp"));
    full.write(line.repeat(1_500));
    await listWhen(corndog, "a wait for room", ({ waiting }) => waiting.room.count === 1);
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
    const list = await listWhen(corndog, "unread bytes of a connection that waits for room", (list) => {
      const full = waiting(list);
      // A worker that gets no time is the cause meanwhile.
      return (full?.recv_q ?? 0) > 0 && full?.verdict !== "cpu";
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
    const filtered = await listWhen(corndog, "an answer", () => true, `?peer=${half!.peer}`);
    assert.deepEqual(filtered.connections.map(({ id }) => id), [half!.id]);
  });

  it("GET /admin/inflight has both waits in their stages, with the connection", async () => {
    const oldest = await until("both stages", async () => {
      const { stages } = await (await fetch(`${corndog.admin}/admin/inflight`)).json() as Inflight;
      const oldest = new Map(stages.map(({ stage, oldest }) => [stage, oldest[0]!]));
      return oldest.get("memory")?.described && oldest.get("frame")?.described ? oldest : undefined;
    });
    assert.match(oldest.get("memory")!.connection!, /^[01]-[12]$/);
    assert.equal(oldest.get("frame")!.bytes, 13);
  });

  it("corndog why names both causes and what the sink lacks, and ends with 1", async () => {
    await listWhen(
      corndog,
      "five seconds of waiting",
      ({ waiting, half_lines_long }) => waiting.room.long === 1 && half_lines_long === 1,
    );
    const page = await whyWhen(corndog, [
      /2 of 2 connections wait for over 5 s:/,
      / 1 {2}kafka: there is no room until Kafka acknowledges lines/,
      / 1 {2}client_silent: /,
    ]);
    assert.match(page, /13 bytes of a line/);
    assert.match(page, /Sink kafka is not ready:\n {2}.*127\.0\.0\.1:9/);
    const [command, ...first] = corndogCommand();
    const table = await until("both in the table", () => {
      const table = spawnSync(command!, [...first, "connections", "--stuck", "--admin", corndog.admin], {
        encoding: "utf8",
      });
      assert.equal(table.status, 0, table.stderr);
      return table.stdout.trim().split("\n").length === 3 ? table : undefined;
    });
    assert.match(table.stdout, /RTT +RESENT +VERDICT/);
  });

  it("DELETE /admin/connections/ID ends that connection", async () => {
    const { connections } = await listWhen(corndog, "an answer", () => true, "?state=reading");
    const [half] = connections;
    const answer = await fetch(`${corndog.admin}/admin/connections/${half!.id}`, { method: "DELETE" });
    assert.deepEqual(await answer.json(), { ended: half!.id });
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
      const peer = `127.0.0.1:${hangs.localPort}`;
      const { connections: stuck } = await listWhen(
        corndog,
        "a stuck connection",
        // A worker that gets no time is the cause meanwhile.
        ({ connections }) => connections.length > 0 && connections.every(({ verdict }) => verdict !== "cpu"),
        "?stuck=1",
      );
      assert.deepEqual(
        stuck.map(({ peer, state, waits_for, verdict }) => [peer, state, waits_for, verdict]),
        [
          [peer, "waiting", "answer", "kafka"],
        ],
      );
      const { connections } = await listWhen(
        corndog,
        "five seconds of waiting",
        ({ waiting }) => waiting.answer.long === 1,
      );
      const others = connections.filter((one) => one.peer !== peer);
      assert.ok(others.every(({ waits_for, stuck }) => waits_for === undefined && !stuck));
      await whyWhen(corndog, [
        /1 of \d connections wait for over 5 s:\n +1 {2}kafka: their requests are answered when/,
      ]);
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
      let page = "";
      // A worker that gets no time on a busy machine is something to look at.
      await until("nothing that is stuck", () => {
        const why = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
        page = `${why.stdout}${why.stderr}`;
        return why.status === 0 || undefined;
      }).catch((error) => assert.fail(`${error.message}:\n${page}`));
      assert.match(page, /Nothing is stuck\./);
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
