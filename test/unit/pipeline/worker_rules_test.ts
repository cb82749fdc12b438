import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../../src/config/config.ts";
import { InvariantError } from "../../../src/core/invariant.ts";
import { controlWord, controlWords, type StartMessage } from "../../../src/pipeline/protocol.ts";
import { WorkerRules } from "../../../src/pipeline/worker_rules.ts";
import { loadText } from "../config/memory_files.ts";

/** A configuration with one rule of this name. */
function configOf(name: string): Config {
  const rules = `rules: [{ name: ${name}, field: msg, contains: x, actions: [{ type: drop }] }]`;
  const loaded = loadText(`listen: [{ syslog: "tcp://127.0.0.1:0" }]\nsink: blackhole\n${rules}`);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

describe("WorkerRules", () => {
  function rig() {
    const config = configOf("first");
    const words = new Int32Array(new SharedArrayBuffer(4 * controlWords));
    const start = {
      config,
      worker: 0,
      version: 1,
      programVersion: "1",
      control: words.buffer,
    } as StartMessage;
    const told: (readonly [event: string, level: unknown, fields: Readonly<Record<string, unknown>>])[] = [];
    const rules = new WorkerRules(start, (event, fields, level) => told.push([event, level, fields]));
    return { config, rules, told, inForce: (version: number) => words[controlWord.rulesVersion] = version };
  }

  it("adopt() gives what was prepared when its version is in force, and once", () => {
    const { rules, inForce } = rig();
    inForce(1);
    assert.deepEqual(rules.prepare(2, configOf("second").rules), []);
    assert.equal(rules.adopt(1), undefined);
    inForce(2);
    const adopted = rules.adopt(1);
    assert.deepEqual([adopted?.version, adopted?.program.names], [2, ["second"]]);
    assert.equal(rules.adopt(2), undefined);
  });

  it("tells what was compiled, with the patterns that need the slow engine, and what came in force", () => {
    const { rules, told, inForce } = rig();
    inForce(1);
    const written = [
      "{ name: plain, field: msg, regex: '^abc', actions: [{ type: drop }] }",
      "{ name: slow, field: msg, regex: '(.*a){9}b', actions: [{ type: drop }] }",
      "{ name: inside, not: { field: msg, regex: '^abd' }, actions: [{ type: drop }] }",
    ];
    const loaded = loadText(
      `listen: [{ syslog: "tcp://127.0.0.1:0" }]\nsink: blackhole\nrules: [${written.join(", ")}]`,
    );
    assert.ok(loaded.ok, JSON.stringify(loaded));
    rules.prepare(2, loaded.config.rules);
    inForce(2);
    rules.adopt(1);
    const [[event, level, fields], last] = told;
    assert.deepEqual([event, level, fields.version, fields.rules], ["rules_compiled", "debug", 2, 3]);
    const patterns = fields.patterns as Record<string, number>;
    assert.equal(Object.values(patterns).reduce((sum, count) => sum + count, 0), 3, JSON.stringify(patterns));
    assert.deepEqual([patterns.linear, fields.slow_patterns_in], [1, ["slow"]]);
    assert.deepEqual(last, ["rules_adopted", "debug", { version: 2 }]);
    assert.equal(told.length, 2);
  });

  it("adopt() refuses a version that was not prepared, or discarded", () => {
    const { rules, config, inForce } = rig();
    assert.deepEqual(rules.prepare(2, config.rules), []);
    rules.discard(2);
    inForce(2);
    assert.throws(() => rules.adopt(1), InvariantError);
  });
});
