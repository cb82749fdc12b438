import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { count } from "../../../tools/count_tests.ts";

const bun = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" assertions="0" failures="2" skipped="1" time="0.04">
  <testsuite name="t/a_test.ts" file="t/a_test.ts" tests="5" failures="2" skipped="1" time="0.03" hostname="vm">
    <testcase name="passes" classname="" time="0.1" file="t/a_test.ts" line="3" assertions="0" />
    <testcase name="fails &lt;badly&gt;" classname="" time="0.1" file="t/a_test.ts" line="4" assertions="0">
      <failure type="Error" message="x">Error: &lt;testcase name=&quot;no&quot; /&gt;</failure>
    </testcase>
    <testsuite name="group" file="t/a_test.ts" line="8" tests="3" failures="1" skipped="1" time="0" hostname="vm">
      <testcase name="inner" classname="group" time="0.1" file="t/a_test.ts" line="8" assertions="0" />
      <testcase name="inner fails" classname="group" time="0.1" file="t/a_test.ts" line="8" assertions="0">
        <failure type="Error" message="x">Error: x</failure>
      </testcase>
      <testcase name="inner skip" classname="group" time="0" file="t/a_test.ts" line="8" assertions="0">
        <skipped />
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>`;

const deno = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="8" failures="4" errors="0" time="0.103">
    <testsuite name="./t/a_test.ts" tests="5" disabled="1" errors="0" failures="3">
        <testcase name="passes" classname="./t/a_test.ts" time="0.001" line="3" col="1">
        </testcase>
        <testcase name="fails &lt;badly&gt;" classname="./t/a_test.ts" time="0.001" line="4" col="1">
            <failure message="Uncaught Error: x

y">Error: x</failure>
        </testcase>
        <testcase name="group" classname="./t/a_test.ts" time="0.002" line="8" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts" tests="3" disabled="1" errors="0" failures="1">
        <testcase name="group &gt; inner" classname="ext:deno_node/testing.ts" time="0.001" line="1" col="23191">
        </testcase>
        <testcase name="group &gt; inner fails" classname="ext:deno_node/testing.ts" time="0.000" line="1" col="21231">
            <failure message="Uncaught Error: x">Error: x</failure>
        </testcase>
        <testcase name="group &gt; inner skip" classname="ext:deno_node/testing.ts" time="0.000" line="1" col="21231">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

const plain = {
  suite: "unit",
  exit: 1,
  files: ["t/a_test.ts"],
  strict: false,
  declared: [],
  skipsAsWhole: () => false,
};

describe("count()", () => {
  for (const [runner, report] of [["bun", bun], ["deno", deno]] as const) {
    it(`counts each test once when the report is that of ${runner}`, () => {
      const { passed, failed, skipped } = count({ ...plain, report });
      assert.deepEqual({ passed, failed, skipped }, { passed: 2, failed: 2, skipped: 1 });
    });

    it(`counts an undeclared skip as failed when it is strict and the report is that of ${runner}`, () => {
      assert.equal(count({ ...plain, report, strict: true }).failed, 3);
      assert.equal(
        count({ ...plain, report, strict: true, declared: ["other: group > inner skip"] }).failed,
        3,
      );
      assert.equal(count({ ...plain, report, strict: true, declared: ["unit: group > inner"] }).failed, 2);
      assert.equal(count({ ...plain, report, strict: true, declared: ["*: group"] }).failed, 2);
    });

    it(`counts a file as failed when it is not in the report of ${runner}`, () => {
      const { failed, notes } = count({ ...plain, report, files: ["t/a_test.ts", "t/b_test.ts"] });
      assert.equal(failed, 3);
      assert.ok(notes.includes("failed: no test of t/b_test.ts ran"));
    });
  }

  it("counts a file as skipped when all of it skips itself, and as failed when it is strict", () => {
    const all = { ...plain, report: bun, files: ["t/a_test.ts", "t/b_test.ts"], skipsAsWhole: () => true };
    assert.deepEqual(count(all).skipped, 2);
    assert.deepEqual(count(all).failed, 2);
    assert.deepEqual(count({ ...all, strict: true, declared: ["*: group"] }).failed, 3);
  });

  it("counts one failure when there is no report", () => {
    const { passed, failed } = count({ ...plain, report: undefined, exit: 0 });
    assert.deepEqual({ passed, failed }, { passed: 0, failed: 1 });
  });

  it("counts one failure when the runner failed and no test did", () => {
    const report =
      `<testsuites><testsuite name="./t/a_test.ts"><testcase name="x" classname="./t/a_test.ts"></testcase></testsuite></testsuites>`;
    assert.equal(count({ ...plain, report, exit: 0 }).failed, 0);
    assert.equal(count({ ...plain, report, exit: 139 }).failed, 1);
  });

  it("counts a failed parent when none of its steps failed", () => {
    const report = `<testsuites><testsuite name="./t/a_test.ts">
      <testcase name="parent" classname="./t/a_test.ts"><failure message="x">x</failure></testcase>
      <testcase name="parent &gt; step" classname="./t/a_test.ts"></testcase></testsuite></testsuites>`;
    const { passed, failed } = count({ ...plain, report });
    assert.deepEqual({ passed, failed }, { passed: 1, failed: 1 });
  });
});
