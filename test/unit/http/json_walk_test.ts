import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Endpoint } from "../../../src/http/endpoint.ts";
import { readHead } from "../../../src/http/head.ts";
import { endOfLongValue, endOfValue } from "../../../src/http/json_split.ts";
import { JsonWalk } from "../../../src/http/json_walk.ts";
import { lokiEndpoint } from "../../../src/http/loki.ts";
import { otlpEndpoint } from "../../../src/http/otlp.ts";
import { read } from "../../../src/http/read_body.ts";
import { wholly } from "../../../src/http/turns.ts";

const options = { frameBytesMax: 64 * 1024, version: "1", notJson: () => [] };
const head = readHead("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json");
assert.ok(head.ok);
const otlp = otlpEndpoint(head.head, options)!;
const loki = lokiEndpoint(head.head, options);

/** What an endpoint makes of a body: its events and rejections, or its refusal. */
function said(endpoint: Endpoint, text: string): unknown {
  const events = read(endpoint, Buffer.from(text));
  if ("status" in events) return events;
  const { bytes, ranges, count, rejections } = events;
  return {
    rejections,
    events: Array.from(
      { length: count },
      (_, i) => Buffer.from(bytes.subarray(ranges[2 * i], ranges[2 * i + 1])).toString(),
    ),
  };
}

/** The same text as a parser of JSON understands it; undefined where it is none. */
function understood(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const scalar = fc.oneof(fc.string({ maxLength: 6 }), fc.integer(), fc.constant(null), fc.boolean());
const any = fc.oneof(
  fc.record({ stringValue: fc.string({ maxLength: 6 }) }),
  fc.record({ intValue: scalar }),
  fc.record({ kvlistValue: fc.jsonValue({ maxDepth: 2 }) }),
  fc.jsonValue({ maxDepth: 2 }),
);
const pairs = fc.array(fc.record({ key: scalar, value: any }), { maxLength: 3 });
/** Members in any order, some left out, with others that nobody knows. */
function members(known: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> {
  const names = Object.keys(known);
  return fc.tuple(
    fc.record(known, { requiredKeys: [] }),
    fc.jsonValue({ maxDepth: 2 }),
    fc.shuffledSubarray([...names, "other"], { minLength: names.length + 1 }),
  ).map(([values, other, order]) =>
    Object.fromEntries(
      order.filter((name) => name === "other" || Object.hasOwn(values, name)).map((name) => [
        name,
        name === "other" ? other : values[name],
      ]),
    )
  );
}
/** Mostly what belongs there. */
const mostly = (value: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: value }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) });
const list = (value: fc.Arbitrary<unknown>) => mostly(fc.array(mostly(value), { maxLength: 3 }));
const logs = members({
  resourceLogs: list(members({
    resource: mostly(members({ attributes: pairs })),
    scopeLogs: list(members({
      scope: mostly(members({ name: scalar, attributes: pairs })),
      logRecords: list(
        members({ timeUnixNano: scalar, severityNumber: scalar, body: any, attributes: pairs }),
      ),
    })),
  })),
});
const push = members({
  streams: list(members({
    stream: mostly(fc.dictionary(fc.string({ maxLength: 3 }), scalar, { maxKeys: 3 })),
    values: list(fc.tuple(fc.constantFrom("1", "1700000000000000000", "x"), fc.string({ maxLength: 5 }))),
  })),
});
const tokens = ['"', "\\", "{", "}", "[", "]", ",", ":", "null", " ", "\u00e9"];

for (
  const { name, endpoint, body } of [{ name: "OTLP", endpoint: otlp, body: logs }, {
    name: "Loki",
    endpoint: loki,
    body: push,
  }]
) {
  describe(`JSON of ${name}`, () => {
    it("is read alike however it is written", () => {
      fc.assert(
        fc.property(body, fc.nat(3), (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          assert.deepEqual(said(endpoint, text), said(endpoint, JSON.stringify(value)));
        }),
        { numRuns: 300 },
      );
    });

    it("is understood as a parser understands it, or refused as a whole, when it is damaged", () => {
      fc.assert(
        fc.property(
          body,
          fc.array(
            fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), fc.constantFrom(...tokens)),
            {
              minLength: 1,
              maxLength: 3,
            },
          ),
          (value, damages) => {
            let text = JSON.stringify(value);
            for (const [share, cut, token] of damages) {
              const at = Math.floor(share * text.length);
              text = text.slice(0, at) + token + text.slice(at + cut);
            }
            const canonical = understood(text);
            const got = said(endpoint, text) as { status?: number };
            if (canonical === undefined) assert.equal(got.status, 400, text);
            else assert.deepEqual(got, said(endpoint, canonical), text);
          },
        ),
        { numRuns: 1000 },
      );
    });
  });
}

describe("members with one name", () => {
  it("count as their last, as for every parser", () => {
    const record = (text: string) => `[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"${text}"}}]}]}]`;
    assert.deepEqual(
      said(otlp, `{"resourceLogs":${record("a")},"resourceLogs":${record("b")}}`),
      said(otlp, `{"resourceLogs":${record("b")}}`),
    );
    const values = (text: string) => `"values":[["1","${text}"]]`;
    assert.deepEqual(
      said(
        loki,
        `{"streams":[{${values("a")}}],"streams":[{${values("b")},"stream":{"a":"1"},${values("c")}}]}`,
      ),
      said(loki, `{"streams":[{"stream":{"a":"1"},${values("c")}}]}`),
    );
  });
});

describe("endOfLongValue()", () => {
  it("finds the end that endOfValue() finds", () => {
    const text = fc.oneof(
      fc.json(),
      fc.array(fc.constantFrom(...tokens, "a", "1"), { maxLength: 8 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, fc.constantFrom("", ",", "]", " 1", '"'), (text, behind) => {
        const bytes = Buffer.from(text + behind);
        if (bytes.length === 0) return;
        assert.equal(wholly(endOfLongValue(bytes, 0)), endOfValue(bytes, 0), text + behind);
      }),
      { numRuns: 500 },
    );
  });

  it("finds the end of what is longer than a step", () => {
    const text = `[${'"\\\\\\"]",'.repeat(50_000)}0]`;
    assert.equal(wholly(endOfLongValue(Buffer.from(`${text},1`), 0)), text.length);
    const digits = "1".repeat(200_000);
    assert.equal(wholly(endOfLongValue(Buffer.from(`${digits},`), 0)), digits.length);
    assert.equal(wholly(endOfLongValue(Buffer.from(digits), 0)), digits.length);
  });
});

describe("JsonWalk", () => {
  it("takes a part below and at its limit, and none above it", () => {
    const limit = 100;
    for (const length of [limit - 1, limit, limit + 1]) {
      for (const behind of ["", "]"]) {
        const walk = new JsonWalk(Buffer.from(`"${"x".repeat(length - 2)}"${behind}`), limit);
        assert.equal(walk.over(), length <= limit, `${length} ${behind}`);
        if (length > limit) wholly(walk.overLong());
        assert.deepEqual([walk.start, walk.end, walk.broken], [0, length, false]);
      }
    }
  });
});
