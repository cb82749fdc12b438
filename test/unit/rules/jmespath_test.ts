import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { search } from "@jmespath-community/jmespath";
import { compileJmesPath, valueText } from "../../../src/rules/jmespath.ts";

function find(expression: string, document: unknown): unknown {
  const compiled = compileJmesPath(expression);
  assert(compiled.ok, compiled.ok ? "" : compiled.message);
  return compiled.path.search(document);
}

const table: [string, unknown, unknown][] = [
  ["meta.topic", { meta: { topic: "a" } }, "a"],
  ["meta.topic", { meta: {} }, null],
  ["meta.topic", { meta: null }, null],
  ["meta.topic", { meta: "text" }, null],
  ["meta.topic", [], null],
  ["meta.topic", "text", null],
  ["meta.topic", null, null],
  ["length", [1], null],
  ["length", "text", null],
  ['"a b"."c.d"', { "a b": { "c.d": 1 } }, 1],
  ["a", { a: false }, false],
  ["a", { a: "" }, ""],
  ["constructor", {}, null],
  ["__proto__", {}, null],
  ["a.toString", { a: {} }, null],
  ["constructor", { constructor: "own" }, "own"],
  ["__proto__.x", JSON.parse('{"__proto__":{"x":1}}'), 1],
  ["a[0].b", { a: [{ b: 1 }] }, 1],
  ["length(a)", { a: [1, 2] }, 2],
  ["length(a)", { a: 5 }, null],
  ["a || b", { b: 1 }, 1],
  ["a[?x > `1`].x | [0]", { a: [{ x: 1 }, { x: 2 }] }, 2],
  ["@", { a: 1 }, { a: 1 }],
];

for (const [expression, document, want] of table) {
  test(`compileJmesPath() of ${expression} finds ${JSON.stringify(want)} in ${JSON.stringify(document)}`, () => {
    assert.deepEqual(find(expression, document), want);
  });
}

test("compileJmesPath() walks chains itself, other expressions on the interpreter", () => {
  const chainOf = (expression: string) => {
    const compiled = compileJmesPath(expression);
    return compiled.ok ? compiled.path.chain : "fault";
  };
  assert.deepEqual(chainOf("a.b.c"), ["a", "b", "c"]);
  assert.deepEqual(chainOf('a."b c"'), ["a", "b c"]);
  assert.equal(chainOf("a[0]"), undefined);
  assert.equal(chainOf("a.[b]"), undefined);
});

for (const expression of [". 0 meta.topic", "a..b", "", "a.", "nope(", "a[?", "a ]"]) {
  test(`compileJmesPath() refuses ${JSON.stringify(expression)}`, () => {
    const compiled = compileJmesPath(expression);
    assert(!compiled.ok);
    assert(compiled.message.startsWith("JMESPath does not take"), compiled.message);
    assert(compiled.column >= 1);
  });
}

for (const expression of ["a[0].constructor", "[a].__proto__", "map(&toString, a)", "{x: a.valueOf}"]) {
  test(`compileJmesPath() refuses inherited names in ${expression}`, () => {
    const compiled = compileJmesPath(expression);
    assert(!compiled.ok);
    assert(compiled.message.includes("plain chain"), compiled.message);
    assert(compiled.column > 1);
  });
}

test("compileJmesPath() of a chain agrees with the interpreter on any document", () => {
  const key = fc.constantFrom("a", "b", "c");
  const document = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(1, "text", true, null, ""),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(key, tie("value"), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).value;
  fc.assert(fc.property(document, fc.array(key, { minLength: 1, maxLength: 4 }), (value, names) => {
    const expression = names.join(".");
    assert.deepEqual(find(expression, value), search(value as never, expression) ?? null);
  }));
});

test("valueText() is text for scalars and empty for the rest", () => {
  assert.equal(valueText("a\n"), "a\n");
  assert.equal(valueText(1.5), "1.5");
  assert.equal(valueText(false), "false");
  assert.equal(valueText({ a: 1 }), "");
  assert.equal(valueText([1]), "");
});
