/**
 * Chooses which batch of the backlog comes next.
 *
 * The backlog is what lies on the disk alone: what earlier sessions left, and what this session gave up. It is
 * walked in the order of folders, segments and batches, which per topic is the order in which batches were appended;
 * topics that may not go are passed over. `live_first` takes this session's first and earlier ones at a bounded
 * rate, and one of eight from earlier ones however much this session has; `ordered` takes earlier ones first.
 *
 * The walk goes on where it stopped. It begins anew when a topic that was passed over may go again, or something was
 * given up before its place.
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";
import type { Home } from "./home.ts";
import type { Stored } from "./reader.ts";
import type { Segment } from "./segment.ts";
import type { ReplayOrder } from "./spool.ts";

/** A batch that may go now. */
export interface Candidate extends Stored {
  readonly topic: string;
  readonly count: number;
}

/** What was found: a batch, nothing, nothing before `delayMs`. */
export type Found = Candidate | "none" | { readonly delayMs: number };

/** What a backlog works with. */
export interface BacklogOptions {
  /** In their order; the list may grow. */
  readonly homes: readonly Home[];
  readonly clock: SpoolClock;
  readonly replay: ReplayOrder;
  readonly replayBytesPerS: number;
  /** A batch that the index says is not there. */
  missing(home: Home, segment: Segment, batch: number): void;
}

/** Seconds of replay that may come at once after a pause. */
const burstS = 0.25;

/** Of so many batches one is of an earlier session, so that live lines that never pause do not starve them. */
const earlierEvery = 8;

/** When a segment whose file gives nothing is tried again. */
const retryMs = 1000;

/** Where a walk over one half of the backlog is. */
interface Walk {
  readonly earlier: boolean;
  home: number;
  segment: number;
  batch: number;
  /** Topics that were passed over before this place. */
  readonly passedOver: Set<string>;
}

/** The choice. One `find` at a time. */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #walks: readonly Walk[];
  #allowance: number;
  #allowanceAtMs: number;
  /** Batches of this session that were taken since the last one of an earlier session. */
  #sinceEarlier = 0;
  /** A segment was passed over because its file gave nothing. */
  #unreadable = false;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#allowance = options.replayBytesPerS * burstS;
    this.#allowanceAtMs = options.clock.monoMs();
    const halves = options.replay === "ordered" ? [true, false] : [false, true];
    this.#walks = halves.map((earlier) => ({
      earlier,
      home: 0,
      segment: 0,
      batch: 0,
      passedOver: new Set<string>(),
    }));
  }

  /** The next batch of a topic that `mayGo`. */
  async find(mayGo: (topic: string) => boolean): Promise<Found> {
    const verdicts = new Map<string, boolean>();
    const may = (topic: string): boolean => {
      let verdict = verdicts.get(topic);
      if (verdict === undefined) verdicts.set(topic, verdict = mayGo(topic));
      return verdict;
    };
    if (this.#unreadable) this.restart();
    let delayMs = 0;
    const isEarliersTurn = this.#options.replay === "live_first" && this.#sinceEarlier >= earlierEvery - 1;
    for (const walk of isEarliersTurn ? this.#walks.toReversed() : this.#walks) {
      if (walk.earlier) delayMs = this.#delayMs();
      if (delayMs > 0) continue;
      const found = await this.#walk(walk, may);
      if (found !== undefined) return found;
      // In `ordered`, what this session has of a topic waits for what earlier ones have of it.
      for (const topic of walk.passedOver) verdicts.set(topic, false);
    }
    if (this.#unreadable) return { delayMs: retryMs };
    return delayMs > 0 && this.#hasEarlier() ? { delayMs } : "none";
  }

  /** A batch was taken: its bytes count against the rate. */
  took({ segment, recordBytes }: Candidate): void {
    if (segment.earlier) {
      this.#allowance -= recordBytes;
      this.#sinceEarlier = 0;
    } else this.#sinceEarlier++;
  }

  /** A batch went back into the backlog. */
  returned(home: Home, segment: Segment, batch: number): void {
    const place = this.#options.homes.indexOf(home);
    for (const walk of this.#walks) {
      if (walk.earlier !== segment.earlier) continue;
      const before = place < walk.home || place === walk.home &&
          (segment.number < walk.segment || segment.number === walk.segment && batch < walk.batch);
      if (before) restart(walk);
    }
  }

  /** Folders came or went, or a topic is parked no more. */
  restart(): void {
    this.#unreadable = false;
    for (const walk of this.#walks) restart(walk);
  }

  async #walk(walk: Walk, may: (topic: string) => boolean): Promise<Candidate | undefined> {
    for (const topic of walk.passedOver) {
      if (may(topic)) {
        restart(walk);
        break;
      }
    }
    const { homes } = this.#options;
    for (;;) {
      const home = homes[walk.home];
      if (home === undefined) return undefined;
      for (const segment of [...home.segments]) {
        if (segment.earlier !== walk.earlier || segment.number < walk.segment) continue;
        if (segment.number > walk.segment) walk.batch = 0;
        walk.segment = segment.number;
        if (segment.backlogBatches === 0) continue;
        const candidate = await this.#search(home, segment, walk, may);
        if (candidate !== undefined) return candidate;
      }
      // In the last folder the walk stays at its end, where new batches come.
      if (walk.home === homes.length - 1) return undefined;
      walk.home++;
      walk.segment = walk.batch = 0;
    }
  }

  async #search(
    home: Home,
    segment: Segment,
    walk: Walk,
    may: (topic: string) => boolean,
  ): Promise<Candidate | undefined> {
    const index = await home.index(segment);
    if (index === undefined) {
      this.#unreadable = true;
      return undefined;
    }
    for (let batch = segment.nextBacklog(walk.batch); batch >= 0; batch = segment.nextBacklog(batch + 1)) {
      walk.batch = batch;
      if (!index.has(batch)) {
        this.#options.missing(home, segment, batch);
        continue;
      }
      const topic = index.topic(batch);
      if (!may(topic)) {
        walk.passedOver.add(topic);
        continue;
      }
      const recordBytes = index.recordBytes(batch);
      return {
        home,
        segment,
        batch,
        topic,
        count: index.count(batch),
        offset: index.offset(batch),
        recordBytes,
        headBytes: index.headBytes(batch),
      };
    }
    walk.batch = segment.batches;
    if (segment.backlogBatches === 0) segment.forgetIndex();
    return undefined;
  }

  /** How long replay has to wait by its rate. */
  #delayMs(): number {
    const { clock, replay, replayBytesPerS } = this.#options;
    if (replay === "ordered") return 0;
    const nowMs = clock.monoMs();
    const earned = (nowMs - this.#allowanceAtMs) / 1000 * replayBytesPerS;
    this.#allowance = Math.min(this.#allowance + earned, replayBytesPerS * burstS);
    this.#allowanceAtMs = nowMs;
    return this.#allowance >= 0 ? 0 : Math.ceil(-this.#allowance / replayBytesPerS * 1000);
  }

  #hasEarlier(): boolean {
    return this.#options.homes.some(({ segments }) =>
      segments.some(({ earlier, backlogBatches }) => earlier && backlogBatches > 0)
    );
  }
}

function restart(walk: Walk): void {
  walk.home = walk.segment = walk.batch = 0;
  walk.passedOver.clear();
}
