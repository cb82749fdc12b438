/**
 * Reads batches back from the spool while the sink has place for them, one at a time.
 *
 * One extent of the memory is set aside for it: a memory full of batches that a full disk does not take still drains.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import type { Spool, SpooledBatch } from "../spool/spool.ts";
import type { SinkPlaces } from "./sink_places.ts";

/** Where batches that are read back find memory. */
export interface SpoolMemory {
  /** Offset of a batch header with room for so many bytes of records behind it, and the headroom before; 0: none. */
  reserve(recordBytes: number): number;
  /** Gives back what `reserve` or a closed batch holds. */
  free(at: number): void;
  /** Bytes that such a place takes of the memory. */
  bytesOf(at: number): number;
  /** Enough is free that reading back does not take what is received its place. */
  roomy(): boolean;
}

/** What reading back joins. */
export interface ReadBackParts {
  readonly memory: SpoolMemory;
  readonly places: SinkPlaces;
  /** Bytes of the records of the largest batch that there may ever be. */
  readonly recordBytesMax: () => number;
  /** A batch was read back. */
  take(spooled: SpooledBatch): void;
  /** Memory was given back, `bytes` of batches. */
  freed(bytes: number): void;
}

/** The reading end of one worker's stage. */
export class ReadBack {
  readonly #parts: ReadBackParts;
  #spool: Spool | undefined;
  /** The extent that is set aside, and whether it is in use. */
  #spareAt = 0;
  #spareUsed = false;
  #reading: Promise<void> | undefined;
  #isOn = true;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: ReadBackParts) {
    this.#parts = parts;
  }

  /** Begins to read from an open spool. */
  join(spool: Spool): void {
    const { memory, recordBytesMax } = this.#parts;
    this.#spool = spool;
    this.#spareAt = memory.reserve(recordBytesMax());
    invariant(this.#spareAt !== 0, "the memory holds one batch to read back");
    this.pump();
  }

  /** True while the disk is asked for a batch. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Reads while there is place; whoever makes place calls it again. */
  pump(): void {
    if (
      this.#reading !== undefined || !this.#isOn || this.#later !== undefined || this.#spool === undefined
    ) {
      return;
    }
    if (!this.#parts.places.quarterFree) return;
    this.#reading = this.#readOne(this.#spool).then((again) => {
      this.#reading = undefined;
      if (again) this.pump();
    });
  }

  /** Reads nothing any more. */
  stop(): void {
    this.#isOn = false;
    if (this.#later !== undefined) clearTimeout(this.#later);
    this.#later = undefined;
  }

  /** Resolves when nothing is being read. */
  async rest(): Promise<void> {
    await this.#reading;
  }

  /** What a batch at `at` takes of the memory that others need. */
  bytesOf(at: number): number {
    return at === this.#spareAt ? 0 : this.#parts.memory.bytesOf(at);
  }

  /** Gives the memory of a batch back, which has so many `bytes`. */
  free(at: number, bytes: number): void {
    if (at === this.#spareAt) this.#spareUsed = false;
    else this.#parts.memory.free(at);
    this.#parts.freed(bytes);
  }

  /** True if there may be more to read at once. */
  async #readOne(spool: Spool): Promise<boolean> {
    const answer = await spool.next({
      mayGo: (topic) => this.#parts.places.hasFor(topic),
      room: (recordBytes) => this.#room(recordBytes),
      release: (at) => this.free(at, 0),
      take: (spooled) => this.#parts.take(spooled),
    });
    switch (answer.kind) {
      case "none":
      case "no_room":
        return false;
      case "later":
        this.#later = setTimeout(() => {
          this.#later = undefined;
          this.pump();
        }, answer.delayMs);
        return false;
      case "batch":
        return true;
    }
  }

  #room(recordBytes: number): number {
    const { memory, recordBytesMax } = this.#parts;
    const at = memory.roomy() ? memory.reserve(recordBytes) : 0;
    if (at !== 0 || this.#spareUsed) return at;
    invariant(recordBytes <= recordBytesMax(), "a batch in the spool is no larger than one may be");
    this.#spareUsed = true;
    return this.#spareAt;
  }
}
