/**
 * What framers do beside giving rows: frames without a byte, lines that were joined to the one before, frames that are
 * damaged. All are in the ledger.
 *
 * Hot path: `count`, once per chunk.
 *
 * @module
 */
import { counter, type CounterRow } from "../observe/row.ts";
import type { LinePlacer } from "./line_placer.ts";
import type { PeerTroubles } from "./peer_troubles.ts";
import type { Stream } from "./stream.ts";

/** The counts of one worker's framers. */
export class FrameCounts {
  readonly #counters: CounterRow;
  readonly #placer: LinePlacer;
  readonly #troubles: PeerTroubles;

  constructor(counters: CounterRow, placer: LinePlacer, troubles: PeerTroubles) {
    this.#counters = counters;
    this.#placer = placer;
    this.#troubles = troubles;
  }

  /** Counts what the framer of the stream did since the last time. */
  count(stream: Stream): void {
    const { emptyFrames, joinedLines = 0, damagedFrames = 0 } = stream.framer;
    this.empty(emptyFrames - stream.emptyFrames);
    stream.emptyFrames = emptyFrames;
    if (joinedLines !== stream.joinedLines) {
      this.#counters.add(counter.received, joinedLines - stream.joinedLines);
      this.#counters.add(counter.joined, joinedLines - stream.joinedLines);
      stream.joinedLines = joinedLines;
    }
    if (damagedFrames !== stream.damagedFrames) {
      this.#counters.add(counter.frames_damaged, damagedFrames - stream.damagedFrames);
      this.#troubles.add(stream.connection.peer, "damaged", damagedFrames - stream.damagedFrames);
      stream.damagedFrames = damagedFrames;
    }
  }

  /** Frames without a byte. */
  empty(frames: number): void {
    if (frames === 0) return;
    this.#counters.add(counter.frames_empty, frames);
    this.#placer.dropped(counter.dropped_empty_frame, frames);
  }
}
