/**
 * What stands in the terminal while a load runs.
 *
 * @module
 */
import type { Window } from "../measure/sampler.ts";
import type { Settings } from "../settings.ts";
import { countText, msText } from "./text.ts";

/** The terminal. */
export interface LiveOutside {
  readonly err: (text: string) => void;
  readonly terminalColumns: number | undefined;
}

/** A line that is written over and over; nothing where there is no terminal. */
export class LiveView {
  readonly #outside: LiveOutside;
  readonly #columns: number | undefined;
  #shown = false;

  constructor(settings: Settings, outside: LiveOutside) {
    this.#outside = outside;
    this.#columns = settings.output.quiet ? undefined : outside.terminalColumns;
  }

  say(text: string): void {
    this.#write(text);
  }

  /** A window is over; `progress` is the part of the time that has passed. */
  window(window: Window, progress: number): void {
    const bar = "#".repeat(Math.round(Math.min(1, progress) * 20)).padEnd(20, ".");
    this.#write(
      `[${bar}] ${countText(window.answeredRate)}/s  p50 ${msText(window.p50)}  p99 ${msText(window.p99)}` +
        `  ${window.open} open${window.failed > 0 ? `  ${window.failed} failed` : ""}`,
    );
  }

  end(): void {
    if (this.#shown) this.#outside.err("\r\x1b[2K");
    this.#shown = false;
  }

  #write(text: string): void {
    if (this.#columns === undefined) return;
    this.#shown = true;
    this.#outside.err(`\r\x1b[2K${text.slice(0, this.#columns - 1)}`);
  }
}
