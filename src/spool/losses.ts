/**
 * Batches that nobody will get: their bytes are kept, they are counted, and the pipeline is told.
 *
 * @module
 */
import type { Folders } from "./folders.ts";
import type { Place } from "./held_batch.ts";
import { batchFileName } from "./quarantine.ts";
import { batchState } from "./segment.ts";
import type { Damage, SpoolEvents } from "./spool.ts";

/** The losses of one worker. */
export class Losses {
  /** Batches since the start. */
  damaged = 0;
  /** Of these, whose bytes are kept. */
  quarantined = 0;
  readonly #folders: Folders;
  readonly #events: SpoolEvents;

  constructor(folders: Folders, events: SpoolEvents) {
    this.#folders = folders;
    this.#events = events;
  }

  /** What was wrong when the folders were opened. */
  report(damage: Damage): void {
    if (damage.reason !== "torn") this.damaged += damage.batches;
    this.#events.damaged(damage);
  }

  /** Keeps the bytes of a batch that is live, and counts it. */
  async quarantine(place: Place, records: number, reason: string, bytes: Uint8Array): Promise<void> {
    const { home, segment, batch } = place;
    // Not slice(): of a Buffer that is a view.
    const copy = new Uint8Array(bytes);
    const kept = this.#folders.quarantineOf(home).keep(batchFileName(segment.number, batch), copy);
    const path = await kept;
    if (path !== undefined) this.quarantined++;
    this.#lose(place, records, reason, path);
  }

  /** A batch of which only the index knows. */
  missing(place: Place): void {
    this.#lose(place, 0, "crc_mismatch", undefined);
  }

  #lose(place: Place, records: number, reason: string, path: string | undefined): void {
    const { home, segment, batch } = place;
    home.settle(segment, batch, records, batchState.gone);
    this.damaged++;
    const kept = path === undefined ? "its bytes were not kept" : `its bytes are in "${path}"`;
    this.#events.damaged({
      reason,
      batches: 1,
      records,
      counted: records > 0,
      path,
      message:
        `Batch ${batch} of segment ${segment.number} in "${home.folder}" is not sent (${reason}); ${kept}`,
    });
  }
}
