/**
 * What came out at the far end: which lines, how often, in which order, how long after they were due.
 *
 * @module
 */
import { Latency } from "../measure/histogram.ts";
import { countMs, countsLength } from "../measure/counts.ts";
import type { Percentiles } from "../result.ts";
import { percentilesOf } from "../result.ts";
import { uncountedSender } from "../payload/mark.ts";

/** What reports say of it. */
export interface EndToEnd {
  readonly source: string;
  /** Marked lines that were handed to sockets. */
  readonly sent: number;
  /** Different ones that came out. */
  readonly arrived: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Lines that came after a later one of their sender, within a partition (or file). */
  readonly reordered: number;
  /** Marks of this run that nobody sent: damage on the way. */
  readonly strange: number;
  readonly latency: Percentiles | null;
  /** Senders with losses, the worst first. */
  readonly worst: readonly { readonly sender: number; readonly sent: number; readonly lost: number }[];
  /** Why reading ended before all had come, if it did. */
  readonly problem: string | null;
}

/** Lines of one sender: a bit each. */
class SenderTally {
  bits = new Uint8Array(1024);
  arrived = 0;

  /** True when it came for the first time. */
  take(sequence: number): boolean {
    const byte = sequence >>> 3;
    if (byte >= this.bits.length) {
      const grown = new Uint8Array(Math.max(byte + 1, this.bits.length * 2));
      grown.set(this.bits);
      this.bits = grown;
    }
    const bit = 1 << (sequence & 7);
    if ((this.bits[byte]! & bit) !== 0) return false;
    this.bits[byte]! |= bit;
    this.arrived++;
    return true;
  }

  /** How many of the first `sent` came. */
  of(sent: number): number {
    let count = 0;
    const whole = Math.min(this.bits.length, sent >>> 3);
    for (let byte = 0; byte < whole; byte++) {
      for (let rest = this.bits[byte]!; rest !== 0; rest &= rest - 1) count++;
    }
    for (let sequence = whole * 8; sequence < sent; sequence++) {
      if (((this.bits[sequence >>> 3] ?? 0) & 1 << (sequence & 7)) !== 0) count++;
    }
    return count;
  }
}

/** A sender may not have sent more lines than this: a damaged mark must not ask for memory. */
const sequencesMax = 2 ** 31;

/** Lines that came of those that were due from some moment on. */
export class TallyWindow {
  arrived = 0;
  duplicates = 0;
  /** Due times before it belong to others. */
  readonly fromMicros: number;
  readonly #latency = new Float64Array(countsLength);

  constructor(fromMicros: number) {
    this.fromMicros = fromMicros;
  }

  take(latencyMs: number): void {
    this.arrived++;
    countMs(this.#latency, latencyMs);
  }

  latency(): Latency {
    return new Latency(this.#latency);
  }
}

/** Counts marks as they come. */
export class Tally {
  arrived = 0;
  duplicates = 0;
  reordered = 0;
  readonly #senders = new Map<number, SenderTally>();
  /** Highest sequence seen so far, by source (partition) and sender. */
  readonly #highest = new Map<number, Map<number, number>>();
  readonly #latency = new Float64Array(countsLength);
  #window = new TallyWindow(Infinity);

  /** Counts lines that are due from then on also by themselves, until the next window begins. */
  openWindow(fromMicros: number): TallyWindow {
    return this.#window = new TallyWindow(fromMicros);
  }

  /** A mark came out of `source` (a number for each partition or file) at `nowMicros`. */
  take(source: number, sender: number, sequence: number, dueMicros: number, nowMicros: number): void {
    if (sequence >= sequencesMax || sender === uncountedSender) return;
    let tally = this.#senders.get(sender);
    if (tally === undefined) this.#senders.set(sender, tally = new SenderTally());
    const isOfWindow = dueMicros >= this.#window.fromMicros;
    if (!tally.take(sequence)) {
      this.duplicates++;
      if (isOfWindow) this.#window.duplicates++;
      return;
    }
    this.arrived++;
    const latencyMs = (nowMicros - dueMicros) / 1000;
    if (isOfWindow) this.#window.take(latencyMs);
    let bySender = this.#highest.get(source);
    if (bySender === undefined) this.#highest.set(source, bySender = new Map());
    const highest = bySender.get(sender) ?? -1;
    if (sequence < highest) this.reordered++;
    else bySender.set(sender, sequence);
    countMs(this.#latency, latencyMs);
  }

  latency(): Latency {
    return new Latency(this.#latency);
  }

  /** Holds it against what was sent. */
  result(sent: ReadonlyMap<number, number>, source: string, problem: string | null): EndToEnd {
    let sentInAll = 0;
    let matched = 0;
    const worst: { sender: number; sent: number; lost: number }[] = [];
    for (const [sender, lines] of sent) {
      sentInAll += lines;
      const came = this.#senders.get(sender)?.of(lines) ?? 0;
      matched += came;
      if (came < lines) worst.push({ sender, sent: lines, lost: lines - came });
    }
    worst.sort((a, b) => b.lost - a.lost);
    return {
      source,
      sent: sentInAll,
      arrived: matched,
      lost: sentInAll - matched,
      duplicates: this.duplicates,
      reordered: this.reordered,
      strange: this.arrived - matched,
      latency: percentilesOf(this.latency()),
      worst: worst.slice(0, 5),
      // What kept the reader waiting for a moment is no problem of a run of which all lines came.
      problem: matched === sentInAll ? null : problem,
    };
  }
}
