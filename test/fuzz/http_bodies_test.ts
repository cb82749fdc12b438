/**
 * Random and damaged bodies of every protocol through its endpoint: every record is an event or a rejection, events
 * lie in their bytes, in order and within the limit, answers can be worded, and nothing throws.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { Endpoint } from "../../src/http/endpoint.ts";
import type { Events } from "../../src/http/events.ts";
import { readHead } from "../../src/http/head.ts";
import { protoMessage } from "../../src/http/proto.ts";
import { read } from "../../src/http/read_body.ts";
import { routeOf } from "../../src/http/routes.ts";
import { snappyDecompress } from "../../src/core/snappy.ts";
import { isWholeZstd } from "../../src/http/zstd_frames.ts";
import { createKernel } from "../../src/kernel/instance.ts";
import { JsonCheck } from "../../src/pipeline/json_check.ts";
import { snappyCompress } from "../unit/http/snappy_writer.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const frameBytesMax = 300;
const bodyBytesMax = 100_000;
const kernel = createKernel({
  frameBytesMax,
  pieceBytes: 512,
  rowsMax: 16,
  scratchBytes: 64,
  arenaBytes: 64,
});
const json = new JsonCheck(kernel);
const options = {
  frameBytesMax,
  version: "1",
  notJson: (bytes: Uint8Array, ranges: Uint32Array, count: number) => json.notJson(bytes, ranges, count),
  isAckDone: () => false,
};

interface Input {
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array;
}

const jsonTokens = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\n",
  "\r\n",
  "\\u0000",
  "1e999",
  "null",
  "é",
  '{"a":1}',
  "__proto__",
  " ",
];
const protoTokens = [
  "\x0a",
  "\x12",
  "\x80",
  "\xff\xff\xff\xff\x0f",
  "\0",
  "\x08\x01",
  "\x0d",
  "\x0b",
  "\x2a\x02",
];

const texts: readonly (readonly [path: string, type: string, body: string])[] = [
  ["/v1/ingest", "text/plain", "<13>1 - - - - - - a\r\n\nb\n"],
  ["/v1/ingest", "application/x-ndjson", '{"a":"b\\"}"}\n[1,2]\n\x1e{"c":[{}]}\n'],
  ["/v1/ingest", "application/json", '[{"a":1}, "text\\n", 5, [[]], null]'],
  ["/v1/ingest", "application/json", '{"a":{"b":["c"]}}'],
  ["/services/collector", "", '{"event":"x","host":"h","time":1.5}{"event":{"a":1},"fields":{"k":"v"}}'],
  ["/services/collector/raw", "", "line one\nline two"],
  [
    "/loki/api/v1/push",
    "application/json",
    '{"streams":[{"stream":{"app":"a"},"values":[["1700000000000000000","line",{"m":"n"}]]}]}',
  ],
  [
    "/v1/logs",
    "application/json",
    '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},' +
    '"scopeLogs":[{"scope":{"name":"n"},"logRecords":[{"timeUnixNano":"1","severityNumber":9,' +
    '"body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}}}]}]}]}',
  ],
  [
    "/_bulk",
    "application/x-ndjson",
    '{"index":{"_index":"i","_id":"1"}}\n{"m":1}\n{"delete":{"_id":"2"}}\n{"create":{}}\n{"m":2}\n',
  ],
];

const value = protoMessage([6, protoMessage([1, protoMessage([1, "k"], [2, protoMessage([1, "v"])])])]);
const otlp = protoMessage([
  1,
  protoMessage(
    [1, protoMessage([1, protoMessage([1, "service.name"], [2, protoMessage([1, "s"])])])],
    [
      2,
      protoMessage([1, protoMessage([1, "n"])], [
        2,
        protoMessage([2, 9], [3, "INFO"], [5, value], [9, "id"]),
      ]),
    ],
  ),
]);
const loki = protoMessage([
  1,
  protoMessage([1, '{app="a"}'], [2, protoMessage([1, protoMessage([1, 1_700_000_000])], [2, "line"])]),
]);

function make(random: Random): Input {
  switch (random.between(0, 3)) {
    case 0:
      return { path: "/v1/logs", type: "application/x-protobuf", body: mutate(random, otlp, protoTokens, 5) };
    case 1: {
      const inner = mutate(random, loki, protoTokens, random.oneIn(2) ? 0 : 5);
      const body = mutate(
        random,
        snappyCompress(inner),
        ["\xff", "\x01", "\xfe\xff"],
        random.oneIn(2) ? 0 : 4,
      );
      return { path: "/loki/api/v1/push", type: "", body };
    }
    default: {
      const [path, type, text] = random.pick(texts);
      const many = random.oneIn(8) ? random.between(1, 50) : 1;
      const long = random.oneIn(10) ? random.pick(jsonTokens).repeat(random.between(1, 20_000)) : "";
      const body = mutate(random, latin1(text.repeat(many) + long), jsonTokens, random.oneIn(4) ? 0 : 6);
      return { path, type, body };
    }
  }
}

function endpointOf(path: string, type: string): Endpoint {
  const read = readHead(`POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}`);
  assert.ok(read.ok);
  const route = routeOf(read.head, options);
  assert.ok(route.kind === "events", `${path} ${type}`);
  return route.endpoint;
}

function run({ path, type, body }: Input): void {
  const endpoint = endpointOf(path, type);
  isWholeZstd(body);
  let bytes = body;
  if (endpoint.coding === "snappy") {
    const result = snappyDecompress(body, bodyBytesMax);
    if (!result.ok) return;
    assert.ok(result.bytes.length <= bodyBytesMax);
    bytes = result.bytes;
  }
  const events = read(endpoint, bytes);
  if ("status" in events) {
    endpoint.refuse(events);
    return;
  }
  checkEvents(events);
  const answer = endpoint.answer({
    events,
    result: {
      kind: "kept",
      reached: "kafka",
      placed: events.count,
      dropped: 0,
      deadLettered: 0,
      truncated: 0,
      notes: [],
      rejection: undefined,
      refusal: undefined,
      retryAfterMs: 0,
    },
    ack: "kafka",
    durable: true,
  });
  assert.ok(answer.status >= 200 && answer.status < 500);
  if (type !== "application/x-protobuf" && answer.body[0] === 0x7b) {
    JSON.parse(Buffer.from(answer.body).toString());
  }
}

function checkEvents(events: Events): void {
  const { bytes, ranges, count } = events;
  assert.equal(count + events.rejectedCount, events.records);
  let last = 0;
  let lastIndex = -1;
  for (let i = 0; i < count; i++) {
    const start = ranges[2 * i]!;
    const end = ranges[2 * i + 1]!;
    assert.ok(last <= start && start < end && end <= bytes.length, `${start} to ${end} behind ${last}`);
    assert.ok(end - start <= frameBytesMax, `${end - start} bytes`);
    last = end;
    const index = events.indexOf(i);
    assert.ok(index > lastIndex && index < events.records && !events.isRejected(index));
    lastIndex = index;
  }
  for (const { index } of events.rejections) assert.ok(events.isRejected(index));
}

test("bodies of all protocols keep their promises when they are anything", fuzzTimeout, async () => {
  const report = await fuzz<Input>({
    name: "http_bodies",
    make,
    run,
    show: ({ path, type, body }) => JSON.stringify([path, type, latin1Text(body)]),
  });
  assert.ok(report.cases > 1000, `${report.cases} cases`);
});
