/**
 * A spool on a simulated disk, with time that a test moves.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import type { Processes } from "../../../src/spool/lock.ts";
import { openSpool, type OpenSpoolOptions } from "../../../src/spool/open_spool.ts";
import type { Spool, SpooledBatch, SpoolSettings } from "../../../src/spool/spool.ts";
import { Random } from "./random.ts";
import { SimClock, turn } from "./sim_clock.ts";
import { SimDisk } from "./sim_disk.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

const memory = new BatchMemory();

/** A machine with a disk; processes come and go. */
export class SimMachine {
  readonly random = new Random(1);
  readonly disk = new SimDisk(this.random);
  readonly memory = memory;
  clock = new SimClock();
  events = new CountedEvents();
  spool!: Spool;
  #pid = 0;

  constructor() {
    memory.reset();
  }

  /** A process begins and opens its spool. */
  async open(changes: Partial<SpoolSettings> = {}, options: Partial<OpenSpoolOptions> = {}): Promise<Spool> {
    this.clock = new SimClock();
    this.events = new CountedEvents();
    this.#pid++;
    this.spool = await this.done(openSpool({
      settings: settings("/s", changes),
      worker: 0,
      workers: 1,
      memory: memory.kernel,
      events: this.events,
      disk: this.disk,
      clock: this.clock,
      processes: processesOf(this.#pid),
      newId: () => 1 + this.random.below(2 ** 31),
      segmentBytesMax: 4096,
      ...options,
    }));
    return this.spool;
  }

  /** The process is killed, or the power fails. */
  die(power = false): void {
    this.clock.stop();
    this.disk.restart(power);
  }

  /** Waits for a promise while time goes on. */
  async done<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(() => settled = true, () => settled = true);
    for (let i = 0; !settled && i < 20_000; i++) {
      if (i % 10 === 9) await this.clock.advance(10);
      else await turn();
    }
    assert.ok(settled, "the call returns");
    return await promise;
  }

  /** Time goes on, and what the disk does then is done. */
  async rest(ms: number): Promise<void> {
    for (let doneMs = 0; doneMs < ms; doneMs += 50) {
      await this.clock.advance(50);
      for (let i = 0; i < 20; i++) await turn();
    }
  }

  /** Time goes on until a condition holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let i = 0; i < 3000; i++) {
      if (holds()) return;
      await this.clock.advance(20);
    }
    assert.fail(`Waited in vain: ${what}`);
  }

  /** Appends a batch; resolves when it is committed. */
  append(topic: string, text: string, fields: Partial<ClosedBatch> = {}): Promise<SpooledBatch> {
    return this.done(this.begin(topic, text, fields));
  }

  /** Appends a batch, and does not move time. */
  begin(topic: string, text: string, fields: Partial<ClosedBatch> = {}): Promise<SpooledBatch> {
    return new Promise((resolve) => this.spool.append(memory.batch(topic, text, fields), resolve));
  }

  /** Takes all that may go from the backlog. After a kill that takes time, because few go at once. */
  async take(mayGo: (topic: string) => boolean = () => true): Promise<SpooledBatch[]> {
    const wish = memory.wish(mayGo);
    let idleMs = 0;
    while (idleMs < 3000) {
      const answer = await this.done(this.spool.next(wish));
      if (answer.kind === "batch") idleMs = 0;
      else {
        const delayMs = answer.kind === "later" ? answer.delayMs : 500;
        idleMs += delayMs;
        await this.clock.advance(delayMs);
      }
    }
    return wish.taken;
  }

  /** The texts of batches. */
  texts(batches: readonly SpooledBatch[]): string[] {
    return batches.map(({ batch }) => memory.text(batch));
  }
}

/** One process at a time lives. */
export function processesOf(pid: number): Processes {
  return {
    self: { pid, started: String(pid), boot: "boot", namespace: "ns", host: "h" },
    startedOf: (other) => other === pid ? String(pid) : undefined,
  };
}
