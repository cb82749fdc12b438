import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { compileJmesPath } from "../../../src/rules/jmespath.ts";

interface Group {
  given: unknown;
  cases: { expression: string; result?: unknown; error?: string }[];
}

const folder = new URL("../../vendor/jmespath/", import.meta.url);

/**
 * Where the answer is another one. The interpreter follows the community edition of the language, in which a raw
 * string knows the escape `\\` beside `\'`.
 */
const differs: Readonly<Record<string, unknown>> = { "'\\\\'": "\\" };

/** Cases that compare a result, and cases that must be refused at load; fewer mean that the files were not read. */
const resultsMin = 600;
const refusedMin = 100;

let results = 0;
let refused = 0;
const seen = new Set<string>();

function checkCase(given: unknown, { expression, result, error }: Group["cases"][number]): void {
  const compiled = compileJmesPath(expression);
  const title = `${expression} over ${JSON.stringify(given)}`;
  if (error === "syntax") {
    assert(!compiled.ok, `${title} is no expression`);
    refused++;
    return;
  }
  if (error !== undefined) {
    // What is wrong only with a line's types (or is found at load) is no match, and never an exception.
    if (compiled.ok) assert.equal(compiled.path.search(given), null, title);
    return;
  }
  assert(compiled.ok, title);
  const want = Object.hasOwn(differs, expression) ? differs[expression] : result;
  if (Object.hasOwn(differs, expression)) {
    assert.notDeepEqual(want, result, `${title} differs no longer`);
    seen.add(expression);
  }
  assert.deepEqual(compiled.path.search(given), want, title);
  results++;
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
  test(`compileJmesPath() answers as the compliance suite's ${file} says`, () => {
    const groups = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Group[];
    for (const { given, cases } of groups) {
      for (const one of cases) checkCase(given, one);
    }
  });
}

test("compileJmesPath() was asked the whole compliance suite", () => {
  assert(results >= resultsMin, `${results} results`);
  assert(refused >= refusedMin, `${refused} refused`);
  assert.deepEqual([...seen], Object.keys(differs));
});
