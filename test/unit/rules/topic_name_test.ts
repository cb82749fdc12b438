import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compileTopicAllow,
  topicCharsMax,
  topicNameFault,
  topicPatternFault,
} from "../../../src/rules/topic_name.ts";

const names: [string, string | undefined][] = [
  ["logs", undefined],
  ["a.b_C-9", undefined],
  ["...", undefined],
  ["a".repeat(topicCharsMax), undefined],
  ["a".repeat(topicCharsMax + 1), "at most 249"],
  ["", "empty"],
  [".", "reserved"],
  ["..", "reserved"],
  ["a b", "illegal character at 2"],
  ["logs/x", "illegal character at 5"],
  ["é", "illegal character at 1"],
  ["a\n", "illegal character at 2"],
  ["{{value}}", "illegal character at 1"],
];

for (const [name, want] of names) {
  test(`topicNameFault() ${want === undefined ? "takes" : "refuses"} ${JSON.stringify(name.slice(0, 20))}`, () => {
    const fault = topicNameFault(name);
    if (want === undefined) assert.equal(fault, undefined);
    else assert(fault?.includes(want) === true, String(fault));
  });
}

const globs: [string[], string, boolean][] = [
  [["*"], "anything", true],
  [[], "logs", false],
  [["logs"], "logs", true],
  [["logs"], "logs2", false],
  [["logs-*"], "logs-web", true],
  [["logs-*"], "logs-", true],
  [["logs-*"], "xlogs-a", false],
  [["*-logs"], "web-logs", true],
  [["a*b*c"], "abc", true],
  [["a*b*c"], "a-b-b-c", true],
  [["a*b*c"], "acb", false],
  [["ab*ba"], "aba", false],
  [["a**b"], "ab", true],
  [["audit", "logs.*"], "logs.x", true],
  [["logs.*"], "logsx", false],
];

for (const [patterns, topic, want] of globs) {
  test(`compileTopicAllow() of ${patterns.join(", ")} ${want ? "allows" : "does not allow"} ${topic}`, () => {
    assert.equal(compileTopicAllow(patterns)(topic), want);
  });
}

test("topicPatternFault() refuses what no topic can match", () => {
  assert.equal(topicPatternFault("logs-*"), undefined);
  assert(topicPatternFault("")?.includes("empty"));
  assert(topicPatternFault("a b*")?.includes("at 2"));
  assert(topicPatternFault("a".repeat(topicCharsMax + 1))?.includes("longer"));
});
