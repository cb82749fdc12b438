import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkWords } from "../../../tools/words.ts";

/** Words in halves, so that this file may be checked too. */
const cases: readonly { name: string; file: string; text: string; want: number }[] = [
  { name: "clean text", file: "src/a.ts", text: "const todo = 1; // todo list of a user", want: 0 },
  { name: "work left open", file: "src/a.ts", text: "// TO" + "DO later\n// FIX" + "ME", want: 2 },
  {
    name: "a test that hides others",
    file: "test/a_test.ts",
    text: "test." + "only('x', () => {})",
    want: 1,
  },
  { name: "a path of one machine", file: "docs/a.md", text: "see `/wor" + "k/main`", want: 1 },
  { name: "a registry host", file: "a.sh", text: "curl https://regis" + "try.npmjs.org/bun", want: 1 },
  {
    name: "a lock file that names a host",
    file: "package-lock.json",
    text: '"resol' + 'ved": "https://x/y.tgz"',
    want: 1,
  },
  { name: "a file of bytes", file: "a.ts", text: "\0 TO" + "DO", want: 0 },
];

describe("checkWords()", () => {
  for (const { name, file, text, want } of cases) {
    it(`finds ${want} in ${name}`, () => assert.equal(checkWords(file, text).length, want));
  }
});
