import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasEscapedKey, parseJsonText, readValue } from "../../../src/rules/json_text.ts";
import { parseJsonOracle } from "../kernel/oracle_json.ts";
import { objectText, valueText } from "../kernel/json_texts.ts";

test("parseJsonText() reads escaped keys right after a line with a backslash for a key", () => {
  for (const first of ["h", "level", ""]) {
    const quoted = JSON.stringify(first);
    assert.deepEqual(parseJsonText(`{${quoted}:[],"\\\\":0}`), { [first]: [], "\\": 0 });
    assert.deepEqual(parseJsonText(`{${quoted}:1,"\\u0061":2}`), { [first]: 1, a: 2 });
    assert.deepEqual(parseJsonText(`{${quoted}:1,"\\"":2}`), { [first]: 1, '"': 2 });
    assert.deepEqual(parseJsonText(`[[{${quoted}:1,"\\n":{}}]]`), [[{ [first]: 1, "\n": {} }]]);
  }
});

test("parseJsonText() agrees with the oracle on any value, one line after the other", () => {
  fc.assert(
    fc.property(fc.oneof(objectText, valueText), (text) => {
      const value = parseJsonText(text);
      assert.equal(JSON.stringify(value), JSON.stringify(parseJsonOracle(text)));
    }),
    { numRuns: 500 },
  );
});

test("readValue() gives what the oracle gives", () => {
  fc.assert(
    fc.property(fc.oneof(objectText, valueText), (text) => {
      assert.equal(JSON.stringify(readValue(text)), JSON.stringify(parseJsonOracle(text)));
    }),
    { numRuns: 500 },
  );
});

test("readValue() keeps __proto__ a member", () => {
  const value = readValue('{"__proto__":{"x":1},"constructor":2}') as object;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
});

test("readValue() takes nesting of any depth", () => {
  let value = readValue("[".repeat(100_000) + "]".repeat(100_000));
  let depth = 0;
  for (; Array.isArray(value); value = value[0]) depth++;
  assert.equal(depth, 100_000);
});

const keys: [string, boolean][] = [
  ["", false],
  ['{"a":"\\n"}', false],
  ['{"a":"\\"","b":"\\\\"}', false],
  ['{"a":["\\n:"]}', false],
  ['{"\\u0061":1}', true],
  ['{"a":{"b\\\\" : 1}}', true],
  ['[{"a":1},{"\\"":1}]', true],
  ['"\\', false],
  ["\\", false],
];

for (const [text, want] of keys) {
  test(`hasEscapedKey() is ${want} for ${JSON.stringify(text)}`, () => {
    assert.equal(hasEscapedKey(text), want);
  });
}

test("hasEscapedKey() takes linear time over backslashes and quotes", () => {
  const start = performance.now();
  for (
    const text of ["\\".repeat(65_536), '"'.repeat(65_536), '\\"'.repeat(32_768), '"\\\\'.repeat(21_845)]
  ) {
    hasEscapedKey(text);
  }
  assert(performance.now() - start < 5_000);
});
