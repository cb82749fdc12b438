import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isJsonObject,
  jsonEquals,
  type JsonObject,
  mayBeJson,
  parseJsonText,
} from "../../../src/rules/json_text.ts";
import { compileMerge } from "../../../src/rules/merge.ts";
import type { Resolve } from "../../../src/rules/template.ts";

type Values = Record<string, string>;
const resolve: Resolve<Values> = (name) =>
  name === "a" ? { read: (values) => values.a } : { unknown: `unknown variable "${name}"` };

function merge(text: string, json: unknown, values: Values = { a: "" }): string {
  const compiled = compileMerge(json as JsonObject, resolve);
  assert(compiled.ok);
  const document = JSON.parse(text) as JsonObject;
  const before = JSON.stringify(document);
  const merged = compiled.merge.apply(text, document, values);
  assert.equal(JSON.stringify(document), before, "the document is not changed");
  return merged;
}

const table: { name: string; text: string; json: unknown; want: string }[] = [
  { name: "adds to an empty object", text: "{}", json: { hello: 1 }, want: '{"hello":1}' },
  { name: "adds in front of what is there", text: '{"b":2}', json: { a: 1 }, want: '{"a":1,"b":2}' },
  { name: "adds nothing for an empty object", text: ' {"b":2} ', json: {}, want: ' {"b":2} ' },
  {
    name: "goes into an object that is there",
    text: '{"meta" : {"topic" : "test"}}',
    json: { meta: { hotdog: { v: "1" } } },
    want: '{"meta" : {"hotdog":{"v":"1"},"topic" : "test"}}',
  },
  {
    name: "goes into an empty object",
    text: '{"m": { }}',
    json: { m: { x: null } },
    want: '{"m": {"x":null }}',
  },
  {
    name: "overwrites a scalar",
    text: '{"a":"x","b":1}',
    json: { a: { n: 1 } },
    want: '{"a":{"n":1},"b":1}',
  },
  {
    name: "overwrites an object by a scalar",
    text: '{"a":{"b":[{}]},"c":1}',
    json: { a: 1 },
    want: '{"a":1,"c":1}',
  },
  { name: "overwrites null", text: '{"a":null}', json: { a: [1] }, want: '{"a":[1]}' },
  {
    name: "appends to a list",
    text: '{"t":["a","b"]}',
    json: { t: ["b", "c"] },
    want: '{"t":["a","b","c"]}',
  },
  { name: "appends to an empty list", text: '{"t":[ ]}', json: { t: ["c", "c"] }, want: '{"t":[ "c"]}' },
  {
    name: "appends an object to a list",
    text: '{"t":[1]}',
    json: { t: { a: 1 } },
    want: '{"t":[1,{"a":1}]}',
  },
  {
    name: "appends no object that is there",
    text: '{"t":[{"a":1}]}',
    json: { t: { a: 1 } },
    want: '{"t":[{"a":1}]}',
  },
  { name: "keeps the sender's duplicates", text: '{"t":[1,1]}', json: { t: [2] }, want: '{"t":[1,1,2]}' },
  {
    name: "keeps bytes it does not touch",
    text: '{"id":12345678901234567890,"f":1.0,"e":1E400,"u":"\\u00e9","m":{"x":-0}}',
    json: { m: { y: 1 } },
    want: '{"id":12345678901234567890,"f":1.0,"e":1E400,"u":"\\u00e9","m":{"y":1,"x":-0}}',
  },
  {
    name: "is not misled by a value that looks like the key",
    text: '{"x":"meta","meta":{"a":1},"y":{"meta":{}}}',
    json: { meta: { b: 2 } },
    want: '{"x":"meta","meta":{"b":2,"a":1},"y":{"meta":{}}}',
  },
  {
    name: "is not misled by an escaped quote",
    text: '{"x":"\\",\\"meta\\":{","meta":{"a":1}}',
    json: { meta: { b: 2 } },
    want: '{"x":"\\",\\"meta\\":{","meta":{"b":2,"a":1}}',
  },
  {
    name: "finds a key that is written with escapes",
    text: '{"m\\u0065ta":{"a":1}}',
    json: { meta: { b: 2 } },
    want: '{"m\\u0065ta":{"b":2,"a":1}}',
  },
  {
    name: "takes the last of duplicate keys, as parsers do",
    text: '{"m":{"a":1},"m":{"b":2}}',
    json: { m: { c: 3 } },
    want: '{"m":{"a":1},"m":{"c":3,"b":2}}',
  },
  {
    name: "treats __proto__ and constructor as data",
    text: '{"a":1}',
    json: JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    want: '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1}',
  },
  {
    name: "merges into a __proto__ of the line",
    text: '{"__proto__":{"x":1}}',
    json: JSON.parse('{"__proto__":{"polluted":true}}'),
    want: '{"__proto__":{"polluted":true,"x":1}}',
  },
];

for (const { name, text, json, want } of table) {
  test(`merge ${name}`, () => {
    assert.equal(merge(text, json), want);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
}

test("merge renders templates inside strings, where no value can break the JSON", () => {
  const hostile = '\\ " \n \u0000 \u2028 </script> ","injected":{"x":1}, {{a}} é 😀';
  const merged = merge('{"n":1}', { x: "<{{a}}>", deep: { list: ["{{a}}", 1] }, "k{{a}}": true }, {
    a: hostile,
  });
  assert.deepEqual(JSON.parse(merged), {
    n: 1,
    x: `<${hostile}>`,
    deep: { list: [hostile, 1] },
    [`k${hostile}`]: true,
  });
});

test("merge holds together when a key from the line is the same as another", () => {
  const given = { a: { x: 1 }, "{{a}}": 5 };
  assert.equal(merge('{"a":{"y":2},"b":1}', given, { a: "a" }), '{"a":5,"b":1}');
  assert.equal(merge('{"b":1}', given, { a: "a" }), '{"a":5,"b":1}');
  assert.equal(merge('{"a":[1],"b":1}', { "{{a}}": 5, a: 6, b: 7 }, { a: "b" }), '{"a":6,"b":7}');
  assert.deepEqual(JSON.parse(merge('{"z":{"b":1}}', { z: given }, { a: "a" })), { z: { a: 5, b: 1 } });
});

test("compileMerge() tells every fault with its path", () => {
  const compiled = compileMerge({ a: { b: ["{{x}}"] }, c: "{{y" }, resolve);
  assert(!compiled.ok);
  assert.deepEqual(compiled.faults.map(({ path, message }) => `${path}: ${message}`), [
    'a.b.0: unknown variable "x"',
    'c: "{{" is not closed',
  ]);
});

/** The merge on parsed values, as the table in merge.ts says it. */
function mergeValues(message: unknown, given: unknown): unknown {
  if (isJsonObject(message) && isJsonObject(given)) {
    const merged = new Map(Object.entries(message));
    for (const [key, value] of Object.entries(given)) {
      merged.set(key, merged.has(key) ? mergeValues(merged.get(key), value) : value);
    }
    return Object.fromEntries(merged);
  }
  if (Array.isArray(message) && (Array.isArray(given) || isJsonObject(given))) {
    const merged = [...message];
    for (const item of Array.isArray(given) ? given : [given]) {
      if (!merged.some((held) => jsonEquals(held, item))) merged.push(item);
    }
    return merged;
  }
  return given;
}

const key = fc.constantFrom("a", "b", "meta", 'q"', "\\", "é", "__proto__", "constructor", "1", "");
const { value: jsonValue, object: jsonObject } = fc.letrec<
  { value: unknown; object: Record<string, unknown> }
>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(1, -2.5, true, null, "", "a", "meta", '"meta":{', "\\", '\\"', "[{", "é😀\n"),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) =>
    Object.fromEntries(entries)
  ),
}));

test("merge into the text gives what merging the values gives, for any two objects and any white space", () => {
  fc.assert(
    fc.property(
      jsonObject,
      jsonObject,
      fc.constantFrom<string | number>(0, 2, "\t"),
      (message, given, indent) => {
        const merged = merge(JSON.stringify(message, null, indent), given);
        assert.deepEqual(JSON.parse(merged), mergeValues(message, given));
        assert.equal(({} as Record<string, unknown>).a, undefined);
      },
    ),
    { numRuns: 1500 },
  );
});

test("merge twice is merge once", () => {
  fc.assert(fc.property(jsonObject, jsonObject, (message, given) => {
    const once = merge(JSON.stringify(message), given);
    assert.deepEqual(JSON.parse(merge(once, given)), mergeValues(JSON.parse(once), given));
  }));
});

test("parseJsonText() says what JSON.parse says, for any text", () => {
  const reference = (text: string) => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  };
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "1",
    "-",
    "0",
    ".",
    "e5",
    "true",
    "null",
    " ",
    "\n",
    "a",
    "\\",
    "\u00a0",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")), (text) => {
      assert.deepEqual(parseJsonText(text), reference(text));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(jsonValue, (value) => assert.deepEqual(parseJsonText(` ${JSON.stringify(value)}\t`), value)),
  );
});

test("mayBeJson() tells log lines by their ends, without an exception", () => {
  const lines = [
    "",
    " ",
    "hello",
    "2026-01-02T03:04:05Z x",
    "[error] x",
    "{foo} bar",
    '{"cut":"off',
    "-",
    "{x}",
    "nullable",
    "{",
  ];
  for (const line of lines) {
    assert.equal(mayBeJson(line), false, line);
  }
});

test("parseJsonText() takes hostile nesting without a crash", () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  const value = parseJsonText(`{"a":${deep},"b":1}`);
  assert(value === undefined || isJsonObject(value));
  if (isJsonObject(value)) {
    const compiled = compileMerge({ a: ["x"], b: { c: 1 } }, resolve);
    assert(compiled.ok);
    const merged = compiled.merge.apply(`{"a":${deep},"b":1}`, value, { a: "" });
    assert(merged.startsWith('{"a":[[') && merged.endsWith('],"x"],"b":{"c":1}}'), merged.slice(-40));
  }
});
