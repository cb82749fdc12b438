/**
 * Whether there is room for more: the bound of the spool's own files, and the floor of the file system's free bytes.
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";
import type { Disk } from "./disk.ts";

/** The file system is asked so often. */
const askEveryMs = 1000;
/** And after so many bytes, so that a floor is not missed at full speed. */
const askEveryBytes = 32 * 1024 * 1024;

const mebibyte = 1024 * 1024;

/** What is bounded. */
export interface SpaceOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly clock: SpoolClock;
  readonly bytesMax: number;
  readonly freeBytesMin: number;
  /** Bytes that the files have now. */
  used(): number;
}

/** The room of one worker. */
export class Space {
  readonly #options: SpaceOptions;
  #askedAtMs = -Infinity;
  #freeBytes = Infinity;
  #writtenSince = 0;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  /** Bytes that were written now. */
  wrote(bytes: number): void {
    this.#writtenSince += bytes;
  }

  /** Looks again at the next question: something was removed. */
  freed(): void {
    this.#askedAtMs = -Infinity;
  }

  /** Why `bytes` more do not fit, in words for an operator; undefined where they do. */
  async lacks(bytes: number): Promise<string | undefined> {
    const { used, bytesMax, freeBytesMin, folder } = this.#options;
    const bytesUsed = used();
    if (bytesUsed + bytes > bytesMax) {
      return `The spool in "${folder}" holds ${bytesUsed} bytes, ${bytesMax} are allowed (spool.bytes_max); it goes on when Kafka takes batches`;
    }
    const free = await this.#free();
    if (free - this.#writtenSince - bytes >= freeBytesMin) return undefined;
    // Not to the byte: the message would be another one each time.
    const freeMiB = Math.floor(free / mebibyte);
    return `The file system of "${folder}" has ${freeMiB} MiB free, ${freeBytesMin} bytes are to stay free (spool.free_min); make room or lower it`;
  }

  async #free(): Promise<number> {
    const { clock, disk, folder } = this.#options;
    const nowMs = clock.monoMs();
    if (nowMs - this.#askedAtMs < askEveryMs && this.#writtenSince < askEveryBytes) return this.#freeBytes;
    try {
      this.#freeBytes = await disk.freeBytes(folder);
    } catch {
      // Whoever writes will hear of it.
      this.#freeBytes = Infinity;
    }
    this.#askedAtMs = nowMs;
    this.#writtenSince = 0;
    return this.#freeBytes;
  }
}
