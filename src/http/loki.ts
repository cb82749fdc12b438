/**
 * Loki's push protocol, which Promtail, Alloy and the Docker driver speak: `POST /loki/api/v1/push`, as JSON or as a
 * protobuf message in a Snappy block.
 *
 *     {"streams": [{"stream": {LABELS}, "values": [["NANOSECONDS", "LINE", {METADATA}]]}]}
 *     PushRequest { streams = 1 { labels = 1, entries = 2 { timestamp = 1 { seconds = 1, nanos = 2 }, line = 2,
 *                   structuredMetadata = 3 { name = 1, value = 2 } } } }
 *
 * An event's message is `{"timestamp", "labels", "line", "metadata"}`; host, application and level are taken from
 * the labels that usually have them.
 *
 * @module
 */
import { type Answer, emptyAnswer, textAnswer } from "./answer.ts";
import { type Endpoint, type EndpointOptions, type Outcome, type Refusal, retryAfter } from "./endpoint.ts";
import { Events, madeRecordsMax, partBytesMaxOf, PartTooLarge, TooManyEvents } from "./events.ts";
import type { RequestHead } from "./head.ts";
import { mediaType } from "./ingest.ts";
import { JsonWalk } from "./json_walk.ts";
import { ProtoReader } from "./proto.ts";
import { severityOf } from "./severity.ts";
import { headerTimeDigits, severityInfo, syslogHeader, timeText } from "./syslog_line.ts";
import { objectOf, parseJson, utf8 } from "./text.ts";
import { type Reading, Steps, wholly } from "./turns.ts";

type Labels = Readonly<Record<string, string>>;

const hostLabels = ["host", "hostname", "instance", "node_name", "node"];
const appLabels = ["service_name", "app", "application", "job", "container"];
const levelLabels = ["level", "severity", "detected_level"];

/** Streams that name more labels are damaged. */
const labelsMax = 256;

const malformed: Refusal = {
  status: 400,
  code: "loki_malformed",
  detail: "The body is not a push request of Loki",
};

/** The endpoint for a head. */
export function lokiEndpoint(head: RequestHead, options: EndpointOptions): Endpoint {
  const isJson = mediaType(head) === "application/json";
  const readInTurns = (body: Uint8Array) => isJson ? readJson(body, options) : readProto(body, options);
  return {
    value: "message",
    // Protobuf comes in a Snappy block, whatever Content-Encoding says or does not say.
    coding: isJson ? undefined : "snappy",
    read: (body) => wholly(readInTurns(body)),
    readInTurns,
    answer,
    refuse,
  };
}

function* readJson(body: Uint8Array, options: EndpointOptions): Reading<Events | Refusal> {
  const walk = new JsonWalk(body, partBytesMaxOf(options.frameBytesMax));
  let events: Events | undefined;
  for (let any = walk.enter("object"); any; any = walk.more("object")) {
    if (walk.due) yield;
    if (walk.name() !== "streams") walk.skip();
    else {
      // Of members with one name the last counts, as for every parser.
      events = new Events(options.frameBytesMax);
      let streams = 0;
      for (let one = walk.enter("list"); one; one = walk.more("list")) {
        if (++streams > madeRecordsMax) throw new TooManyEvents();
        if (!(yield* readJsonStream(walk, body, events, options))) return malformed;
      }
    }
  }
  return walk.broken || !walk.atEnd() || events === undefined ? malformed : events;
}

/** One stream, whose labels may stand behind its values. */
function* readJsonStream(
  walk: JsonWalk,
  body: Uint8Array,
  events: Events,
  { frameBytesMax }: EndpointOptions,
): Reading<boolean> {
  const valueBytesMax = partBytesMaxOf(frameBytesMax);
  let labels: Labels = {};
  let places: number[] | undefined;
  for (let any = walk.enter("object"); any; any = walk.more("object")) {
    if (walk.due) yield;
    const name = walk.name();
    if (name === "stream") labels = labelsOf(walk.part());
    else if (name !== "values") walk.skip();
    else {
      places = [];
      for (let one = walk.enter("list"); one; one = walk.more("list")) {
        if (!walk.over()) yield* walk.overLong();
        if (places.push(walk.start, walk.end) > 2 * madeRecordsMax) throw new TooManyEvents();
        if (walk.due) yield;
      }
    }
  }
  if (walk.broken || places === undefined) return false;
  const steps = new Steps();
  const labelsLength = JSON.stringify(labels).length;
  for (let at = 0; at < places.length; at += 2) {
    const start = places[at]!;
    const end = places[at + 1]!;
    if (steps.due(end - start + labelsLength)) yield;
    if (end - start > valueBytesMax) events.rejectTooLarge(end - start);
    else if (labelsLength > frameBytesMax) events.rejectTooLarge(labelsLength);
    else {
      const value = parseJson(body.subarray(start, end));
      if (value === undefined) return false;
      addValue(events, labels, value);
    }
  }
  return true;
}

function addValue(events: Events, labels: Labels, value: unknown): void {
  const [time, line, metadata] = Array.isArray(value) ? value : [];
  if (typeof time !== "string" || !/^\d{1,19}$/.test(time) || typeof line !== "string") {
    events.reject("malformed", "A value is not [nanoseconds, line]");
  } else addLine(events, labels, BigInt(time), line, labelsOf(metadata));
}

function labelsOf(value: unknown): Labels {
  const labels: Record<string, string> = {};
  for (const [name, label] of Object.entries(objectOf(value) ?? {}).slice(0, labelsMax)) {
    if (name !== "__proto__") labels[name] = String(label);
  }
  return labels;
}

function* readProto(body: Uint8Array, { frameBytesMax }: EndpointOptions): Reading<Events | Refusal> {
  const events = new Events(frameBytesMax);
  const steps = new Steps();
  const request = new ProtoReader(body);
  let streams = 0;
  while (request.next()) {
    if (steps.due(0)) yield;
    if (request.field !== 1) request.skip();
    else if (++streams > madeRecordsMax) throw new TooManyEvents();
    else if (!(yield* readStream(request.message(), events, frameBytesMax, steps))) return malformed;
  }
  return request.broken ? malformed : events;
}

function* readStream(
  stream: ProtoReader,
  events: Events,
  frameBytesMax: number,
  steps: Steps,
): Reading<boolean> {
  const partBytesMax = partBytesMaxOf(frameBytesMax);
  let labels: Labels = {};
  let labelsLength = 0;
  while (stream.next()) {
    if (stream.field === 1) {
      const text = stream.bytes();
      if (text.length > partBytesMax) throw new PartTooLarge(partBytesMax);
      const read = parseLabels(utf8(text));
      if (read === undefined) return false;
      labels = read;
      labelsLength = text.length;
      if (steps.due(labelsLength)) yield;
    } else if (stream.field === 2) {
      const entry = stream.message();
      const { length } = entry;
      if (length > partBytesMax) events.rejectTooLarge(length);
      // The text says each label in about as many bytes as an event does.
      else if (labelsLength / 2 > frameBytesMax) events.rejectTooLarge(labelsLength);
      else if (!readEntry(entry, labels, events)) return false;
      if (steps.due(length + labelsLength)) yield;
    } else {
      stream.skip();
      if (steps.due(0)) yield;
    }
  }
  return !stream.broken;
}

function readEntry(entry: ProtoReader, labels: Labels, events: Events): boolean {
  let nanos = 0n;
  let line = "";
  const metadata: Record<string, string> = {};
  while (entry.next()) {
    switch (entry.field) {
      case 1: {
        const time = entry.message();
        while (time.next()) {
          if (time.field === 1) nanos += time.int64() * 1_000_000_000n;
          else if (time.field === 2) nanos += time.int64();
          else time.skip();
        }
        if (time.broken) return false;
        break;
      }
      case 2:
        line = entry.string();
        break;
      case 3: {
        const pair = entry.message();
        let name = "";
        let value = "";
        while (pair.next()) {
          if (pair.field === 1) name = pair.string();
          else if (pair.field === 2) value = pair.string();
          else pair.skip();
        }
        if (pair.broken) return false;
        if (name !== "__proto__") metadata[name] = value;
        break;
      }
      default:
        entry.skip();
    }
  }
  if (entry.broken) return false;
  addLine(events, labels, nanos, line, metadata);
  return true;
}

/** What the escapes of one letter stand for (Go, "String literals"); every other character is itself. */
const escapes = new Map(Object.entries({ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" }));

/** Text without the quoting of Go, which is that of Prometheus. Bytes that are no character become U+FFFD. */
function unquoted(text: string): string {
  if (!text.includes("\\")) return text;
  const form = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs;
  return text.replace(form, (_, byte?: string, short?: string, long?: string, letter?: string) => {
    if (letter !== undefined) return escapes.get(letter) ?? letter;
    const point = parseInt(byte ?? short ?? long!, 16);
    const isCharacter = byte === undefined ? point <= 0x10ffff : point < 0x80;
    return isCharacter ? String.fromCodePoint(point) : "\ufffd";
  });
}

/** Labels as Prometheus writes them: `{name="value", "other.name"="with \"quotes\""}`. */
export function parseLabels(text: string): Labels | undefined {
  const labels: Record<string, string> = {};
  const pair = /\s*(?:([a-zA-Z_][a-zA-Z0-9_.:/-]*)|"((?:[^"\\]|\\.)*)")\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,?)/y;
  let at = text.indexOf("{") + 1;
  const end = text.lastIndexOf("}");
  if (at === 0 || end < at) return undefined;
  for (let count = 0; at < end && text.slice(at, end).trim() !== ""; count++) {
    pair.lastIndex = at;
    const match = pair.exec(text);
    if (match === null || count === labelsMax) return undefined;
    const name = match[1] ?? unquoted(match[2]!);
    if (name !== "__proto__") labels[name] = unquoted(match[3]!);
    at = pair.lastIndex;
    if (match[4] === "" && at < end) return undefined;
  }
  return labels;
}

function addLine(events: Events, labels: Labels, nanos: bigint, line: string, metadata: Labels): void {
  const level = first(labels, levelLabels) ?? first(metadata, levelLabels);
  const header = syslogHeader({
    severity: level === undefined ? severityInfo : severityOf(level),
    timestamp: timeText(nanos, headerTimeDigits),
    hostname: first(labels, hostLabels) ?? "",
    appname: first(labels, appLabels) ?? "",
    data: [["labels", ...Object.entries(labels).flat()]],
  });
  const event: Record<string, unknown> = { timestamp: timeText(nanos), labels, line };
  if (Object.keys(metadata).length > 0) event["metadata"] = metadata;
  events.addText(header + JSON.stringify(event));
}

function first(labels: Labels, names: readonly string[]): string | undefined {
  const name = names.find((one) => Object.hasOwn(labels, one));
  return name === undefined ? undefined : labels[name];
}

const noContent = emptyAnswer(204);

function answer({ events }: Outcome): Answer {
  const { rejectedCount, rejections } = events;
  if (rejectedCount === 0) return noContent;
  // Loki takes the good entries and answers 400, which agents do not repeat.
  return textAnswer(400, `${rejectedCount} entries were not taken; the first: ${rejections[0]!.detail}\n`);
}

function refuse(refusal: Refusal): Answer {
  return textAnswer(refusal.status, `${refusal.code}: ${refusal.detail}\n`, {
    ...refusal.fields,
    ...retryAfter(refusal),
  });
}
