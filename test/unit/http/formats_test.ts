import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { elasticEndpoint, elasticQuestion, refuseElastic } from "../../../src/http/elastic.ts";
import type { Endpoint, Outcome, Refusal } from "../../../src/http/endpoint.ts";
import { Events } from "../../../src/http/events.ts";
import { readHead, type RequestHead } from "../../../src/http/head.ts";
import { hecEndpoint } from "../../../src/http/hec.ts";
import { ingestEndpoint } from "../../../src/http/ingest.ts";
import { splitArray, splitStream } from "../../../src/http/json_split.ts";
import { lokiEndpoint, parseLabels } from "../../../src/http/loki.ts";
import { otlpEndpoint, severityOfNumber } from "../../../src/http/otlp.ts";
import { protoMessage, ProtoReader } from "../../../src/http/proto.ts";
import { syslogHeader, timeText } from "../../../src/http/syslog_line.ts";
import type { EventResult } from "../../../src/http/port.ts";
import { bestMs } from "../../support/best_ms.ts";

const options = { frameBytesMax: 200, version: "1", notJson };

/** The oracle of the kernel's check. */
function notJson(bytes: Uint8Array, ranges: Uint32Array, count: number): number[] {
  const bad: number[] = [];
  for (let i = 0; i < count; i++) {
    try {
      JSON.parse(Buffer.from(bytes.subarray(ranges[2 * i]!, ranges[2 * i + 1]!)).toString());
    } catch {
      bad.push(i);
    }
  }
  return bad;
}

function headOf(line: string, ...fields: string[]): RequestHead {
  const read = readHead([`POST ${line} HTTP/1.1`, "Host: h", ...fields].join("\r\n"));
  assert.ok(read.ok);
  return read.head;
}

function textsOf(events: Events | Refusal): string[] {
  assert.ok(!("status" in events), JSON.stringify(events));
  const { bytes, ranges, count } = events;
  return Array.from(
    { length: count },
    (_, i) => Buffer.from(bytes.subarray(ranges[2 * i], ranges[2 * i + 1])).toString(),
  );
}

function read(endpoint: Endpoint | Refusal | undefined, body: string | Uint8Array): Events {
  assert.ok(endpoint !== undefined && "read" in endpoint, JSON.stringify(endpoint));
  const events = endpoint.read(typeof body === "string" ? Buffer.from(body) : body);
  assert.ok(!("status" in events), JSON.stringify(events));
  return events;
}

/** Everything was taken. */
function outcomeOf(events: Events, more: Partial<EventResult> = {}): Outcome {
  const result: EventResult = {
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
    ...more,
  };
  return { events, result, ack: "kafka", durable: true };
}

const bodyOf = (answer: { body: Uint8Array }): unknown => JSON.parse(Buffer.from(answer.body).toString());

describe("ingestEndpoint()", () => {
  const cases: { name: string; type: string; body: string; want: string[]; rejected?: number[] }[] = [
    { name: "lines", type: "text/plain", body: "a\r\nb\n\n\nc", want: ["a", "b", "c"] },
    { name: "lines of curl -d", type: "application/x-www-form-urlencoded", body: "a=b&c", want: ["a=b&c"] },
    { name: "a lone CR", type: "text/plain; charset=utf-8", body: "a\rb\n\r\n", want: ["a\rb"] },
    {
      name: "NDJSON",
      type: "application/x-ndjson",
      body: '{"a":1}\n{bad\n[1]\n"x"\n{"a":1}x\n',
      want: ['{"a":1}', "[1]", '"x"'],
      rejected: [1, 4],
    },
    {
      name: "lines that are too large",
      type: "application/jsonl",
      body: `1\n"${"x".repeat(300)}"\n{\n2`,
      want: ["1", "2"],
      rejected: [1, 2],
    },
    {
      name: "JSON sequences",
      type: "application/json-seq",
      body: '\x1e{"a":1}\n\x1e2\n',
      want: ['{"a":1}', "2"],
    },
    {
      name: "an array",
      type: "application/json",
      body: ' [ {"a" : "]"} , 1.50, null ,[ 2 ] ] \n',
      want: ['{"a" : "]"}', "1.50", "null", "[ 2 ]"],
    },
    {
      name: "an array with strings",
      type: "application/json",
      body: '["one\\nline", "ä\\"", {"x":1}, ""]',
      want: ["one\nline", 'ä"', '{"x":1}'],
      rejected: [3],
    },
    {
      name: "an array with damaged elements",
      type: "application/json",
      body: '["ok", {"a":}, tru, "two"]',
      want: ["ok", "two"],
      rejected: [1, 2],
    },
    {
      name: "an object over lines",
      type: "application/json",
      body: '\n{\n"a": 1\n}\n',
      want: ['{\n"a": 1\n}'],
    },
    { name: "one text", type: "application/json", body: '"hi"', want: ["hi"] },
    { name: "a whole body", type: "application/octet-stream", body: "a\nb\n", want: ["a\nb\n"] },
    { name: "syslog frames", type: "application/syslog", body: "5 <1>ab5 <1>cd", want: ["5 <1>ab5 <1>cd"] },
    { name: "nothing", type: "text/plain", body: "", want: [] },
    { name: "an empty array", type: "application/json", body: "[]", want: [] },
  ];
  for (const { name, type, body, want, rejected = [] } of cases) {
    it(`read() gives ${name}`, () => {
      const endpoint = ingestEndpoint(headOf("/v1/ingest", `Content-Type: ${type}`), undefined, options);
      const events = read(endpoint, body);
      assert.deepEqual(textsOf(events), want);
      assert.deepEqual(events.rejections.map(({ index }) => index), rejected);
      assert.equal(events.records, want.length + rejected.length);
    });
  }

  it("takes the format from the query before the type, and refuses what it does not know", () => {
    const head = headOf("/v1/ingest?format=one", "Content-Type: image/png");
    assert.deepEqual(textsOf(read(ingestEndpoint(head, undefined, options), "a\nb")), ["a\nb"]);
    for (const line of ["/v1/ingest?format=xml", "/v1/ingest"]) {
      const refusal = ingestEndpoint(headOf(line, "Content-Type: image/png"), undefined, options);
      assert.ok("status" in refusal && refusal.status === 415);
    }
  });

  for (const body of ["[1,2", "[1,,2]", "[1]x", "[1 2]", '["a]', "[{]", '[{"a":1]']) {
    it(`read() refuses ${body} as a whole`, () => {
      const endpoint = ingestEndpoint(headOf("/v1/ingest", "Content-Type: application/json"), "t", options);
      assert.ok("read" in endpoint);
      const events = endpoint.read(Buffer.from(body));
      // What splits well and is no JSON inside is refused one by one.
      if ("status" in events) assert.equal(events.status, 400);
      else assert.ok(events.rejectedCount > 0);
    });
  }

  it("answer() says what became of events by their place in the request", () => {
    const endpoint = ingestEndpoint(headOf("/v1/ingest", "Content-Type: application/x-ndjson"), "t", options);
    const events = read(endpoint, "1\n{\n2\n3\n");
    assert.ok("answer" in endpoint);
    const answer = endpoint.answer(outcomeOf(events, {
      dropped: 1,
      notes: [{ line: 1, state: "dropped", reason: "rule_drop" }],
    }));
    assert.equal(answer.status, 200);
    assert.deepEqual(bodyOf(answer), {
      accepted: 3,
      durable: true,
      dropped: 1,
      notes: [{ index: 2, state: "dropped", reason: "rule_drop" }],
      rejected_count: 1,
      rejected: [{ index: 1, reason: "malformed", detail: "This is not JSON" }],
    });
  });

  it("answer() is 400 when no event was taken, and 413 when all are too large", () => {
    const endpoint = ingestEndpoint(headOf("/v1/ingest", "Content-Type: application/x-ndjson"), "t", options);
    assert.ok("answer" in endpoint);
    assert.equal(endpoint.answer(outcomeOf(read(endpoint, "{\n[\n"))).status, 400);
    assert.equal(endpoint.answer(outcomeOf(read(endpoint, "1".repeat(300)))).status, 413);
  });

  it("read() and the runtime's parser agree about arrays, whatever is in them", () => {
    const endpoint = ingestEndpoint(headOf("/v1/ingest", "Content-Type: application/json"), "t", {
      ...options,
      frameBytesMax: 100_000,
    });
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue().filter((value) => value !== "")),
        fc.boolean(),
        (values, spaced) => {
          const text = JSON.stringify(values, null, spaced ? 2 : 0);
          const texts = textsOf(read(endpoint, text));
          assert.deepEqual(
            texts.map((one, i) => typeof values[i] === "string" ? one : JSON.parse(one)),
            JSON.parse(JSON.stringify(values)),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("Events", () => {
  it("has the places of its frames, whenever it is asked for them", () => {
    for (const asks of [[0], [1], [1, 2], [2, 300], [1, 2, 3, 255, 256, 257, 300]]) {
      const body = new Uint8Array(1000).map((_, index) => index);
      const events = new Events(200, body);
      const want: number[] = [];
      for (let count = 1; count <= 300; count++) {
        events.addRange(2 * count, 2 * count + 3);
        want.push(2 * count, 2 * count + 3);
        if (asks.includes(count)) assert.deepEqual([...events.ranges], want);
        assert.deepEqual(events.first, body.subarray(2, 5));
      }
      assert.deepEqual([...events.ranges], want);
    }
  });

  it("keeps what was changed in its places", () => {
    const events = new Events(200, new Uint8Array(100));
    events.addRange(0, 5);
    events.ranges[0]!++;
    assert.equal(events.first.length, 4);
    events.addRange(6, 9);
    assert.deepEqual([...events.ranges], [1, 5, 6, 9]);
  });
});

describe("splitStream()", () => {
  const cases: { input: string; want: string[] | false }[] = [
    { input: '{"a":1}{"b":"}"}', want: ['{"a":1}', '{"b":"}"}'] },
    { input: ' {"a":1}\n\n[2] 3 "x" ', want: ['{"a":1}', "[2]", "3", '"x"'] },
    { input: '{"a":"\\""}', want: ['{"a":"\\""}'] },
    { input: '{"a":1', want: false },
    { input: '"abc', want: false },
    { input: '"abc\\', want: false },
    { input: ",", want: false },
    { input: "", want: [] },
  ];
  for (const { input, want } of cases) {
    it(`gives ${JSON.stringify(want)} of ${JSON.stringify(input)}`, () => {
      const bytes = Buffer.from(input);
      const got: string[] = [];
      const isWhole = splitStream(bytes, (start, end) => got.push(bytes.subarray(start, end).toString()));
      assert.deepEqual(isWhole ? got : false, want);
    });
  }

  it("and splitArray() go through deep nesting without a stack", () => {
    const deep = Buffer.from("[".repeat(500_000) + "]".repeat(500_000));
    let count = 0;
    assert.equal(splitStream(deep, () => count++), true);
    assert.equal(splitArray(deep, () => count++), true);
    assert.equal(count, 2);
  });
});

describe("hecEndpoint()", () => {
  it("read() gives events as they were sent, with their origin in the header", () => {
    const endpoint = hecEndpoint(headOf("/services/collector?source=q&host=dflt"), false, options);
    const first = '{"time":1700000000.25,"host":"web 1","sourcetype":"nginx","index":"main","event":{"a":1}}';
    const second = '{"event":"x","source":"s\\"]"}';
    assert.deepEqual(textsOf(read(endpoint, `${first}\n${second}`)), [
      `<14>1 2023-11-14T22:13:20.25Z web_1 nginx - - [hec source="q" sourcetype="nginx" index="main"] ${first}`,
      `<14>1 - dflt - - - [hec source="s\\"\\]"] ${second}`,
    ]);
    assert.equal(endpoint.value, "message");
  });

  it("read() gives raw lines with the origin of the query", () => {
    const endpoint = hecEndpoint(headOf("/services/collector/raw?host=h&time=1700000000"), true, options);
    assert.deepEqual(textsOf(read(endpoint, "one\ntwo\n")), [
      "<14>1 2023-11-14T22:13:20Z h - - - - one",
      "<14>1 2023-11-14T22:13:20Z h - - - - two",
    ]);
  });

  const bad: { body: string; code: number; event?: number }[] = [
    { body: "", code: 5 },
    { body: '{"event":1}{"event"', code: 6, event: 1 },
    { body: '{"event":1} 5', code: 6, event: 1 },
    { body: '{"host":"h"}', code: 12, event: 0 },
    { body: '{"event":""}', code: 13, event: 0 },
  ];
  for (const { body, code, event } of bad) {
    it(`refuse() says code ${code} to ${JSON.stringify(body)}`, () => {
      const endpoint = hecEndpoint(headOf("/services/collector"), false, options);
      const refusal = endpoint.read(Buffer.from(body));
      assert.ok("status" in refusal);
      const said = bodyOf(endpoint.refuse(refusal)) as Record<string, unknown>;
      assert.equal(said["code"], code);
      assert.equal(said["invalid-event-number"], event);
    });
  }
});

describe("lokiEndpoint()", () => {
  const want = `<11>1 2023-11-14T22:13:20.123456Z h1 shop - - [labels app="shop" host="h1" level="error"] ` +
    '{"timestamp":"2023-11-14T22:13:20.123456789Z","labels":{"app":"shop","host":"h1","level":"error"},' +
    '"line":"boom","metadata":{"trace":"t1"}}';
  const big = { ...options, frameBytesMax: 2000 };

  it("read() gives the lines of JSON", () => {
    const endpoint = lokiEndpoint(headOf("/loki/api/v1/push", "Content-Type: application/json"), big);
    const body = {
      streams: [{
        stream: { app: "shop", host: "h1", level: "error" },
        values: [["1700000000123456789", "boom", { trace: "t1" }], ["x", "bad"], ["1", 2]],
      }],
    };
    const events = read(endpoint, JSON.stringify(body));
    assert.deepEqual(textsOf(events), [want]);
    assert.equal(events.rejectedCount, 2);
    assert.equal(endpoint.answer(outcomeOf(events)).status, 400);
  });

  it("read() gives the lines of protobuf", () => {
    const time = protoMessage([1, 1_700_000_000], [2, 123_456_789]);
    const entry = protoMessage([1, time], [2, "boom"], [3, protoMessage([1, "trace"], [2, "t1"])]);
    const stream = protoMessage([1, '{app="shop", host="h1", level="error"}'], [2, entry], [3, 7]);
    const endpoint = lokiEndpoint(headOf("/loki/api/v1/push"), big);
    assert.equal(endpoint.coding, "snappy");
    const events = read(endpoint, protoMessage([1, stream]));
    assert.deepEqual(textsOf(events), [want]);
    assert.equal(endpoint.answer(outcomeOf(events)).status, 204);
  });

  const labels: { text: string; want: Record<string, string> | undefined }[] = [
    { text: "{}", want: {} },
    { text: '{a="b"}', want: { a: "b" } },
    { text: '{ a = "x\\"y\\\\z\\n", b_1="" , }', want: { a: 'x"y\\z\n', b_1: "" } },
    { text: '{a="b" c="d"}', want: undefined },
    { text: "{a=b}", want: undefined },
    { text: 'a="b"', want: undefined },
    { text: '{a="b', want: undefined },
    { text: '{__proto__="x"}', want: {} },
    { text: '{"k8s.pod"="a", "q\\"x"="b"}', want: { "k8s.pod": "a", 'q"x': "b" } },
    {
      text: String.raw`{a="\t\x1b\u00ad\U0001f9ff\xff\Uffffffff\\x41"}`,
      want: { a: "\t\x1b\xad\u{1f9ff}\ufffd\ufffd\\x41" },
    },
  ];
  for (const { text, want } of labels) {
    it(`parseLabels() gives ${JSON.stringify(want)} of ${text}`, () =>
      assert.deepEqual(parseLabels(text), want));
  }

  it("parseLabels() reads hostile text in linear time", () => {
    const heldMsMax = 2_000;
    const best = bestMs(
      () => {
        parseLabels(`{a="${"\\\\".repeat(200_000)}`);
        parseLabels(`{${" ".repeat(200_000)}`);
      },
      heldMsMax,
      5,
    );
    assert.ok(best < heldMsMax, `${best} ms`);
  });
});

describe("otlpEndpoint()", () => {
  const big = { ...options, frameBytesMax: 4000 };
  const want = `<11>1 2023-11-14T22:13:20.123456Z web-1 shop 42 order.placed - ` +
    JSON.stringify({
      timestamp: "2023-11-14T22:13:20.123456789Z",
      observed_timestamp: "2023-11-14T22:13:21Z",
      severity: 17,
      severity_text: "ERROR",
      event_name: "order.placed",
      body: { text: "boom", list: [1, true, 1.5, "9007199254740993"] },
      attributes: { "http.status": 500, raw: "AQI=" },
      resource: { "service.name": "shop", "host.name": "web-1", "process.pid": 42 },
      scope: { name: "lib", version: "1.2" },
      trace_id: "0102030405060708090a0b0c0d0e0f10",
      span_id: "0102030405060708",
      flags: 1,
    });

  it("read() gives records of JSON", () => {
    const any = (key: string, value: unknown) => ({ key, value });
    const body = {
      resourceLogs: [{
        resource: {
          attributes: [
            any("service.name", { stringValue: "shop" }),
            any("host.name", { stringValue: "web-1" }),
            any("process.pid", { intValue: "42" }),
          ],
        },
        scopeLogs: [{
          scope: { name: "lib", version: "1.2" },
          logRecords: [{
            timeUnixNano: "1700000000123456789",
            observedTimeUnixNano: "1700000001000000000",
            severityNumber: 17,
            severityText: "ERROR",
            eventName: "order.placed",
            body: {
              kvlistValue: {
                values: [
                  any("text", { stringValue: "boom" }),
                  any("list", {
                    arrayValue: {
                      values: [{ intValue: 1 }, { boolValue: true }, { doubleValue: 1.5 }, {
                        intValue: "9007199254740993",
                      }],
                    },
                  }),
                ],
              },
            },
            attributes: [any("http.status", { intValue: "500" }), any("raw", { bytesValue: "AQI=" })],
            traceId: "0102030405060708090A0B0C0D0E0F10",
            spanId: "0102030405060708",
            flags: 1,
          }],
        }],
      }],
    };
    const endpoint = otlpEndpoint(headOf("/v1/logs", "Content-Type: application/json"), big);
    assert.deepEqual(textsOf(read(endpoint, JSON.stringify(body))), [want]);
  });

  /** An eight-byte field, little-endian. */
  const fixed64 = (field: number, value: bigint) => {
    const bytes = Buffer.alloc(9);
    bytes[0] = field << 3 | 1;
    bytes.writeBigUInt64LE(value, 1);
    return bytes;
  };
  const fixed32 = (field: number, value: number) => {
    const bytes = Buffer.alloc(5);
    bytes[0] = field << 3 | 5;
    bytes.writeUInt32LE(value, 1);
    return bytes;
  };
  const double = (field: number, value: number) => {
    const bytes = Buffer.alloc(9);
    bytes[0] = field << 3 | 1;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  };
  const pair = (key: string, value: Uint8Array) => protoMessage([1, key], [2, value]);
  const text = (value: string) => protoMessage([1, value]);

  /** The same record as protobuf. */
  function protoBody(): Uint8Array {
    // 2^53 + 1, which protoMessage cannot write.
    const long = Buffer.from([0x18, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    const list = protoMessage([1, protoMessage([3, 1])], [1, protoMessage([2, 1])], [1, double(4, 1.5)], [
      1,
      long,
    ]);
    const body = protoMessage([
      6,
      protoMessage([1, pair("text", text("boom"))], [1, pair("list", protoMessage([5, list]))]),
    ]);
    const record = Buffer.concat([
      fixed64(1, 1_700_000_000_123_456_789n),
      protoMessage([2, 17], [3, "ERROR"], [5, body]),
      protoMessage([6, pair("http.status", protoMessage([3, 500]))]),
      protoMessage([6, pair("raw", protoMessage([7, Uint8Array.of(1, 2)]))]),
      protoMessage([7, 3]),
      fixed32(8, 1),
      protoMessage([9, Uint8Array.from({ length: 16 }, (_, i) => i + 1)]),
      protoMessage([10, Uint8Array.from({ length: 8 }, (_, i) => i + 1)]),
      fixed64(11, 1_700_000_001_000_000_000n),
      protoMessage([12, "order.placed"]),
    ]);
    const resource = protoMessage(
      [1, pair("service.name", text("shop"))],
      [1, pair("host.name", text("web-1"))],
      [1, pair("process.pid", protoMessage([3, 42]))],
    );
    const scopeLogs = protoMessage([2, record], [1, protoMessage([1, "lib"], [2, "1.2"])], [3, "schema"]);
    return protoMessage([1, protoMessage([2, scopeLogs], [1, resource])]);
  }

  it("read() gives records of protobuf, whatever the order of fields", () => {
    const endpoint = otlpEndpoint(headOf("/v1/logs", "Content-Type: application/x-protobuf"), big);
    assert.deepEqual(textsOf(read(endpoint, protoBody())), [want]);
  });

  it("read() takes nothing of protobuf that is cut off or damaged inside", () => {
    const endpoint = otlpEndpoint(headOf("/v1/logs", "Content-Type: application/x-protobuf"), big)!;
    const whole = protoBody();
    for (let length = 1; length < whole.length; length++) {
      const events = endpoint.read(whole.subarray(0, length));
      assert.ok("status" in events && events.status === 400, `cut at ${length}`);
    }
    const deep = Array.from({ length: 60 }).reduce<Uint8Array>(
      (inner) => protoMessage([5, protoMessage([1, inner])]),
      text("x"),
    );
    const record = protoMessage([5, deep]);
    const body = protoMessage([1, protoMessage([2, protoMessage([2, record])])]);
    assert.ok("status" in endpoint.read(body));
  });

  it("answer() says partial success in the encoding of the request", () => {
    const small = { ...options, frameBytesMax: 50 };
    const json = otlpEndpoint(headOf("/v1/logs", "Content-Type: application/json"), small)!;
    const body = {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: "x".repeat(80) } }] }] }],
    };
    const answer = json.answer(outcomeOf(read(json, JSON.stringify(body))));
    assert.equal(answer.status, 200);
    assert.equal(
      (bodyOf(answer) as { partialSuccess: { rejectedLogRecords: string } }).partialSuccess
        .rejectedLogRecords,
      "1",
    );
    const proto = otlpEndpoint(headOf("/v1/logs", "Content-Type: application/x-protobuf"), small)!;
    const said = new ProtoReader(proto.answer(outcomeOf(read(proto, protoBody()))).body);
    assert.ok(said.next() && said.field === 1);
    const partial = said.message();
    assert.ok(partial.next() && partial.field === 1);
    assert.equal(partial.varint(), 1n);
    assert.equal(json.refuse({ status: 503, code: "busy", detail: "d", retryAfterMs: 1500 }).status, 503);
    assert.match(
      json.refuse({ status: 503, code: "busy", detail: "d", retryAfterMs: 1500 }).fields["retry-after"]!,
      /^[23]$/,
    );
  });

  it("severityOfNumber() gives syslog's severity of all numbers", () => {
    const got = Array.from({ length: 26 }, (_, i) => severityOfNumber(i)).join("");
    assert.equal(got, "67777777766664444333322226");
  });
});

describe("elasticEndpoint()", () => {
  it("read() gives documents with their index, and answer() an item for each operation in order", () => {
    const endpoint = elasticEndpoint(headOf("/_bulk"), "dflt", options);
    const body = [
      '{"index":{"_index":"logs-web","_id":"7"}}',
      '{"m":1}',
      '{"create":{}}',
      '{"m":2}',
      '{"delete":{"_index":"a","_id":"1"}}',
      '{"update":{"_index":"a","_id":"2"}}',
      '{"doc":{}}',
      '{"create":{}}',
      "{broken",
      '{"create":{}}',
      '{"m":3}',
      "",
    ].join("\n");
    const events = read(endpoint, body);
    assert.deepEqual(textsOf(events), [
      '<14>1 - - - - - [elastic index="logs-web" id="7"] {"m":1}',
      '<14>1 - - - - - [elastic index="dflt"] {"m":2}',
      '<14>1 - - - - - [elastic index="dflt"] {"m":3}',
    ]);
    const answer = bodyOf(endpoint.answer(outcomeOf(events))) as {
      errors: boolean;
      items: Record<string, { status: number; _index: string }>[];
    };
    assert.equal(answer.errors, true);
    assert.deepEqual(
      answer.items.map((item) =>
        Object.entries(item).map(([name, { status }]) => `${name} ${status}`).join()
      ),
      ["index 201", "create 201", "delete 400", "update 400", "create 400", "create 201"],
    );
  });

  it("answers Fluent Bit with the items that are wrong alone, and takes its largest chunks", () => {
    const head = headOf("/_bulk", "User-Agent: Fluent-Bit");
    const endpoint = elasticEndpoint(head, "i", options);
    const count = 40_000;
    const good = '{"create":{"_index":"i"}}\n{"m":1}\n'.repeat(count);
    const events = read(endpoint, good);
    assert.ok(!("status" in events) && events.count === count);
    assert.deepEqual(bodyOf(endpoint.answer(outcomeOf(events))), { took: 0, errors: false, items: [] });
    const damaged = read(endpoint, '{"create":{}}\n{"m":1}\n{"delete":{"_id":"1"}}\n{"create":{}}\n{\n');
    const { errors, items } = bodyOf(endpoint.answer(outcomeOf(damaged))) as {
      errors: boolean;
      items: Record<string, { status: number }>[];
    };
    assert.equal(errors, true);
    assert.deepEqual(items.map((item) => Object.keys(item).join()), ["delete", "create"]);
  });

  it("answers every operation when more are refused than are listed", () => {
    const endpoint = elasticEndpoint(headOf("/_bulk"), "i", options);
    const events = read(endpoint, '{"delete":{"_id":"1"}}\n'.repeat(150) + '{"create":{}}\n{"m":1}\n');
    const { items } = bodyOf(endpoint.answer(outcomeOf(events))) as {
      items: Record<string, { status: number }>[];
    };
    assert.equal(items.length, 151);
    assert.equal(items[149]!["delete"]!.status, 400);
    assert.equal(items[150]!["create"]!.status, 201);
  });

  for (
    const body of ["", "\n", '{"m":1}\n', '{"create":{}}\n', "[]\n{}\n", '{"index":{},"create":{}}\n{}\n']
  ) {
    it(`read() refuses ${JSON.stringify(body)} as a whole`, () => {
      const refusal = elasticEndpoint(headOf("/_bulk"), "i", options).read(Buffer.from(body));
      assert.ok("status" in refusal && refusal.status === 400);
    });
  }

  it("refuses what may be repeated with 429, as all clients know it", () => {
    const answer = refuseElastic({ status: 503, code: "busy", detail: "d", retryAfterMs: 500 });
    assert.equal(answer.status, 429);
    assert.equal(answer.fields["x-elastic-product"], "Elasticsearch");
  });

  it("elasticQuestion() is what clients check for", () => {
    const answer = elasticQuestion(headOf("/"), "1")!;
    assert.equal(answer.fields["x-elastic-product"], "Elasticsearch");
    assert.match((bodyOf(answer) as { version: { number: string } }).version.number, /^8\./);
    assert.equal(elasticQuestion(headOf("/other"), "1"), undefined);
  });
});

describe("syslogHeader()", () => {
  it("writes what a syslog header may have, whatever it is given", () => {
    assert.equal(syslogHeader({}), "<14>1 - - - - - - ");
    assert.equal(
      syslogHeader({
        severity: 3,
        hostname: "a b\n" + "x".repeat(300),
        appname: "ä".repeat(60),
        data: [["i d", "na=me", 'v"\\]', "", "y"]],
      }),
      `<11>1 - a_b_${"x".repeat(251)} ${"_".repeat(48)} - - [i_d na_me="v\\"\\\\\\]" _="y"] `,
    );
  });

  it("timeText() gives nothing for what is no time", () => {
    assert.equal(timeText(0n), "");
    assert.equal(timeText(-1n), "");
    assert.equal(timeText(2n ** 80n), "");
    assert.equal(timeText(1_500_000_000n), "1970-01-01T00:00:01.5Z");
    assert.equal(timeText(1_000_000_001n, 6), "1970-01-01T00:00:01Z");
  });
});
