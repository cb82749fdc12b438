/**
 * Log records of OTLP from its JSON encoding: names in lowerCamelCase, integers of 64 bits as text, ids in hex.
 *
 * @module
 */
import {
  type OtlpAttributes,
  otlpDepthMax,
  type OtlpFound,
  type OtlpRecord,
  type OtlpValue,
} from "./otlp.ts";
import { objectOf, parseJson, textOf } from "./text.ts";

import { madeRecordsMax, TooManyEvents } from "./events.ts";
import { type Reading, recordsAStep } from "./turns.ts";

type Json = Readonly<Record<string, unknown>>;

/** The records; undefined where the body is no such message. @throws TooManyEvents */
export function* readOtlpJson(body: Uint8Array): Reading<readonly OtlpFound[] | undefined> {
  const request = objectOf(parseJson(body));
  yield;
  if (request === undefined) return undefined;
  const found: OtlpFound[] = [];
  for (const resourceLogs of objectsOf(request["resourceLogs"])) {
    if (resourceLogs === undefined) return undefined;
    yield;
    const resource = attributesOf(objectOf(resourceLogs["resource"])?.["attributes"], 0);
    for (const scopeLogs of objectsOf(resourceLogs["scopeLogs"])) {
      if (scopeLogs === undefined) return undefined;
      const origin = { resource, scope: scopeOf(objectOf(scopeLogs["scope"])) };
      for (const record of objectsOf(scopeLogs["logRecords"])) {
        if (record === undefined) return undefined;
        if (found.length === madeRecordsMax) throw new TooManyEvents();
        if (found.push([origin, recordOf(record)]) % recordsAStep === 0) yield;
      }
    }
  }
  return found;
}

/** The objects of a list; `undefined` stands for what is none. An absent list is empty. */
function objectsOf(value: unknown): readonly (Json | undefined)[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value.map(objectOf) : [undefined];
}

function scopeOf(scope: Json | undefined): Json | undefined {
  if (scope === undefined) return undefined;
  const read: Record<string, unknown> = {};
  for (const name of ["name", "version"]) if (textOf(scope[name]) !== undefined) read[name] = scope[name];
  const attributes = attributesOf(scope["attributes"], 0);
  if (Object.keys(attributes).length > 0) read["attributes"] = attributes;
  return Object.keys(read).length === 0 ? undefined : read;
}

function recordOf(record: Json): OtlpRecord {
  return {
    timeNanos: nanosOf(record["timeUnixNano"]),
    observedNanos: nanosOf(record["observedTimeUnixNano"]),
    severityNumber: typeof record["severityNumber"] === "number" ? record["severityNumber"] : 0,
    severityText: textOf(record["severityText"]) ?? "",
    eventName: textOf(record["eventName"]) ?? "",
    body: record["body"] === undefined ? undefined : valueOf(record["body"], 0),
    attributes: attributesOf(record["attributes"], 0),
    traceId: (textOf(record["traceId"]) ?? "").toLowerCase(),
    spanId: (textOf(record["spanId"]) ?? "").toLowerCase(),
    flags: typeof record["flags"] === "number" ? record["flags"] : 0,
  };
}

function nanosOf(value: unknown): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? BigInt.asUintN(64, BigInt(value)) : 0n;
}

function attributesOf(value: unknown, depth: number): OtlpAttributes {
  const attributes: Record<string, OtlpValue> = {};
  for (const pair of objectsOf(value)) {
    const key = pair?.["key"];
    if (typeof key === "string" && key !== "__proto__") attributes[key] = valueOf(pair!["value"], depth);
  }
  return attributes;
}

/** An AnyValue as plain JSON. */
function valueOf(value: unknown, depth: number): OtlpValue {
  const any = objectOf(value);
  if (any === undefined || depth > otlpDepthMax) return null;
  if (any["stringValue"] !== undefined) return String(any["stringValue"]);
  if (any["boolValue"] !== undefined) return any["boolValue"] === true || any["boolValue"] === "true";
  if (any["intValue"] !== undefined) return integer(any["intValue"]);
  if (any["doubleValue"] !== undefined) return any["doubleValue"];
  if (any["bytesValue"] !== undefined) return String(any["bytesValue"]);
  if (any["arrayValue"] !== undefined) {
    const values = objectOf(any["arrayValue"])?.["values"];
    return Array.isArray(values) ? values.map((one) => valueOf(one, depth + 1)) : [];
  }
  if (any["kvlistValue"] !== undefined) {
    return attributesOf(objectOf(any["kvlistValue"])?.["values"], depth + 1);
  }
  return null;
}

function integer(value: unknown): OtlpValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
