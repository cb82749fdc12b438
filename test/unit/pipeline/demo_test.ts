import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRuleFile } from "../../../src/config/rule_files.ts";
import { demoRules } from "../../../src/demo/rules.ts";
import { Traffic } from "../../../src/demo/traffic.ts";
import { checkRuleSet, LineReader } from "../../../src/pipeline/try_rules.ts";

describe("the demo", () => {
  it("has rules that are valid and pass their own tests", () => {
    const parsed = parseRuleFile(demoRules, "demo");
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const ruleSet = { dialect: "corndog" as const, rules: parsed.rules, tests: parsed.tests, files: [] };
    assert.deepEqual(checkRuleSet(ruleSet, "0.0.0", "logs"), []);
  });

  it("Traffic.next() gives the same lines for the same seed, nearly all with a header", () => {
    const now = Date.parse("2026-11-20T23:59:58Z");
    const [one, two, reader] = [new Traffic(7, "web-1"), new Traffic(7, "web-1"), new LineReader()];
    let parsed = 0;
    for (let n = 0; n < 2_000; n++) {
      const frame = one.next(now + n);
      assert.equal(frame, two.next(now + n));
      assert.ok(!frame.includes("\n"));
      if (reader.read(frame).text("hostname") !== undefined) parsed++;
    }
    assert.ok(parsed > 1_940 && parsed < 2_000, `${parsed} of 2000 lines have a host`);
  });
});
