import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";

describe("TopicGate.refusal()", () => {
  const cases = [
    {
      name: "a topic of the rule file that no pattern allows",
      topic: "audit",
      fromLine: false,
      want: undefined,
    },
    { name: "a line's topic that a pattern allows", topic: "logs-web", fromLine: true, want: undefined },
    {
      name: "a line's topic that no pattern allows",
      topic: "audit",
      fromLine: true,
      want: "topic_not_allowed",
    },
    { name: "no name", topic: "", fromLine: true, want: "topic_not_legal" },
    { name: "a path", topic: "../logs-x", fromLine: true, want: "topic_not_legal" },
    { name: "a name of 249 bytes", topic: `logs-${"x".repeat(244)}`, fromLine: true, want: undefined },
    {
      name: "a name of 250 bytes",
      topic: `logs-${"x".repeat(245)}`,
      fromLine: true,
      want: "topic_not_legal",
    },
    { name: "an illegal name in the rule file", topic: "a b", fromLine: false, want: "topic_not_legal" },
  ];
  for (const { name, topic, fromLine, want } of cases) {
    it(`answers ${want ?? "yes"} for ${name}`, () => {
      const gate = new TopicGate(["logs-*"], 10);
      assert.equal(gate.refusal(topic, fromLine), want);
      assert.equal(gate.refusal(topic, fromLine), want, "and again");
    });
  }

  it("does not let a line choose a topic because a rule file uses it", () => {
    const gate = new TopicGate(["logs-*"], 10);
    assert.equal(gate.refusal("audit", false), undefined);
    assert.equal(gate.refusal("audit", true), "topic_not_allowed");
  });

  it("admits at most topicsMax topics that lines chose", () => {
    const gate = new TopicGate(["*"], 2);
    assert.equal(gate.refusal("one", true), undefined);
    assert.equal(gate.refusal("two", true), undefined);
    assert.equal(gate.refusal("three", true), "topics_max");
    assert.equal(gate.refusal("two", true), undefined);
    assert.equal(gate.refusal("of-the-rules", false), undefined);
  });
});
