/**
 * The bulk interface of Elasticsearch, which Beats, Fluent Bit, Vector and rsyslog's omelasticsearch speak:
 * `POST /_bulk`, `POST /INDEX/_bulk`, and what those ask before (`GET /`, `/_license`, `/_cluster/health`).
 *
 *     {"create": {"_index": "logs", "_id": "1"}} LF
 *     {"message": "…"} LF
 *
 * `index` and `create` are taken; `update` and `delete` are refused one by one, for a log has neither. A document is
 * the message as it was sent; its index and id stand in the header (`sd.elastic.index`, `sd.elastic.id`).
 *
 * @module
 */
import { Answer, jsonAnswer, textAnswer, withFields } from "./answer.ts";
import { type Endpoint, type EndpointOptions, type Outcome, type Refusal, retryAfter } from "./endpoint.ts";
import { Events, madeRecordsMax, TooManyEvents } from "./events.ts";
import type { RequestHead } from "./head.ts";
import { skipBlanks } from "./json_split.ts";
import { syslogHeader } from "./syslog_line.ts";
import { objectOf, parseJson, textOf } from "./text.ts";
import { type Reading, Steps, wholly } from "./turns.ts";

const lf = 0x0a;
const cr = 0x0d;

/** Clients of version 7.14 and later refuse to speak to what does not say this. */
const productFields = { "x-elastic-product": "Elasticsearch" };

/** Operations of one request: the answer has an item for each, and is made in one go. */
const operationsMax = 32_768;
/** Longer lines name no index that anybody has. */
const actionBytesMax = 16 * 1024;

/**
 * Fluent Bit reads 512,000 bytes of an answer and takes a longer one for a failure: it would send a chunk of some
 * thousand records again for ever. All it looks for is whether there are errors.
 */
const agentWithoutItems = /^fluent-bit/i;

/** The version that is told: clients choose their dialect by it. */
const elasticVersion = "8.17.0";

/** What the answer says about each operation. */
interface Operation {
  readonly name: "index" | "create" | "update" | "delete";
  readonly index: string;
  readonly id: string;
}

/** The endpoint for a head; `index` is what the path names. */
export function elasticEndpoint(
  head: RequestHead,
  index: string | undefined,
  options: EndpointOptions,
): Endpoint {
  const isBrief = agentWithoutItems.test(head.fields.get("user-agent") ?? "");
  const most = isBrief ? madeRecordsMax : operationsMax;
  function* readInTurns(body: Uint8Array): Reading<Events | Refusal> {
    const operations: Operation[] = [];
    const events = new Events(options.frameBytesMax);
    const refusal = yield* readBulk(body, index, events, operations, most, options);
    return refusal ?? Object.assign(events, { operations });
  }
  return {
    value: "message",
    read: (body) => wholly(readInTurns(body)),
    readInTurns,
    answer: (outcome) => answer(outcome, isBrief),
    refuse: refuseElastic,
  };
}

function malformed(detail: string): Refusal {
  return { status: 400, code: "illegal_argument_exception", detail };
}

function* readBulk(
  body: Uint8Array,
  defaultIndex: string | undefined,
  events: Events,
  operations: Operation[],
  operationsMost: number,
  options: EndpointOptions,
): Reading<Refusal | undefined> {
  const ranges = new Uint32Array(2);
  const steps = new Steps();
  // Blank lines may stand between operations.
  for (let at = skipBlanks(body, 0); at < body.length; at = skipBlanks(body, at)) {
    const actionEnd = lineEnd(body, at);
    const action = body.subarray(at, actionEnd);
    at = actionEnd + 1;
    if (steps.due(action.length)) yield;
    const operation = readAction(action, defaultIndex);
    if (operation === undefined) {
      return malformed(`Malformed action/metadata line [${2 * operations.length + 1}]`);
    }
    if (operations.push(operation) > operationsMost) throw new TooManyEvents();
    if (operation.name === "delete") {
      events.reject("not_supported", "delete is not supported: a log keeps what it has");
      continue;
    }
    if (at >= body.length) return malformed("The bulk request must be terminated by a newline [\\n]");
    const end = lineEnd(body, at);
    const document = body.subarray(at, end > at && body[end - 1] === cr ? end - 1 : end);
    at = end + 1;
    if (operation.name === "update") {
      events.reject("not_supported", "update is not supported: a log keeps what it has");
      continue;
    }
    if (document.length > options.frameBytesMax) {
      // It is not parsed.
      events.rejectTooLarge(document.length);
      continue;
    }
    if (steps.due(document.length)) yield;
    ranges[1] = document.length;
    if (document[0] !== 0x7b || options.notJson(document, ranges, 1).length > 0) {
      events.reject("malformed", "The document is not a JSON object");
    } else events.addTextAndBytes(headerOf(operation), document);
  }
  return operations.length === 0 ? malformed("request body is required") : undefined;
}

function headerOf({ index, id }: Operation): string {
  return syslogHeader({ data: [["elastic", "index", index, ...(id === "" ? [] : ["id", id])]] });
}

function readAction(line: Uint8Array, defaultIndex: string | undefined): Operation | undefined {
  const action = line.length > actionBytesMax ? undefined : objectOf(parseJson(line));
  const [name, ...others] = Object.keys(action ?? {});
  if (name !== "index" && name !== "create" && name !== "update" && name !== "delete") return undefined;
  if (others.length > 0) return undefined;
  const parameters = objectOf(action![name]) ?? {};
  const id = parameters["_id"];
  return {
    name,
    index: textOf(parameters["_index"]) ?? defaultIndex ?? "",
    id: typeof id === "string" || typeof id === "number" ? String(id) : "",
  };
}

function lineEnd(body: Uint8Array, at: number): number {
  const end = body.indexOf(lf, at);
  return end < 0 ? body.length : end;
}

/** An item for each operation; where the answer is brief, for those that were not taken and have a reason. */
function answer({ events }: Outcome, isBrief: boolean): Answer {
  const { operations } = events as Events & { operations: readonly Operation[] };
  let items = "";
  let rejection = 0;
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    const rejected = events.rejections[rejection];
    const isRejected = rejected?.index === i;
    if (isRejected) rejection++;
    if (isBrief && !isRejected) continue;
    if (items !== "") items += ",";
    items += isRejected || events.isRejected(i)
      ? itemError(
        operation,
        rejected?.reason ?? "malformed",
        rejected?.detail ?? "The document was not taken",
      )
      : itemDone(operation, i);
  }
  const body = `{"took":0,"errors":${events.rejectedCount > 0},"items":[${items}]}\n`;
  return new Answer(200, new TextEncoder().encode(body), {
    "content-type": "application/json",
    ...productFields,
  });
}

function itemDone({ name, index, id }: Operation, place: number): string {
  const said = id === "" ? String(place) : id;
  return `{"${name}":{"_index":${JSON.stringify(index)},"_id":${JSON.stringify(said)},"_version":1,` +
    `"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":${place},` +
    `"_primary_term":1,"status":201}}`;
}

function itemError({ name, index, id }: Operation, reason: string, detail: string): string {
  const type = reason === "malformed" ? "mapper_parsing_exception" : "illegal_argument_exception";
  return JSON.stringify({
    [name]: {
      _index: index,
      _id: id === "" ? null : id,
      status: reason === "frame_too_large" ? 413 : 400,
      error: { type, reason: detail },
    },
  });
}

/** A refusal as Elasticsearch words it. Where trying again may help the status is 429, which all clients repeat. */
export function refuseElastic(refusal: Refusal): Answer {
  const status = refusal.status === 503 ? 429 : refusal.status;
  const type = status === 429
    ? "es_rejected_execution_exception"
    : status === 401 || status === 403
    ? "security_exception"
    : refusal.code;
  const error = { type, reason: refusal.detail };
  return jsonAnswer(status, { error: { root_cause: [error], ...error }, status }, {
    ...productFields,
    ...refusal.fields,
    ...retryAfter(refusal),
  });
}

const clusterName = "corndog";

/** Answers to what clients ask before they send; undefined where the path is none of these. */
export function elasticQuestion(head: RequestHead, version: string): Answer | undefined {
  switch (head.path.replace(/(.)\/$/, "$1")) {
    case "/":
      return said({
        name: "corndog",
        cluster_name: clusterName,
        cluster_uuid: "corndog",
        version: {
          number: elasticVersion,
          build_flavor: "default",
          build_type: `corndog ${version}`,
          lucene_version: "9.12.0",
          minimum_wire_compatibility_version: "7.17.0",
          minimum_index_compatibility_version: "7.0.0",
        },
        tagline: "You Know, for Search",
      });
    case "/_license":
    case "/_xpack/license":
      return said({ license: { status: "active", uid: clusterName, type: "basic", mode: "basic" } });
    case "/_cluster/health":
      return said({ cluster_name: clusterName, status: "green", timed_out: false, number_of_nodes: 1 });
    case "/_cat/health":
      return withFields(
        textAnswer(200, `0 00:00:00 ${clusterName} green 1 1 0 0 0 0 0 0 - 100.0%\n`),
        productFields,
      );
    default:
      return undefined;
  }
}

function said(value: unknown): Answer {
  return jsonAnswer(200, value, productFields);
}
