/**
 * Segments that were ended and whose index is not in their file yet.
 *
 * @module
 */
import { invariant, InvariantError } from "../core/invariant.ts";
import type { Segment } from "./segment.ts";
import type { SegmentFiles } from "./segment_files.ts";
import { writeIndex } from "./segment_writer.ts";

/** After so many failures a segment stays without an index. */
const triesMax = 10;

/** Those of one folder. */
export class MissingIndexes {
  readonly #files: SegmentFiles;
  readonly #sync: boolean;
  /** How often each could not be written. */
  readonly #tries = new Map<Segment, number>();

  /** `sync`: indexes are synced. */
  constructor(files: SegmentFiles, sync: boolean) {
    this.#files = files;
    this.#sync = sync;
  }

  get size(): number {
    return this.#tries.size;
  }

  has(segment: Segment): boolean {
    return this.#tries.has(segment);
  }

  add(segment: Segment): void {
    this.#tries.set(segment, 0);
  }

  delete(segment: Segment): void {
    this.#tries.delete(segment);
  }

  /**
   * Writes them; returns what the system refused. A segment on which that fails again and again (the disk may have a
   * bad spot there) stays without one, and holds up nothing else: it is scanned at the next start.
   */
  async write(): Promise<unknown> {
    let failure: unknown;
    for (const [segment, tries] of this.#tries) {
      try {
        // Of one that will be removed nobody reads it.
        if (!segment.complete && segment.batches > 0) {
          const file = this.#files.get(segment);
          invariant(file !== undefined, "a segment without an index in its file is open");
          await writeIndex(file, segment, this.#sync);
          segment.forgetIndex();
        }
        this.#tries.delete(segment);
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        failure = error ?? new Error("unknown");
        if (tries + 1 < triesMax) this.#tries.set(segment, tries + 1);
        else this.#tries.delete(segment);
      }
    }
    return failure;
  }
}
