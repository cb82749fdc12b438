/**
 * Messages that are answered: HTTP, RELP, and raw connections whose peer says something back. Hot path.
 *
 * Closed loop: a connection sends its next message when an answer came. Open loop: messages have times; each takes the
 * connection that has waited longest, and if none is free it waits, and its latency counts from its time all the
 * same. How late the generator itself was (`lateness`) leaves out the time in which no connection was free.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { countMs } from "../measure/counts.ts";
import { at, type SharedRow } from "../measure/row.ts";
import type { Plan } from "../plan.ts";
import type { AnswerTaker } from "../targets/answer.ts";
import type { Fuzzer } from "../payload/fuzz.ts";
import type { Pool } from "../payload/pool.ts";
import type { Connections } from "./connections.ts";
import type { Due } from "./due.ts";
import type { Link } from "./link.ts";
import { LinkQueue } from "./link_queue.ts";
import { after, epochMicros, isSpent, type Load } from "./load.ts";
import type { RelpFrames } from "./relp_frames.ts";
import { Trickle } from "./trickle.ts";

/** Bytes in one write of pipelined requests. */
const writeBytesMax = 64 * 1024;

/** The load. */
export class ExchangeLoad implements Load {
  connections!: Connections;
  readonly #plan: Plan;
  readonly #row: SharedRow;
  readonly #numbers: Float64Array;
  readonly #pool: Pool;
  readonly #relp: RelpFrames | undefined;
  readonly #fuzzer: Fuzzer | undefined;
  readonly #free: LinkQueue;
  readonly #taker: AnswerTaker;
  readonly #trickle: Trickle;
  readonly #bundle: number;
  #cursor = 0;
  #due: Due | undefined;
  /** No connection was free since then, although a message was due. */
  #stalledMs = -1;
  /** A connection became free then, after a stall: nothing could be sent before. */
  #freeSinceMs = -Infinity;
  /** The connection and the time of the chunk that is read now. */
  #reading!: Link;
  #now = 0;
  #isLast = false;

  constructor(
    plan: Plan,
    row: SharedRow,
    pool: Pool,
    links: number,
    relp: RelpFrames | undefined,
    fuzzer: Fuzzer | undefined,
  ) {
    this.#plan = plan;
    this.#row = row;
    this.#numbers = row.numbers;
    this.#pool = pool;
    this.#relp = relp;
    this.#fuzzer = fuzzer;
    this.#free = new LinkQueue(links);
    this.#trickle = new Trickle(pool, plan);
    this.#bundle = fuzzer !== undefined || relp !== undefined
      ? 1
      : plan.bundle === 0
      ? plan.pipeline
      : plan.bundle;
    this.#taker = {
      answered: (status, id) => this.#answered(status, id),
      bad: () => this.connections.fail(this.#reading, "badAnswer"),
      last: () => this.#isLast = true,
    };
  }

  get isStalled(): boolean {
    return this.#stalledMs >= 0;
  }

  begin(due: Due): void {
    this.#due = due;
    this.#stalledMs = -1;
    this.#freeSinceMs = -Infinity;
  }

  end(now: number): void {
    const due = this.#due;
    this.#due = undefined;
    if (due === undefined || !due.open) return;
    this.#stall(now, false);
    const count = due.count(due.endMs);
    this.#numbers[at.due] += count - due.taken;
    this.#numbers[at.unsent] += count - due.taken;
    this.#numbers[at.backlog] = 0;
  }

  ready(link: Link): void {
    if (link.role === "slow") this.#trickle.add(link);
    else this.#next(link, performance.now());
  }

  turn(now: number): boolean {
    const due = this.#due;
    if (due === undefined || now < due.startMs) return false;
    const count = due.count(now);
    while (due.taken < count) {
      const link = this.#free.take();
      if (link === undefined) break;
      this.#fill(link, count, now);
    }
    if (due.open) {
      this.#numbers[at.backlog] = count - due.taken;
      this.#stall(now, due.taken < count);
    }
    return false;
  }

  received(link: Link, chunk: Uint8Array, now: number): void {
    if (link.role === "slow") return;
    this.#reading = link;
    this.#now = now;
    this.#isLast = false;
    // An empty chunk is the end of a connection that completes an answer.
    if (chunk.length === 0) this.#answered(0, -1);
    else link.reader!.read(chunk, this.#taker);
    if (link.state !== "open") return;
    if (this.#isLast) link.retiring = true;
    if (isSpent(link, this.#plan.repeat) || link.retiring) {
      if (link.inFlight === 0) this.connections.retire(link);
      return;
    }
    this.#next(link, now);
  }

  drained(link: Link, now: number): void {
    if (link.role === "slow") return;
    if (!link.retiring && !isSpent(link, this.#plan.repeat)) this.#next(link, now);
  }

  lost(link: Link): void {
    this.#trickle.remove(link);
  }

  trickle(now: number): void {
    this.#trickle.turn(now);
  }

  /** A connection has room: it gets what is due, or waits. */
  #next(link: Link, now: number): void {
    const due = this.#due;
    if (due !== undefined && now >= due.startMs && (!due.open || this.#free.length === 0)) {
      const count = due.count(now);
      if (due.taken < count) {
        if (this.#stalledMs >= 0) this.#freeSinceMs = now;
        if (!link.writing && link.dribble === undefined) this.#fill(link, count, now);
        return;
      }
    }
    if (link.inFlight < this.#plan.pipeline) this.#free.add(link);
  }

  /** Sends over one connection: in a closed loop all it may have under way, in an open one what is due, one by one. */
  #fill(link: Link, count: number, now: number): void {
    const due = this.#due!;
    const { pipeline, repeat } = this.#plan;
    let room = pipeline - link.inFlight;
    if (repeat > 0) room = Math.min(room, repeat - link.sentHere);
    room = Math.min(room, count - due.taken, due.open ? 1 : Infinity);
    while (room > 0 && !link.writing && link.state === "open" && link.dribble === undefined) {
      room -= this.#send(link, Math.min(room, this.#bundle), now);
    }
    if (link.inFlight < pipeline && !isSpent(link, repeat)) this.#free.add(link);
  }

  /** One write of up to `wanted` messages. Returns how many. */
  #send(link: Link, wanted: number, now: number): number {
    const due = this.#due!;
    const pool = this.#pool;
    const first = this.#cursor;
    let sent = 0;
    const start = pool.starts[first]!;
    let end = start;
    do {
      const dueMs = due.open ? due.timeOf(due.taken) : now;
      if (due.open) {
        countMs(this.#row.histograms.lateness, now - Math.max(dueMs, Math.min(now, this.#freeSinceMs)));
      }
      if (pool.isPatched) {
        pool.setDue(epochMicros(dueMs));
        link.sequence += pool.prepare(this.#cursor, link.sender, link.sequence);
      }
      link.push(dueMs, now);
      end = pool.starts[this.#cursor + 1]!;
      this.#cursor = after(this.#cursor, pool.count);
      due.taken++;
      sent++;
    } while (sent < wanted && this.#cursor > first && end - start < writeBytesMax);
    link.sentHere += sent;
    this.#numbers[at.due] += sent;
    this.#numbers[at.sent] += sent;
    this.#write(link, first, start, end);
    return sent;
  }

  #write(link: Link, message: number, start: number, end: number): void {
    let bytes: Buffer = this.#pool.bytes;
    if (this.#relp !== undefined) {
      end = this.#relp.frame(bytes, start, end, link.transaction++);
      start = 0;
      bytes = this.#relp.bytes;
    }
    if (this.#fuzzer !== undefined) {
      const mutated = this.#fuzzer.mutate(bytes.subarray(start, end), link.sender, link.sequence + message);
      if (mutated.after === "dribble") {
        link.dribble = mutated.bytes;
        link.dribbled = 0;
        this.#trickle.add(link);
        return;
      }
      bytes = mutated.bytes;
      start = 0;
      end = bytes.length;
      if (mutated.after === "close") {
        link.dialled!.write(bytes, start, end);
        this.connections.drop(link);
        return;
      }
    }
    this.#numbers[at.bytesOut] += end - start;
    link.writing = true;
    if (link.dialled!.write(bytes, start, end)) link.writing = false;
  }

  #answered(status: number, id: number): void {
    const link = this.#reading;
    // What follows an answer that nobody awaited is not read any more.
    if (link.state !== "open") return;
    if (link.inFlight === 0 || (id >= 0 && !this.#relp!.isAwaited(link, id))) {
      this.connections.fail(link, "badAnswer");
      return;
    }
    const slot = link.oldest;
    const corrected = this.#now - link.due[slot]!;
    countMs(this.#row.histograms.corrected, corrected);
    countMs(this.#row.histograms.uncorrected, this.#now - link.started[slot]!);
    link.shift();
    link.failuresInRow = 0;
    const numbers = this.#numbers;
    numbers[at.answered]++;
    const late = this.#plan.deadlineMs > 0 && corrected > this.#plan.deadlineMs;
    if (late) numbers[at.lateForDeadline]++;
    if (status >= 100) numbers[at.status1xx - 1 + (status / 100 | 0)]++;
    if (!late && status < 400) numbers[at.good]++;
  }

  #stall(now: number, stalled: boolean): void {
    if (stalled === this.#stalledMs >= 0) return;
    if (!stalled) this.#numbers[at.stalledMs] += now - this.#stalledMs;
    this.#stalledMs = stalled ? now : -1;
  }
}
