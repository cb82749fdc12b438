/**
 * Bodies as large as they may be, made to hold the worker that reads them: no step between two looks at the clock
 * parses more than a part may have.
 *
 * How long steps take is told with TEST_LONG alone: a machine that does something else says nothing about that.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, it } from "node:test";
import { snappyDecompress } from "../../../src/core/snappy.ts";
import { partBytesMaxOf } from "../../../src/http/events.ts";
import { readHead } from "../../../src/http/head.ts";
import { protoMessage } from "../../../src/http/proto.ts";
import { readInTurns } from "../../../src/http/read_body.ts";
import { routeOf } from "../../../src/http/routes.ts";
import { bytesAStep } from "../../../src/http/turns.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { JsonCheck } from "../../../src/pipeline/json_check.ts";

const frameBytesMax = 64 * 1024;
/** `body_max` is 8 MiB without being said; a part of that shows as well what is done in one go. */
const bodyBytes = (process.env.TEST_LONG === undefined ? 2 : 8) * 1024 * 1024;
/** The longest hold that a sender may cause. */
const holdMs = process.env.TEST_LONG === undefined ? Infinity : 50;
const tries = 3;
/** Bytes that are parsed between two looks at the clock: what fills a step, and one part behind it. */
const parsedMax = bytesAStep + partBytesMaxOf(frameBytesMax);

const kernel = createKernel({
  frameBytesMax,
  pieceBytes: 64 * 1024,
  rowsMax: 1024,
  scratchBytes: 1024,
  arenaBytes: 64 * 1024,
});
const json = new JsonCheck(kernel);
const options = {
  frameBytesMax,
  version: "1",
  notJson: (bytes: Uint8Array, ranges: Uint32Array, count: number) => json.notJson(bytes, ranges, count),
  isAckDone: () => false,
};

/** `unit` as often as there is room for it between two texts. */
function filled(before: string, unit: string, after: string): string {
  return before + unit.repeat(Math.floor((bodyBytes - before.length - after.length) / unit.length)) + after;
}

function filledBytes(unit: Uint8Array): Uint8Array {
  return Buffer.alloc(Math.floor(bodyBytes / unit.length) * unit.length, unit);
}

const nested = filled('{"a":', "[", "");
const attributes = filled("", '{"key":"","value":{"intValue":1}},', '{"key":"z"}');
const resourceOf = (length: number) =>
  `"resource":{"attributes":[{"key":"k","value":{"stringValue":"${"x".repeat(length)}"}}]}`;
const record = (text: string) => `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${text}]}]}]}`;
const stream = (labels: string, values: string) => `{"streams":[{"stream":${labels},"values":[${values}]}]}`;
const logs = (scopeLogs: Uint8Array) => protoMessage([1, protoMessage([2, scopeLogs])]);

type Body = readonly [name: string, body: () => string | Uint8Array];
const protocols: readonly (readonly [path: string, type: string, bodies: readonly Body[]])[] = [
  ["/v1/logs", "application/json", [
    ["a record that is nested without end", () => record(nested)],
    ["a record that is one text", () => record(`{"body":{"stringValue":"${filled("", "x", "")}"}}`)],
    ["a record of attributes", () => record(`{"attributes":[${attributes}]}`)],
    ["records that are none", () => record(filled("", "0,", "0"))],
    ["a resource of attributes", () => `{"resourceLogs":[{"resource":{"attributes":[${attributes}]}}]}`],
    ["empty resources", () => filled('{"resourceLogs":[', "{},", "{}]}")],
    ["empty scopes", () => filled('{"resourceLogs":[{"scopeLogs":[', "{},", "{}]}]}")],
    [
      "records with a large resource",
      () =>
        `{"resourceLogs":[{${resourceOf(60_000)},"scopeLogs":[{"logRecords":[${
          filled("", "{},", "{}")
        }]}]}]}`,
    ],
    [
      "records with a resource that is too large",
      () =>
        `{"resourceLogs":[{${resourceOf(200_000)},"scopeLogs":[{"logRecords":[${
          "{},".repeat(100_000)
        }{}]}]}]}`,
    ],
    ["a member that nobody knows", () => `{"a":${nested}`],
    ["members that nobody knows", () => filled("{", '"a":0,', '"a":0}')],
    ["lists that say the same again", () => filled("{", '"resourceLogs":[{}],', '"a":0}')],
    ["a name without end", () => filled('{"', "a", "")],
    ["blanks", () => filled("", " ", "{}")],
    ["a number", () => filled("", "1", "")],
  ]],
  ["/loki/api/v1/push", "application/json", [
    ["a label", () => stream(`{"a":"${filled("", "x", "")}"}`, "")],
    ["labels", () => stream(`{${filled("", '"a":"",', '"a":""')}}`, "")],
    ["values that are none", () => stream("{}", filled("", "[],", "[]"))],
    ["a line", () => stream("{}", `["1","${filled("", "x", "")}"]`)],
    ["a value that is nested without end", () => stream("{}", filled("", "[", ""))],
    [
      "values with large labels",
      () => stream(`{"a":"${"x".repeat(60_000)}"}`, filled("", '["1",""],', '["1",""]')),
    ],
    ["empty streams", () => filled('{"streams":[', '{"values":[]},', '{"values":[]}]}')],
  ]],
  ["/v1/ingest", "application/json", [
    ["one element that is nested without end", () => filled("[", "[", "")],
    ["one element that is a text", () => filled('["', "x", '"]')],
    ["lists", () => filled("[", `[${"[".repeat(30_000)}${"]".repeat(30_000)}],`, "0]")],
    ["texts", () => filled("[", `"${"\\u0001".repeat(10_000)}",`, "0]")],
    ["numbers", () => filled("[", "0,", "0]")],
  ]],
  ["/v1/ingest", "application/x-ndjson", [
    ["lists", () => filled("", `${"[".repeat(32_000)}${"]".repeat(32_000)}\n`, "")],
    ["what is no JSON", () => filled("", `[${"[],".repeat(20_000)}\n`, "")],
    ["line ends", () => filled("", "\n", "")],
  ]],
  ["/services/collector", "application/json", [
    ["one event", () => filled('{"event":[', "[", "")],
    ["events of lists", () => filled("", `{"event":[${"[],".repeat(20_000)}0]}`, "")],
    ["small events", () => filled("", '{"event":1}', "")],
  ]],
  ["/_bulk", "application/x-ndjson", [
    ["an action", () => filled('{"index":[', "[", "")],
    ["blanks", () => filled("", " ", "\n")],
    ["line ends", () => filled("", "\n", "")],
    ["documents of lists", () => filled("", `{"index":{}}\n{"a":[${"[],".repeat(20_000)}0]}\n`, "")],
    ["operations", () => filled("", '{"delete":{}}\n', "")],
  ]],
  ["/v1/logs", "application/x-protobuf", [
    ["a record of attributes", () => logs(protoMessage([2, filledBytes(protoMessage([6, ""]))]))],
    ["empty records", () => logs(filledBytes(protoMessage([2, ""])))],
    ["empty scopes", () => protoMessage([1, filledBytes(protoMessage([2, ""]))])],
    ["empty resources", () => filledBytes(protoMessage([1, ""]))],
    ["a resource", () => protoMessage([1, protoMessage([1, filledBytes(protoMessage([1, ""]))])])],
    ["fields that nobody knows", () => filledBytes(protoMessage([9, 0]))],
  ]],
];

/** Reads a body; the processor time of its longest step, and the most that was parsed in one. */
function longest(path: string, type: string, body: Uint8Array): { ms: number; parsed: number } {
  const head = readHead(`POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}`);
  assert.ok(head.ok);
  const route = routeOf(head.head, options);
  assert.equal(route.kind, "events");
  const { endpoint } = route as Extract<typeof route, { kind: "events" }>;
  const { parse } = JSON;
  let parsed = 0;
  let most = 0;
  let ms = 0;
  JSON.parse = (text: string) => {
    parsed += text.length;
    return parse(text) as unknown;
  };
  try {
    const reading = readInTurns(endpoint, body);
    for (let done = false; !done;) {
      parsed = 0;
      const before = process.cpuUsage();
      done = reading.next().done === true;
      const { user, system } = process.cpuUsage(before);
      ms = Math.max(ms, (user + system) / 1000);
      most = Math.max(most, parsed);
    }
  } finally {
    JSON.parse = parse;
  }
  return { ms, parsed: most };
}

for (const [path, type, bodies] of protocols) {
  describe(`readInTurns() of ${path}, ${type}`, () => {
    for (const [name, body] of bodies) {
      it(`holds nobody for long when the body is ${name}`, () => {
        const text = body();
        const bytes = typeof text === "string" ? Buffer.from(text) : text;
        const holds: number[] = [];
        do {
          const { ms, parsed } = longest(path, type, bytes);
          assert.ok(parsed <= parsedMax, `${parsed} bytes were parsed in one go`);
          holds.push(ms);
        } while (holds.at(-1)! >= holdMs && holds.length < tries);
        assert.ok(Math.min(...holds) < holdMs, `steps of ${holds.map((ms) => ms.toFixed(0)).join(", ")} ms`);
      });
    }
  });
}

describe("snappyDecompress()", () => {
  it("holds nobody for long when the block is copies of one byte", () => {
    const elements = Math.floor((bodyBytes - 1) / 64);
    const block = Buffer.concat([
      varint(elements * 64 + 1),
      Uint8Array.of(0, 0x78),
      // 64 bytes from one byte before.
      Buffer.alloc(elements * 3, Uint8Array.of(63 << 2 | 2, 1, 0)),
    ]);
    const holds: number[] = [];
    do {
      const before = process.cpuUsage();
      const result = snappyDecompress(block, bodyBytes);
      const { user, system } = process.cpuUsage(before);
      assert.ok(result.ok && result.bytes.length === elements * 64 + 1);
      holds.push((user + system) / 1000);
    } while (holds.at(-1)! >= holdMs && holds.length < tries);
    assert.ok(Math.min(...holds) < holdMs, `${holds.map((ms) => ms.toFixed(0)).join(", ")} ms`);
  });
});

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push(value & 0x7f | 0x80);
  return Uint8Array.from([...bytes, value]);
}
