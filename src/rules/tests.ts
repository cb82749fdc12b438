/**
 * The tests that stand beside the rules in their file: frames in, records out.
 *
 * | `expect` | passes when |
 * |---|---|
 * | a list of `{ topic, value \| text, json, key, headers, partition }` | exactly these records are sent, in order; what is not named is not compared |
 * | `[]` | the line is dropped: nothing is sent, not to the default topic either |
 * | `{ topic, … }`, `{ records: […] }` | one record, or several, with `matched` beside them |
 * | `{ dropped: true \| reason }` | the line is dropped, for that reason or any |
 * | `{ dead_letter: true \| reason }` | the line goes to the dead letter, for that reason or any |
 * | `matched: […]` in a mapping | exactly these rules match, in order |
 *
 * `json` is what the value must have in it: objects member by member, lists and scalars as a whole. `key: null` asks
 * for no key. Inputs of a test run in order through rules that remember (throttle), and time stands still unless
 * `now` moves it; every test begins with rules that remember nothing.
 *
 * @module
 */

import type { RuleSource } from "../config/config.ts";
import { invariant } from "../core/invariant.ts";
import { compareToExpectation, type Difference } from "./expectation.ts";
import { explainLine } from "./explain.ts";
import type { Line, Program } from "./program.ts";
import { checkTest, type Expectation } from "./test_schema.ts";

/** When and from where a test's lines come, unless it says otherwise: 2026-01-02T03:04:05Z. */
export const testNowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
/** See `testNowMs`. */
export const testPeer = "127.0.0.1:514";

/** What one input gave that was not expected. */
export interface FailedInput {
  /** Place in the test's list, from 1. */
  readonly number: number;
  /** How often it had come, where it is repeated. */
  readonly times: number;
  readonly input: string;
  /** Names of the rules that matched. */
  readonly matched: readonly string[];
  readonly differences: readonly Difference[];
}

/** How one test ended. `message` says in one line what was wanted and what came. */
export type RuleTestResult = { readonly ok: true; readonly source: RuleSource; readonly name: string } | {
  readonly ok: false;
  readonly source: RuleSource;
  readonly name: string;
  readonly message: string;
  readonly failed: readonly FailedInput[];
};

/** Makes the line of a frame; it is used up before the next. */
export type LineFrom = (input: string, nowMs: number, peer: string) => Line;

/**
 * Runs tests that `compileRules` has taken. `programFor` is asked once per test: it gives a program whose rules
 * remember nothing of the tests before.
 */
export function runRuleTests(
  programFor: () => Program,
  tests: readonly RuleSource[],
  lineFrom: LineFrom,
): RuleTestResult[] {
  return tests.map((source, index): RuleTestResult => {
    const { name = `test-${index + 1}` } = source.value as { readonly name?: string };
    const inputs = inputsOf(source);
    const failed = failedInputs(programFor(), inputs, lineFrom);
    if (failed.length === 0) return { ok: true, source, name };
    return {
      ok: false,
      source,
      name,
      message: messageOf(failed, inputs.length > 1),
      failed,
    };
  });
}

/** One line that a test sends through the rules. */
export interface TestInput {
  /** Place in the test's list, from 1. */
  readonly number: number;
  readonly input: string;
  readonly nowMs: number;
  readonly peer: string;
  readonly expect: Expectation;
}

/** The lines of a test that was checked, in order, with their time, sender and expectation. */
export function inputsOf(source: RuleSource): TestInput[] {
  const checked = checkTest(source.value);
  invariant(checked.ok, "tests are checked before they are run");
  const test = checked.value;
  let nowMs = test.now === undefined ? testNowMs : Date.parse(test.now);
  return (test.inputs ?? [test.input!]).flatMap((item, at): TestInput[] => {
    const own = typeof item === "string" ? { input: item, repeat: 1 } : item;
    if (own.now !== undefined) nowMs = Date.parse(own.now);
    const input: TestInput = {
      number: at + 1,
      input: own.input,
      nowMs,
      peer: own.peer ?? test.peer ?? testPeer,
      expect: (own.expect ?? test.expect)!,
    };
    return Array.from({ length: own.repeat }, () => input);
  });
}

/** Inputs that gave what was not expected; of one that is repeated, the first time. */
function failedInputs(program: Program, inputs: readonly TestInput[], lineFrom: LineFrom): FailedInput[] {
  let failed = 0;
  let times = 0;
  return inputs.flatMap(({ number, input, nowMs, peer, expect }, at) => {
    times = inputs[at - 1]?.number === number ? times + 1 : 1;
    const explanation = explainLine(program, lineFrom(input, nowMs, peer));
    const differences = compareToExpectation(expect, explanation);
    if (differences.length === 0 || failed === number) return [];
    failed = number;
    const matched = explanation.matched.map(({ name }) => name);
    return [{ number, times, input, matched, differences }];
  });
}

function messageOf(failed: readonly FailedInput[], isList: boolean): string {
  return failed.flatMap(({ number, times, matched, differences }) => {
    const who = matched.length === 0 ? "no rule matched" : `matched ${matched.join(", ")}`;
    return differences.map(({ what, message }) =>
      `${isList ? `input ${number}${times > 1 ? `, time ${times}` : ""}: ` : ""}${what}: ${message} (${who})`
    );
  }).join("; ");
}
