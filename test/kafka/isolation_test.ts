/**
 * One topic or one broker that stops does not slow the others. Two equal corndogs get the same portions of lines at the
 * same time, on the same brokers: of the fifty topics of one some have no leader, and a backlog of them waits; of the
 * other's all live. What the machine and the brokers do to one they do to both, so that the ratio of a pair says what
 * the trouble costs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Ledger } from "../../src/admin/stats_view.ts";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { type Kafka, needs, startKafka, uniqueTopic } from "./harness/kafka.ts";

const slow = { timeout: 400_000 };
const topics = 50;
/** Lines of a portion, the same number of each topic: what linger and requests take is little beside it. */
const portionLines = 20_000;
const warmLines = 200_000;
/** A median of so few may be low by chance: then pairs are added, and the median of all counts. */
const pairsMin = 15;
const pairsMax = 60;
/** The others' speed beside topics that stop, of their speed without them. */
const speedMin = 0.9;
/** A broker is silent for two seconds until it counts as one that stands still; speeds are compared behind them. */
const unknownMs = 3_000;
/** So much longer than its twin no portion takes, from the beginning of the trouble on. */
const stallMsMax = 4_000;
/** Lines of topics that stop, all together, which wait already: many times what the sink has place for. */
const backlogLines = 102_000;

/** The line names its topic. */
const config = (bootstrap: string, prefix: string) => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka:
  brokers: ["${bootstrap}"]
  topic: ${prefix}-0
  topics: { allow: ["${prefix}-*"] }
  topic_wait: 2s
dead_letter: { file: dead_letter.ndjson }
workers: 1
limits: { memory: 64MiB }
rules:
  - name: by-tag
    field: msg
    regex: "^(?P<to>[^ ]+) "
    actions: [{ type: forward, topic: "${prefix}-{{to}}" }]
`;

const ids = Array.from({ length: topics }, (_, id) => id);
/** Which of the fifty stop. */
const cases: { name: string; stops: (id: number) => boolean }[] = [
  { name: "one of fifty topics has no leader", stops: (id) => id === 49 },
  { name: "every third of fifty topics has no leader", stops: (id) => id % 3 === 2 },
];
/** A topic that lives on two brokers, and its twin that lives on the third alone. */
const living = (id: number): string => String(id);
const alone = (id: number): string => `alone-${id}`;

/** Lines and how many. */
interface Portion {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

/** Lines for these topics in turn. */
function portionFor(tags: readonly string[], lines: number): Portion {
  const padding = "x".repeat(150);
  let text = "";
  for (let line = 0; line < lines; line++) {
    text += `<13>1 - web app - - - ${tags[line % tags.length]} ${line} ${padding}\n`;
  }
  return { bytes: new TextEncoder().encode(text), lines };
}

/** One corndog and how many lines it was sent. */
class Site {
  readonly corndog: Corndog;
  sent = 0;

  constructor(corndog: Corndog) {
    this.corndog = corndog;
  }

  async ledger(): Promise<Ledger> {
    return (await this.corndog.stats()).ledger;
  }

  async send({ bytes, lines }: Portion): Promise<void> {
    const socket = await dial(this.corndog.port("tcp"));
    await write(socket, bytes);
    await finish(socket);
    this.sent += lines;
  }

  /** Milliseconds until `deliverable` lines more are delivered, which are those of the portion that can be. */
  async take(portion: Portion, deliverable: number): Promise<number> {
    const { delivered } = await this.ledger();
    const startedMs = performance.now();
    await this.send(portion);
    const enough = delivered + deliverable;
    await this.corndog.statsWhen("the others", ({ ledger }) => ledger.delivered >= enough, 60_000);
    return performance.now() - startedMs;
  }

  /** Waits until all that was sent is `state`. */
  async all(state: "received" | "delivered"): Promise<void> {
    await this.corndog.statsWhen(`all to be ${state}`, ({ ledger }) => ledger[state] === this.sent, 60_000);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!;
}

describe("corndog with topics that stop", { skip: needs.ownRealBroker }, () => {
  it("delivers the others at nine tenths of their speed or more", slow, async () => {
    await using kafka = await startKafka({ brokers: 3 });
    const prefix = uniqueTopic("iso");
    await createTopics(kafka, prefix);
    const sites: Site[] = [];
    try {
      for (let site = 0; site < 2; site++) {
        sites.push(new Site(await Corndog.start(config(kafka.bootstrap.split(",")[0]!, prefix))));
      }
      await Promise.all(sites.map(({ corndog }) => corndog.started()));
      const warm = portionFor(ids.map(living), warmLines);
      await Promise.all(sites.map((site) => site.take(warm, warmLines))); // not yet compiled
      await compareAll(kafka, sites[0]!, sites[1]!);
      for (const { corndog } of sites) assert.equal(await corndog.stop(), 0);
    } finally {
      for (const { corndog } of sites) await corndog.dispose();
    }
  });

  async function createTopics(kafka: Kafka, prefix: string): Promise<void> {
    const create = (tag: string, brokers: number[]): Promise<string> =>
      kafka.createTopic(`${prefix}-${tag}`, {
        assignment: [brokers],
        config: { "min.insync.replicas": "1" },
        exactName: true,
      });
    for (const id of ids) {
      await create(living(id), id % 2 === 0 ? [0, 1] : [1, 0]);
      if (cases.some(({ stops }) => stops(id))) await create(alone(id), [2]);
    }
  }

  async function compareAll(kafka: Kafka, troubled: Site, control: Site): Promise<void> {
    const troubles = [
      { name: "is killed", begin: () => kafka.kill(2), end: () => kafka.restart(2) },
      { name: "stands still", begin: () => kafka.pause(2), end: () => kafka.continue(2) },
    ];
    for (const { name: caseName, stops } of cases) {
      const stopped = ids.filter(stops).map(alone);
      const backlog = portionFor(stopped, backlogLines);
      const tags = ids.map((id) => stops(id) ? alone(id) : living(id));
      for (const { name, begin, end } of troubles) {
        await begin();
        await troubled.send(backlog);
        await troubled.all("received");
        const { speed, stallMs, shown } = await compare(troubled, control, tags);
        const found = `${caseName}, a broker ${name}: ${shown}`;
        console.log(found);
        const { balanced, dead_lettered, delivered } = await troubled.ledger();
        assert.equal(balanced, true);
        assert.equal(dead_lettered, 0);
        assert.ok(delivered <= troubled.sent - backlog.lines, "what stops waits");
        assert.ok(speed >= speedMin, found);
        assert.ok(stallMs <= stallMsMax, found);
        await end();
        await Promise.all([troubled.all("delivered"), control.all("delivered")]);
      }
    }
  }

  /** The others' speed in `troubled` of that in `control`, and by how much its slowest portion was later. */
  async function compare(
    troubled: Site,
    control: Site,
    tags: readonly string[],
  ): Promise<{ speed: number; stallMs: number; shown: string }> {
    const mixed = portionFor(tags, portionLines);
    const whole = portionFor(ids.map(living), portionLines);
    const deliverable = portionLines * ids.filter((id) => tags[id] === living(id)).length / topics;
    const speeds: number[] = [];
    let stallMs = 0;
    const knownAtMs = performance.now() + unknownMs;
    do {
      const [beside, without] = await Promise.all([
        troubled.take(mixed, deliverable),
        control.take(whole, portionLines),
      ]);
      stallMs = Math.max(stallMs, beside - without);
      if (performance.now() >= knownAtMs) speeds.push(without / beside);
    } while (speeds.length < pairsMin || (median(speeds) < speedMin && speeds.length < pairsMax));
    const speed = median(speeds);
    const pairs = speeds.map((one) => one.toFixed(2)).join(" ");
    const shown = `speed ${speed.toFixed(2)} of ${pairs}; later by at most ${stallMs.toFixed(0)} ms`;
    return { speed, stallMs, shown };
  }
});
