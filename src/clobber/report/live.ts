/**
 * What stands in the terminal while a load runs: progress, the rate with its history, latency now, and what is odd.
 * It is written to stderr and wiped at the end; without a terminal there is a line every ten seconds.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { Window } from "../measure/sampler.ts";
import { latenessMsMax } from "../measure/verdict.ts";
import type { Settings } from "../settings.ts";
import { paintFor } from "./summary.ts";
import { countText, msText, secondsText } from "./text.ts";

/** The terminal. */
export interface LiveOutside {
  readonly err: (text: string) => void;
  readonly terminalColumns: number | undefined;
  readonly colors: boolean;
}

/** Windows in the history. */
const historyMax = 40;
const barCells = 24;
const sparks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/** Without a terminal, for logs of CI: one window in this many. */
const plainEvery = 10;
/** A count that runs is drawn this often. */
const tellEveryMs = 100;

/** The view. */
export class LiveView {
  readonly #outside: LiveOutside;
  readonly #settings: Settings;
  readonly #history: number[] = [];
  #lines = 0;
  #said = "";
  #windows = 0;
  #toldMs = -Infinity;

  constructor(settings: Settings, outside: LiveOutside) {
    this.#settings = settings;
    this.#outside = outside;
  }

  /** What is going on, in a few words. */
  say(text: string): void {
    this.#said = text;
    if (this.#outside.terminalColumns !== undefined && this.#windows === 0) this.#draw([text]);
  }

  /** What goes on after the load; takes the place of its view. */
  tell(text: string): void {
    const now = performance.now();
    if (this.#outside.terminalColumns === undefined || now < this.#toldMs + tellEveryMs) return;
    this.#toldMs = now;
    this.#draw([paintFor(this.#outside.colors).bold(this.#settings.plan.target.url), text]);
  }

  /** A part is done: a line of its own where there is no terminal. */
  note(text: string): void {
    const isPlain = this.#outside.terminalColumns === undefined && !this.#settings.output.quiet;
    if (isPlain) this.#outside.err(`${text}\n`);
  }

  /** A window is over; `progress` is the part of the time that has passed. */
  window(window: Window, progress: number): void {
    if (this.#settings.output.quiet) return;
    this.#windows++;
    this.#history.push(window.answeredRate);
    if (this.#history.length > historyMax) this.#history.shift();
    if (this.#outside.terminalColumns === undefined) {
      // A search tells its steps.
      const isTold = this.#settings.pace.kind === "find" || this.#windows % plainEvery !== 0;
      if (!isTold) this.#outside.err(`${plainLine(window)}\n`);
      return;
    }
    this.#draw(this.#rows(window, Math.max(0, Math.min(1, progress))));
  }

  /** Wipes it. */
  end(): void {
    if (this.#lines > 0) this.#outside.err(`\x1b[${this.#lines}A\r\x1b[J`);
    this.#lines = 0;
  }

  #rows(window: Window, progress: number): string[] {
    const paint = paintFor(this.#outside.colors);
    const filled = Math.round(progress * barCells);
    const bar = `${"█".repeat(filled)}${paint.faint("░".repeat(barCells - filled))}`;
    const searching = this.#settings.pace.kind === "find"
      ? `  ${this.#said}`
      : `  ${Math.round(100 * progress)} %`;
    const wanted = window.wantedRate === null ? "" : paint.faint(` of ${countText(window.wantedRate)}/s`);
    const late = window.latenessP99 > latenessMsMax && window.wantedRate !== null
      ? paint.bad(`  generator late: p99 ${msText(window.latenessP99)}`)
      : "";
    const backlog = window.backlog > 0 ? `  ${countText(window.backlog)} waiting` : "";
    const failed = window.failed > 0
      ? paint.bad(`  ${countText(window.failed)} failed in the last second`)
      : "";
    return [
      paint.bold(this.#settings.plan.target.url),
      `${bar}${searching}  ${secondsText(window.t)}`,
      `${paint.bold(`${countText(window.answeredRate)}/s`)}${wanted}  ${spark(this.#history)}`,
      ...(window.max > 0
        ? [`p50 ${msText(window.p50)}  p99 ${msText(window.p99)}  max ${msText(window.max)}`]
        : []),
      `${window.open} of ${window.wanted} connections  ${
        window.cpu.toFixed(2)
      } processors${backlog}${late}${failed}`,
    ];
  }

  #draw(rows: readonly string[]): void {
    if (this.#settings.output.quiet) return;
    const columns = this.#outside.terminalColumns!;
    this.end();
    this.#outside.err(`${rows.map((row) => fit(row, columns - 1)).join("\n")}\n`);
    this.#lines = rows.length;
  }
}

/** A row that does not wrap: it would be wiped wrongly. Colours are dropped where it has to be cut. */
function fit(row: string, columns: number): string {
  const plain = stripVTControlCharacters(row);
  return plain.length <= columns ? row : plain.slice(0, Math.max(0, columns));
}

function spark(rates: readonly number[]): string {
  const most = rates.reduce((high, rate) => Math.max(high, rate), 1);
  return rates.map((rate) => sparks[Math.min(sparks.length - 1, Math.floor(rate / most * sparks.length))])
    .join("");
}

function plainLine(window: Window): string {
  const latency = window.max > 0 ? `, p50 ${msText(window.p50)}, p99 ${msText(window.p99)}` : "";
  const failed = window.failed > 0 ? `, ${window.failed} failed` : "";
  return `${secondsText(window.t)}: ${
    countText(window.answeredRate)
  }/s${latency}, ${window.open} connections${failed}`;
}
