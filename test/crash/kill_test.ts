/**
 * `kill -9` under load, again and again, at random and at each step of a batch's way: what was acknowledged over HTTP is
 * in Kafka at the end, what came over TCP is there whole or not at all, and the ledger balances at every look.
 *
 *     TEST_LONG=1      50 kills instead of 5
 *     CRASH_SEED=n     the times of an earlier run again
 *
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { type FaultPoint, faultPoints } from "../../src/core/fault_point.ts";
import { type Kafka, needs, sharedKafka, values } from "../kafka/harness/kafka.ts";
import { Corndog } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { Acknowledged, HttpSender, TcpSender } from "./senders.ts";

const kills = process.env.TEST_LONG === "1" ? 50 : 5;
const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const httpSenders = 8;

const config = (bootstrap: string, topic: string, durability: string, more = "") => `
listen: [{ syslog: "tcp://127.0.0.1:0" }, { http: "http://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", request_timeout: 5s }
spool: { dir: spool, durability: ${durability}, free_min: 0B }
dead_letter: { file: dead_letter.ndjson }
workers: 2
${more}`;

/** mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
let state = seed >>> 0;

/** One folder with its spool, over many lives of corndog. */
class Site {
  readonly acknowledged = new Acknowledged();
  readonly #text: string;
  readonly #dir: string;
  #lives = 0;

  constructor(dir: string, text: string) {
    this.#dir = dir;
    this.#text = text;
  }

  /** A life under load, begun. With a fault point it may be over before it takes the first line. */
  async begin(env: Record<string, string> = {}): Promise<{ corndog: Corndog; over: () => Promise<void> }> {
    const corndog = await Corndog.start(this.#text, { dir: this.#dir, env });
    const hasFault = env.CORNDOG_FAULT !== undefined;
    const begun = () => corndog.logs.some(({ event }) => event === "started");
    await until("a start", () => begun() || hasFault && corndog.exitCode !== undefined || undefined, 20_000);
    if (!begun()) return { corndog, over: () => Promise.resolve() };
    const life = this.#lives++;
    const [http, tcp] = [corndog.port("http"), corndog.port("tcp")];
    const starting = Array.from(
      { length: httpSenders },
      (_, sender) => HttpSender.start(http, this.acknowledged, sender % 4 === 3 ? "kafka" : "disk"),
    );
    const senders = [
      ...await Promise.allSettled(starting),
      ...await Promise.allSettled([TcpSender.start(tcp, `tcp-${life}`)]),
    ];
    const over = async () => {
      await Promise.all(senders.map((one) => one.status === "fulfilled" ? one.value.ended : undefined));
    };
    return { corndog, over };
  }

  /** A last life without load: everything that the spool holds gets to Kafka. */
  async finish(): Promise<void> {
    const corndog = await (await Corndog.start(this.#text, { dir: this.#dir })).started();
    const end = await corndog.statsWhen(
      "an empty spool",
      ({ ledger, spool }) => {
        assert.ok(ledger.balanced, JSON.stringify(ledger));
        return ledger.spooled === 0 && ledger.in_flight === 0 && spool?.lines === 0;
      },
      60_000,
    );
    assert.equal(end.spool!.quarantined_batches, 0);
    assert.equal(end.ledger.replayed, end.ledger.delivered);
    assert.equal(await corndog.stop(), 0);
  }

  /** Nothing that was acknowledged is missing, and nothing is there that was not sent. */
  async check(kafka: Kafka, topic: string): Promise<void> {
    const got = values(await kafka.readAll(topic));
    const there = new Set(got.map((value) => /^<13>1 - edge http - - - (id-\d+-) x{120}$/.exec(value)?.[1]));
    const missing = this.acknowledged.ids.filter((id) => !there.has(id));
    assert.deepEqual(
      missing.slice(0, 5),
      [],
      `${missing.length} of ${this.acknowledged.ids.length} are missing`,
    );
    const broken = got.filter((value) =>
      !/^<13>1 - edge (?:http - - - id-\d+- x{120}|tcp - - - tcp-\d+ \d+ x{120}\.)$/.test(value)
    );
    assert.deepEqual(broken.slice(0, 5), [], "every line is whole");
    assert.ok(got.some((value) => value.includes("- tcp-")), "TCP lines arrived");
  }
}

describe("corndog killed with -9", { skip: needs.broker }, () => {
  let dir: string;
  let folders = 0;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "corndog-crash-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  async function site(kafka: Kafka, name: string, durability: string, more = ""): Promise<[Site, string]> {
    const topic = await kafka.createTopic(name, { partitions: 2 });
    const folder = join(dir, `site-${folders++}`);
    await mkdir(folder);
    return [new Site(folder, config(kafka.bootstrap, topic, durability, more)), topic];
  }

  for (const durability of ["os", "fsync"]) {
    it(`loses nothing that was acknowledged when it is killed at random, with durability ${durability}`, async () => {
      const kafka = await sharedKafka();
      const [place, topic] = await site(kafka, `crash-${durability}`, durability);
      for (let kill = 0; kill < Math.ceil(kills / 2); kill++) {
        const before = place.acknowledged.ids.length;
        const { corndog, over } = await place.begin();
        await until("acknowledged lines", () => place.acknowledged.ids.length > before + 20 || undefined);
        // Not to wait for something: the kill has to come at any moment.
        await new Promise((resolve) => setTimeout(resolve, random() * 700));
        corndog.signal("SIGKILL");
        await corndog.ended();
        await over();
      }
      await place.finish();
      await place.check(kafka, topic);
    });
  }

  const points: readonly FaultPoint[] = faultPoints.filter((point) =>
    point !== "after_give_up" && point !== "after_read_back" && point !== "before_close"
  );
  it(`loses nothing that was acknowledged when it ends at any step of a batch's way, seed ${seed}`, async () => {
    const kafka = await sharedKafka();
    const [place, topic] = await site(kafka, "crash-points", "os");
    for (const point of points) {
      // What is replayed comes by these points too: then it ends without load, and the next try comes further.
      for (let times = 1 + Math.floor(random() * 60), loaded = false; !loaded; times += 300) {
        const sent = place.acknowledged.sent;
        const { corndog, over } = await place.begin({ CORNDOG_FAULT: `${point}:${times}` });
        await corndog.ended();
        assert.equal(corndog.exitCode, null, `${point}:${times} was reached`);
        await over();
        loaded = place.acknowledged.sent > sent;
      }
    }
    await place.finish();
    await place.check(kafka, topic);
  });
});
