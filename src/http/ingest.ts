/**
 * `POST /v1/ingest[/TOPIC]`: events as they are.
 *
 *     application/json                      an array: each element is an event, a string without its quotes;
 *                                           anything else: one event
 *     application/x-ndjson, jsonl           each line is an event and must be JSON
 *     text/plain, or nothing                each line is an event; syslog lines are read as such
 *     application/syslog                    syslog frames as on a TCP connection, octet counting too
 *     application/octet-stream              the whole body is one event
 *
 * `?format=json|ndjson|lines|syslog|one` says it too.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Answer, jsonAnswer, problemAnswer } from "./answer.ts";
import { type Endpoint, type EndpointOptions, type Outcome, type Refusal, retryAfter } from "./endpoint.ts";
import { Events, rejectionsMax } from "./events.ts";
import { printable, type RequestHead } from "./head.ts";
import { isJsonBlank, skipBlanks, splitArrayInTurns } from "./json_split.ts";
import { addLines, addLinesInTurns } from "./lines.ts";
import { bytesAStep, type Reading, recordsAStep, wholly } from "./turns.ts";

/** How a body is read. */
export type Format = "json" | "ndjson" | "lines" | "syslog" | "one";

const formats: Readonly<Record<string, Format>> = {
  "": "lines",
  "text/plain": "lines",
  // What curl -d says without being asked.
  "application/x-www-form-urlencoded": "lines",
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/jsonlines": "ndjson",
  "application/x-jsonlines": "ndjson",
  "application/json-seq": "ndjson",
  "application/syslog": "syslog",
  "application/x-syslog": "syslog",
  "application/octet-stream": "one",
};
const formatNames: readonly Format[] = ["json", "ndjson", "lines", "syslog", "one"];

/** What is JSON costs 0.2 µs, what is none ten times that. */
const checkedAStep = 4 * recordsAStep;

const quote = 0x22;
const openList = 0x5b;
/** Record separator of JSON text sequences (RFC 7464), which may stand before each value. */
const recordSeparator = 0x1e;

/** The format that a head names, undefined where it is not known. */
export function formatOf(head: RequestHead): Format | undefined {
  const asked = head.query.get("format");
  if (asked !== undefined) return formatNames.find((one) => one === asked);
  return formats[mediaType(head)];
}

/** `Content-Type` without its parameters, in lower case. */
export function mediaType(head: RequestHead): string {
  return (head.fields.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

/** Makes the endpoint for a head; `topic` is what its path names. */
export function ingestEndpoint(
  head: RequestHead,
  topic: string | undefined,
  options: EndpointOptions,
): Endpoint | Refusal {
  const format = formatOf(head);
  if (format === undefined) {
    const asked = head.query.get("format") ?? mediaType(head);
    return {
      status: 415,
      code: "format_unknown",
      detail: `Cannot read "${
        printable(asked)
      }": send text/plain, application/json, application/x-ndjson, application/syslog or application/octet-stream`,
    };
  }
  return {
    topic,
    key: head.query.get("key"),
    isFramed: format === "syslog",
    read: (body) => read(format, body, options),
    readInTurns: (body) => readInTurns(format, body, options),
    answer,
    refuse,
  };
}

/** Most requests are one line: no generator for it. */
function read(format: Format, body: Uint8Array, options: EndpointOptions): Events | Refusal {
  if (format !== "lines") return wholly(readInTurns(format, body, options));
  const events = new Events(options.frameBytesMax, body);
  addLines(events, body);
  return events;
}

function* readInTurns(
  format: Format,
  body: Uint8Array,
  options: EndpointOptions,
): Reading<Events | Refusal> {
  const events = new Events(options.frameBytesMax, body);
  switch (format) {
    case "one":
    case "syslog":
      if (body.length > 0) events.addRange(0, body.length);
      break;
    case "lines":
      yield* addLinesInTurns(events, body);
      break;
    case "ndjson":
      yield* addLinesInTurns(events, body);
      return yield* checked(events, body, options);
    case "json":
      return yield* readJson(body, options);
  }
  return events;
}

function* readJson(body: Uint8Array, options: EndpointOptions): Reading<Events | Refusal> {
  const start = skipBlanks(body, 0);
  const events = new Events(options.frameBytesMax, body);
  if (body[start] !== openList) {
    let end = body.length;
    while (end > start && isJsonBlank(body[end - 1]!)) end--;
    if (end > start) events.addRange(start, end);
  } else if (!(yield* splitArrayInTurns(body, (from, to) => events.addRange(from, to)))) {
    return { status: 400, code: "json_malformed", detail: "The body is not a JSON array" };
  }
  return yield* unquoted(yield* checked(events, body, options), body, options);
}

/** Strings become what they say; then all events are made anew. */
function* unquoted(events: Events, body: Uint8Array, options: EndpointOptions): Reading<Events> {
  const { ranges, count } = events;
  let hasStrings = false;
  for (let i = 0; i < count && !hasStrings; i++) hasStrings = body[ranges[2 * i]!] === quote;
  if (!hasStrings) return events;
  const made = new Events(options.frameBytesMax);
  return yield* events.again(made, [], "", (start, end) => {
    const bytes = body.subarray(start, end);
    if (bytes[0] !== quote) return made.addTextAndBytes("", bytes);
    const text = parseString(bytes);
    if (text === undefined || text === "") made.reject("malformed", "The string is empty");
    else made.addText(text);
  });
}

function parseString(bytes: Uint8Array): string | undefined {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")) as string;
  } catch {
    return undefined;
  }
}

/** Takes out what is not JSON. */
function* checked(events: Events, body: Uint8Array, options: EndpointOptions): Reading<Events> {
  const { ranges, count } = events;
  const bad: number[] = [];
  for (let first = 0; first < count;) {
    if (first > 0) yield;
    let end = first;
    for (let bytes = 0; end < count && end < first + checkedAStep && bytes < bytesAStep; end++) {
      if (body[ranges[2 * end]!] === recordSeparator) ranges[2 * end]!++;
      bytes += ranges[2 * end + 1]! - ranges[2 * end]!;
    }
    for (const frame of options.notJson(body, ranges.subarray(2 * first, 2 * end), end - first)) {
      bad.push(first + frame);
    }
    first = end;
  }
  if (bad.length === 0) return events;
  const left = new Events(options.frameBytesMax, body);
  return yield* events.again(left, bad, "This is not JSON", (start, end) => left.addRange(start, end));
}

/** What is said about the events that were taken, and about those that were not. */
export function answer({ events, result, durable }: Outcome): Answer {
  const { kind, deadLettered, dropped, truncated, notes, rejection } = result;
  const accepted = result.placed;
  const plain = events.rejectedCount === 0 && deadLettered === 0 && dropped === 0 && truncated === 0;
  const isSpooled = kind === "late";
  const status = !durable || isSpooled ? 202 : 200;
  if (plain && !isSpooled && rejection === undefined) {
    if (accepted === 1) return durable ? oneDurable : oneAccepted;
    return jsonAnswer(status, { accepted, durable });
  }
  if (accepted === 0 && events.rejectedCount > 0) return allRejected(events);
  const counts: Record<string, unknown> = { accepted, durable };
  if (isSpooled) counts["spooled"] = true;
  if (deadLettered > 0) counts["dead_lettered"] = deadLettered;
  if (rejection !== undefined) counts["dead_letter_reason"] = rejection;
  if (dropped > 0) counts["dropped"] = dropped;
  if (truncated > 0) counts["truncated"] = truncated;
  if (notes.length > 0) {
    counts["notes"] = notes.map(({ line, state, reason }) => ({
      index: events.indexOf(line),
      state,
      reason,
    }));
  }
  if (events.rejectedCount > 0) {
    counts["rejected_count"] = events.rejectedCount;
    counts["rejected"] = events.rejections;
  }
  return jsonAnswer(status, counts);
}

const oneAccepted = jsonAnswer(202, { accepted: 1, durable: false });
const oneDurable = jsonAnswer(200, { accepted: 1, durable: true });

function allRejected(events: Events): Answer {
  const tooLarge = events.rejections.every(({ reason }) => reason === "frame_too_large");
  const { rejectedCount, rejections } = events;
  return problemAnswer(tooLarge ? 413 : 400, "events_rejected", `None of ${rejectedCount} events was taken`, {
    extensions: {
      accepted: 0,
      rejected_count: rejectedCount,
      rejected: rejections.slice(0, rejectionsMax),
    },
  });
}

/** A refusal as problem details. */
export function refuse(refusal: Refusal): Answer {
  const { status, code, detail, extensions, fields } = refusal;
  return problemAnswer(status, code, detail, {
    ...(extensions === undefined ? {} : { extensions }),
    fields: { ...fields, ...retryAfter(refusal) },
  });
}
