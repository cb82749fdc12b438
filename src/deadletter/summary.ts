/**
 * What lies in the dead letter, by reason: `corndog deadletter ls`.
 *
 * @module
 */
import type { Progress } from "./progress.ts";
import type { LetterSource, StoredLetter } from "./stored_letter.ts";

/** Different reasons and topics that are told apart. */
const namesMax = 1000;
/** Topics that a line of the table names. */
const topicsShown = 3;
/** Longer messages are cut for people. */
const messageMax = 100;

/** Letters of one reason in one source. */
export interface ReasonSummary {
  reason: string;
  letters: number;
  bytes: number;
  /** Of them, those that were replayed. */
  replayed: number;
  /** Of them, records that Kafka refused; the others are lines. */
  records: number;
  /** RFC 3339. */
  first: string;
  last: string;
  /** Letters by the topic that was meant; `-` where none was. */
  topics: Record<string, number>;
  /** The message of the last one. */
  message: string;
}

/** One source. */
export interface SourceSummary {
  readonly source: string;
  readonly letters: number;
  readonly unreadable: number;
  readonly reasons: readonly ReasonSummary[];
}

/** Reads all of a source. `reasons` undefined stands for all. */
export async function summarize(
  source: LetterSource,
  progress: Progress,
  reasons: readonly string[] | undefined,
): Promise<SourceSummary> {
  const byReason = new Map<string, ReasonSummary>();
  for (const { stream, first } of source.streams) {
    for await (const letters of source.read(stream, first)) {
      for (const letter of letters) {
        if (reasons === undefined || reasons.includes(letter.reason)) {
          add(byReason, letter, progress.isDone(source.name, letter));
        }
      }
    }
  }
  const found = [...byReason.values()].sort((a, b) => b.letters - a.letters);
  return {
    source: source.title,
    letters: found.reduce((sum, { letters }) => sum + letters, 0),
    unreadable: source.unreadable,
    reasons: found,
  };
}

function add(byReason: Map<string, ReasonSummary>, letter: StoredLetter, isDone: boolean): void {
  const name = byReason.has(letter.reason) || byReason.size < namesMax ? letter.reason : "(other)";
  const time = new Date(letter.timeMs).toISOString();
  const known = byReason.get(name) ?? {
    reason: name,
    letters: 0,
    bytes: 0,
    replayed: 0,
    records: 0,
    first: time,
    last: time,
    topics: Object.create(null) as Record<string, number>,
    message: "",
  };
  byReason.set(name, known);
  known.letters++;
  known.bytes += letter.value.length;
  if (isDone) known.replayed++;
  if (letter.kind === "record") known.records++;
  if (time < known.first) known.first = time;
  if (time > known.last) known.last = time;
  const topic = letter.topic ?? "-";
  if (topic in known.topics || Object.keys(known.topics).length < namesMax) {
    known.topics[topic] = (known.topics[topic] ?? 0) + 1;
  }
  known.message = letter.message;
}

/** A table for people. */
export function summaryText({ source, letters, unreadable, reasons }: SourceSummary): string {
  const head = `${source}: ${letters === 0 ? "no dead letters" : counted(letters, "dead letter")}${
    unreadable === 0 ? "" : `, ${unreadable} unreadable`
  }\n`;
  if (reasons.length === 0) return head;
  const width = Math.max(...reasons.map(({ reason }) => reason.length), "reason".length);
  const rows = reasons.map((one) => {
    const kinds = one.records === 0 ? "lines" : one.records === one.letters ? "records" : "both";
    const cells = [
      one.reason.padEnd(width),
      String(one.letters).padStart(9),
      String(one.replayed).padStart(9),
      kinds.padEnd(7),
      one.first.slice(0, 19),
      one.last.slice(0, 19),
      topicsText(one.topics),
    ];
    return `  ${cells.join("  ").trimEnd()}\n  ${" ".repeat(width)}  ${cut(one.message)}\n`;
  });
  const titles = [
    "reason".padEnd(width),
    "letters".padStart(9),
    "replayed".padStart(9),
    "kind   ",
    "first (UTC)        ",
    "last               ",
    "topic that was meant",
  ];
  return `${head}  ${titles.join("  ")}\n${rows.join("")}`;
}

function topicsText(topics: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(topics).sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, topicsShown).map(([topic, letters]) =>
    sorted.length === 1 ? topic : `${topic} (${letters})`
  );
  return shown.join(", ") + (sorted.length > topicsShown ? ` and ${sorted.length - topicsShown} more` : "");
}

function cut(text: string): string {
  // deno-lint-ignore no-control-regex
  const line = text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ");
  return line.length > messageMax ? `${line.slice(0, messageMax)}…` : line;
}

/** `1 dead letter`, `2 dead letters`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
