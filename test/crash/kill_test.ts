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
import { type Kafka, needs, sharedKafka } from "../kafka/harness/kafka.ts";
import { until } from "../support/until.ts";
import { Site, siteConfig } from "./site.ts";

const kills = process.env.TEST_LONG === "1" ? 50 : 5;
/** A kill takes two to three seconds. */
const timeout = 60_000 + kills * 10_000;
const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
let state = seed >>> 0;

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
    return [new Site(folder, siteConfig(kafka.bootstrap, topic, durability, more)), topic];
  }

  for (const durability of ["os", "fsync"]) {
    it(`loses nothing that was acknowledged when it is killed at random, with durability ${durability}`, {
      timeout,
    }, async () => {
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
  it(`loses nothing that was acknowledged when it ends at any step of a batch's way, seed ${seed}`, {
    timeout,
  }, async () => {
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
