import assert from "node:assert/strict";
import { test } from "node:test";
import { type Comparison, compileComparison, type Scale } from "../../../src/rules/severity_match.ts";

const table: { scale: Scale; written: Comparison; want: number[] }[] = [
  { scale: "severity", written: "<= warning", want: [0, 1, 2, 3, 4] },
  { scale: "severity", written: "<=warning", want: [0, 1, 2, 3, 4] },
  { scale: "severity", written: "< 1", want: [0] },
  { scale: "severity", written: "> notice", want: [6, 7] },
  { scale: "severity", written: ">= info", want: [6, 7] },
  { scale: "severity", written: "== err", want: [3] },
  { scale: "severity", written: "Error", want: [3] },
  { scale: "severity", written: 4, want: [4] },
  { scale: "severity", written: "4", want: [4] },
  { scale: "severity", written: "!= debug", want: [0, 1, 2, 3, 4, 5, 6] },
  { scale: "severity", written: ["crit", "warn", 0], want: [0, 2, 4] },
  { scale: "facility", written: "auth", want: [4] },
  { scale: "facility", written: ["auth", "authpriv"], want: [4, 10] },
  { scale: "facility", written: ">= local0", want: [16, 17, 18, 19, 20, 21, 22, 23] },
];

for (const { scale, written, want } of table) {
  test(`compileComparison() takes ${want} when ${scale} is ${JSON.stringify(written)}`, () => {
    const compiled = compileComparison(scale, written);
    assert(compiled.ok);
    const matching = Array.from({ length: 30 }, (_, at) => at).filter((at) => compiled.matching[at] === true);
    assert.deepEqual(matching, want);
    assert.notEqual(compiled.matching[-1], true);
  });
}

const faults: { scale: Scale; written: Comparison; want: RegExp; index?: number }[] = [
  { scale: "severity", written: "<= warnin", want: /unknown severity "warnin"; did you mean "warning"\?/ },
  { scale: "severity", written: 8, want: /unknown severity "8".*0 to 7/ },
  { scale: "severity", written: -1, want: /unknown severity "-1"/ },
  { scale: "severity", written: 1.5, want: /unknown severity "1.5"/ },
  { scale: "severity", written: "", want: /must be a comparison/ },
  { scale: "severity", written: "err or crit", want: /must be a comparison/ },
  { scale: "severity", written: "< emerg", want: /can never match/ },
  { scale: "severity", written: "> debug", want: /can never match/ },
  { scale: "severity", written: "=< err", want: /must be a comparison/ },
  { scale: "severity", written: "constructor", want: /unknown severity "constructor"/ },
  { scale: "facility", written: ["auth", "<= cron"], want: /unknown facility "<= cron"/, index: 1 },
  { scale: "facility", written: "24", want: /0 to 23/ },
];

for (const { scale, written, want, index } of faults) {
  test(`compileComparison() refuses ${scale} ${JSON.stringify(written)}`, () => {
    const compiled = compileComparison(scale, written);
    assert(!compiled.ok);
    assert.match(compiled.message, want);
    assert.equal(compiled.index, index);
  });
}
