/**
 * Splunk's HTTP Event Collector: what forwarders, appenders and libraries of Splunk send.
 *
 *     POST /services/collector[/event[/1.0]]      JSON objects, one behind the other: {"event": …, "host": …, …}
 *     POST /services/collector/raw[/1.0]          lines; host, source, sourcetype, index in the query
 *     POST /services/collector/ack                {"acks": [id, …]}
 *     GET  /services/collector/health[/1.0]
 *
 * An event's message is its object as it was sent; host, time, sourcetype and the rest stand in the header. With a
 * channel (`X-Splunk-Request-Channel`, or `channel` in the query) the answer comes at once, with an `ackId` to ask
 * for later; without one it comes when the events are kept.
 *
 * Codes and texts are those of Splunk's documentation ("Troubleshoot HTTP Event Collector").
 *
 * @module
 */
import { type Answer, jsonAnswer } from "./answer.ts";
import { type Endpoint, type EndpointOptions, type Outcome, type Refusal, retryAfter } from "./endpoint.ts";
import { Events } from "./events.ts";
import type { RequestHead } from "./head.ts";
import { splitStreamInTurns } from "./json_split.ts";
import { addLinesInTurns } from "./lines.ts";
import { type EventHeader, headerTimeDigits, syslogHeader, timeText } from "./syslog_line.ts";
import { type Reading, wholly } from "./turns.ts";
import { objectOf, parseJson, textOf } from "./text.ts";

/** Codes that Splunk answers with. */
const code = {
  success: 0,
  tokenRequired: 2,
  unauthorized: 3,
  invalidToken: 4,
  noData: 5,
  invalidFormat: 6,
  serverError: 8,
  busy: 9,
  noChannel: 10,
  eventMissing: 12,
  eventBlank: 13,
  healthy: 17,
} as const;

/** Where an event came from, as query or object say. */
interface Origin {
  readonly host?: string | undefined;
  readonly source?: string | undefined;
  readonly sourcetype?: string | undefined;
  readonly index?: string | undefined;
  readonly time?: unknown;
}

/** The channel of a request, which asks for an `ackId`. */
export function channelOf(head: RequestHead): string | undefined {
  return textOf(head.fields.get("x-splunk-request-channel") ?? head.query.get("channel"));
}

/** The endpoint for events and for raw lines. */
export function hecEndpoint(head: RequestHead, isRaw: boolean, options: EndpointOptions): Endpoint {
  const { query } = head;
  const defaults: Origin = {
    host: query.get("host"),
    source: query.get("source"),
    sourcetype: query.get("sourcetype"),
    index: query.get("index"),
    time: query.get("time"),
  };
  const readInTurns = (body: Uint8Array) =>
    isRaw ? readRaw(body, defaults, options) : readEvents(body, defaults, options);
  return {
    value: "message",
    read: (body) => wholly(readInTurns(body)),
    readInTurns,
    answer: answerHec,
    refuse: refuseHec,
  };
}

function* readRaw(body: Uint8Array, origin: Origin, options: EndpointOptions): Reading<Events | Refusal> {
  const lines = new Events(options.frameBytesMax, body);
  yield* addLinesInTurns(lines, body);
  if (lines.records === 0) return noData;
  const header = syslogHeader(headerOf(origin));
  const events = new Events(options.frameBytesMax);
  return yield* lines.again(
    events,
    [],
    "",
    (start, end) => events.addTextAndBytes(header, body.subarray(start, end)),
  );
}

function* readEvents(
  body: Uint8Array,
  defaults: Origin,
  options: EndpointOptions,
): Reading<Events | Refusal> {
  const events = new Events(options.frameBytesMax);
  let refusal: Refusal | undefined;
  const isWhole = yield* splitStreamInTurns(body, (start, end) => {
    if (refusal !== undefined) return;
    const bytes = body.subarray(start, end);
    // What is too long in any case is not parsed.
    if (bytes.length > options.frameBytesMax) return events.rejectTooLarge(bytes.length);
    const event = objectOf(parseJson(bytes));
    if (event === undefined) refusal = malformed(code.invalidFormat, "Invalid data format", events.records);
    else if (event["event"] === undefined || event["event"] === null) {
      refusal = malformed(code.eventMissing, "Event field is required", events.records);
    } else if (event["event"] === "") {
      refusal = malformed(code.eventBlank, "Event field cannot be blank", events.records);
    } else events.addTextAndBytes(syslogHeader(headerOf(originOf(event, defaults))), bytes);
  });
  refusal ??= isWhole ? undefined : malformed(code.invalidFormat, "Invalid data format", events.records);
  return refusal ?? (events.records === 0 ? noData : events);
}

function originOf(event: Readonly<Record<string, unknown>>, defaults: Origin): Origin {
  return {
    host: textOf(event["host"]) ?? defaults.host,
    source: textOf(event["source"]) ?? defaults.source,
    sourcetype: textOf(event["sourcetype"]) ?? defaults.sourcetype,
    index: textOf(event["index"]) ?? defaults.index,
    time: event["time"] ?? defaults.time,
  };
}

function headerOf({ host, source, sourcetype, index, time }: Origin): EventHeader {
  const data: [string, ...string[]] = ["hec"];
  if (source !== undefined) data.push("source", source);
  if (sourcetype !== undefined) data.push("sourcetype", sourcetype);
  if (index !== undefined) data.push("index", index);
  return {
    timestamp: timestampOf(time),
    ...(host === undefined ? {} : { hostname: host }),
    ...(sourcetype === undefined ? {} : { appname: sourcetype }),
    data: [data],
  };
}

/** Seconds since 1970 with a fraction, as a number or as text. */
function timestampOf(time: unknown): string {
  const seconds = typeof time === "number" ? time : typeof time === "string" ? Number(time || NaN) : NaN;
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 1e11) return "";
  return timeText(BigInt(Math.round(seconds * 1e6)) * 1000n, headerTimeDigits);
}

/** Success. `ackId` where there is one. */
export function hecSuccess(ackId?: number): Answer {
  return ackId === undefined ? success : jsonAnswer(200, { text: "Success", code: code.success, ackId });
}

const success = jsonAnswer(200, { text: "Success", code: code.success });

function answerHec({ events }: Outcome): Answer {
  const first = events.rejections[0];
  if (first === undefined) return success;
  // Splunk has no word for an event that is too large; the others of the request are taken.
  return jsonAnswer(events.count > 0 ? 200 : 413, {
    text: first.detail,
    code: events.count > 0 ? code.success : code.invalidFormat,
    "invalid-event-number": first.index,
    rejected_count: events.rejectedCount,
  });
}

/** What `/services/collector/ack` answers: which ids are done. Undefined where the body asks for none. */
export function hecAcks(body: Uint8Array, isDone: (id: number) => boolean): Answer {
  const ids = objectOf(parseJson(body))?.["acks"];
  if (!Array.isArray(ids) || ids.length > ackIdsMax || !ids.every((id) => Number.isSafeInteger(id))) {
    return jsonAnswer(400, { text: "Invalid data format", code: code.invalidFormat });
  }
  return jsonAnswer(200, { acks: Object.fromEntries(ids.map((id: number) => [String(id), isDone(id)])) });
}

/** Ids that one question may name. */
const ackIdsMax = 10_000;

/** What a request for acks without a channel is told. */
export const hecNoChannel: Answer = jsonAnswer(400, {
  text: "Data channel is missing",
  code: code.noChannel,
});

/** What a health check is told. */
export const hecHealthy: Answer = jsonAnswer(200, { text: "HEC is healthy", code: code.healthy });

/** Refusals in Splunk's words. */
export function refuseHec(refusal: Refusal): Answer {
  const { status, detail, extensions, fields } = refusal;
  const said = extensions?.["hec"] as { code: number; text: string; event?: number } | undefined;
  const number = said?.code ?? codeOf(refusal);
  return jsonAnswer(status, {
    text: said?.text ?? (status === 503 || status === 429 ? "Server is busy" : detail),
    code: number,
    ...(said?.event === undefined ? {} : { "invalid-event-number": said.event }),
    ...(status === 503 || status === 429 ? { detail } : {}),
  }, { ...fields, ...retryAfter(refusal) });
}

function codeOf({ status, code: name }: Refusal): number {
  if (name === "token_needed") return code.tokenRequired;
  if (name === "token_wrong") return code.invalidToken;
  if (status === 401 || status === 403) return code.unauthorized;
  if (status === 503 || status === 429) return code.busy;
  return status === 500 ? code.serverError : code.invalidFormat;
}

function malformed(number: number, text: string, event: number): Refusal {
  return {
    status: 400,
    code: "hec_malformed",
    detail: text,
    extensions: { hec: { code: number, text, event } },
  };
}

const noData: Refusal = {
  status: 400,
  code: "no_events",
  detail: "No data",
  extensions: { hec: { code: code.noData, text: "No data" } },
};
