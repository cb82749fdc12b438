/**
 * Days of mixed traffic, compressed, with reloads, broker restarts and connections that come and go: memory,
 * descriptors and latency of the last day are those of the second, and no line is lost.
 *
 *     SOAK_MINUTES=n   how long; 10 by default, 1.5 for a quick look, hours for a release
 *     SOAK_SEED=n      the days of an earlier run again
 *     SOAK_RATE=n      lines per second at the peak, over all protocols
 *     SOAK_BINARY=PATH the program, instead of the sources
 *
 * It runs with test/run.sh --long, and by hand: bun test --timeout 900000 ./test/soak
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { type Kafka, needs, startKafka } from "../kafka/harness/kafka.ts";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { dayOf, randomOf, stagesOf } from "./day.ts";
import { daysOf, reportOf, type Sample, sampleOf, slopePerHour } from "./measure.ts";

const seconds = Math.round(Number(process.env.SOAK_MINUTES ?? 10) * 60);
const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const peak = Number(process.env.SOAK_RATE ?? 4_000);
/** Days at least half a minute long, four of them at most; hours are soaked in longer days. */
const days = Math.max(3, Math.min(4, Math.floor(seconds / 30)));
const dayS = seconds / days;
/** After a broker came back, the backlog is sent: latencies of that time are those of the outage. */
const recoveryS = 12;
const timeout = seconds * 1000 + 300_000;

/** What the last day may have more than the second. In a quick look memory has not found its size by then. */
const rssGrowthMiB = seconds >= 600 ? 32 : 96;
const descriptorGrowth = 12;
const latencyFactor = 3;
const latencySlackMs = 50;

if (process.env.SOAK_BINARY !== undefined) process.env.CORNDOG_BINARY = process.env.SOAK_BINARY;

interface Ports {
  readonly tcp: number;
  readonly udp: number;
  readonly http: number;
  readonly relp: number;
  readonly extra: number;
}

/** `turn` changes rules, the keys of a listener, and whether there is another one. */
function configOf(ports: Ports, bootstrap: string, topic: string, turn: number): string {
  const extra = turn % 2 === 0 ? "" : `  - { syslog: "tcp://127.0.0.1:${ports.extra}" }\n`;
  return `listen:
  - { syslog: "tcp://127.0.0.1:${ports.tcp}", frame_max: ${turn % 3 === 0 ? 32 : 64}KiB }
  - { syslog: "udp://127.0.0.1:${ports.udp}" }
  - { http: "http://127.0.0.1:${ports.http}" }
  - { relp: "tcp://127.0.0.1:${ports.relp}" }
${extra}admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["${bootstrap.split(",").join('", "')}"], topic: "${topic}", request_timeout: 5s }
spool: { dir: spool, free_min: 0B }
dead_letter: { file: dead_letter.ndjson }
limits: { memory: 128MiB }
workers: 2
rules:
  - name: turn-${turn}
    field: hostname
    equals: nobody-${turn}
    actions: [{ type: stop }]
`;
}

interface LoadResult {
  readonly failures: Readonly<Record<string, number>>;
  readonly endToEnd: { readonly sent: number; readonly lost: number };
}

/** Runs the load generator over all days. */
async function load(dir: string, name: string, target: string, args: readonly string[]): Promise<LoadResult> {
  const [command, ...first] = corndogCommand();
  const path = join(dir, `${name}.json`);
  const words = [
    "clobber",
    target,
    ...args,
    "-q",
    "--threads",
    "1",
    // A machine that has no time to spare is no fault of the target.
    "--connect-timeout",
    "60s",
    "--verify-timeout",
    "60s",
    "--json",
    path,
  ];
  const child = spawn(command!, [...first, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr!.on("data", (data) => said += data);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  assert.ok(code === 0 || code === 98, `${name} ended with ${code}: ${said}`);
  return JSON.parse(readFileSync(path, "utf8"));
}

/** Reloads and broker restarts, at times that the seed gives, until the load ends. */
class Trouble {
  reloads = 0;
  outages = 0;
  away = false;
  backAtS = -Infinity;
  readonly #random = randomOf(seed + 1);

  /** `atS` tells the time. The end of the last day is left alone. */
  async make(
    corndog: Corndog,
    kafka: Kafka,
    text: (turn: number) => string,
    atS: () => number,
  ): Promise<void> {
    const everyS = Math.max(3, dayS / 10);
    for (let day = 0; day < days; day++) {
      let outageS = (day + 0.2 + 0.3 * this.#random()) * dayS;
      const endS = (day + (day === days - 1 ? 0.8 : 1)) * dayS;
      for (let next = day * dayS + everyS; next < endS; next += everyS * (0.75 + this.#random() / 2)) {
        while (atS() < next) await new Promise((resolve) => setTimeout(resolve, 100));
        await this.#reload(corndog, text);
        if (next < outageS) continue;
        outageS = Infinity;
        await this.#outage(kafka, atS);
      }
    }
  }

  async #reload(corndog: Corndog, text: (turn: number) => string): Promise<void> {
    this.reloads++;
    writeFileSync(join(corndog.dir, "corndog.yml"), text(this.reloads));
    const response = await fetch(`${corndog.admin}/admin/reload`, { method: "POST" });
    assert.equal(response.status, 200, await response.text());
  }

  async #outage(kafka: Kafka, atS: () => number): Promise<void> {
    this.outages++;
    this.away = true;
    await kafka.kill(0);
    await new Promise((resolve) => setTimeout(resolve, 1000 + 2000 * this.#random()));
    await kafka.restart(0);
    this.away = false;
    this.backAtS = atS();
  }
}

describe("corndog over days", { skip: needs.ownRealBroker }, () => {
  it("needs no more memory and no more time, and loses nothing", { timeout }, async () => {
    const day = dayOf(randomOf(seed));
    const kafka = await startKafka();
    const topic = await kafka.createTopic("soak", { partitions: 4 });
    const [tcp, udp, http, relp, extra] = await Promise.all([0, 1, 2, 3, 4].map(() => freePort()));
    const ports: Ports = { tcp: tcp!, udp: udp!, http: http!, relp: relp!, extra: extra! };
    const text = (turn: number) => configOf(ports, kafka.bootstrap, topic, turn);
    const corndog = await (await Corndog.start(text(0))).started();
    try {
      const began = performance.now();
      const atS = () => (performance.now() - began) / 1000;
      const trouble = new Trouble();
      const share = (part: number) => [
        "--stages",
        stagesOf(day, days, dayS, peak * part),
        ...["--seed", String(seed), "--verify", `kafka://${kafka.bootstrap.split(",")[0]}/${topic}`],
      ];
      const life = ["--lifetime", "2s..10s"];
      const loads = [
        load(corndog.dir, "tcp", `tcp://127.0.0.1:${tcp}`, [...share(0.6), "-c", "12", ...life]),
        load(corndog.dir, "relp", `relp://127.0.0.1:${relp}`, [...share(0.2), "-c", "2"]),
        load(corndog.dir, "http", `http://127.0.0.1:${http}/v1/ingest`, [
          ...share(0.02),
          ...["--syslog", "5424", "--batch", "10", "-c", "4", ...life],
        ]),
        load(corndog.dir, "udp", `udp://127.0.0.1:${udp}`, [...share(0.05), "-c", "2"]),
      ];
      const all = Promise.allSettled(loads);
      const making = trouble.make(corndog, kafka, text, atS);
      const samples: Sample[] = [];
      while (atS() < seconds) {
        const troubled = trouble.away || atS() - trouble.backAtS < recoveryS;
        samples.push(sampleOf(corndog.pid, await corndog.stats(), atS(), troubled));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      await making;
      await all;
      const views = daysOf(samples, days, dayS);
      const slopes = {
        rss: slopePerHour(samples, dayS, ({ rssMiB }) => rssMiB),
        fds: slopePerHour(samples, dayS, ({ descriptors }) => descriptors),
      };
      console.log(
        `soak: seed ${seed}, ${days} days of ${dayS.toFixed(0)} s, ${trouble.reloads} reloads, ` +
          `${trouble.outages} broker restarts\n${reportOf(views, slopes)}`,
      );
      for (const [index, one] of loads.entries()) {
        const { failures, endToEnd } = await one;
        const what = ["tcp", "relp", "http", "udp"][index];
        assert.deepEqual(failures, {}, `${what}, seed ${seed}`);
        assert.ok(endToEnd.sent > 0);
        assert.equal(endToEnd.lost, 0, `${what} of ${endToEnd.sent}, seed ${seed}`);
      }
      assert.ok(trouble.reloads >= 2 * days && trouble.outages === days, "there was trouble");
      const [second, last] = [views[1]!, views.at(-1)!];
      const hint = `seed ${seed}`;
      assert.ok(second.p99Ms > 0 && last.p99Ms > 0, `there were quiet hours, ${hint}`);
      assert.ok(
        last.rssMiB <= second.rssMiB + rssGrowthMiB,
        `memory ${second.rssMiB} -> ${last.rssMiB}, ${hint}`,
      );
      assert.ok(
        last.descriptors <= second.descriptors + descriptorGrowth,
        `descriptors ${second.descriptors} -> ${last.descriptors}, ${hint}`,
      );
      assert.ok(
        last.p99Ms <= latencyFactor * second.p99Ms + latencySlackMs,
        `p99 ${second.p99Ms} -> ${last.p99Ms} ms, ${hint}`,
      );
      const end = await corndog.statsWhen(
        "nothing left",
        ({ ledger }) => ledger.in_flight === 0 && ledger.spooled === 0,
        60_000,
      );
      assert.deepEqual([end.ledger.balanced, end.ledger.dropped.shutdown], [true, 0]);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await kafka.stop();
    }
  });
});
