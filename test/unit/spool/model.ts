/**
 * A spool under a random pipeline, over several lives of its process, beside a model of what it owes.
 *
 * The model knows of each batch whether it was committed and whether it was settled. After each crash the spool is
 * opened again and everything is taken out of its backlog: what was committed and not settled must be there, whole,
 * and per topic in its order.
 *
 * @module
 */
import assert from "node:assert/strict";
import { headBytesMin } from "../../../src/spool/format.ts";
import { openSpool } from "../../../src/spool/open_spool.ts";
import type { Processes } from "../../../src/spool/lock.ts";
import type { Durability, ReplayOrder, Spool, SpooledBatch } from "../../../src/spool/spool.ts";
import { Random } from "./random.ts";
import { SimClock, turn } from "./sim_clock.ts";
import { type Faults, SimDisk } from "./sim_disk.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

/** What one run is like. */
export interface ModelOptions {
  readonly durability: Durability;
  readonly replay: ReplayOrder;
  /** Ends of the process take the power with them. */
  readonly power: boolean;
  /** The disk fails now and then. */
  readonly faults: boolean;
  readonly lives: number;
  readonly steps: number;
  /** Operation at which each life ends; random where it is undefined. */
  readonly crashAt?: number;
}

interface Entry {
  readonly id: number;
  readonly topic: string;
  readonly text: string;
  readonly count: number;
  /** Life in which it was appended. */
  readonly life: number;
  state: "pending" | "committed" | "settled" | "withdrawn";
  settledAtMs: number;
  /** It was in two places after a crash, or came back after it was settled: then its order says nothing. */
  doubled: boolean;
}

const topics = ["a", "b", "c"];
const faultCodes = ["EIO", "ENOSPC", "EROFS"];
/** Process numbers of lives; one process at a time lives. */
const processesOf = (pid: number): Processes => ({
  self: { pid, started: String(pid), boot: "boot", namespace: "ns", host: "h" },
  startedOf: (other) => other === pid ? String(pid) : undefined,
});

/** Memory of all runs: making one costs more than a run. */
const memory = new BatchMemory(4 * 1024 * 1024);

/** Runs one seed to its end. @throws an assertion if the spool owes something. Returns how much came twice. */
export async function runModel(
  seed: number,
  options: ModelOptions,
): Promise<{ duplicates: number; operations: number }> {
  return await new Model(seed, options).run();
}

class Model {
  readonly #random: Random;
  readonly #options: ModelOptions;
  readonly #disk: SimDisk;
  readonly #entries: Entry[] = [];
  /** By text. */
  readonly #byText = new Map<string, Entry>();
  #clock = new SimClock();
  #events = new CountedEvents();
  #spool!: Spool;
  /** What the pipeline has, in the order in which it got it. */
  #live: { readonly entry: Entry; readonly spooled: SpooledBatch; inSink: boolean }[] = [];
  #life = 0;
  #duplicates = 0;
  #operations = 0;

  constructor(seed: number, options: ModelOptions) {
    this.#random = new Random(seed);
    this.#options = options;
    this.#disk = new SimDisk(this.#random);
  }

  async run(): Promise<{ duplicates: number; operations: number }> {
    for (this.#life = 1; this.#life <= this.#options.lives; this.#life++) {
      const isLast = this.#life === this.#options.lives;
      await this.#open();
      await this.#live_();
      this.#operations = Math.max(this.#operations, this.#disk.operations);
      if (isLast) break;
      // What the disk had done by then was told by then.
      await turn();
      this.#clock.stop();
      this.#disk.restart(this.#options.power);
    }
    return { duplicates: this.#duplicates, operations: this.#operations };
  }

  async #open(): Promise<void> {
    memory.reset();
    this.#clock = new SimClock();
    this.#events = new CountedEvents();
    this.#live = [];
    let opened: Spool | undefined;
    let failure: unknown;
    openSpool({
      settings: settings("/spool", {
        durability: this.#options.durability,
        replay: this.#options.replay,
        replayBytesPerS: 100_000,
      }),
      worker: 0,
      workers: 1,
      memory: memory.kernel,
      events: this.#events,
      disk: this.#disk,
      clock: this.#clock,
      processes: processesOf(this.#life),
      newId: () => 1 + this.#random.below(2 ** 31),
      segmentBytesMax: 2000,
    }).then((spool) => opened = spool, (error) => failure = error);
    for (let i = 0; opened === undefined && failure === undefined && i < 3000; i++) {
      await this.#clock.advance(1);
    }
    assert.equal(failure, undefined);
    assert.ok(opened, "the spool opens");
    this.#spool = opened;
    await this.#takeAll();
  }

  /** Everything that is owed comes back, whole, and per topic in its order. */
  async #takeAll(): Promise<void> {
    const wish = memory.wish();
    for (let i = 0; i < 10_000; i++) {
      const answer = await this.#awaited(this.#spool.next(wish));
      if (answer?.kind === "later") await this.#clock.advance(answer.delayMs);
      else if (answer?.kind === "none") {
        // After a crash only a few batches of earlier lives go at a time.
        const before = wish.taken.length;
        await this.#clock.advance(2500);
        if (before === this.#found(wish.taken) && this.#spool.stats().backlogBatches === 0) break;
      } else assert.equal(answer?.kind, "batch");
    }
    const records = wish.taken.reduce((sum, { batch }) => sum + batch.count, 0);
    const setAside = this.#setAside();
    const opened = this.#spool.opened.records - setAside;
    if (opened !== records) {
      this.#explain(`${opened} records at the start, ${records} came: ${JSON.stringify(this.#events)}`);
    }
    const last = new Map<string, number>();
    const seen = new Set<Entry>();
    for (const spooled of wish.taken) {
      const entry = this.#entryOf(spooled);
      if (seen.has(entry) || entry.state === "settled") entry.doubled = true;
      if (entry.doubled) this.#duplicates++;
      seen.add(entry);
    }
    for (const spooled of wish.taken) {
      const entry = this.#entryOf(spooled);
      // Between sessions new batches may go before old ones.
      const session = `${entry.topic}/${entry.life}`;
      const before = last.get(session) ?? -1;
      if (!entry.doubled) {
        if (entry.id < before) {
          this.#explain(`${entry.topic} comes out of order: ${entry.id} after ${before}`);
        }
        last.set(session, entry.id);
      }
      entry.state = "committed";
      this.#live.push({ entry, spooled, inSink: false });
    }
    const back = new Set(this.#live.map(({ entry }) => entry));
    for (const entry of this.#entries) {
      if (entry.state === "committed" && !back.has(entry)) {
        this.#explain(`${entry.topic} ${entry.id} was lost`);
      }
      // Written or not, nobody was told.
      if (entry.state === "pending") entry.state = "withdrawn";
    }
    for (const { reason, message } of this.#events.damages) {
      if (reason !== "torn" && reason !== "cursor_damaged") {
        this.#explain(`damage where there was none: ${message}`);
      }
    }
  }

  /** Batches that were out at three crashes in a row by chance. Returns their records. */
  #setAside(): number {
    let records = 0;
    for (const { reason, path, records: count } of this.#events.damages) {
      if (reason !== "crash_loop") continue;
      const bytes = path === undefined ? undefined : this.#disk.bytesOf(path);
      const entry = bytes && this.#byText.get(new TextDecoder().decode(bytes.subarray(headBytesMin + 1)));
      if (entry === undefined) this.#explain(`a batch was set aside, but is not in ${path}`);
      entry.state = "withdrawn";
      records += count;
    }
    return records;
  }

  #found(taken: readonly SpooledBatch[]): number {
    return taken.length;
  }

  #entryOf({ batch }: SpooledBatch): Entry {
    const entry = this.#byText.get(memory.text(batch));
    if (entry === undefined) {
      this.#explain(`a batch that nobody appended: ${memory.text(batch).slice(0, 40)}`);
    }
    assert.equal(batch.topic, entry.topic);
    assert.equal(batch.count, entry.count);
    assert.equal(batch.baseTimestampMs, entry.id);
    return entry;
  }

  /** A life of the process, to its crash or its end. */
  async #live_(): Promise<void> {
    const random = this.#random;
    const isLast = this.#life === this.#options.lives;
    if (!isLast) {
      this.#disk.operations = 0;
      this.#disk.crashAt = this.#options.crashAt ?? 1 + random.below(this.#options.steps);
    }
    if (this.#options.faults) this.#disk.faults = this.#chooseFaults();
    for (let step = 0; step < this.#options.steps && !this.#disk.crashed; step++) {
      await this.#step();
      if (random.chance(0.6)) await turn();
      if (random.chance(0.2)) await this.#clock.advance(random.pick([1, 10, 60, 200, 1500]));
    }
    if (this.#disk.crashed) return;
    if (random.chance(0.3) || isLast) {
      this.#disk.faults = { fail: 0, codes: [], short: 0 };
      let closed = false;
      this.#spool.close(5000).then(() => closed = true);
      for (let i = 0; !closed && !this.#disk.crashed && i < 200; i++) await this.#clock.advance(100);
      assert.ok(closed || this.#disk.crashed, "the spool closes");
    }
  }

  #chooseFaults(): Faults {
    const random = this.#random;
    return {
      fail: random.pick([0, 0.02, 0.2]),
      codes: [random.pick(faultCodes)],
      short: random.pick([0, 0.2]),
    };
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const choice = random.below(100);
    if (choice < 45) return this.#append();
    if (choice < 75) return this.#settle();
    if (choice < 83) return this.#giveUp();
    if (choice < 94) return await this.#next();
    if (choice < 96) return this.#spool.park(random.pick(topics));
    if (choice < 99) return [...this.#spool.parked].forEach((topic) => this.#spool.unpark(topic));
    this.#withdraw();
  }

  #append(): void {
    const random = this.#random;
    const topic = random.pick(topics);
    const id = this.#entries.length;
    const text = `${topic} ${id} ${"x".repeat(random.pick([0, 10, 300, 900]))}`;
    const count = 1 + random.below(5);
    const entry: Entry = {
      id,
      topic,
      text,
      count,
      life: this.#life,
      state: "pending",
      settledAtMs: 0,
      doubled: false,
    };
    if (memory.bytesUsed > 3_000_000) return;
    this.#entries.push(entry);
    this.#byText.set(text, entry);
    const batch = memory.batch(topic, text, { count, baseTimestampMs: id });
    this.#spool.append(batch, (spooled) => {
      assert.equal(entry.state, "pending");
      entry.state = "committed";
      if (this.#spool.mustWait(topic)) this.#forget(spooled);
      else this.#live.push({ entry, spooled, inSink: true });
    });
  }

  #forget(spooled: SpooledBatch): void {
    memory.release(spooled.batch.at);
    this.#spool.giveUp(spooled);
  }

  #settle(): void {
    if (this.#live.length === 0) return;
    const place = this.#random.below(Math.min(4, this.#live.length));
    const { entry, spooled } = this.#live[place]!;
    this.#live.splice(place, 1);
    memory.release(spooled.batch.at);
    this.#spool.settle(spooled, "delivered");
    entry.state = "settled";
    entry.settledAtMs = this.#clock.monoMs();
  }

  /** All that the pipeline has of a topic, the newest first. */
  #giveUp(): void {
    const topic = this.#random.pick(topics);
    const given = this.#live.filter(({ entry }) => entry.topic === topic).toReversed();
    this.#live = this.#live.filter(({ entry }) => entry.topic !== topic);
    for (const { spooled } of given) this.#forget(spooled);
  }

  async #next(): Promise<void> {
    const wish = memory.wish((topic) => topic !== "c" || this.#random.chance(0.5));
    await this.#awaited(this.#spool.next(wish));
    for (const spooled of wish.taken) {
      this.#live.push({ entry: this.#entryOf(spooled), spooled, inSink: false });
    }
  }

  #withdraw(): void {
    const entry = this.#entries.findLast(({ state }) => state === "pending");
    if (entry === undefined) return;
    // Nothing is known of its handle here; `append` gave it to nobody.
  }

  /** Waits for a promise, moving time on; undefined when the process died. */
  async #awaited<T>(promise: Promise<T>): Promise<T | undefined> {
    let result: { readonly value: T } | undefined;
    let failure: { readonly error: unknown } | undefined;
    promise.then((value) => result = { value }, (error) => failure = { error });
    for (let i = 0; i < 5000 && !this.#disk.crashed; i++) {
      if (failure !== undefined) throw failure.error;
      if (result !== undefined) return result.value;
      if (i < 20) await turn();
      else await this.#clock.advance(10);
    }
    if (!this.#disk.crashed) this.#explain("a call does not return");
    return result?.value;
  }

  #explain(message: string): never {
    throw new Error(`${message} (life ${this.#life})\n${this.#disk.trace.slice(-40).join("\n")}`);
  }
}
