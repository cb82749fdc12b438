import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatFault } from "../../../src/core/errors.ts";
import { depthMax, parseYaml, yamlBytesMax } from "../../../src/config/yaml.ts";

function faultsOf(text: string): string[] {
  const result = parseYaml(text, "f");
  return result.ok ? [] : result.faults.map(formatFault);
}

const bomb = ["a: &a [x,x,x,x,x,x,x,x,x,x]"].concat(
  ["b", "c", "d", "e", "f", "g"].map((name, index) => {
    const before = "abcdef"[index];
    return `${name}: &${name} [${Array(10).fill(`*${before}`).join(",")}]`;
  }),
).join("\n");

const refused: { name: string; input: string; want: string[] }[] = [
  {
    name: "a key is written twice",
    input: "a: 1\nbc: 2\na: 3\n",
    want: ['f:3:1: the key "a" is written twice; keep one of them'],
  },
  {
    name: "a key is written twice in a flow map behind CRLF",
    input: "x: 1\r\na: {b: 1, b: 2}\r\n",
    want: ['f:2:11: the key "b" is written twice; keep one of them'],
  },
  {
    name: "a tag is unknown",
    input: "a: !secret x\n",
    want: ["f:1:4: the tag !secret has no meaning here; remove it"],
  },
  {
    name: "a tag is of another YAML",
    input: "a: !!binary aGk=\n",
    want: ["f:1:4: the tag !!binary has no meaning here; remove it"],
  },
  {
    name: "an alias has no anchor",
    input: "a: 1\nb: *x\n",
    want: ["f:2:4: b: the alias *x has no anchor before it; write &x at the value it means"],
  },
  {
    name: "an alias lies inside its anchor",
    input: "a: &a\n  b: *a\n",
    want: ["f:2:6: a.b: the alias *a lies inside the value it means; write the value out"],
  },
  {
    name: "a second document follows",
    input: "a: 1\n---\nb: 2\n",
    want: ["f:2:1: a second document begins here; keep one document per file"],
  },
  {
    name: "a tab indents",
    input: "a:\n\tb: 1\n",
    want: ["f:2:1: a tab is not allowed as indentation; use spaces"],
  },
  { name: "a key is a list", input: "? [1, 2]\n: 3\n", want: ["f:1:3: a key must be plain text"] },
  {
    name: "maps are merged",
    input: "a: &a {b: 1}\nc:\n  <<: *a\n",
    want: ["f:3:3: c: merge keys (<<) are not read; repeat the keys here"],
  },
  {
    name: "a key reaches for the prototype",
    input: "__proto__: {a: 1}\n",
    want: ['f:1:1: the key "__proto__" is not allowed; choose another name'],
  },
];

for (const { name, input, want } of refused) {
  test(`parseYaml() names the place when ${name}`, () => assert.deepEqual(faultsOf(input), want));
}

test("parseYaml() refuses aliases when they expand beyond measure", () => {
  const faults = faultsOf(bomb);
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /aliases \(\*name\) add more than 10000 values/);
});

test("parseYaml() refuses nesting above the limit and takes it at the limit", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  assert.deepEqual(faultsOf(nested(depthMax)), []);
  assert.match(faultsOf(nested(depthMax + 1))[0]!, /nested too deeply, at most 100 levels/);
  assert.ok(faultsOf("[".repeat(30_000)).length > 0);
});

test("parseYaml() refuses a text when it is longer than the limit", () => {
  assert.match(faultsOf("#".repeat(yamlBytesMax + 1))[0]!, /at most 8388608 are read/);
});

test("parseYaml() gives null when the document is empty", () => {
  for (const text of ["", "\n", "# nothing\n", "---\n", "\ufeff"]) {
    const result = parseYaml(text, "f");
    assert.ok(result.ok, JSON.stringify(text));
    assert.equal(result.document.value, null);
  }
});

test("parseYaml() gives plain values when aliases are used with measure", () => {
  const result = parseYaml("a: &a [1, {b: yes}]\nc: *a\nd: *a\n1: 0x10\n", "f");
  assert.ok(result.ok);
  const list = [1, { b: "yes" }];
  assert.deepEqual(result.document.value, { a: list, c: list, d: list, "1": 16 });
});

const located: { path: (string | number)[]; at?: "key"; want: [number, number] }[] = [
  { path: [], want: [2, 1] },
  { path: ["a"], want: [2, 4] },
  { path: ["a"], at: "key", want: [2, 1] },
  { path: ["list", 1, "x"], want: [5, 8] },
  { path: ["list", 1, "x"], at: "key", want: [5, 5] },
  { path: ["list", 1, "absent"], want: [5, 5] },
  { path: ["empty"], want: [6, 1] },
  { path: ["alias", "y"], want: [7, 16] },
  { path: ["again", "y"], want: [7, 16] },
  { path: ["absent", "below"], want: [2, 1] },
];

test("locate() gives values, keys, and the map where a key is missing", () => {
  const result = parseYaml(
    "# top\na: 1\nlist:\n  - one\n  - x: 2\nempty:\nalias: &a { y: 3 }\nagain: *a\n",
    "f",
  );
  assert.ok(result.ok);
  for (const { path, at, want } of located) {
    const { line, column } = result.document.locate(path, at);
    assert.deepEqual([line, column], want, path.join("."));
  }
});

test("parseYaml() never throws when the text is arbitrary", () => {
  const pieces = fc.constantFrom(
    "a: ",
    "- ",
    "\n",
    "  ",
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "|",
    ">",
    "? ",
    "!x ",
    "#",
    "\t",
    "---",
    "<<: ",
    "\r",
    "%",
    "\0",
    "é",
    ":",
  );
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (input) => {
      const result = parseYaml(input, "f");
      if (result.ok) result.document.locate(["a", 0, "b"]);
      else for (const fault of result.faults) assert.ok(fault.line >= 1 && fault.column >= 1);
    }),
    { numRuns: 2000 },
  );
});
