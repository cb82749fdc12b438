import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ForwarderError } from "../../../src/core/errors.ts";
import {
  createLogger,
  linesPerPeriodMax,
  type LoggerOptions,
  logSettings,
  periodMs,
} from "../../../src/observe/log.ts";

function recorder(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const clock = { nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const log = createLogger({
    format: "json",
    level: "debug",
    colors: false,
    write: (line) => lines.push(line),
    now: () => clock.nowMs,
    ...options,
  });
  return { lines, clock, log };
}

test("Logger prints one JSON object per line when the format is json", () => {
  const { lines, log } = recorder();
  log.warn("kafka_unreachable", { broker: "kafka-1:9092", attempts: 3, event: "forged", big: 5n });
  assert.equal(lines.length, 1);
  assert.ok(lines[0].endsWith("}\n"));
  assert.deepEqual(JSON.parse(lines[0]), {
    at: "2026-01-02T03:04:05.678Z",
    level: "warn",
    event: "kafka_unreachable",
    broker: "kafka-1:9092",
    attempts: 3,
    big: "5",
  });
});

test("Logger prints a readable line when the format is human", () => {
  const { lines, log } = recorder({ format: "human" });
  log.with({ worker: 1 }).info("listening", {
    address: "127.0.0.1:1514",
    note: "two words",
    none: undefined,
  });
  assert.deepEqual(lines, [
    '03:04:05.678 info  listening worker=1 address=127.0.0.1:1514 note="two words"\n',
  ]);
});

test("Logger tells message, code and causes when a field is an error", () => {
  const { lines, log } = recorder();
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  log.error("start_failed", {
    error: new ForwarderError("kafka_unreachable", 'Cannot reach broker "a:1"', { cause }),
  });
  assert.equal(
    JSON.parse(lines[0]).error,
    'Cannot reach broker "a:1" (kafka_unreachable): connect ECONNREFUSED (ECONNREFUSED)',
  );
});

test("Logger never throws and never prints more than one line when fields are hostile", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.anything(),
    fc.constant(cycle),
    fc.constant({
      toJSON() {
        throw new Error("no");
      },
    }),
    fc.constant("\x1b[2J\x9b2J\r\nforged\u2028line"),
  );
  for (const format of ["json", "human"] as const) {
    fc.assert(fc.property(hostile, (value) => {
      const { lines, log } = recorder({ format });
      log.info("hostile", { value });
      assert.equal(lines.length, 1);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(lines[0].slice(0, -1), format === "human" ? /[\x00-\x1f\x7f-\x9f]/ : /[\x00-\x1f]/);
    }));
  }
});

test("Logger cuts a field when it is longer than a line should be", () => {
  const { lines, log } = recorder();
  log.info("long", { text: "x".repeat(1_000_000) });
  assert.ok(lines[0].length < 3000);
  assert.match(lines[0], /1000000 characters/);
});

test("Logger leaves out lower levels when the level is warn", () => {
  const { lines, log } = recorder({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), ["c", "d"]);
});

test("Logger counts what it left out when an event repeats", () => {
  const { lines, clock, log } = recorder();
  for (let turn = 0; turn < linesPerPeriodMax + 5; turn++) log.warn("noisy");
  log.warn("other");
  assert.equal(lines.length, linesPerPeriodMax + 1);
  clock.nowMs += periodMs - 1;
  log.warn("noisy");
  assert.equal(lines.length, linesPerPeriodMax + 1);
  clock.nowMs += 1;
  log.warn("noisy");
  assert.equal(JSON.parse(lines.at(-1)!).left_out, 6);
  log.warn("noisy");
  assert.equal("left_out" in JSON.parse(lines.at(-1)!), false);
});

test("Logger.flush() tells what was left out when no further line comes", () => {
  const { lines, log } = recorder();
  const child = log.with({ worker: 2 });
  for (let turn = 0; turn < linesPerPeriodMax + 3; turn++) child.warn("noisy");
  log.flush();
  const last = JSON.parse(lines.at(-1)!);
  assert.deepEqual([last.event, last.of, last.left_out], ["log_left_out", "noisy", 3]);
  const before = lines.length;
  log.flush();
  assert.equal(lines.length, before);
});

const settings = [
  { name: "a terminal", environment: {}, terminal: true, want: ["human", "info", true, 0] },
  { name: "a pipe", environment: {}, terminal: false, want: ["json", "info", false, 0] },
  {
    name: "both set",
    environment: { CORNDOG_LOG: "human", CORNDOG_LOG_LEVEL: "debug" },
    terminal: false,
    want: ["human", "debug", false, 0],
  },
  { name: "NO_COLOR", environment: { NO_COLOR: "1" }, terminal: true, want: ["human", "info", false, 0] },
  {
    name: "unknown values",
    environment: { CORNDOG_LOG: "xml", CORNDOG_LOG_LEVEL: "loud" },
    terminal: false,
    want: ["json", "info", false, 2],
  },
];
for (const { name, environment, terminal, want } of settings) {
  test(`logSettings() chooses the format when there is: ${name}`, () => {
    const { format, level, colors, problems } = logSettings(environment, terminal);
    assert.deepEqual([format, level, colors, problems.length], want);
  });
}
