/**
 * When the cursor of a folder is to be written, and when so that it survives a power cut.
 *
 *     settled    -> written within `cursorDelayMs`: the process may then end
 *     settled, or committed in the segment in writing -> synced within `syncDelayMs`
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";
import type { CursorState, CursorWriter } from "./cursor.ts";

/** The cursor is written so long after the first change: at a kill, at most that much comes twice. */
export const cursorDelayMs = 50;
/** The cursor is synced so long after the first change. */
export const syncDelayMs = 1000;

/** The cursor's due times of one folder. */
export class CursorDuty {
  readonly #writer: CursorWriter;
  readonly #clock: SpoolClock;
  readonly #synced: (state: CursorState) => void;
  #dirtySinceMs: number | undefined;
  #unsyncedSinceMs: number | undefined;

  /** `synced` is told what survives a power cut from now on: once in `syncDelayMs` at most, but for the end. */
  constructor(writer: CursorWriter, clock: SpoolClock, synced: (state: CursorState) => void = () => {}) {
    this.#writer = writer;
    this.#clock = clock;
    this.#synced = synced;
  }

  /** Something was settled. */
  settled(): void {
    this.#dirtySinceMs ??= this.#clock.monoMs();
    this.committed();
  }

  /** Something was committed. */
  committed(): void {
    this.#unsyncedSinceMs ??= this.#clock.monoMs();
  }

  /** In how many milliseconds it is due; undefined: nothing changed. */
  get delayMs(): number | undefined {
    if (this.#dirtySinceMs !== undefined) return cursorDelayMs;
    if (this.#unsyncedSinceMs === undefined) return undefined;
    return Math.max(0, this.#unsyncedSinceMs + syncDelayMs - this.#clock.monoMs());
  }

  /** Writes it if it is due, as durably as is due. @throws the system's error; it is due again then */
  async write(state: () => CursorState): Promise<void> {
    if (this.#unsyncedSinceMs === undefined) return;
    const sync = this.#clock.monoMs() - this.#unsyncedSinceMs >= syncDelayMs;
    if (this.#dirtySinceMs !== undefined || sync) await this.save(state(), sync);
  }

  /** Writes it now. @throws the system's error; it is due again then */
  async save(state: CursorState, sync: boolean): Promise<void> {
    const dirty = this.#dirtySinceMs;
    const unsynced = this.#unsyncedSinceMs;
    this.#dirtySinceMs = undefined;
    if (sync) this.#unsyncedSinceMs = undefined;
    try {
      await this.#writer.write(state, sync);
    } catch (error) {
      this.#dirtySinceMs ??= dirty ?? this.#clock.monoMs();
      this.#unsyncedSinceMs ??= unsynced ?? this.#clock.monoMs();
      throw error;
    }
    if (sync) this.#synced(state);
  }

  /** The file that was written last. */
  get path(): string | undefined {
    return this.#writer.path;
  }

  /** The files are not there any more: others are made at the next write. */
  async reopen(): Promise<void> {
    await this.#writer.close();
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }
}
