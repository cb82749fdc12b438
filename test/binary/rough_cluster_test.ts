/**
 * A cluster that comes up as badly as clusters do: it names no broker, knows no topic, has no leader, gives no producer
 * id, is late, deaf, cut off, or refuses. When it is well, what waited is delivered soon, and nothing is left to a
 * question of the next minute.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import process from "node:process";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { type Misdeed, SocketBroker } from "../unit/kafka/socket_broker.ts";
import { Random } from "../unit/spool/random.ts";

const isLong = Boolean(process.env.TEST_LONG);
const seeds = isLong ? 60 : 2;
const firstSeed = Number(process.env.ROUGH_SEED ?? (isLong ? Math.floor(Math.random() * 2 ** 31) : 1));
const lines = 1000;

const config = (port: number): string => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["127.0.0.1:${port}"], topic: t }
dead_letter: { file: dead_letter.ndjson }
workers: 2
`;

/** What the broker does for a while; each of its sides is bad with some chance. */
function worsen(broker: SocketBroker, topics: SocketBroker["topics"], random: Random): void {
  broker.isListed = random.chance(0.7);
  // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, REQUEST_TIMED_OUT
  broker.producerIdError = random.chance(0.7) ? 0 : random.pick([14, 15, 16, 7]);
  broker.topics.clear();
  if (random.chance(0.6)) { for (const [name, partitions] of topics) broker.topics.set(name, partitions); }
  for (const partition of [...topics.values()].flat()) partition.leader = random.chance(0.5) ? 1 : -1;
  // UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS and its second form
  const refuse = (): number => random.pick([3, 5, 6, 19, 20]);
  const misdeed = random.pick<Misdeed>([
    {},
    { close: "before" },
    { close: "after" },
    { lateMs: 500 },
    { lateMs: 6000 },
    { refuse },
    { deafMs: 1000 },
    { cutAt: 6 },
  ]);
  const odds = random.next();
  broker.hook = () => random.chance(odds) ? misdeed : {};
}

function mend(broker: SocketBroker, topics: SocketBroker["topics"]): void {
  broker.isListed = true;
  broker.producerIdError = 0;
  broker.hook = () => ({});
  for (const [name, partitions] of topics) {
    broker.topics.set(name, partitions);
    for (const partition of partitions) partition.leader = 1;
  }
}

describe("corndog before a cluster that comes up badly", () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    it(`delivers what waited soon after it is well (seed ${seed})`, async () => {
      const random = new Random(seed);
      const broker = await new SocketBroker().listen();
      await broker.close();
      const corndog = await (await Corndog.start(config(broker.port))).started();
      try {
        const socket = await dial(corndog.port("tcp"));
        for (let id = 0; id < lines; id++) await write(socket, `<13>1 - web app - - - line ${id}\n`);
        await corndog.statsWhen("all in flight", ({ ledger }) => ledger.in_flight === lines);
        broker.create("t", 1 + random.below(3));
        const topics = new Map(broker.topics);
        worsen(broker, topics, random);
        await broker.listen();
        for (let phase = random.below(6); phase >= 0; phase--) {
          await new Promise((resolve) =>
            setTimeout(resolve, 20 + random.below(random.chance(0.3) ? 2000 : 400))
          );
          worsen(broker, topics, random);
        }
        mend(broker, topics);
        const { ledger } = await corndog.statsWhen(
          "all delivered",
          ({ ledger }) => ledger.delivered === lines,
          30_000,
        );
        assert.equal(ledger.balanced, true);
        const logs = broker.topics.get("t")!.map(({ log }) => log);
        assert.equal(new Set(logs.flat()).size, lines);
        await finish(socket);
        assert.equal(await corndog.stop(), 0);
      } finally {
        await corndog.dispose();
        await broker.close();
      }
    });
  }
});
