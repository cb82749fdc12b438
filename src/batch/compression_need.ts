/**
 * Says of each batch whether packing it is worth it (`compression: auto`): not while the processors are the limit,
 * for then the same work is done with fewer lines; yes while the way to Kafka is, for then more lines fit into it.
 * While neither is, it is on, because network and the brokers' disks are worth more than idle time.
 *
 * It judges in windows, between which nothing runs:
 *
 *     on  -> off   processors busy (`busyMin`), unless packing was the better of both here (below)
 *     off -> on    two windows in a row with room, and packing all of it would leave room (measured cost x rate),
 *                  or the sink is not hungry: then the way is the limit
 *
 * Where the way is the limit without packing and the processors are with it, neither rule has an answer: the
 * rates of both are compared, and the better one stays for `holdMs`.
 *
 * @module
 */
import type { PackingNeed } from "./compress.ts";

/** Where it learns about time and the processors. */
export interface NeedSources {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** The share of the processors that is in use since the last call, 0 to 1: of those that this process may use, or of all. */
  busyShare(): number;
  /** Milliseconds of processor that there are in a millisecond. */
  readonly cores: number;
  /** Workers of this process; each is taken to do as much as this one. */
  readonly workers: number;
}

/** What it decided and why, for `/admin/stats`. */
export interface NeedView {
  readonly on: boolean;
  readonly reason: "room" | "cpu" | "link";
  /** Of the last window. */
  readonly busyShare: number;
}

/** A window is long enough for a share of processor time to mean something, and short enough to follow a burst. */
const windowMs = 500;
/** From here on the processors are the limit: what is left is the system's and the neighbours'. */
const busyMin = 0.9;
/** Below this there is room; the distance to `busyMin` keeps it from flapping. */
const roomMax = 0.75;
/** The share of batches that found the sink with enough to do. */
const pressedMin = 0.5;
/** Windows with room before it is on again. */
const roomWindows = 2;
/** How long a comparison of rates holds. */
const holdMs = 60_000;
/** A rate that is not better by this much is no reason to do more work. */
const gainMin = 1.1;
/** What packing costs is measured now and then while it is off. */
const probeMs = 5_000;

/** One worker's. */
export class CompressionNeed implements PackingNeed {
  readonly #sources: NeedSources;
  #on = true;
  #reason: NeedView["reason"] = "room";
  #busy = 0;
  #windowFromMs: number;
  #batches = 0;
  #pressed = 0;
  #bytes = 0;
  #roomFor = 0;
  #probedMs = 0;
  /** Milliseconds of processor for a byte; 0 while nobody knows. The least that was seen in the last windows. */
  #costMs = 0;
  #costNextMs = 0;
  /** Bytes a millisecond that went through with packing, when the processors ended it. */
  #rateOn = 0;
  #rateOnUntilMs = 0;
  #holdUntilMs = 0;

  constructor(sources: NeedSources) {
    this.#sources = sources;
    this.#windowFromMs = sources.nowMs();
    sources.busyShare();
  }

  view(): NeedView {
    return { on: this.#on, reason: this.#reason, busyShare: this.#busy };
  }

  wants(rawBytes: number, sinkHungry: boolean): boolean {
    const nowMs = this.#sources.nowMs();
    const windowIs = nowMs - this.#windowFromMs;
    if (windowIs >= windowMs) this.#judge(nowMs, windowIs);
    this.#batches++;
    this.#bytes += rawBytes;
    if (!sinkHungry) this.#pressed++;
    if (this.#on) return true;
    if (nowMs - this.#probedMs < probeMs || this.#busy > roomMax) return false;
    this.#probedMs = nowMs;
    return true;
  }

  packed(rawBytes: number, ms: number): void {
    const cost = ms / rawBytes;
    if (this.#costNextMs === 0 || cost < this.#costNextMs) this.#costNextMs = cost;
  }

  #judge(nowMs: number, spanMs: number): void {
    const rate = this.#bytes / spanMs;
    const isPressed = this.#batches > 0 && this.#pressed >= this.#batches * pressedMin;
    this.#busy = this.#sources.busyShare();
    if (this.#costNextMs > 0) this.#costMs = this.#costNextMs;
    this.#windowFromMs = nowMs;
    this.#batches =
      this.#pressed =
      this.#bytes =
      this.#costNextMs =
        0;
    this.#roomFor = this.#busy < roomMax ? this.#roomFor + 1 : 0;
    if (this.#on) this.#judgeOn(nowMs, rate, isPressed);
    else this.#judgeOff(nowMs, rate, isPressed);
  }

  #judgeOn(nowMs: number, rate: number, isPressed: boolean): void {
    if (this.#busy < busyMin) {
      this.#reason = isPressed ? "link" : "room";
      return;
    }
    if (nowMs < this.#holdUntilMs) return;
    this.#rateOn = rate;
    this.#rateOnUntilMs = nowMs + holdMs;
    this.#turn(false, "cpu");
  }

  #judgeOff(nowMs: number, rate: number, isPressed: boolean): void {
    if (this.#roomFor < roomWindows) return;
    if (isPressed) {
      if (nowMs < this.#rateOnUntilMs) {
        if (this.#rateOn < rate * gainMin) return;
        this.#holdUntilMs = nowMs + holdMs;
      }
      return this.#turn(true, "link");
    }
    const { cores, workers } = this.#sources;
    if (this.#busy + rate * workers * this.#costMs / cores < roomMax) this.#turn(true, "room");
  }

  #turn(on: boolean, reason: NeedView["reason"]): void {
    this.#on = on;
    this.#reason = reason;
    this.#roomFor = 0;
  }
}
