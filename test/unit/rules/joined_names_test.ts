import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JoinedNames } from "../../../src/rules/joined_names.ts";

describe("JoinedNames", () => {
  it("of() puts the value between what stands around it", () => {
    const cases = [
      { before: "logs-", after: "", value: "web", want: "logs-web" },
      { before: "", after: "-logs", value: "web", want: "web-logs" },
      { before: "a.", after: ".z", value: "", want: "a..z" },
    ];
    for (const { before, after, value, want } of cases) {
      const names = new JoinedNames(before, after);
      for (let i = 0; i < 3; i++) assert.equal(names.of(value), want);
      assert.equal(names.size, 1);
    }
  });

  it("of() keeps no more than 1,024 names, and stays right beyond them", () => {
    const names = new JoinedNames("t-", "");
    for (let n = 0; n < 5000; n++) {
      assert.equal(names.of(`v${n}`), `t-v${n}`);
      assert.ok(names.size <= 1024);
    }
    assert.equal(names.of("v0"), "t-v0");
  });

  it("of() keeps nothing of a value of more than 249 characters", () => {
    const names = new JoinedNames("t-", "");
    assert.equal(names.of("x".repeat(250)), `t-${"x".repeat(250)}`);
    assert.equal(names.size, 0);
    names.of("x".repeat(249));
    assert.equal(names.size, 1);
  });
});
