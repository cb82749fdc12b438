import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonText } from "../../../src/rules/json_write.ts";
import { bestMs } from "../../support/best_ms.ts";

test("jsonText() writes what JSON.stringify writes, at any depth", () => {
  const nest = fc.array(fc.constantFrom("[", "{"), { maxLength: 1200 });
  fc.assert(fc.property(fc.jsonValue(), nest, (inner, kinds) => {
    const text = JSON.stringify(inner);
    const opened = kinds.map((kind) => kind === "[" ? "[1," : '{"__proto__":0,"é\\"":').join("");
    const closed = kinds.toReversed().map((kind) => kind === "[" ? ",[]]" : ',"z":{}}').join("");
    const value = JSON.parse(opened + text + closed) as unknown;
    assert.equal(jsonText(value), JSON.stringify(value));
  }));
});

test("jsonText() writes null for what is no JSON value", () => assert.equal(jsonText(undefined), "null"));

test("jsonText() takes time in proportion to the text when it is nested tens of thousands of times", () => {
  for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
    const text = `${open.repeat(30_000)}1${close.repeat(30_000)}`;
    const value = JSON.parse(text) as unknown;
    assert.equal(jsonText(value), text);
    const best = bestMs(() => void jsonText(value), 50);
    assert.ok(best < 50, `${best} ms`);
  }
});
