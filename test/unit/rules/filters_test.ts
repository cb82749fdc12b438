import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { compileTemplate, type Resolve } from "../../../src/rules/template.ts";

type Values = Readonly<Record<string, unknown>>;

/** `a` is text, `v` any JSON, `version` constant. */
const resolve: Resolve<Values> = (name) => {
  if (name === "version") return { constant: "v9", read: () => "v9" };
  if (name === "a") return { read: (values) => String(values["a"] ?? "") };
  if (name === "v" || name === "v.b.0") {
    const value = (values: Values) => values["v"];
    return { read: (values) => typeof value(values) === "object" ? "" : String(value(values) ?? ""), value };
  }
  return { unknown: `unknown variable "${name}"` };
};

function render(text: string, values: Values): string {
  const compiled = compileTemplate(text, resolve);
  assert(compiled.ok, JSON.stringify(compiled));
  return compiled.template.render(values);
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const table: [string, Values, string][] = [
  ['{{a | default: "x"}}', {}, "x"],
  ["{{a | default: 'x'}}", {}, "x"],
  ['{{a|default:"x"}}', { a: "1" }, "1"],
  ["{{a | default: 7}}", {}, "7"],
  ['{{a | default: "}} | \\" \\\\ {{b"}}!', {}, '}} | " \\ {{b!'],
  ['{{{a | default: "x"}}}', {}, "x"],
  ['{{v | default: "x"}}', { v: null }, "x"],
  ['{{v | default: "x"}}', { v: 0 }, "0"],
  ['{{v | default: "x"}}', { v: false }, "false"],
  ['{{v | default: "x" | json}}', { v: { b: 1 } }, '{"b":1}'],
  ["{{a | upper}}-{{a | lower}}", { a: "aBß" }, "ABSS-abß"],
  ["[{{a | trim}}]", { a: " \t x y \n" }, "[x y]"],
  ["{{a | truncate: 3}}", { a: "abcdef" }, "abc"],
  ["{{a | truncate: 3}}", { a: "ab" }, "ab"],
  ["{{a | truncate: 0}}", { a: "ab" }, ""],
  ["{{a | truncate: 2}}", { a: "😀😀😀" }, "😀😀"],
  ["{{a | sha256}}", { a: "ä" }, sha256("ä")],
  ["{{a | sha256 | truncate: 8 | upper}}", { a: "x" }, sha256("x").slice(0, 8).toUpperCase()],
  ["{{a | json}}", { a: 'q"\n' }, '"q\\"\\n"'],
  ["{{v | json}}", { v: { b: [1, "x"] } }, '{"b":[1,"x"]}'],
  ["{{v | json}}", {}, "null"],
  ["{{version | upper}}", {}, "V9"],
  ["x{{ a | trim | upper }}y", { a: " q " }, "xQy"],
  ["{{! it's | a comment }}z", {}, "z"],
];

for (const [text, values, want] of table) {
  test(`filters render ${text} of ${JSON.stringify(values)} to ${JSON.stringify(want)}`, () => {
    assert.equal(render(text, values), want);
  });
}

const faults: [string, string, number][] = [
  ["{{a | lowr}}", 'unknown filter "lowr"; did you mean "lower"?', 7],
  ["ab{{a | constructor}}", 'unknown filter "constructor"', 9],
  ["{{a | truncate}}", "takes one count", 7],
  ['{{a | truncate: "3"}}', "takes one count", 7],
  ["{{a | truncate: -1}}", "takes one count", 7],
  ["{{a | truncate: 1.5}}", "takes one count", 7],
  ["{{a | default}}", "takes one text", 7],
  ["{{a | lower: 1}}", "takes no argument", 7],
  ["{{a |}}", "name of a filter is missing", 6],
  ["{{a | lower upper}}", 'wants "|"', 13],
  ["{{a | default: x}}", "number or a", 16],
  ['{{a | default: "x}}', "not closed", 16],
  ['{{nosuch | default: "x"}}', 'unknown variable "nosuch"', 1],
  ["{{nosuch | lowr}}", 'unknown filter "lowr"', 12],
];

for (const [text, message, column] of faults) {
  test(`compileTemplate() refuses ${text}`, () => {
    const compiled = compileTemplate(text, resolve);
    assert(!compiled.ok);
    const found = compiled.faults.find((fault) => fault.message.includes(message));
    assert.ok(found, JSON.stringify(compiled.faults));
    assert.equal(found.column, column);
  });
}

test("compileTemplate() keeps the type only of exactly one variable without filters", () => {
  const typed = (text: string) => {
    const compiled = compileTemplate(text, resolve);
    assert(compiled.ok);
    return compiled.template.value?.({ v: 5 });
  };
  assert.equal(typed("{{v}}"), 5);
  assert.equal(typed("{{ v }}"), 5);
  assert.equal(typed("{{v}} "), undefined);
  assert.equal(typed("{{v | trim}}"), undefined);
  assert.equal(typed("{{a}}"), undefined);
});

test("filters never break the JSON string that they stand in, for any text", () => {
  const filters = ["json", "lower", "upper", "trim", "truncate: 5", "sha256", 'default: "\\"x"'];
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...filters), { maxLength: 4 }),
    (a, chain) => {
      const compiled = compileTemplate(`<{{a${chain.map((name) => ` | ${name}`).join("")}}}>`, resolve);
      assert(compiled.ok);
      const { template } = compiled;
      assert.equal(JSON.parse(`"${template.renderJson({ a })}"`), template.render({ a }));
    },
  ));
});
