/**
 * Counts the lines that are not as they should be: without a header, cut, or split, by the flags of the frame table.
 *
 * @module
 */
import { frameFlag, frameRowBytes, type Kernel } from "../kernel/kernel.ts";
import { markFlags } from "../kernel/marks.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { PeerTroubles } from "./peer_troubles.ts";
import type { Submission } from "./submission.ts";

/** Those of one worker. */
export class MarkedLines {
  readonly #kernel: Kernel;
  readonly #counters: CounterRow;
  readonly #troubles: PeerTroubles | undefined;

  constructor(kernel: Kernel, counters: CounterRow, troubles: PeerTroubles | undefined) {
    this.#kernel = kernel;
    this.#counters = counters;
    this.#troubles = troubles;
  }

  /** Counts rows [0, rows), which came from `peer`, in a `submission` or not. */
  count(rows: number, peer: string, submission: Submission | undefined): void {
    const { words, rowsAt } = this.#kernel;
    let any = 0;
    for (let row = 0, word = rowsAt / 4 + 2; row < rows; row++, word += frameRowBytes / 4) {
      any |= words[word]!;
    }
    if ((any & markFlags) !== 0) this.#countMarked(rows, peer, submission);
  }

  #countMarked(rows: number, peer: string, submission: Submission | undefined): void {
    const { words, rowsAt } = this.#kernel;
    let unparsed = 0;
    let truncated = 0;
    let parts = 0;
    let continued = 0;
    for (let row = 0, word = rowsAt / 4 + 2; row < rows; row++, word += frameRowBytes / 4) {
      const flags = words[word]!;
      if ((flags & frameFlag.unparsed) !== 0) unparsed++;
      if ((flags & frameFlag.truncated) !== 0) {
        truncated++;
        submission?.note(row, "truncated", "frame_too_large");
      }
      if ((flags & frameFlag.continued) !== 0) continued++;
      else if ((flags & frameFlag.split) !== 0) parts++;
    }
    const troubles = this.#troubles;
    this.#counters.add(counter.unparsed, unparsed);
    this.#counters.add(counter.frames_truncated, truncated);
    // One line was received; its further parts are what splitting made of it.
    this.#counters.add(counter.received, -continued);
    this.#counters.add(counter.split, continued);
    if (unparsed > 0) troubles?.add(peer, "unparsed", unparsed);
    if (truncated + parts > 0) troubles?.add(peer, "oversize", truncated + parts);
  }
}
