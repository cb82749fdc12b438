/**
 * Which events are written, by the level of the component that each belongs to. The levels may change while loggers
 * use them: a reload puts others in force.
 *
 * @module
 */
import { type LogLevel, logLevels, type LogSettings } from "../core/log_names.ts";
import { componentOf } from "./log_components.ts";

/** The levels in force. */
export class LogLevels {
  #settings: Pick<LogSettings, "level" | "levels">;

  constructor(settings: Pick<LogSettings, "level" | "levels">) {
    this.#settings = settings;
  }

  /** Puts others in force. */
  set(settings: Pick<LogSettings, "level" | "levels">): void {
    this.#settings = settings;
  }

  /** True where an event of this level is written. */
  allows(level: LogLevel, event: string): boolean {
    const most = this.#settings.levels[componentOf(event)] ?? this.#settings.level;
    return logLevels.indexOf(level) <= logLevels.indexOf(most);
  }
}
