/**
 * One installation of corndog over many lives: its folder, its senders, and what it owes them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Kafka, values } from "../kafka/harness/kafka.ts";
import { Corndog } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { Acknowledged, HttpSender, RelpSender, TcpSender } from "./senders.ts";

const httpSenders = 8;

/** All ports 0, two workers, a spool in the folder of the site. */
export const siteConfig = (bootstrap: string, topic: string, durability: string, more = "") => `
listen: [{ syslog: "tcp://127.0.0.1:0" }, { http: "http://127.0.0.1:0" }, { relp: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", request_timeout: 5s }
spool: { dir: spool, durability: ${durability}, free_min: 0B }
dead_letter: { file: dead_letter.ndjson }
workers: 2
${more}`;

/** One folder with its spool, over many lives of corndog. */
export class Site {
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
    const [http, tcp, relp] = [corndog.port("http"), corndog.port("tcp"), corndog.port("relp")];
    const starting = Array.from(
      { length: httpSenders },
      (_, sender) => HttpSender.start(http, this.acknowledged, sender % 4 === 3 ? "kafka" : "disk"),
    );
    const senders = [
      ...await Promise.allSettled(starting),
      ...await Promise.allSettled([RelpSender.start(relp, this.acknowledged)]),
      ...await Promise.allSettled([TcpSender.start(tcp, `tcp-${life}`)]),
    ];
    const over = async () => {
      await Promise.all(senders.map((one) => one.status === "fulfilled" ? one.value.ended : undefined));
    };
    return { corndog, over };
  }

  /**
   * Last lives without load: everything that the spool holds gets to Kafka. A batch that was out alone at kills in a row
   * by chance was set aside; it is whole, and comes back. Nothing else may have been.
   */
  async finish(): Promise<void> {
    await this.#emptied();
    if ((await this.#aside()).length === 0) return;
    const repair = Corndog.spawn(this.#dir, ["spool", "repair", "spool", "--requeue"]);
    assert.equal(await repair.ended(), 0, repair.stderr);
    assert.deepEqual(await this.#aside(), [], "what was set aside is whole");
    await this.#emptied();
  }

  /** A life without load, until the spool is empty. */
  async #emptied(): Promise<void> {
    const corndog = await (await Corndog.start(this.#text, { dir: this.#dir })).started();
    try {
      const { ledger, spool } = await corndog.statsWhen(
        "an empty spool",
        ({ ledger, spool }) => {
          assert.ok(ledger.balanced, JSON.stringify(ledger));
          return ledger.spooled === 0 && ledger.in_flight === 0 && spool?.lines === 0;
        },
        60_000,
      );
      assert.equal(await corndog.stop(), 0);
      const damages = corndog.logs.filter(({ event, reason }) =>
        event === "spool_damaged" && reason !== "torn"
      );
      const told = damages.map((line) => JSON.stringify(line)).join("\n");
      assert.ok(damages.every(({ reason }) => reason === "crash_loop"), told);
      assert.deepEqual(
        [spool!.damaged_batches, spool!.quarantined_batches],
        [damages.length, damages.length],
        told,
      );
      assert.equal(ledger.replayed, ledger.delivered + ledger.dropped.spool_damaged!, told);
    } finally {
      if (corndog.exitCode === undefined) corndog.signal("SIGKILL");
    }
  }

  /** Files of what was set aside, in all lives. */
  async #aside(): Promise<string[]> {
    const names = await readdir(join(this.#dir, "spool"), { recursive: true });
    return names.filter((name) => /\.(?:batch|bytes|bad)$/.test(name));
  }

  /** Nothing that was acknowledged is missing, and nothing is there that was not sent. */
  async check(kafka: Kafka, topic: string): Promise<void> {
    const got = values(await kafka.readAll(topic));
    const there = new Set(
      got.map((value) => /^<13>1 - edge (?:http|relp) - - - (id-\d+-) x{120}$/.exec(value)?.[1]),
    );
    const missing = this.acknowledged.ids.filter((id) => !there.has(id));
    assert.deepEqual(
      missing.slice(0, 5),
      [],
      `${missing.length} of ${this.acknowledged.ids.length} are missing`,
    );
    const broken = got.filter((value) =>
      !/^<13>1 - edge (?:(?:http|relp) - - - id-\d+- x{120}|tcp - - - tcp-\d+ \d+ x{120}\.)$/.test(value)
    );
    assert.deepEqual(broken.slice(0, 5), [], "every line is whole");
    assert.ok(got.some((value) => value.includes("- tcp-")), "TCP lines arrived");
  }
}
