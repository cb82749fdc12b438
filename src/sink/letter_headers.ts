/**
 * The headers that make a Kafka record a dead letter. The record's value is the line's own bytes.
 *
 *     corndog.reason     constant name of the reason
 *     corndog.message    for people
 *     corndog.received   receive time, RFC 3339 in UTC with milliseconds
 *     corndog.kind       line: the value is the frame as it came. record: value, key and further headers are those of
 *                        the record that Kafka refused
 *     corndog.topic      the topic that was meant, where one was
 *     corndog.rule       the rule that failed
 *     corndog.peer       who sent the line
 *     corndog.truncated  true: only the beginning of the line is here
 *     corndog.redacted   true: a rule took parts out of the line before it was refused
 *
 * Headers of a refused record follow them under their own names. `corndog.` is ours: a reader takes the first of a name.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RecordHeader } from "../batch/record_reader.ts";

/** What a dead letter says of itself beside its bytes. */
export interface LetterFields {
  /** Receive time, epoch milliseconds. */
  readonly timeMs: number;
  /** Constant name of the reason. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** `line`: the value is a frame; `record`: it is what was to be sent to `topic`. */
  readonly kind: "line" | "record";
  /** The topic that was meant. */
  readonly topic?: string | undefined;
  /** Name of the rule that failed. */
  readonly rule?: string | undefined;
  readonly peer?: string | undefined;
  /** Only the beginning of the line is here. */
  readonly truncated?: boolean | undefined;
  /** `done`: rules took parts out of it. `failed`: they were to and could not. */
  readonly redacted?: "done" | "failed" | undefined;
}

/** What all of our headers begin with. */
export const letterPrefix = "corndog.";

/** A message is for people; what is longer helps nobody. */
const messageCharsMax = 1000;

/** The headers of a letter, in order, as text. */
export function letterHeaders(fields: LetterFields): [name: string, value: string][] {
  const headers: [string, string][] = [
    ["corndog.reason", fields.reason],
    ["corndog.message", fields.message.slice(0, messageCharsMax)],
    ["corndog.received", new Date(fields.timeMs).toISOString()],
    ["corndog.kind", fields.kind],
  ];
  if (fields.topic !== undefined) headers.push(["corndog.topic", fields.topic]);
  if (fields.rule !== undefined) headers.push(["corndog.rule", fields.rule]);
  if (fields.peer !== undefined) headers.push(["corndog.peer", fields.peer]);
  if (fields.truncated === true) headers.push(["corndog.truncated", "true"]);
  if (fields.redacted !== undefined) {
    headers.push(["corndog.redacted", fields.redacted === "done" ? "true" : "failed"]);
  }
  return headers;
}

/** All headers of a letter as the record format has them: ours, then `own` of a refused record. */
export function encodeLetterHeaders(fields: LetterFields, own: readonly RecordHeader[] = []): Uint8Array {
  const ours = letterHeaders(fields).map(([name, value]) => ({ name, value: Buffer.from(value) }));
  return encodeHeaders([...ours, ...own]);
}

/** Headers as the record format has them. */
export function encodeHeaders(headers: readonly RecordHeader[]): Uint8Array {
  const parts: Uint8Array[] = [varint(headers.length)];
  for (const { name, value } of headers) pushHeader(parts, name, value);
  return Buffer.concat(parts);
}

/** The letter that the headers of a record tell of, and the headers that are not ours; undefined where it is no letter. */
export function readLetterHeaders(
  headers: readonly RecordHeader[],
): { readonly fields: LetterFields; readonly own: readonly RecordHeader[] } | undefined {
  const ours = new Map<string, string>();
  const own: RecordHeader[] = [];
  for (const header of headers) {
    if (header.name.startsWith(letterPrefix) && !ours.has(header.name)) {
      ours.set(header.name, header.value === null ? "" : Buffer.from(header.value).toString());
    } else own.push(header);
  }
  const reason = ours.get("corndog.reason");
  if (reason === undefined) return undefined;
  const timeMs = Date.parse(ours.get("corndog.received") ?? "");
  const redacted = ours.get("corndog.redacted");
  return {
    fields: {
      timeMs: Number.isNaN(timeMs) ? 0 : timeMs,
      reason,
      message: ours.get("corndog.message") ?? "",
      kind: ours.get("corndog.kind") === "record" ? "record" : "line",
      topic: ours.get("corndog.topic"),
      rule: ours.get("corndog.rule"),
      peer: ours.get("corndog.peer"),
      truncated: ours.get("corndog.truncated") === "true" ? true : undefined,
      redacted: redacted === undefined ? undefined : redacted === "true" ? "done" : "failed",
    },
    own,
  };
}

function pushHeader(parts: Uint8Array[], name: string, value: Uint8Array | null): void {
  const nameBytes = Buffer.from(name);
  parts.push(varint(nameBytes.length), nameBytes, varint(value === null ? -1 : value.length));
  if (value !== null) parts.push(value);
}

/** Zigzag varint of the record format. */
function varint(value: number): Uint8Array {
  let left = value < 0 ? -value * 2 - 1 : value * 2;
  const bytes: number[] = [];
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}
