/**
 * Log records of OTLP from protobuf, by the field numbers of opentelemetry/proto (collector/logs/v1, logs/v1,
 * common/v1, resource/v1).
 *
 *     ExportLogsServiceRequest { resource_logs = 1 }
 *     ResourceLogs { resource = 1, scope_logs = 2 }      Resource { attributes = 1 }
 *     ScopeLogs { scope = 1, log_records = 2 }           InstrumentationScope { name = 1, version = 2, attributes = 3 }
 *     LogRecord { time = 1, severity_number = 2, severity_text = 3, body = 5, attributes = 6, flags = 8,
 *                 trace_id = 9, span_id = 10, observed_time = 11, event_name = 12 }
 *     KeyValue { key = 1, value = 2 }                    ArrayValue, KeyValueList { values = 1 }
 *     AnyValue { string = 1, bool = 2, int = 3, double = 4, array = 5, kvlist = 6, bytes = 7 }
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { madeRecordsMax, PartTooLarge, TooManyEvents } from "./events.ts";
import {
  type OtlpAttributes,
  otlpDepthMax,
  OtlpOrigin,
  type OtlpRecord,
  type OtlpTake,
  type OtlpValue,
} from "./otlp.ts";
import { ProtoReader } from "./proto.ts";
import { type Reading, Steps } from "./turns.ts";

/** Gives records to `take`; false where the body is no such message. @throws TooManyEvents, PartTooLarge */
export function* readOtlpProto(body: Uint8Array, partBytesMax: number, take: OtlpTake): Reading<boolean> {
  return yield* new RecordReader(partBytesMax, take).read(body);
}

/** Reads one body. */
class RecordReader {
  readonly #partBytesMax: number;
  readonly #take: OtlpTake;
  readonly #steps = new Steps();
  /** Messages of resources, scopes and records; most are kept until what they belong to is read. */
  #found = 0;

  constructor(partBytesMax: number, take: OtlpTake) {
    this.#partBytesMax = partBytesMax;
    this.#take = take;
  }

  *read(body: Uint8Array): Reading<boolean> {
    const request = new ProtoReader(body);
    while (request.next()) {
      if (this.#steps.due(0)) yield;
      if (request.field !== 1) request.skip();
      else if (!(yield* this.#resourceLogs(this.#counted(request)))) return false;
    }
    return !request.broken;
  }

  *#resourceLogs(message: ProtoReader): Reading<boolean> {
    // The resource may come behind what it belongs to.
    const resource: Record<string, OtlpValue> = {};
    const scopes: ProtoReader[] = [];
    while (message.next()) {
      if (this.#steps.due(0)) yield;
      if (message.field === 1) {
        if (!readResource(this.#part(message), resource)) return false;
      } else if (message.field === 2) scopes.push(this.#counted(message));
      else message.skip();
    }
    if (message.broken) return false;
    for (const scope of scopes) if (!(yield* this.#scopeLogs(scope, resource))) return false;
    return true;
  }

  *#scopeLogs(message: ProtoReader, resource: OtlpAttributes): Reading<boolean> {
    let scope: Record<string, unknown> | undefined;
    const records: ProtoReader[] = [];
    while (message.next()) {
      if (this.#steps.due(0)) yield;
      if (message.field === 1) {
        scope = readScope(this.#part(message));
        if (scope === undefined) return false;
      } else if (message.field === 2) records.push(this.#counted(message));
      else message.skip();
    }
    if (message.broken) return false;
    const isNone = scope === undefined || Object.keys(scope).length === 0;
    const origin = new OtlpOrigin(resource, isNone ? undefined : scope);
    for (const one of records) {
      const { length } = one;
      if (length > this.#partBytesMax) this.#take(origin, length);
      else {
        const record = readRecord(one);
        if (record === undefined) return false;
        this.#take(origin, record);
      }
      if (this.#steps.due(length)) yield;
    }
    return true;
  }

  #counted(outer: ProtoReader): ProtoReader {
    if (++this.#found > madeRecordsMax) throw new TooManyEvents();
    return outer.message();
  }

  /** A message that is read in one go. */
  #part(outer: ProtoReader): ProtoReader {
    const message = outer.message();
    if (message.length > this.#partBytesMax) throw new PartTooLarge(this.#partBytesMax);
    return message;
  }
}

function readResource(message: ProtoReader, resource: Record<string, OtlpValue>): boolean {
  while (message.next()) {
    if (message.field === 1) readKeyValue(message.message(), resource, 0, message);
    else message.skip();
  }
  return !message.broken;
}

function readScope(message: ProtoReader): Record<string, unknown> | undefined {
  const scope: Record<string, unknown> = {};
  const attributes: Record<string, OtlpValue> = {};
  while (message.next()) {
    if (message.field === 1) scope["name"] = message.string();
    else if (message.field === 2) scope["version"] = message.string();
    else if (message.field === 3) readKeyValue(message.message(), attributes, 0, message);
    else message.skip();
  }
  if (Object.keys(attributes).length > 0) scope["attributes"] = attributes;
  return message.broken ? undefined : scope;
}

function readRecord(message: ProtoReader): OtlpRecord | undefined {
  let timeNanos = 0n;
  let observedNanos = 0n;
  let severityNumber = 0;
  let severityText = "";
  let eventName = "";
  let body: OtlpValue;
  let traceId = "";
  let spanId = "";
  let flags = 0;
  const attributes: Record<string, OtlpValue> = {};
  while (message.next()) {
    switch (message.field) {
      case 1:
        timeNanos = message.fixed64();
        break;
      case 2:
        severityNumber = message.uint32();
        break;
      case 3:
        severityText = message.string();
        break;
      case 5:
        body = readValue(message, 0);
        break;
      case 6:
        readKeyValue(message.message(), attributes, 0, message);
        break;
      case 8:
        flags = message.fixed32();
        break;
      case 9:
        traceId = hex(message.bytes());
        break;
      case 10:
        spanId = hex(message.bytes());
        break;
      case 11:
        observedNanos = message.fixed64();
        break;
      case 12:
        eventName = message.string();
        break;
      default:
        message.skip();
    }
  }
  if (message.broken) return undefined;
  return {
    timeNanos,
    observedNanos,
    severityNumber,
    severityText,
    eventName,
    body,
    attributes,
    traceId,
    spanId,
    flags,
  };
}

/** Puts a KeyValue into `into`. Damage in it breaks `outer`. */
function readKeyValue(
  pair: ProtoReader,
  into: Record<string, OtlpValue>,
  depth: number,
  outer: ProtoReader,
): void {
  let key = "";
  let value: OtlpValue = null;
  while (pair.next()) {
    if (pair.field === 1) key = pair.string();
    else if (pair.field === 2) value = readValue(pair, depth);
    else pair.skip();
  }
  if (pair.broken) outer.broken = true;
  if (!pair.broken && key !== "__proto__") into[key] = value;
}

/** The AnyValue in the field at which `outer` is; null where it is empty. */
function readValue(outer: ProtoReader, depth: number): OtlpValue {
  const message = outer.message();
  let value: OtlpValue = null;
  if (depth > otlpDepthMax) outer.broken = true;
  while (!outer.broken && message.next()) {
    switch (message.field) {
      case 1:
        value = message.string();
        break;
      case 2:
        value = message.uint32() !== 0;
        break;
      case 3:
        value = integer(message.int64());
        break;
      case 4:
        value = double(message.double());
        break;
      case 5:
        value = readList(message, depth);
        break;
      case 6: {
        const members: Record<string, OtlpValue> = {};
        const list = message.message();
        while (list.next()) {
          if (list.field === 1) readKeyValue(list.message(), members, depth + 1, list);
          else list.skip();
        }
        if (list.broken) message.broken = true;
        value = members;
        break;
      }
      case 7:
        value = Buffer.from(message.bytes()).toString("base64");
        break;
      default:
        message.skip();
    }
  }
  if (message.broken) outer.broken = true;
  return value;
}

function readList(outer: ProtoReader, depth: number): OtlpValue {
  const list = outer.message();
  const values: OtlpValue[] = [];
  while (list.next()) {
    if (list.field === 1) values.push(readValue(list, depth + 1));
    else list.skip();
  }
  if (list.broken) outer.broken = true;
  return values;
}

/** JSON has no integers beyond 2^53 that all readers agree on: they become text, as in OTLP's own JSON. */
function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** JSON has no NaN and no infinity; protobuf's JSON writes their names. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
