/**
 * Log records of OTLP from its JSON encoding: names in lowerCamelCase, integers of 64 bits as text, ids in hex.
 *
 * @module
 */
import { madeRecordsMax, TooManyEvents } from "./events.ts";
import { JsonWalk } from "./json_walk.ts";
import {
  type OtlpAttributes,
  otlpDepthMax,
  OtlpOrigin,
  type OtlpRecord,
  type OtlpTake,
  type OtlpValue,
} from "./otlp.ts";
import { objectOf, parseJson, textOf } from "./text.ts";
import { type Reading, Steps } from "./turns.ts";

type Json = Readonly<Record<string, unknown>>;

/** Records of one scope: start and end of each. */
interface ScopePlace {
  scope: Json | undefined;
  places: number[];
}

/** A resource, which may stand behind its records. */
interface ResourcePlace {
  resource: Json | undefined;
  scopes: ScopePlace[];
}

/** Gives records to `take`; false where the body is no such message. @throws TooManyEvents, PartTooLarge */
export function* readOtlpJson(body: Uint8Array, partBytesMax: number, take: OtlpTake): Reading<boolean> {
  const finder = new RecordFinder(body, partBytesMax);
  const resources = yield* finder.find();
  if (resources === undefined) return false;
  const steps = new Steps();
  for (const { resource, scopes } of resources) {
    const attributes = attributesOf(resource?.["attributes"], 0);
    for (const { scope, places } of scopes) {
      const origin = new OtlpOrigin(attributes, scopeOf(scope));
      for (let at = 0; at < places.length; at += 2) {
        const start = places[at]!;
        const end = places[at + 1]!;
        if (end - start > partBytesMax) take(origin, end - start);
        else {
          const record = objectOf(parseJson(body.subarray(start, end)));
          if (record === undefined) return false;
          take(origin, recordOf(record));
        }
        if (steps.due(end - start)) yield;
      }
      if (steps.due(0)) yield;
    }
    if (steps.due(0)) yield;
  }
  return true;
}

/** Finds the records of a body. Of members with one name the last counts, as for every parser. */
class RecordFinder {
  readonly #walk: JsonWalk;
  /** Lists and records so far. */
  #found = 0;

  constructor(body: Uint8Array, partBytesMax: number) {
    this.#walk = new JsonWalk(body, partBytesMax);
  }

  /** Undefined where the body is no such message. */
  *find(): Reading<readonly ResourcePlace[] | undefined> {
    const walk = this.#walk;
    let resources: ResourcePlace[] = [];
    for (let any = walk.enter("object"); any; any = walk.more("object")) {
      if (walk.due) yield;
      if (walk.name() !== "resourceLogs") walk.skip();
      else {
        resources = [];
        for (let one = walk.enterNullable(); one; one = walk.more("list")) {
          resources.push(yield* this.#resource());
        }
      }
    }
    return walk.broken || !walk.atEnd() ? undefined : resources;
  }

  *#resource(): Reading<ResourcePlace> {
    const walk = this.#walk;
    this.#count();
    const place: ResourcePlace = { resource: undefined, scopes: [] };
    for (let any = walk.enter("object"); any; any = walk.more("object")) {
      if (walk.due) yield;
      const name = walk.name();
      if (name === "resource") place.resource = objectOf(walk.part());
      else if (name !== "scopeLogs") walk.skip();
      else {
        place.scopes = [];
        for (let one = walk.enterNullable(); one; one = walk.more("list")) {
          place.scopes.push(yield* this.#scope());
        }
      }
    }
    return place;
  }

  *#scope(): Reading<ScopePlace> {
    const walk = this.#walk;
    this.#count();
    const place: ScopePlace = { scope: undefined, places: [] };
    for (let any = walk.enter("object"); any; any = walk.more("object")) {
      if (walk.due) yield;
      const name = walk.name();
      if (name === "scope") place.scope = objectOf(walk.part());
      else if (name !== "logRecords") walk.skip();
      else {
        place.places = [];
        for (let one = walk.enterNullable(); one; one = walk.more("list")) {
          this.#count();
          if (!walk.over()) yield* walk.overLong();
          place.places.push(walk.start, walk.end);
          if (walk.due) yield;
        }
      }
    }
    return place;
  }

  #count(): void {
    if (++this.#found > madeRecordsMax) throw new TooManyEvents();
  }
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
