/**
 * Takes over folders that other processes leave while this one runs: those of the process that it succeeds, which
 * uses them until it has delivered what it took. One after the other, looked at once a second.
 *
 * @module
 */
import type { SpoolClock } from "./clock.ts";

/** A process that ends is noticed within this time. */
const lookMs = 1_000;

/** What the adoption of folders needs. */
export interface AdoptionParts {
  readonly clock: SpoolClock;
  /** Its owner has removed it. */
  isGone(name: string): Promise<boolean>;
  isHeld(name: string): Promise<boolean>;
  /** @throws the system's error */
  adopt(name: string): Promise<void>;
  problem(message: string): void;
}

/** The folders that one worker waits for. */
export class Adoption {
  readonly #parts: AdoptionParts;
  readonly #waiting = new Set<string>();
  #isOn = true;
  #timer: unknown;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
  }

  /** Somebody uses it now. */
  later(name: string): void {
    this.#waiting.add(name);
    this.#plan();
  }

  /** Whether folders are taken over; resolves when none is being taken over against that. */
  async set(isOn: boolean): Promise<void> {
    this.#isOn = isOn;
    if (isOn) return this.#plan();
    this.#parts.clock.clear(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  #plan(): void {
    if (!this.#isOn || this.#timer !== undefined || this.#waiting.size === 0) return;
    this.#timer = this.#parts.clock.set(() => {
      this.#looking = this.#look().finally(() => {
        this.#timer = undefined;
        this.#plan();
      });
    }, lookMs);
  }

  async #look(): Promise<void> {
    const { isGone, isHeld, adopt, problem } = this.#parts;
    for (const name of [...this.#waiting]) {
      if (!this.#isOn) return;
      try {
        if (await isHeld(name)) continue;
        this.#waiting.delete(name);
        if (!await isGone(name)) await adopt(name);
      } catch (error) {
        this.#waiting.add(name);
        problem(`Cannot take over the spool folder "${name}": ${(error as Error).message}`);
      }
    }
  }
}
