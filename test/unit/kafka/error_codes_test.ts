/** The table of errors, and the small parts that have no test of their own elsewhere. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { backoffMs } from "../../../src/kafka/clock.ts";
import {
  type ErrorCourse,
  kafkaError,
  kafkaErrors,
  rejectionReason,
} from "../../../src/kafka/error_codes.ts";
import { Fifo } from "../../../src/kafka/fifo.ts";
import { ProblemLog } from "../../../src/kafka/problem_log.ts";
import { withErrorTable } from "../../../tools/build_kafka_errors.ts";
import { FakeClock } from "./fake_clock.ts";

describe("kafkaError()", () => {
  const cases: { code: number; name: string; course: ErrorCourse; reason?: string }[] = [
    { code: 0, name: "NONE", course: "delivered" },
    { code: 46, name: "DUPLICATE_SEQUENCE_NUMBER", course: "delivered" },
    { code: 3, name: "UNKNOWN_TOPIC_OR_PARTITION", course: "leader" },
    { code: 6, name: "NOT_LEADER_OR_FOLLOWER", course: "leader" },
    { code: 7, name: "REQUEST_TIMED_OUT", course: "retry" },
    { code: 19, name: "NOT_ENOUGH_REPLICAS", course: "retry" },
    { code: 20, name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", course: "retry" },
    { code: 45, name: "OUT_OF_ORDER_SEQUENCE_NUMBER", course: "sequence" },
    { code: 59, name: "UNKNOWN_PRODUCER_ID", course: "sequence" },
    { code: 47, name: "INVALID_PRODUCER_EPOCH", course: "producer" },
    { code: 10, name: "MESSAGE_TOO_LARGE", course: "split", reason: "record_too_large" },
    { code: 18, name: "RECORD_LIST_TOO_LARGE", course: "split", reason: "record_too_large" },
    { code: 32, name: "INVALID_TIMESTAMP", course: "records", reason: "invalid_timestamp" },
    { code: 87, name: "INVALID_RECORD", course: "records", reason: "invalid_record" },
    { code: 17, name: "INVALID_TOPIC_EXCEPTION", course: "topic", reason: "invalid_topic" },
    { code: 29, name: "TOPIC_AUTHORIZATION_FAILED", course: "topic", reason: "topic_authorization_failed" },
    { code: 31, name: "CLUSTER_AUTHORIZATION_FAILED", course: "client" },
    { code: 2, name: "CORRUPT_MESSAGE", course: "doubtful", reason: "corrupt_message" },
    { code: 12345, name: "ERROR_12345", course: "doubtful", reason: "error_12345" },
  ];
  for (const { code, name, course, reason } of cases) {
    it(`is ${name}, ${course}, when the broker says ${code}`, () => {
      assert.deepEqual(kafkaError(code), { code, name, course });
      if (reason !== undefined) assert.equal(rejectionReason(kafkaError(code)), reason);
    });
  }

  it("has each code and each name once", () => {
    assert.equal(new Set(kafkaErrors.map(({ code }) => code)).size, kafkaErrors.length);
    assert.equal(new Set(kafkaErrors.map(({ name }) => name)).size, kafkaErrors.length);
  });
});

describe("docs/KAFKA.md", () => {
  const text = readFileSync(new URL("../../../docs/KAFKA.md", import.meta.url), "utf8");

  it("has the table of errors as the producer has it", () => assert.equal(withErrorTable(text), text));

  it("says of every course what it means", () => {
    for (const { course } of kafkaErrors) assert.ok(text.includes(`| \`${course}\` `), course);
  });
});

describe("Fifo", () => {
  it("gives items in the order in which they came, whatever is pushed and taken between", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -90, max: 100 }), { maxLength: 60 }), (steps) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        let next = 0;
        for (const step of steps) {
          for (let count = 0; count < step; count++, next++) {
            fifo.push(next);
            model.push(next);
          }
          for (let count = 0; count < -step; count++) assert.equal(fifo.take(), model.shift());
          assert.equal(fifo.length, model.length);
        }
      }),
      { seed: 11 },
    );
  });
});

describe("backoffMs()", () => {
  it("begins between 25 and 50 ms, grows, and stays between half a second and a second", () => {
    const clock = new FakeClock();
    for (let round = 0; round < 100; round++) {
      const waits = Array.from({ length: 40 }, (_, failures) => backoffMs(failures, clock));
      assert.ok(waits[0] >= 25 && waits[0] <= 50);
      assert.ok(waits.slice(5).every((wait) => wait >= 500 && wait <= 1000));
    }
  });
});

describe("ProblemLog", () => {
  it("write() writes once in ten seconds per event and subject, then says how many there were", async () => {
    const clock = new FakeClock();
    const lines: string[] = [];
    const log = new ProblemLog((event, fields) => lines.push(`${event} ${JSON.stringify(fields)}`), clock);
    for (let round = 0; round < 4; round++) log.write("lost", 1, { broker: 1 });
    log.write("lost", 2, { broker: 2 });
    await clock.advance(10_000);
    log.write("lost", 1, { broker: 1 });
    assert.deepEqual(lines, ['lost {"broker":1}', 'lost {"broker":2}', 'lost {"broker":1,"suppressed":3}']);
  });
});
