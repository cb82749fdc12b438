/**
 * Kafka is away while lines come: the spool takes them, memory does not grow, answers go on; nothing is lost and nothing
 * overtakes when Kafka is back, although corndog is killed meanwhile.
 *
 *     TEST_LONG=1     five minutes of outage at 50,000 lines per second instead of seconds
 *
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { type Kafka, needs, startKafka, values } from "../kafka/harness/kafka.ts";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { Acknowledged, HttpSender } from "./senders.ts";
import { Site, siteConfig } from "./site.ts";

const isLong = process.env.TEST_LONG === "1";
const linesPerS = isLong ? 50_000 : 25_000;
const outageS = isLong ? 300 : 8;
const timeout = 120_000 + outageS * 5_000;
const padding = "x".repeat(170);
/** What an outage may add to the resident memory for good; garbage comes and goes. */
const growthMax = 50 * 1024 * 1024;

/** Resident bytes of a process, without file pages that it shares. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)![1]) * 1024;
}

describe("corndog without its Kafka for a while", { skip: needs.ownRealBroker }, () => {
  let dir: string;
  let kafka: Kafka;
  before(async () => {
    kafka = await startKafka();
    dir = await mkdtemp(join(tmpdir(), "corndog-outage-"));
  });
  after(async () => {
    await kafka?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("keeps what comes on the disk, memory where it was, and the order", { timeout }, async () => {
    const topic = await kafka.createTopic("outage");
    const small = "limits: { memory: 64MiB }";
    const text = siteConfig(kafka.bootstrap, topic, "os", small).replace("workers: 2", "workers: 1");
    const corndog = await (await Corndog.start(text)).started();
    let isAway = false;
    try {
      const socket = await dial(corndog.port("tcp"));
      const acknowledged = new Acknowledged();
      let line = 0;
      const send = async (seconds: number, each: () => void) => {
        const began = performance.now();
        const first = line;
        for (let ms = 0; ms < seconds * 1000; ms = performance.now() - began) {
          const due = first + Math.floor(ms * linesPerS / 1000);
          for (; line < due;) {
            let piece = "";
            for (let n = 0; n < 200 && line < due; n++) piece += `<13>1 - h a - - - ${line++} ${padding}\n`;
            await write(socket, piece);
          }
          each();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      // Requests too are no news to the process when the outage begins.
      const senders = await Promise.all(
        [0, 1].map(() => HttpSender.start(corndog.port("http"), acknowledged, "disk", 10)),
      );
      await send(4, () => {});
      await corndog.statsWhen("a warm start", (s) => s.ledger.delivered > linesPerS);
      const before = residentBytes(corndog.pid);
      const during: number[] = [];
      await kafka.kill(0);
      isAway = true;
      await send(outageS, () => during.push(residentBytes(corndog.pid)));
      const away = await corndog.statsWhen("a backlog", (s) => s.ledger.spooled > linesPerS);
      assert.ok(away.ledger.balanced);
      assert.equal(away.totals.pauses, 0, "nobody was slowed");
      const later = during.slice(during.length / 2).sort((one, other) => one - other);
      const grown = later[later.length >> 1]! - before;
      assert.ok(grown < growthMax, `resident memory grew by ${Math.round(grown / 1024 / 1024)} MiB`);
      const answered = acknowledged.ids.length;
      await until("answers in the outage", () => acknowledged.ids.length > answered || undefined);
      const ready = await fetch(`${corndog.admin}/readyz`);
      assert.equal(ready.status, 200);
      assert.match((await ready.json() as { warnings: string[] }).warnings.join(), /Kafka|broker/);
      await Promise.all(senders.map((sender) => sender.stop()));
      await kafka.restart(0);
      isAway = false;
      await finish(socket);
      const all = line + acknowledged.sent;
      // The spool's own figures and the ledger's are not of the same moment.
      const end = await corndog.statsWhen(
        "all delivered and an empty spool",
        (s) => s.ledger.delivered === all && s.spool!.lines === 0,
        120_000,
      );
      assert.deepEqual([end.ledger.balanced, end.ledger.spooled], [true, 0]);
      const got = values(await kafka.readUntil(topic, all));
      const numbers = got.map((value) => Number(/ - - - (\d+) x/.exec(value)?.[1] ?? -1)).filter((n) =>
        n >= 0
      );
      assert.equal(numbers.length, line);
      assert.equal(numbers.findIndex((number, index) => number !== index), -1, "in order, each once");
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      // Others need it.
      if (isAway) await kafka.restart(0);
    }
  });

  it("loses nothing that was acknowledged when it is killed in an outage, and when it reads back", {
    timeout,
  }, async () => {
    const topic = await kafka.createTopic("outage-kill", { partitions: 2 });
    const site = new Site(dir, siteConfig(kafka.bootstrap, topic, "os"));
    const killed = async (fault: string) => {
      const { corndog, over } = await site.begin({ CORNDOG_FAULT: fault });
      await corndog.ended();
      assert.equal(corndog.exitCode, null, `${fault} was reached`);
      await over();
    };
    await kafka.kill(0);
    await killed("after_give_up:30");
    await killed("after_give_up:90");
    await kafka.restart(0);
    await killed("after_read_back:5");
    await killed("before_settle:40");
    // Another kill while the same batch is out could set it aside.
    await site.finish();
    const { corndog, over } = await site.begin({ CORNDOG_FAULT: "before_close" });
    const before = site.acknowledged.ids.length;
    await until("some load", () => site.acknowledged.ids.length > before + 100 || undefined);
    assert.equal(await corndog.stop(), null, "before_close was reached");
    await over();
    await site.finish();
    await site.check(kafka, topic);
  });
});
