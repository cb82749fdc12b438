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
    const start = { config, worker: 0, programVersion: "1", control: words.buffer } as StartMessage;
    const rules = new WorkerRules(start);
    return { config, rules, inForce: (version: number) => words[controlWord.rulesVersion] = version };
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

  it("adopt() refuses a version that was not prepared, or discarded", () => {
    const { rules, config, inForce } = rig();
    assert.deepEqual(rules.prepare(2, config.rules), []);
    rules.discard(2);
    inForce(2);
    assert.throws(() => rules.adopt(1), InvariantError);
  });
});
