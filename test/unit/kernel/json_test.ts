import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { jsonKeyOf } from "../../../src/core/json_key.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { KernelJsonMembers } from "../../../src/kernel/json_members.ts";
import { jsonNodeBytes, jsonNodeWord, jsonScan } from "../../../src/kernel/kernel.ts";
import { parseJsonOracle } from "./oracle_json.ts";
import { mutatedBytes, names, objectText, valueText } from "./json_texts.ts";

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 64, pieceBytes: 1024 * 1024 });
const members = new KernelJsonMembers(kernel);
const { inputAt } = kernel;

/** What may follow a frame in memory; a scan must not take any of it for the frame's own. */
const followers = ['"}', "}", "]}", '":1}', "0}", "e1}", "rue}", "\n", "\\", ",", " "];

const follower = fc.constantFrom(...followers);

function scan(input: string | Uint8Array, follower = "\n"): number {
  const bytes = typeof input === "string" ? Buffer.from(input) : input;
  kernel.bytes.set(bytes, inputAt);
  kernel.bytes.set(Buffer.from(follower), inputAt + bytes.length);
  return kernel.scanJson(inputAt, inputAt + bytes.length);
}

/** What the parser says of the bytes as decoded text; undefined for what is no object. */
function parse(input: string | Uint8Array): Record<string, unknown> | undefined {
  const value = parseJsonOracle(typeof input === "string" ? input : Buffer.from(input).toString("utf8"));
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

/** Checks every name at every level that objects alone lead to. */
function assertSame(node: number, object: Record<string, unknown>): void {
  assert.equal(members.isEmpty(node), Object.keys(object).length === 0);
  for (const name of new Set([...Object.keys(object), ...names])) {
    const found = members.member(node, jsonKeyOf(name));
    if (!Object.hasOwn(object, name)) {
      assert.equal(found, 0, `${JSON.stringify(name)} is not there`);
      continue;
    }
    assert.notEqual(found, 0, `${JSON.stringify(name)} is there`);
    const want = object[name];
    assert.deepEqual(parseJsonOracle(members.json(found)), want);
    assert.equal(members.isNull(found), want === null);
    assert.equal(members.isList(found), Array.isArray(want));
    assert.equal(members.text(found), typeof want === "object" ? "" : String(want));
    const isObject = typeof want === "object" && want !== null && !Array.isArray(want);
    assert.equal(members.isObject(found), isObject);
    if (isObject) assertSame(found, want as Record<string, unknown>);
    else assert.equal(members.member(found, jsonKeyOf("a")), 0, "what is no object has no members");
  }
}

/** The scan and the parser agree on `input`, whatever bytes follow it. */
function assertAgrees(input: string | Uint8Array, behind: readonly string[] = followers): void {
  const object = parse(input);
  for (const follower of behind) {
    const root = scan(input, follower);
    if (object === undefined) assert.equal(root, jsonScan.noObject, `before ${JSON.stringify(follower)}`);
    else if (root !== jsonScan.tooLarge) assertSame(root, object);
  }
}

const objects = [
  "{}",
  " \t\r\n{ \t\r\n} \t\r\n",
  '{"a":1}',
  '{"a":"","":"a"}',
  '{"a":{"b":{"c":[]}}}',
  '{"a":[{"a":{}},[[]],{}]}',
  '{"a":1,"a":2,"a":{"b":1}}',
  '{"a":{"b":1},"a":null}',
  '{"\\u0061":1,"a":2}',
  '{"a":2,"\\u0061":1}',
  '{"__proto__":{"x":1},"constructor":"own"}',
  '{"a":"0123456789abcde"}',
  '{"a":"0123456789abcdef"}',
  '{"a":"0123456789abcdef0123456789abcdef\\n"}',
  '{"0123456789abcdef0123456789abcdef":1}',
  '{"a":"\\ud800","b":"\\ud83d\\ude00","topic":"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\"}',
  '{"a":-0,"b":1e999,"meta":0.10,"topic":9007199254740993,"topics":123456789012345}',
  '{"a":1E+2,"b":1e-2,"meta":-1.5e3,"topic":1234567890123456}',
  '{"a":true,"b":false,"meta":null}',
  '{"a":"\u2028\u2029\u007f"}',
  '{"a":"\u{1f600}é"}',
];

for (const text of objects) {
  test(`scanJson() finds what JSON.parse() finds in ${JSON.stringify(text)}`, () => {
    assert.notEqual(parse(text), undefined);
    assert(scan(text) > jsonScan.tooLarge);
    assertAgrees(text);
  });
}

const refused = [
  "",
  " ",
  "[]",
  '"a"',
  "1",
  "null",
  "{",
  "}",
  "{}}",
  "{} x",
  "{}{}",
  "{]",
  '{"a"}',
  '{"a":}',
  '{"a":1',
  '{"a":1,}',
  '{,"a":1}',
  '{"a":1 "b":2}',
  '{"a" 1}',
  "{a:1}",
  "{'a':1}",
  '{"a":[1,]}',
  '{"a":[1 2]}',
  '{"a":[}',
  '{"a":[1}',
  '{"a":{]}',
  '{"a":01}',
  '{"a":-}',
  '{"a":+1}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a":1e+}',
  '{"a":0x1}',
  '{"a":NaN}',
  '{"a":tru}',
  '{"a":nul}',
  '{"a":fals}',
  '{"a":truee}',
  '{"a":True}',
  '{"a":"\t"}',
  '{"a":"\n"}',
  '{"a":"\0"}',
  '{"a\u0001":1}',
  '{"a":"\\x"}',
  '{"a":"\\u12g4"}',
  '{"a":"\\u12"}',
  '{"a":"\\',
  '{"a":"\\"}',
  '{"a":"b',
  '{"a":1}\0',
  "\0{}",
  "\ufeff{}",
  "{}\ufeff",
  "{\u00a0}",
  "{\v}",
  "{\f}",
  '{"a":1}//',
  '{"a":é}',
];

for (const text of refused) {
  test(`scanJson() takes ${JSON.stringify(text)} for no object, as JSON.parse() does`, () => {
    assert.equal(parse(text), undefined);
    assertAgrees(text);
  });
}

const damaged: { name: string; bytes: number[] }[] = [
  { name: "a byte that begins nothing", bytes: [0xff] },
  { name: "a sequence cut by the quote", bytes: [0xc3] },
  { name: "a sequence of four cut by the quote", bytes: [0xf0, 0x9f, 0x98] },
  { name: "an encoded surrogate", bytes: [0xed, 0xa0, 0x80] },
  { name: "an overlong quote", bytes: [0xc0, 0xa2] },
  { name: "an overlong NUL", bytes: [0xc0, 0x80] },
];

for (const { name, bytes } of damaged) {
  test(`scanJson() reads ${name} as the decoded text has it`, () => {
    const inside = Buffer.concat([Buffer.from('{"a":"'), Uint8Array.from(bytes), Buffer.from('","b":1}')]);
    assertAgrees(inside);
    assert(scan(inside) > jsonScan.tooLarge);
    assert.equal(members.text(members.member(members.root = scan(inside), jsonKeyOf("a"))), parse(inside)!.a);
    const asKey = Buffer.concat([Buffer.from('{"'), Uint8Array.from(bytes), Buffer.from('":1}')]);
    assertAgrees(asKey);
    assert.notEqual(members.member(scan(asKey), jsonKeyOf(Buffer.from(bytes).toString("utf8"))), 0);
    assertAgrees(Buffer.concat([Buffer.from("{"), Uint8Array.from(bytes), Buffer.from("}")]));
  });
}

test("scanJson() agrees with JSON.parse() on any object", () => {
  fc.assert(fc.property(objectText, follower, (text, behind) => assertAgrees(text, [behind])), {
    numRuns: 500,
  });
});

test("scanJson() agrees with JSON.parse() on other values", () => {
  fc.assert(fc.property(valueText, follower, (text, behind) => assertAgrees(text, [behind])), {
    numRuns: 300,
  });
});

test("scanJson() agrees with JSON.parse() on damaged objects", () => {
  fc.assert(
    fc.property(mutatedBytes, follower, (bytes, behind) => assertAgrees(bytes, [behind])),
    { numRuns: 2000 },
  );
});

test("scanJson() agrees with JSON.parse() on objects cut anywhere", () => {
  fc.assert(
    fc.property(objectText, fc.nat(), follower, (text, cut, behind) => {
      const bytes = Buffer.from(text);
      assertAgrees(bytes.subarray(0, cut % (bytes.length + 1)), [behind]);
    }),
    { numRuns: 500 },
  );
});

const nested = (depth: number, inner: string) => '{"a":'.repeat(depth) + inner + "}".repeat(depth);
const listed = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;

test("scanJson() indexes 256 open containers below the root, and says of one more that it is too much", () => {
  assertAgrees(nested(257, "1"));
  assert(scan(nested(257, "1")) > jsonScan.tooLarge);
  assert.equal(scan(nested(258, "1")), jsonScan.tooLarge);
  assert(scan(listed(256)) > jsonScan.tooLarge);
  assert.equal(scan(listed(257)), jsonScan.tooLarge);
  assert.equal(scan("{" + '"a":['.repeat(20_000)), jsonScan.noObject);
  assert.equal(scan('{"a":' + "[".repeat(100_000)), jsonScan.tooLarge);
});

test("scanJson() indexes 767 members, and says of one more that it is too much", () => {
  const wide = (count: number) =>
    `{${Array.from({ length: count }, (_, index) => `"k${index}":${index}`).join(",")}}`;
  const root = scan(wide(767));
  assert(root > jsonScan.tooLarge);
  assert.equal(members.text(members.member(root, jsonKeyOf("k766"))), "766");
  assert.equal(kernel.words[root / 4 + jsonNodeWord.next], root + 768 * jsonNodeBytes);
  assert.equal(scan(wide(768)), jsonScan.tooLarge);
  // Members inside lists take no place.
  assertAgrees(`{"a":[${wide(5000)}]}`);
  assert(scan(`{"a":[${wide(5000)}]}`) > jsonScan.tooLarge);
});

test("text() of a short value is the same string when it comes again, and no other where texts collide", () => {
  const values = Array.from({ length: 2000 }, (_, index) => `t${index % 7}-${index}-x`);
  for (const value of [...values, ...values]) {
    assert.equal(members.text(members.member(scan(`{"a":"${value}"}`), jsonKeyOf("a"))), value);
  }
});
