/**
 * Messages that nobody answers: lines over TCP, TLS, unix and UDP. Hot path.
 *
 * Closed loop: a connection gets the next bundle as soon as its socket took the last. Open loop: lines have times, and
 * those that are due go out in bundles, spread over the connections. A line is done when the socket took it; what
 * becomes of it behind the socket, only `--verify` can tell.
 *
 * @module
 */
import { countSpreadMs } from "../measure/counts.ts";
import { at, type SharedRow } from "../measure/row.ts";
import type { Plan } from "../plan.ts";
import type { Fuzzer } from "../payload/fuzz.ts";
import type { Pool } from "../payload/pool.ts";
import type { Connections } from "./connections.ts";
import type { Due } from "./due.ts";
import type { Link } from "./link.ts";
import { LinkQueue } from "./link_queue.ts";
import { after, epochMicros, isSpent, type Load } from "./load.ts";
import { Trickle } from "./trickle.ts";

/** Bytes in one write, where the generator chooses. */
const bundleBytesMax = 64 * 1024;
/** Lines in one write of an open loop, where the generator chooses: a bundle is a burst. */
const openBundleMax = 128;
/** Time of one turn; then the event loop gets its. */
const turnMs = 2;
/** Writes between two looks at the clock. */
const writesPerLook = 16;

/** The load. */
export class StreamLoad implements Load {
  connections!: Connections;
  readonly #plan: Plan;
  readonly #row: SharedRow;
  readonly #numbers: Float64Array;
  readonly #pool: Pool;
  readonly #fuzzer: Fuzzer | undefined;
  readonly #free: LinkQueue;
  readonly #trickle: Trickle;
  readonly #patched: boolean;
  #cursor = 0;
  #due: Due | undefined;
  #stalledMs = -1;
  #freeSinceMs = -Infinity;

  constructor(plan: Plan, row: SharedRow, pool: Pool, links: number, fuzzer: Fuzzer | undefined) {
    this.#plan = plan;
    this.#row = row;
    this.#numbers = row.numbers;
    this.#pool = pool;
    this.#fuzzer = fuzzer;
    this.#free = new LinkQueue(links);
    this.#trickle = new Trickle(pool, plan);
    this.#patched = pool.isPatched;
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
    else this.#free.add(link);
    if (this.#stalledMs >= 0) this.#freeSinceMs = performance.now();
  }

  /** Peers that talk although nobody asked are not listened to. */
  received(): void {}

  drained(link: Link, now: number): void {
    if (link.role === "slow") return;
    if (link.inFlight > 0) {
      const { corrected, uncorrected } = this.#row.histograms;
      // The ring holds the first and the last line of the bundle: see #write.
      countSpreadMs(corrected, now - link.due[0]!, now - link.due[1]!, link.inFlight);
      countSpreadMs(uncorrected, now - link.started[0]!, now - link.started[0]!, link.inFlight);
      this.#numbers[at.answered] += link.inFlight;
      this.#numbers[at.good] += link.inFlight;
      link.inFlight = 0;
    }
    if (this.#stalledMs >= 0) this.#freeSinceMs = now;
    if (this.#finishIfSpent(link)) return;
    const due = this.#due;
    // What waits goes out at once: the next turn may be a while.
    if (
      due !== undefined && this.#free.length === 0 && now >= due.startMs && now < due.endMs && !link.retiring
    ) {
      const wanted = due.count(now) - due.taken;
      if (wanted > 0) this.#send(link, wanted, now);
    }
    if (link.state === "open" && !link.writing && !this.#finishIfSpent(link)) this.#free.add(link);
  }

  lost(link: Link): void {
    this.#trickle.remove(link);
  }

  trickle(now: number): void {
    this.#trickle.turn(now);
    for (const link of this.connections.links) {
      if (link.role === "load" && link.state === "open" && !link.writing && link.dribble === undefined) {
        this.#free.add(link);
      }
    }
  }

  turn(now: number): boolean {
    const due = this.#due;
    if (due === undefined || now < due.startMs) return false;
    const until = now + turnMs;
    let count = due.count(now);
    let writes = 0;
    // Lines that are due at once are spread over the connections that can take some.
    const each = due.open
      ? Math.max(1, Math.ceil((count - due.taken) / Math.max(1, this.#free.length)))
      : Infinity;
    while (due.taken < count) {
      const link = this.#free.take();
      if (link === undefined) break;
      this.#send(link, Math.min(each, count - due.taken), now);
      if (
        link.state === "open" && !link.writing && link.dribble === undefined && !this.#finishIfSpent(link)
      ) {
        this.#free.add(link);
      }
      if (++writes % writesPerLook === 0) {
        now = performance.now();
        if (now >= until) break;
        if (due.open) count = due.count(now);
        else if (now >= due.endMs) break;
      }
    }
    const left = due.taken < count;
    if (due.open) {
      this.#numbers[at.backlog] = count - due.taken;
      this.#stall(now, left && this.#free.length === 0);
    }
    return left && this.#free.length > 0;
  }

  /** One write of up to `wanted` lines. */
  #send(link: Link, wanted: number, now: number): void {
    const due = this.#due!;
    const pool = this.#pool;
    const { bundle, repeat } = this.#plan;
    const most = bundle > 0 ? bundle : due.open ? openBundleMax : Infinity;
    wanted = Math.min(wanted, most);
    if (repeat > 0) wanted = Math.min(wanted, repeat - link.sentHere);
    const first = this.#cursor;
    const start = pool.starts[first]!;
    const firstDueMs = due.open ? due.timeOf(due.taken) : now;
    let dueMs = firstDueMs;
    let sent = 0;
    let end = start;
    do {
      if (due.open && sent > 0) dueMs = due.timeOf(due.taken + sent);
      if (this.#patched) {
        if (due.open || sent === 0) pool.setDue(epochMicros(dueMs));
        link.sequence += pool.prepare(this.#cursor, link.sender, link.sequence);
      }
      end = pool.starts[this.#cursor + 1]!;
      this.#cursor = after(this.#cursor, pool.count);
      sent++;
    } while (sent < wanted && this.#cursor > first && end - start < bundleBytesMax);
    due.taken += sent;
    link.sentHere += sent;
    const numbers = this.#numbers;
    numbers[at.due] += sent;
    numbers[at.sent] += sent;
    if (due.open) {
      const free = Math.min(now, this.#freeSinceMs);
      const { lateness } = this.#row.histograms;
      countSpreadMs(lateness, now - Math.max(firstDueMs, free), now - Math.max(dueMs, free), sent);
    }
    this.#write(link, start, end, sent, firstDueMs, dueMs, now);
  }

  #write(
    link: Link,
    start: number,
    end: number,
    lines: number,
    firstDueMs: number,
    lastDueMs: number,
    now: number,
  ): void {
    let bytes: Uint8Array = this.#pool.bytes;
    if (this.#fuzzer !== undefined) {
      const mutated = this.#fuzzer.mutate(this.#pool.bytes.subarray(start, end), link.sender, link.sentHere);
      bytes = mutated.bytes;
      start = 0;
      end = bytes.length;
      if (mutated.after !== "keep") {
        this.#misbehave(link, bytes, mutated.after);
        return;
      }
    }
    this.#numbers[at.bytesOut] += end - start;
    link.writing = true;
    if (link.dialled!.write(bytes, start, end)) {
      link.writing = false;
      this.#numbers[at.answered] += lines;
      this.#numbers[at.good] += lines;
      if (this.#due!.open) {
        const taken = performance.now();
        countSpreadMs(this.#row.histograms.corrected, taken - firstDueMs, taken - lastDueMs, lines);
        countSpreadMs(this.#row.histograms.uncorrected, taken - now, taken - now, lines);
      }
      return;
    }
    link.inFlight = lines;
    link.due[0] = firstDueMs;
    link.due[1] = lastDueMs;
    link.started[0] = now;
  }

  #misbehave(link: Link, bytes: Uint8Array, how: "close" | "dribble"): void {
    if (how === "dribble") {
      link.dribble = bytes;
      link.dribbled = 0;
      this.#trickle.add(link);
      return;
    }
    link.dialled!.write(bytes, 0, bytes.length);
    this.connections.drop(link);
  }

  #finishIfSpent(link: Link): boolean {
    if (!isSpent(link, this.#plan.repeat)) return false;
    this.connections.retire(link);
    return true;
  }

  #stall(now: number, stalled: boolean): void {
    if (stalled === this.#stalledMs >= 0) return;
    if (!stalled) this.#numbers[at.stalledMs] += now - this.#stalledMs;
    this.#stalledMs = stalled ? now : -1;
  }
}
