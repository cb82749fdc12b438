/**
 * Lanes whose open batch an answer waits for. Requests of one turn share batches, and those that come while the sink is
 * busy too: such a batch closes when the turn is over in which its request came and the sink is hungry, or as soon as
 * it is. One that goes to the end of the way alone grows until that has room.
 *
 * @module
 */
import type { Lane } from "./lane.ts";
import type { SinkAppetite } from "./linger.ts";
import type { Receipt } from "./receipt.ts";

/** What the batcher's maker says of answers that wait. */
export interface HurryOptions {
  /** An answer waits for an open batch: call `closeHurried` when this turn is over. Not again before that. */
  hurried?(): void;
  /**
   * Whether a batch would go to the end of its way at once. Until then one that nobody else waits for grows: behind
   * others it would only stand in line. `closeHurried` is called when it turns true. Missing: whenever the sink is hungry.
   */
  endHungry?(): boolean;
  /** True while such a batch stays open all the same: `closeHurried` is called again soon. */
  gathers?(): boolean;
}

/** The hurried lanes of one batcher. */
export class HurriedLanes {
  readonly #sink: SinkAppetite;
  readonly #tell: (() => void) | undefined;
  readonly #gathers: (() => boolean) | undefined;
  readonly #endHungry: (() => boolean) | undefined;
  readonly #close: (lane: Lane) => void;
  /** `hurried` was called, and nobody has looked yet. */
  #told = false;
  /** A lane may have closed its batch meanwhile. */
  #lanes: Lane[] = [];

  /** `close` closes the batch of a lane. */
  constructor(sink: SinkAppetite, options: HurryOptions, close: (lane: Lane) => void) {
    this.#sink = sink;
    this.#tell = options.hurried;
    this.#gathers = options.gathers;
    this.#endHungry = options.endHungry;
    this.#close = close;
  }

  /** The open batch of `lane` has a line that this request waits for. */
  add(lane: Lane, { until }: Receipt): void {
    const isToDisk = until === "disk";
    if (lane.hurried && (lane.hurriedToDisk || !isToDisk)) return;
    lane.hurried = true;
    lane.hurriedToDisk ||= isToDisk;
    if (!lane.listed) {
      lane.listed = true;
      this.#lanes.push(lane);
    }
    if (this.#told) return;
    this.#told = true;
    this.#tell?.();
  }

  /** Closes their batches, if the sink is hungry. */
  close(): void {
    this.#told = false;
    if (this.#lanes.length === 0 || !this.#sink.hungry || this.#gathers?.() === true) return;
    const endHungry = this.#endHungry?.() ?? true;
    const lanes = this.#lanes;
    this.#lanes = [];
    for (const lane of lanes) {
      if (lane.hurried && !lane.hurriedToDisk && !endHungry) {
        this.#lanes.push(lane);
        continue;
      }
      lane.listed = false;
      if (lane.hurried) this.#close(lane);
    }
  }
}
