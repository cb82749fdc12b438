/**
 * `GET /admin/tap` in the control plane: who looks on, and where the workers' lines go.
 *
 * @module
 */
import type { TapFilter, TapSink } from "../admin/tap_view.ts";
import type { Workers } from "./workers.ts";

/** Taps at a time: each costs the workers some text per line that it shows. */
const tapsMax = 4;

/** The taps that are open. */
export class TapDesk {
  readonly #workers: () => Pick<Workers, "tap">;
  readonly #sinks = new Map<number, TapSink>();
  #last = 0;

  constructor(workers: () => Pick<Workers, "tap">) {
    this.#workers = workers;
  }

  /** Shows lines that fit `filter` to `sink` until the answer is called. Undefined: too many look on. */
  open(filter: TapFilter, sink: TapSink): (() => void) | undefined {
    if (this.#sinks.size >= tapsMax) return undefined;
    const id = ++this.#last;
    this.#sinks.set(id, sink);
    this.#workers().tap(id, filter);
    return () => {
      if (this.#sinks.delete(id)) this.#workers().tap(id, undefined);
    };
  }

  /** What a worker shows to tap `id`, which may be closed by now. */
  show(id: number, ...shown: Parameters<TapSink>): void {
    this.#sinks.get(id)?.(...shown);
  }
}
