/**
 * The last warnings and errors of the log, for who looks at a running corndog: `GET /admin/events`, the dashboard.
 *
 * The same trouble again is the same entry with a higher count: an event is the same when its name, worker and what
 * is wrong are. Bounded: the entry that was seen longest ago makes room.
 *
 * @module
 */
import { messageOf } from "../core/errors.ts";
import type { LogLevel } from "../core/log_names.ts";
import type { LogFields, Logger } from "./log.ts";

/** Entries that are kept. */
export const recentEventsMax = 50;
/** Characters of one field. */
const fieldCharsMax = 300;
/** Fields of one event. */
const fieldsMax = 16;

/** One entry. Fields are text, cut where they are long. */
export interface RecentEvent {
  readonly level: "warn" | "error";
  readonly event: string;
  readonly fields: Readonly<Record<string, string>>;
  /** How often, and when for the first and the last time. */
  readonly count: number;
  readonly first_at: string;
  readonly at: string;
}

/** `GET /admin/events`, newest first. */
export interface EventList {
  /** Warnings and errors since the start, those that were forgotten too. */
  readonly total: number;
  readonly events: readonly RecentEvent[];
}

interface Entry {
  level: "warn" | "error";
  event: string;
  fields: LogFields;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** Keeps them. */
export class RecentEvents {
  readonly #nowMs: () => number;
  /** By what makes them the same; the one seen longest ago first. */
  readonly #entries = new Map<string, Entry>();
  #total = 0;

  /** `nowMs` gives epoch milliseconds. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A logger that passes everything on to `log` and keeps what is a warning or an error. */
  watch(log: Logger, base: LogFields = {}): Logger {
    const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
      log[level](event, fields);
      if (level === "warn" || level === "error") this.#keep(level, event, { ...base, ...fields });
    };
    return {
      error: at("error"),
      warn: at("warn"),
      info: (event, fields) => log.info(event, fields),
      debug: (event, fields) => log.debug(event, fields),
      with: (fields) => this.watch(log.with(fields), { ...base, ...fields }),
      skipped: (event, count) => log.skipped(event, count),
      flush: () => log.flush(),
    };
  }

  /** What there is, newest first. */
  list(): EventList {
    const events = [...this.#entries.values()].reverse().map((entry): RecentEvent => ({
      level: entry.level,
      event: entry.event,
      fields: textFields(entry.fields),
      count: entry.count,
      first_at: new Date(entry.firstMs).toISOString(),
      at: new Date(entry.lastMs).toISOString(),
    }));
    return { total: this.#total, events };
  }

  #keep(level: "warn" | "error", event: string, fields: LogFields): void {
    this.#total++;
    const { worker, problem, reason, code } = fields;
    const key = [level, event, worker, problem, reason, code].map(textOf).join("\n");
    const nowMs = this.#nowMs();
    const former = this.#entries.get(key);
    this.#entries.delete(key);
    this.#entries.set(key, {
      level,
      event,
      fields,
      count: (former?.count ?? 0) + 1,
      firstMs: former?.firstMs ?? nowMs,
      lastMs: nowMs,
    });
    if (this.#entries.size > recentEventsMax) this.#entries.delete(this.#entries.keys().next().value!);
  }
}

function textFields(fields: LogFields): Record<string, string> {
  const texts = Object.entries(fields).filter(([, value]) => value !== undefined).slice(0, fieldsMax);
  return Object.fromEntries(texts.map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string {
  const text = value === undefined
    ? ""
    : value instanceof Error
    ? messageOf(value)
    : Array.isArray(value)
    ? value.map(textOf).join("; ")
    : typeof value === "object" && value !== null
    ? JSON.stringify(value, (_, part) => typeof part === "bigint" ? String(part) : part) ?? ""
    : String(value);
  return text.length > fieldCharsMax ? `${text.slice(0, fieldCharsMax - 1)}…` : text;
}
