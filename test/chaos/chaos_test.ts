/**
 * corndog between a steady load and three real brokers to which everything happens: killed, stopped, moved, grown, cut
 * off and slowed, all of them down at once. At the end every line is in Kafka once, in order, and the ledger balances.
 *
 *     TEST_LONG=1     ten minutes of random trouble instead of one round
 *     CHAOS_SEED=n    the trouble of an earlier run again
 *     CHAOS_RATE=n    lines per second
 *     CHAOS_MINUTES=n how long the long form is
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { type Kafka, needs, startKafka } from "../kafka/harness/kafka.ts";
import { Corndog } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { Load, tally } from "./load.ts";

const isLong = process.env.TEST_LONG === "1";
const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const linesPerS = Number(process.env.CHAOS_RATE ?? (isLong ? 100_000 : 10_000));
const longMs = Number(process.env.CHAOS_MINUTES ?? 10) * 60_000;
const connections = 4;
/** What corndog may hold: its limit, and the runtime with its code and collector beside it. */
const memoryLimitMiB = 128;
const runtimeMiB = 320;

const config = (bootstrap: string, topic: string) => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka:
  brokers: [${bootstrap.split(",").map((broker) => `"${broker}"`).join(", ")}]
  topic: "${topic}"
  compression: ${isLong ? "zstd:1" : "none"}
  request_timeout: 10s
dead_letter: { file: dead_letter.ndjson }
limits: { memory: ${memoryLimitMiB}MiB }
workers: 2
`;

/** mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
let state = seed >>> 0;

const pick = (count: number): number => Math.floor(random() * count);

/** The trouble that can be made, and how long each lasts in the short form and the long one. */
class Trouble {
  readonly #kafka: Kafka;
  readonly #topic: string;
  /** Lines delivered so far. */
  readonly #delivered: () => Promise<number>;
  #partitions: number;

  constructor(kafka: Kafka, topic: string, partitions: number, delivered: () => Promise<number>) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#partitions = partitions;
    this.#delivered = delivered;
  }

  /** In the order of the short form. */
  get kinds(): readonly (readonly [name: string, make: () => Promise<void>])[] {
    return [
      ["a broker is killed", () => this.#kill()],
      ["leaders move", () => this.#move()],
      ["a broker stands still", () => this.#stand()],
      ["the network is cut", () => this.#network({ kind: "cut" }, isLong ? 10_000 : 3000)],
      [
        "the network is slow",
        () => this.#network({ kind: "slow", bytesPerS: 64 * 1024 }, isLong ? 10_000 : 4000),
      ],
      ["the network stands still", () => this.#network({ kind: "still" }, isLong ? 12_000 : 4000)],
      ["partitions are added", () => this.#grow()],
      ["all brokers are down", () => this.#killAll()],
    ];
  }

  /** Waits until lines are delivered again. */
  async goesOn(after: string): Promise<void> {
    const before = await this.#delivered();
    await until(
      `delivery after: ${after}`,
      async () => await this.#delivered() > before || undefined,
      120_000,
    );
  }

  async #kill(): Promise<void> {
    const broker = pick(3);
    await this.#kafka.kill(broker);
    await this.goesOn(`broker ${broker} was killed`);
    await this.#kafka.restart(broker);
  }

  /** Takes leaders from their brokers, then gives all replicas back. */
  async #move(): Promise<void> {
    const all = [0, 1, 2];
    const { topics: [topic] } = await this.#kafka.describe(this.#topic);
    const moved = topic!.partitions.slice(0, 3);
    for (const { partition, leader } of moved) {
      await this.#kafka.moveReplicas(this.#topic, partition, all.filter((broker) => broker !== leader - 1));
    }
    await until(
      "leaders moved",
      async () => {
        const { topics: [now] } = await this.#kafka.describe(this.#topic);
        const hasMoved = moved.every(({ partition, leader }) => {
          const found = now!.partitions.find((one) => one.partition === partition)!;
          return found.leader !== leader && found.leader > 0;
        });
        return hasMoved || undefined;
      },
      60_000,
      200,
    );
    for (const { partition } of moved) await this.#kafka.moveReplicas(this.#topic, partition, all);
  }

  async #stand(): Promise<void> {
    const broker = pick(3);
    this.#kafka.pause(broker);
    await pass(isLong ? 10_000 : 6000);
    this.#kafka.continue(broker);
  }

  async #network(state: Parameters<Kafka["networks"][number]["become"]>[0], lengthMs: number): Promise<void> {
    const network = this.#kafka.networks[pick(3)]!;
    network.become(state);
    await pass(lengthMs);
    network.become({ kind: "open" });
  }

  async #grow(): Promise<void> {
    if (this.#partitions >= 30) return;
    this.#partitions += 2;
    await this.#kafka.growTopic(this.#topic, this.#partitions);
  }

  async #killAll(): Promise<void> {
    await Promise.all([0, 1, 2].map((broker) => this.#kafka.kill(broker)));
    await pass(isLong ? 30_000 : 5000);
    await Promise.all([0, 1, 2].map((broker) => this.#kafka.restart(broker)));
  }
}

/** How long trouble lasts is part of it: the one place where time itself has to pass. */
function pass(lengthMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lengthMs));
}

/** The highest resident memory of a process so far, MiB. */
function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

describe("corndog in chaos", { skip: needs.ownRealBroker }, () => {
  const timeout = isLong ? 1_700_000 : 400_000;
  it(`loses, doubles and reorders nothing (seed ${seed}, ${linesPerS} lines/s)`, { timeout }, async () => {
    const startedMs = performance.now();
    const say = (text: string): void => {
      console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${text}`);
    };
    await using kafka = await startKafka({ brokers: 3, listeners: ["proxied"] });
    const topic = await kafka.createTopic("chaos", { partitions: 6, replicas: 3 });
    const corndog = await (await Corndog.start(config(kafka.bootstrapOf("proxied"), topic))).started();
    try {
      const delivered = async () => (await corndog.stats()).ledger.delivered;
      const load = await Load.start(corndog.port("tcp"), connections, linesPerS);
      const trouble = new Trouble(kafka, topic, 6, delivered);
      await trouble.goesOn("the start");
      const { kinds } = trouble;
      const untilMs = performance.now() + longMs;
      for (let round = 0; isLong ? performance.now() < untilMs : round < kinds.length; round++) {
        const [name, make] = kinds[round < kinds.length ? round : pick(kinds.length)]!;
        say(`${name}; ${load.total} lines sent`);
        await make();
        await trouble.goesOn(name);
      }
      await load.stop();
      say(`healed; ${load.total} lines sent`);
      const stats = await corndog.statsWhen(
        "everything is delivered",
        ({ ledger }) => ledger.received === load.total && ledger.delivered === load.total,
        120_000,
      );
      const peak = peakMiB(corndog.pid);
      say(`delivered; peak memory ${peak.toFixed(0)} MiB`);
      assert.equal(stats.ledger.balanced, true);
      assert.equal(stats.ledger.dead_lettered, 0);
      assert.deepEqual(Object.values(stats.ledger.dropped).filter((count) => count > 0), []);
      for (const { arena } of stats.workers as { arena: { bytes: number; bytesHighest: number } }[]) {
        assert.ok(arena.bytesHighest <= arena.bytes);
      }
      assert.ok(peak < memoryLimitMiB + runtimeMiB, `peak memory ${peak} MiB`);
      assert.equal(await corndog.stop(), 0);
      const found = await tally(kafka.bootstrap, topic, load.sent);
      say(JSON.stringify(found));
      assert.deepEqual(
        { records: found.records, lost: found.lost, doubled: found.doubled, overtaken: found.overtaken },
        { records: load.total, lost: 0, doubled: 0, overtaken: 0 },
        found.examples.join("\n"),
      );
      assert.ok(found.partitions > 6, "lines went to the partitions that were added");
    } catch (error) {
      for (const line of corndog.logs.slice(-30)) console.log(JSON.stringify(line));
      throw error;
    } finally {
      await corndog.dispose();
    }
  });
});
