import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRegex } from "../../../src/rules/regex_syntax.ts";
import { ShapeMemory, shapeOf } from "../../../src/rules/regex_shape.ts";

const pairs: readonly { readonly a: string; readonly b: string; readonly same: boolean }[] = [
  { a: "order-17: (\\w+)", b: "order-18: (?P<id>\\w+)", same: true },
  { a: "app (?:a|b)+x", b: "app (?:c|d)+y", same: false },
  { a: "q(?:a|b)+x", b: "q(?:c|d)+y", same: true },
  { a: "a1\\d+", b: "a2\\d+", same: true },
  { a: "a1\\d+", b: "ax\\d+", same: false },
  { a: "ab*", b: "ab+", same: false },
  { a: "ab{2}", b: "ab{3}", same: false },
  { a: "a|bc", b: "ab|c", same: false },
  { a: "ab|c", b: "(?:ab)|c", same: true },
  { a: "^ab", b: "ab", same: false },
  { a: "^ab", b: "\\bab", same: false },
  { a: "aa", b: "ab", same: false },
];

for (const { a, b, same } of pairs) {
  test(`shapeOf() ${same ? "is the same for" : "tells apart"} ${a} and ${b}`, () => {
    const [shapeA, shapeB] = [a, b].map((source) => shapeOf(parseRegex(source)!, undefined));
    assert.equal(shapeA === shapeB, same);
  });
}

test("answer() proves a shape once, and one with a guard anew", () => {
  const memory = new ShapeMemory<string>();
  let proofs = 0;
  const prove = () => `proof ${++proofs}`;
  assert.equal(memory.answer(parseRegex("ab+")!, undefined, prove), "proof 1");
  assert.equal(memory.answer(parseRegex("cd+")!, undefined, prove), "proof 1");
  assert.equal(memory.answer(parseRegex("cd+")!, [0x63, 0x63], prove), "proof 2");
});
