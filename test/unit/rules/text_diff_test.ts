import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diffLinesMax, diffText } from "../../../src/rules/text_diff.ts";

function shown(wanted: string, came: string): string[] {
  return diffText(wanted, came).map(({ mark, text }) => `${mark}${text}`);
}

const table: { name: string; wanted: string; came: string; want: string[] }[] = [
  { name: "equal texts", wanted: "a\nb", came: "a\nb", want: [] },
  { name: "another line", wanted: "a", came: "b", want: ["-a", "+b"] },
  { name: "a line too many", wanted: "a\nc", came: "a\nb\nc", want: [" a", "+b", " c"] },
  { name: "a line too few", wanted: "a\nb\nc", came: "a\nc", want: [" a", "-b", " c"] },
  { name: "a line end", wanted: "a\n", came: "a", want: [" a", "-"] },
  { name: "blanks at the end", wanted: "a", came: "a \t", want: ["-a", "+a·→"] },
  { name: "control characters", wanted: "a", came: "a\u0000\r", want: ["-a", "+a\\u0000\\u000d"] },
  {
    name: "equal lines far off",
    wanted: "1\n2\n3\n4\n5\n6\n7\n8\n9",
    came: "1\n2\n3\n4\nx\n6\n7\n8\n9",
    want: [" …", " 3", " 4", "-5", "+x", " 6", " 7", " …"],
  },
];
for (const { name, wanted, came, want } of table) {
  test(`diffText() shows ${name}`, () => assert.deepEqual(shown(wanted, came), want));
}

test("diffText() cuts long lines around the place where they differ", () => {
  const [wanted, came] = shown(
    `${"a".repeat(500)}x${"b".repeat(500)}`,
    `${"a".repeat(500)}y${"b".repeat(500)}`,
  );
  assert.ok(wanted.length < 200 && came.length < 200);
  assert.match(wanted, /^-…a+xb+…$/);
  assert.match(came, /^\+…a+yb+…$/);
});

test("diffText() shows the first difference of texts with too many lines", () => {
  const lines = Array.from({ length: diffLinesMax + 1 }, (_, index) => `${index}`);
  const other = lines.with(300, "x");
  assert.deepEqual(shown(lines.join("\n"), other.join("\n")), [
    " 298",
    " 299",
    "-300",
    "+x",
    ` … (${diffLinesMax + 1} lines against ${diffLinesMax + 1})`,
  ]);
});

test("diffText() is empty only for equal texts, and gives lines of both in order", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 }).map((lines) =>
    lines.join("\n")
  );
  fc.assert(fc.property(text, text, (wanted, came) => {
    const lines = diffText(wanted, came);
    assert.equal(lines.length === 0, wanted === came);
    const side = (mark: string) =>
      lines.filter((line) => line.mark === mark || (line.mark === " " && line.text !== "…")).map(({ text }) =>
        text
      )
        .join("\n");
    if (lines.length > 0 && !lines.some(({ text }) => text === "…")) {
      assert.equal(side("-"), wanted);
      assert.equal(side("+"), came);
    }
  }));
});
