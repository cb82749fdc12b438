/**
 * OpenTelemetry logs over HTTP (OTLP/HTTP 1.x): `POST /v1/logs`, as protobuf or as JSON.
 *
 * An event's message is one JSON object:
 *
 *     {"timestamp", "observed_timestamp", "severity", "severity_text", "event_name", "body", "attributes",
 *      "resource", "scope", "trace_id", "span_id", "flags"}
 *
 * with what the record has of it. `service.name`, `host.name`, severity and time stand in the header too.
 *
 * Answers: success with `partialSuccess` where records were not taken (which must not be sent again); 429 and 503
 * with Retry-After may be repeated, 400 may not.
 *
 * @module
 */
import { type Answer, bytesAnswer, jsonAnswer } from "./answer.ts";
import { type Endpoint, type EndpointOptions, type Outcome, type Refusal, retryAfter } from "./endpoint.ts";
import { Events, partBytesMaxOf } from "./events.ts";
import type { RequestHead } from "./head.ts";
import { mediaType } from "./ingest.ts";
import { readOtlpJson } from "./otlp_json.ts";
import { readOtlpProto } from "./otlp_proto.ts";
import { protoMessage } from "./proto.ts";
import { headerTimeDigits, severityInfo, syslogHeader, timeText } from "./syslog_line.ts";
import { textOf } from "./text.ts";
import { type Reading, wholly } from "./turns.ts";

/** A value of OTLP as JSON has it. */
export type OtlpValue = unknown;
/** Attributes by key. */
export type OtlpAttributes = Readonly<Record<string, OtlpValue>>;

/** What records have in common. */
export class OtlpOrigin {
  readonly resource: OtlpAttributes;
  readonly scope: Readonly<Record<string, unknown>> | undefined;
  #length = -1;

  constructor(resource: OtlpAttributes, scope: Readonly<Record<string, unknown>> | undefined) {
    this.resource = resource;
    this.scope = scope;
  }

  /** How long it is as JSON, in characters: each of its events is longer. */
  get length(): number {
    if (this.#length < 0) this.#length = JSON.stringify([this.resource, this.scope]).length;
    return this.#length;
  }
}

/** One log record, from either encoding. */
export interface OtlpRecord {
  readonly timeNanos: bigint;
  readonly observedNanos: bigint;
  /** 1 (trace) to 24 (fatal4); 0 is not said. */
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: OtlpValue;
  readonly attributes: OtlpAttributes;
  /** Lower-case hex; "" is none. */
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** Takes a record and what it has in common with others; its length alone where it is too long to be read. */
export type OtlpTake = (origin: OtlpOrigin, record: OtlpRecord | number) => void;

/** Values may lie in values so deep. */
export const otlpDepthMax = 32;

const malformed: Refusal = {
  status: 400,
  code: "otlp_malformed",
  detail: "The body is not an ExportLogsServiceRequest",
};

/** The endpoint for a head, undefined where its type is none of OTLP. */
export function otlpEndpoint(head: RequestHead, options: EndpointOptions): Endpoint | undefined {
  const type = mediaType(head);
  const isJson = type === "application/json";
  if (!isJson && type !== "application/x-protobuf") return undefined;
  const partBytesMax = partBytesMaxOf(options.frameBytesMax);
  const readRecords = isJson ? readOtlpJson : readOtlpProto;
  function* readInTurns(body: Uint8Array): Reading<Events | Refusal> {
    const events = new Events(options.frameBytesMax);
    const take: OtlpTake = (origin, record) => {
      if (typeof record === "number") events.rejectTooLarge(record);
      else if (origin.length > options.frameBytesMax) events.rejectTooLarge(origin.length);
      else addRecord(events, origin, record);
    };
    // What was made is thrown away where the body is damaged at its end.
    return (yield* readRecords(body, partBytesMax, take)) ? events : malformed;
  }
  return {
    value: "message",
    read: (body) => wholly(readInTurns(body)),
    readInTurns,
    answer: (outcome) => answer(isJson, outcome),
    refuse: (refusal) => refuseOtlp(isJson, refusal),
  };
}

function addRecord(events: Events, { resource, scope }: OtlpOrigin, record: OtlpRecord): void {
  const { severityNumber, severityText, timeNanos, observedNanos, eventName, attributes } = record;
  const severity = severityOfNumber(severityNumber);
  const event: Record<string, unknown> = {};
  const set = (name: string, value: unknown): void => {
    if (value !== undefined && value !== "" && value !== 0) event[name] = value;
  };
  set("timestamp", timeText(timeNanos));
  set("observed_timestamp", timeText(observedNanos));
  set("severity", severityNumber);
  set("severity_text", severityText);
  set("event_name", eventName);
  if (record.body !== undefined) event["body"] = record.body;
  if (Object.keys(attributes).length > 0) event["attributes"] = attributes;
  if (Object.keys(resource).length > 0) event["resource"] = resource;
  set("scope", scope);
  set("trace_id", record.traceId);
  set("span_id", record.spanId);
  set("flags", record.flags);
  const header = syslogHeader({
    severity,
    timestamp: timeText(timeNanos > 0n ? timeNanos : observedNanos, headerTimeDigits),
    hostname: textOf(resource["host.name"]) ?? "",
    appname: textOf(resource["service.name"]) ?? "",
    procid: processId(resource["process.pid"]),
    msgid: eventName,
  });
  events.addText(header + JSON.stringify(event));
}

function processId(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? String(value) : "";
}

/** The severity of syslog for a SeverityNumber: four for each of trace, debug, info, warn, error, fatal. */
export function severityOfNumber(number: number): number {
  if (number < 1 || number > 24) return severityInfo;
  return [7, 7, 6, 4, 3, 2][Math.floor((number - 1) / 4)]!;
}

const protoType = { "content-type": "application/x-protobuf" };
const jsonSuccess = jsonAnswer(200, {});
/** A response without fields has no bytes. */
const protoSuccess = bytesAnswer(200, new Uint8Array(0), protoType);

function answer(isJson: boolean, { events }: Outcome): Answer {
  const { rejectedCount, rejections } = events;
  if (rejectedCount === 0) return isJson ? jsonSuccess : protoSuccess;
  const { index, detail } = rejections[0]!;
  const message = `record ${index}: ${detail}`;
  if (isJson) {
    return jsonAnswer(200, {
      partialSuccess: { rejectedLogRecords: String(rejectedCount), errorMessage: message },
    });
  }
  const partial = protoMessage([1, rejectedCount], [2, message]);
  return bytesAnswer(200, protoMessage([1, partial]), protoType);
}

/** A refusal as google.rpc.Status, in the encoding of the request. */
export function refuseOtlp(isJson: boolean, refusal: Refusal): Answer {
  const number = rpcCode(refusal.status);
  const fields = { ...refusal.fields, ...retryAfter(refusal) };
  if (isJson) return jsonAnswer(refusal.status, { code: number, message: refusal.detail }, fields);
  const body = protoMessage([1, number], [2, refusal.detail]);
  return bytesAnswer(refusal.status, body, { ...protoType, ...fields });
}

/** Codes of google.rpc.Code. */
function rpcCode(status: Refusal["status"]): number {
  switch (status) {
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
    case 405:
      return 12;
    case 413:
    case 429:
      return 8;
    case 503:
      return 14;
    case 500:
      return 13;
    default:
      return 3;
  }
}
