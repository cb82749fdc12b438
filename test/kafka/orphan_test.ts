/**
 * Acknowledgements that corndog itself forgets, on purpose: they are found, named and made good, and the story that
 * nobody could see is told by `corndog why`.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import type { StallList } from "../../src/admin/looks_view.ts";
import type { Inflight } from "../../src/observe/inflight.ts";
import { Corndog, corndogCommand, dial } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { needs, sharedKafka, values } from "./harness/kafka.ts";

const config = (bootstrap: string, topic: string) =>
  `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["${bootstrap.split(",").join('", "')}"], topic: ${topic}, linger: 1ms }
spool: { durability: none }
workers: 1
`;

function why(corndog: Corndog): { code: number | null; text: string } {
  const [command, ...first] = corndogCommand();
  const done = spawnSync(command!, [...first, "why", "--admin", corndog.admin], { encoding: "utf8" });
  return { code: done.status, text: done.stdout };
}

describe("corndog that forgets", { skip: needs.broker }, () => {
  it("names lost wake-ups by stage and topic, sends their lines again and loses none", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("orphans");
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic), {
      env: { CORNDOG_CHAOS: "lost-wakeup=kafka:5%@20rps" },
    })).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      let sent = 0;
      const ask = async () => await (await fetch(`${corndog.admin}/admin/inflight`)).json() as Inflight;
      const found = await until("an orphan", async () => {
        socket.write(`<13>1 - h a - - - line ${sent++}\n`);
        const inflight = await ask();
        return inflight.orphans > 0 ? inflight : undefined;
      }, 30_000);
      const { oldest } = found.stages.find(({ stage }) => stage === "kafka")!;
      assert.equal(oldest[0]!.topic, topic);
      const event = await corndog.event("orphan");
      assert.deepEqual([event.stage, event.topic, event.level], ["kafka", topic, "error"]);
      const { code, text } = why(corndog);
      assert.equal(code, 1);
      assert.match(text, /waits since the start \([0-9.]+ %\) were lost/);
      socket.end();
      const { ledger } = await corndog.statsWhen(
        "all delivered",
        (stats) => stats.ledger.delivered === sent,
        60_000,
      );
      assert.equal(ledger.balanced, true);
      const lines = new Set(values(await kafka.readUntil(topic, sent)));
      assert.equal(lines.size, sent, "each line is there; some twice");
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("finds no orphan while it forgets nothing", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("held");
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic))).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      const startedAt = performance.now();
      let sent = 0;
      await until("four seconds of traffic", () => {
        socket.write(`<13>1 - h a - - - line ${sent++}\n`);
        return performance.now() - startedAt > 4000 || undefined;
      });
      socket.end();
      await corndog.statsWhen("all delivered", (stats) => stats.ledger.delivered === sent);
      assert.equal((await (await fetch(`${corndog.admin}/admin/inflight`)).json() as Inflight).orphans, 0);
      assert.equal(why(corndog).code, 0);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});

describe("corndog tap --trace", { skip: needs.broker }, () => {
  it("shows a line's way through spool and broker to the acknowledgement", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("traced");
    const corndog = await (await Corndog.start(
      config(kafka.bootstrap, topic).replace("durability: none", "durability: os"),
    )).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      const [command, ...first] = corndogCommand();
      const tap = spawn(command!, [...first, "tap", "--trace", "--limit", "1", "--admin", corndog.admin]);
      let seen = "";
      tap.stdout.on("data", (data) => seen += data);
      let code: number | null | undefined;
      tap.on("close", (value) => code = value);
      let sent = 0;
      await until("a line that was followed", () => {
        if (code !== undefined) return true;
        socket.write(`<13>1 - h a - - - line ${sent++}\n`);
        return undefined;
      }, 30_000);
      assert.equal(code, 0, seen);
      const stages =
        "intake [0-9.]+ ms, rules [0-9.]+ ms, batch [0-9.]+ ms(?:, compress [0-9.]+ ms)?, spool [0-9.]+ ms";
      assert.match(
        seen,
        new RegExp(
          `^ +${stages}, kafka [0-9.]+ ms \\(partition \\d+ at [^)]+:\\d+\\): delivered after [0-9.]+ ms$`,
          "m",
        ),
      );
      socket.end();
      await corndog.statsWhen("all delivered", (stats) => stats.ledger.delivered === sent);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});

describe("corndog whose loop is held", () => {
  it("names the worker while it is held", { timeout: 200_000 }, async () => {
    const corndog = await (await Corndog.start(
      `listen: [{ syslog: "tcp://127.0.0.1:0" }]\nadmin: { listen: "127.0.0.1:0" }\nsink: blackhole\nworkers: 2\n`,
      { env: { CORNDOG_CHAOS: "held-loop=1500ms:4s" } },
    )).started();
    try {
      const ask = async () => await (await fetch(`${corndog.admin}/admin/stalls`)).json() as StallList;
      const isLinux = process.platform === "linux";
      const stall = await until("a stall of worker 0 that lasts", async () => {
        const { stalls } = await ask();
        // Not one that a slow disk or the collector of garbage makes.
        return stalls.find(({ worker, over, ms, cause, evidence }) =>
          worker === 0 && !over && ms > 300 && (cause === "worker" || cause === "machine") &&
          (evidence !== undefined || !isLinux)
        );
      }, 45_000);
      if (isLinux) {
        // On a machine that is busy the worker may have got no core for most of it: then that is said.
        const { cpu_ms, queued_ms } = stall.evidence!;
        assert.equal(stall.cause, queued_ms! >= stall.ms / 2 ? "machine" : "worker", JSON.stringify(stall));
        assert.ok(cpu_ms! + queued_ms! > stall.ms / 2, JSON.stringify(stall));
      }
      await until(
        "the event of worker 0",
        () => corndog.logs.find(({ event, worker }) => event === "worker_held" && worker === 0),
        30_000,
      );
      await corndog.event("worker_released");
      // It watches itself from now on: the next one is explained.
      // The compiled binary has short names.
      const names = process.env.CORNDOG_BINARY === undefined ? /holdLoop|holdOnPurpose/ : /"stack":"./;
      // On a machine that is busy another stall may come between; and where each one of many was the machine's, nothing
      // is sampled.
      const profile = await until(
        "a profile that names what holds it",
        () => {
          const released = corndog.logs.filter(({ event, worker }) =>
            event === "worker_released" && worker === 0
          );
          if (released.length >= 8 && released.every(({ cause }) => cause === "machine")) return "not owed";
          return corndog.logs.find(({ event, stacks }) =>
            event === "stall_profile" && names.test(JSON.stringify(stacks))
          );
        },
        100_000,
      );
      assert.ok(profile === "not owed" || (await ask()).stalls.some((one) => one.profile !== undefined));
      const trace = await (await fetch(`${corndog.admin}/admin/flight?seconds=60`)).json();
      assert.ok(trace.traceEvents.some(({ name }: { name: string }) => name === "worker held"));
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("refuses a fault that it does not know", async () => {
    const corndog = await Corndog.start(
      `listen: [{ syslog: "tcp://127.0.0.1:0" }]\nsink: blackhole\nadmin: { listen: "127.0.0.1:0" }\nworkers: 1\n`,
      { env: { CORNDOG_CHAOS: "gremlins" } },
    );
    try {
      assert.notEqual(await corndog.ended(), 0);
      assert.match(corndog.stderr, /CORNDOG_CHAOS="gremlins"/);
    } finally {
      await corndog.dispose();
    }
  });
});
