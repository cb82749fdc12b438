import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ForwarderError } from "../../../src/core/errors.ts";
import { logComponents } from "../../../src/core/log_names.ts";
import { createLogger, type LoggerOptions } from "../../../src/observe/log.ts";
import { componentOf } from "../../../src/observe/log_components.ts";
import { LogLevels } from "../../../src/observe/log_levels.ts";
import { debugLinesPerPeriodMax, linesPerPeriodMax, periodMs } from "../../../src/observe/log_quota.ts";

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
    component: "kafka",
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

test("Logger writes maps, lists and faults for people when the format is human", () => {
  const { lines, log } = recorder({ format: "human" });
  log.warn("worker_held", { worker: 1, evidence: { cpu_ms: 0, queued_ms: 187.4 }, none: {} });
  log.warn("not_ready", { problems: ["Cannot reach it", "nor that"], empty: [] });
  log.error("rules_refused", {
    faults: [{ file: "c.yml", line: 6, column: 15, path: "log.level", message: '"loud" is none' }],
  });
  assert.deepEqual(lines.map((line) => line.slice(13)), [
    "warn  worker_held worker=1 evidence.cpu_ms=0 evidence.queued_ms=187.4\n",
    'warn  not_ready problems="Cannot reach it; nor that" empty=""\n',
    'error rules_refused faults="c.yml:6:15: log.level: \\"loud\\" is none"\n',
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

test("Logger goes by the level of each component, and by another one when it changes", () => {
  const levels = new LogLevels({ level: "warn", levels: { kafka: "debug", admin: "error" } });
  const { lines, log } = recorder({ level: levels });
  const tell = () => {
    lines.length = 0;
    log.debug("kafka_metadata");
    log.info("started");
    log.warn("admin_refused");
    log.error("admin_failed");
    log.warn("spool_full");
    log.debug("connection_opened");
    return lines.map((line) => JSON.parse(line)).map(({ component, event }) => `${component} ${event}`);
  };
  assert.deepEqual(tell(), ["kafka kafka_metadata", "admin admin_failed", "spool spool_full"]);
  levels.set({ level: "info", levels: { listeners: "debug", spool: "error" } });
  assert.deepEqual(tell(), [
    "process started",
    "admin admin_refused",
    "admin admin_failed",
    "listeners connection_opened",
  ]);
});

test("Logger leaves the others their lines when one component floods, and counts for each what it left out", () => {
  const { lines, log } = recorder({
    level: new LogLevels({ level: "info", levels: { listeners: "debug" } }),
  });
  for (let turn = 0; turn < debugLinesPerPeriodMax + 7; turn++) log.debug("connection_opened");
  for (let turn = 0; turn < linesPerPeriodMax + 3; turn++) log.warn("kafka_unreachable");
  // What the level keeps out was not left out.
  for (let turn = 0; turn < linesPerPeriodMax + 3; turn++) log.debug("kafka_metadata");
  log.info("rules_swapped");
  assert.equal(lines.length, debugLinesPerPeriodMax + linesPerPeriodMax + 1);
  assert.equal(JSON.parse(lines.at(-1)!).component, "rules");
  lines.length = 0;
  log.flush();
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ component, of, left_out }) => [component, of, left_out]),
    [["listeners", "connection_opened", 7], ["kafka", "kafka_unreachable", 3]],
  );
});

test("Logger counts what was left out before it, in the line or when it leaves that out too", () => {
  const { lines, log } = recorder();
  log.warn("noisy", { left_out: 4 });
  assert.equal(JSON.parse(lines[0]).left_out, 4);
  for (let turn = 1; turn < linesPerPeriodMax; turn++) log.warn("noisy");
  log.warn("noisy", { left_out: 5 });
  log.skipped("noisy", 4);
  log.skipped("unknown", 4);
  log.flush();
  assert.equal(JSON.parse(lines.at(-1)!).left_out, 10);
});

test("componentOf() has a component for every event that OPERATIONS.md names, and no component has none", () => {
  const page = readFileSync(new URL("../../../docs/OPERATIONS.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("| event "), page.indexOf("## Kafka errors"));
  const events = [...table.matchAll(/^\| `([a-z_]+)`/gm)].map((match) => match[1]!);
  assert.ok(events.length > 60, `found only ${events}`);
  const components = new Set(events.map(componentOf));
  assert.deepEqual(logComponents.filter((name) => !components.has(name)), []);
  const byComponent = new Map(
    logComponents.map((name) => [name, events.filter((one) => componentOf(one) === name)]),
  );
  // What is of the process is so on purpose.
  assert.deepEqual(byComponent.get("process")!.filter((event) => !ofTheProcess.has(event)), []);
});

/** Events without a component of their own. */
const ofTheProcess = new Set([
  ...["started", "config_warning", "signal", "draining", "drained", "drain_incomplete", "drain_failed"],
  ...["restart_needed", "reload_needed", "upgrading", "upgraded", "upgrade_failed", "notify_unavailable"],
  ...["spooling", "not_ready", "ready", "system_limits", "system_limit_low", "worker_failed", "crashed"],
  ...["log_levels_changed", "log_left_out", "faults_on_purpose"],
]);

test("Logger says on one page what has started when the format is human", () => {
  const { lines, log } = recorder({ format: "human" });
  log.info("started", {
    version: "1.2.0",
    runtime: "bun 1.4.5",
    pid: 4711,
    config: "/etc/corndog/corndog.yml",
    rules: 12,
    rules_version: 1,
    rules_hash: "3f2a91c04d17",
    rule_files: ["/etc/corndog/a.yml", "/etc/corndog/b.yml"],
    listeners: ["syslog tcp://0.0.0.0:1514", "http http://0.0.0.0:8080"],
    workers: 4,
    memory: "256MiB",
    io: "uring",
    io_reason: "auto: it takes less CPU",
    sink: "kafka",
    brokers: "kafka-1:9092",
    topic: "logs",
    spool: "/var/lib/corndog (fsync)",
    spool_bytes_max: "10GiB",
    dead_letter: ["/var/lib/evil\n\x1b[2Jname"],
    log: "info, kafka debug",
  });
  assert.deepEqual(lines.join("").split("\n"), [
    "03:04:05.678 info  started",
    "  corndog    1.2.0 on bun 1.4.5, process 4711",
    "  config     /etc/corndog/corndog.yml",
    "  rules      12 in force, version 1, 3f2a91c04d17",
    "             /etc/corndog/a.yml, /etc/corndog/b.yml",
    "  listen     syslog tcp://0.0.0.0:1514, http http://0.0.0.0:8080",
    "  workers    4, memory 256MiB",
    "  io         uring (auto: it takes less CPU)",
    "  sink       kafka, kafka-1:9092, topic logs",
    "  spool      /var/lib/corndog (fsync), at most 10GiB",
    "  letters    /var/lib/evil  [2Jname",
    "  log        info, kafka debug",
    "",
  ]);
});
