/**
 * The rule files that ship: each passes its own tests through the kernel, and its tests would notice if any one of
 * its rules were missing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { RuleSet } from "../../../src/config/config.ts";
import { parseRuleFile } from "../../../src/config/rule_files.ts";
import { formatFault } from "../../../src/core/errors.ts";
import { checkRuleSet } from "../../../src/pipeline/try_rules.ts";

const folder = new URL("../../../rules/", import.meta.url);
/** No file forwards to it, so that a rule that is missing shows. */
const defaultTopic = "not-forwarded";
const names = readdirSync(folder).filter((name) => name.endsWith(".yml")).sort();

function shipped(name: string): RuleSet {
  const parsed = parseRuleFile(readFileSync(new URL(name, folder), "utf8"), name);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.faults.map(formatFault).join("\n"));
  assert.deepEqual(parsed.warnings, []);
  return { dialect: "corndog", rules: parsed.rules, tests: parsed.tests, files: [] };
}

test("rules/ has the files that the documentation names", () => {
  assert.deepEqual(names, [
    "apache-access.yml",
    "cisco-asa.yml",
    "fastly-json.yml",
    "forward-all.yml",
    "hotdog-example.yml",
    "kubernetes.yml",
    "nginx-access.yml",
    "pii-redaction.yml",
    "sshd-sudo.yml",
    "throttle.yml",
  ]);
});

for (const name of names) {
  test(`rules/${name} passes its tests when they run as corndog runs them`, () => {
    const ruleSet = shipped(name);
    assert.ok(ruleSet.tests.length >= 2, `only ${ruleSet.tests.length} tests`);
    assert.deepEqual(checkRuleSet(ruleSet, "1.2.3", defaultTopic).map(formatFault), []);
  });

  test(`rules/${name} fails a test when any one of its rules is missing`, () => {
    const ruleSet = shipped(name);
    const unnoticed = ruleSet.rules.filter((missing) => {
      const rules = ruleSet.rules.filter((rule) => rule !== missing);
      return checkRuleSet({ ...ruleSet, rules }, "1.2.3", defaultTopic).length === 0;
    });
    assert.deepEqual(unnoticed.map((rule) => (rule.value as { name: string }).name), []);
  });
}
