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
import {
  type OtlpAttributes,
  otlpDepthMax,
  type OtlpFound,
  type OtlpOrigin,
  type OtlpRecord,
  type OtlpValue,
} from "./otlp.ts";
import { madeRecordsMax, TooManyEvents } from "./events.ts";
import { ProtoReader } from "./proto.ts";
import { type Reading, recordsAStep } from "./turns.ts";

/** The records; undefined where the body is no such message, or damaged anywhere. @throws TooManyEvents */
export function* readOtlpProto(body: Uint8Array): Reading<readonly OtlpFound[] | undefined> {
  const found: OtlpFound[] = [];
  const request = new ProtoReader(body);
  while (request.next()) {
    if (request.field !== 1) request.skip();
    else if (!(yield* readResourceLogs(request.message(), found))) return undefined;
  }
  return request.broken ? undefined : found;
}

function* readResourceLogs(message: ProtoReader, found: OtlpFound[]): Reading<boolean> {
  yield;
  // The resource may come behind what it belongs to.
  const resource: Record<string, OtlpValue> = {};
  const scopes: ProtoReader[] = [];
  while (message.next()) {
    if (message.field === 1) {
      const inner = message.message();
      while (inner.next()) {
        if (inner.field === 1) readKeyValue(inner.message(), resource, 0, inner);
        else inner.skip();
      }
      if (inner.broken) return false;
    } else if (message.field === 2) scopes.push(message.message());
    else message.skip();
  }
  if (message.broken) return false;
  for (const scope of scopes) if (!(yield* readScopeLogs(scope, resource, found))) return false;
  return true;
}

function* readScopeLogs(
  message: ProtoReader,
  resource: OtlpAttributes,
  found: OtlpFound[],
): Reading<boolean> {
  let scope: Record<string, unknown> | undefined;
  const records: OtlpRecord[] = [];
  while (message.next()) {
    if (message.field === 1) {
      scope = readScope(message.message());
      if (scope === undefined) return false;
    } else if (message.field === 2) {
      const record = readRecord(message.message());
      if (record === undefined) return false;
      if (found.length + records.length === madeRecordsMax) throw new TooManyEvents();
      if (records.push(record) % recordsAStep === 0) yield;
    } else message.skip();
  }
  if (message.broken) return false;
  const origin: OtlpOrigin = {
    resource,
    scope: scope === undefined || Object.keys(scope).length === 0 ? undefined : scope,
  };
  for (const record of records) found.push([origin, record]);
  return true;
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
