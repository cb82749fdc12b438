/**
 * A dead letter as it lies in the file or in the topic, with where it lies.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RecordHeader, RecordReader } from "../batch/record_reader.ts";
import { type LetterFields, readLetterHeaders } from "../sink/letter_headers.ts";

/** A letter that was read back. */
export interface StoredLetter extends LetterFields {
  readonly key: Uint8Array | null;
  /** Headers of the record that was refused. */
  readonly headers: readonly RecordHeader[];
  readonly value: Uint8Array;
  /** The file, or a partition. */
  readonly stream: string;
  /** Where it begins in the stream, and where the next one does: bytes, or offsets. */
  readonly at: number;
  readonly next: number;
}

/** Letters of one place, in order. */
export interface LetterSource {
  /** What progress is kept under. */
  readonly name: string;
  /** For people: `dead_letter.ndjson`, `topic logs-dead`. */
  readonly title: string;
  /** Streams, from where on they hold letters, and where they ended when the source was opened. */
  readonly streams: readonly { readonly stream: string; readonly first: number; readonly end: number }[];
  /** Letters of a stream from `at` on, some at a time, up to where it ended; what cannot be read is told to `unreadable`. */
  read(stream: string, at: number): AsyncIterable<readonly StoredLetter[]>;
  /** Places that hold something else than letters. */
  readonly unreadable: number;
  close(): Promise<void>;
}

/** The letter in a line of the file; undefined where it is none. */
export function letterOfLine(
  line: string,
  stream: string,
  at: number,
  next: number,
): StoredLetter | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const object = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Record<string, unknown>;
  const value = bytesOf(object, "value");
  const { reason, time } = object;
  if (typeof reason !== "string" || value === undefined || value === null) return undefined;
  const timeMs = Date.parse(String(time));
  const text = (name: string): string | undefined =>
    typeof object[name] === "string" ? object[name] as string : undefined;
  return {
    timeMs: Number.isNaN(timeMs) ? 0 : timeMs,
    reason,
    message: text("message") ?? "",
    // Lines that were written before kinds were have a key or headers only where they are records.
    kind: object["kind"] === "record" ? "record" : "line",
    topic: text("topic"),
    rule: text("rule"),
    peer: text("peer"),
    truncated: object["truncated"] === true ? true : undefined,
    redacted: object["redacted"] === true ? "done" : object["redacted"] === "failed" ? "failed" : undefined,
    key: bytesOf(object, "key") ?? null,
    headers: headersOf(object["headers"]),
    value,
    stream,
    at,
    next,
  };
}

/** The letter in a record of the topic; undefined where it is none. */
export function letterOfRecord(
  reader: RecordReader,
  stream: string,
  offset: number,
): StoredLetter | undefined {
  const letter = readLetterHeaders(reader.headers());
  const value = reader.value();
  if (letter === undefined || value === null) return undefined;
  const key = reader.key();
  return {
    ...letter.fields,
    key: key === null ? null : Uint8Array.from(key),
    headers: letter.own.map(({ name, value }) => ({
      name,
      value: value === null ? null : Uint8Array.from(value),
    })),
    value: Uint8Array.from(value),
    stream,
    at: offset,
    next: offset + 1,
  };
}

/** `name` as text, or `name_b64` as base64; null is null, undefined is missing. */
function bytesOf(object: Readonly<Record<string, unknown>>, name: string): Uint8Array | null | undefined {
  const text = object[name];
  if (typeof text === "string") return Buffer.from(text);
  const base64 = object[`${name}_b64`];
  if (typeof base64 === "string") return Buffer.from(base64, "base64");
  return text === null ? null : undefined;
}

function headersOf(value: unknown): RecordHeader[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).map(([name, text]) => {
    if (typeof text !== "string") return { name, value: null };
    return name.endsWith("_b64")
      ? { name: name.slice(0, -4), value: Buffer.from(text, "base64") }
      : { name, value: Buffer.from(text) };
  });
}
