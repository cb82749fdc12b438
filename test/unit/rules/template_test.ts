import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileTemplate, hasVariables, type Resolve } from "../../../src/rules/template.ts";

type Values = Record<string, string>;

const resolve: Resolve<Values> = (name) =>
  name === "version"
    ? { constant: "9", read: () => "9" }
    : ["a", "b", "msg", "sd.x@1.y"].includes(name)
    ? { read: (values) => values[name] ?? "" }
    : { unknown: `unknown variable "${name}"` };

function render(text: string, values: Values): string {
  const compiled = compileTemplate(text, resolve);
  assert(compiled.ok, compiled.ok ? "" : compiled.faults.map(({ message }) => message).join());
  return compiled.template.render(values);
}

const table: [string, Values, string][] = [
  ["", {}, ""],
  ["plain", {}, "plain"],
  ["{{a}}", { a: "1" }, "1"],
  ["{{ a }}", { a: "1" }, "1"],
  ["{{{a}}}", { a: "1" }, "1"],
  ["{{{ a }}}!", { a: "1" }, "1!"],
  ["x{{a}}y{{b}}z{{a}}", { a: "1", b: "2" }, "x1y2z1"],
  ["{{a}}", { a: "<b> & \"c\" '{{a}}' \\ \n" }, "<b> & \"c\" '{{a}}' \\ \n"],
  ["v{{version}}", {}, "v9"],
  ["{{a}}", {}, ""],
  ["{a} } }} { {{a}}", { a: "1" }, "{a} } }} { 1"],
  ["\\{{a}} {{a}}", { a: "1" }, "{{a}} 1"],
  ["\\\\{{a}}", { a: "1" }, "\\1"],
  ["a{{! note }}b", {}, "ab"],
  ["{{sd.x@1.y}}", { "sd.x@1.y": "1" }, "1"],
  ["{{a}}$&$1", { a: "$'" }, "$'$&$1"],
];

for (const [text, values, want] of table) {
  test(`compileTemplate() renders ${JSON.stringify(text)} to ${JSON.stringify(want)}`, () => {
    assert.equal(render(text, values), want);
  });
}

const faults: [string, string, number][] = [
  ["{{c}}", 'unknown variable "c"', 1],
  ["ab {{ a", "not closed", 4],
  ["{{{a}}", "not closed", 1],
  ["{{}}", "no name", 1],
  ["{{#if a}}x{{/if}}", "not supported", 1],
  ["x{{> part}}", "not supported", 2],
  ["{{upper a}}", "not supported", 1],
  ["{{a | lowr}}", 'unknown filter "lowr"; did you mean "lower"?', 7],
  ["{{a-b}}", "no name of a variable", 1],
  ["{{__proto__}}", "unknown variable", 1],
  ["{{constructor}}", "unknown variable", 1],
];

for (const [text, message, column] of faults) {
  test(`compileTemplate() refuses ${text}`, () => {
    const compiled = compileTemplate(text, resolve);
    assert(!compiled.ok);
    assert(compiled.faults[0].message.includes(message), compiled.faults[0].message);
    assert.equal(compiled.faults[0].column, column);
  });
}

test("compileTemplate() knows a constant", () => {
  const constantOf = (text: string) => {
    const compiled = compileTemplate(text, resolve);
    return compiled.ok ? compiled.template.constant : "fault";
  };
  assert.equal(constantOf("a{{version}}b"), "a9b");
  assert.equal(constantOf("a{{a}}"), undefined);
  assert.equal(hasVariables("a}}"), false);
  assert.equal(hasVariables("{{a}}"), true);
});

test("renderJson() is the inside of a JSON string for any text", () => {
  const compiled = compileTemplate('"\\{{b}}"', resolve);
  assert(compiled.ok);
  const around = compileTemplate('<"{{a}}\n">', resolve);
  assert(around.ok);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (a) => {
    assert.equal(JSON.parse(`"${around.template.renderJson({ a })}"`), `<"${a}\n">`);
  }));
});
