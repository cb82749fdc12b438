import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import { CounterRow, CounterRowReader, createCounterRows } from "../../../src/observe/row.ts";
import { createStageTables, StageTable } from "../../../src/observe/stage_table.ts";
import { Intake } from "../../../src/pipeline/intake.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import type { Stream } from "../../../src/pipeline/stream.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";
import { DeadLetter } from "../../../src/sink/dead_letter.ts";
import { until } from "../../support/until.ts";
import { programOf } from "../rules/stub_line.ts";

const decoder = new TextDecoder();

/** One record as it lies in a batch. */
interface Sent {
  topic: string;
  partition: number;
  key: string | null;
  value: string;
  headers: [string, string][];
}

/** What is open; closed at the end. */
const open = new Set<Letters>();

/** An intake whose batches are read back. */
class Bench {
  readonly sent: Sent[] = [];
  readonly #kernel = createKernel({
    frameBytesMax: 2048,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 4096,
    arenaBytes: 128 * 1024,
  });
  readonly #rows = createCounterRows(1);
  readonly #counters = new CounterRow(this.#rows, 0);
  readonly #batches: ClosedBatch[] = [];
  readonly #batcher: Batcher;
  readonly #intake: Intake;
  readonly #stream: Stream;

  constructor(rules: readonly unknown[], deadLetterPath: string) {
    const kernel = this.#kernel;
    const counters = this.#counters;
    this.#batcher = new Batcher({
      kernel,
      batchBytesMax: 16 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 8,
      sink: { hungry: true, status: () => ({ ready: true }) },
      timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
      emit: (batch) => this.#batches.push(batch),
    });
    const letters = new Letters({
      deadLetter: new DeadLetter({
        path: deadLetterPath,
        bytesMax: 1 << 30,
        memory: kernel.bytes,
        room: () => {},
      }),
      counters,
      topics: new TopicCounts(),
      release: (batch) => this.#batcher.release(batch),
    });
    open.add(letters);
    this.#intake = new Intake({
      kernel,
      batcher: this.#batcher,
      letters,
      gate: new TopicGate(["*"], 100),
      counters,
      program: programOf(rules),
      rulesVersion: 1,
      waits: new StageTable(createStageTables(1), 0),
      worker: 0,
      activity: new Int32Array(16),
      halfBytesMax: 1 << 20,
      log: () => {},
      adopt: () => undefined,
    });
    this.#stream = this.#intake.open(
      {
        peer: "192.0.2.1:5140",
        unsentBytes: 0,
        pause: () => {},
        resume: () => {},
        write: () => {},
        end: () => {},
        destroy: () => {},
      },
      "auto",
    );
  }

  /** Takes messages, in chunks of at most `linesMax`, and reads back what they became. */
  async take(messages: readonly string[], linesMax = 20): Promise<readonly Sent[]> {
    for (let at = 0; at < messages.length; at += linesMax) {
      const frames = messages.slice(at, at + linesMax).map((message) => `<13>1 - web app - - - ${message}\n`);
      this.#intake.received(this.#stream, new TextEncoder().encode(frames.join("")));
      while (this.#intake.waiting.connections > 0) {
        this.#batcher.closeAll();
        this.#settle();
        this.#intake.wake();
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
    this.#batcher.closeAll();
    this.#settle();
    return this.sent;
  }

  ledger() {
    this.#counters.publish();
    return ledgerOf(new CounterRowReader(this.#rows, 0).read());
  }

  #settle(): void {
    for (const batch of this.#batches.splice(0)) {
      const opened = openBatch(this.#kernel.bytes, batch);
      assert.ok(opened.ok, "a batch can be read");
      const { records } = opened;
      while (records.next()) {
        const key = records.key();
        this.sent.push({
          topic: batch.topic,
          partition: batch.partition,
          key: key === null ? null : decoder.decode(key),
          value: decoder.decode(
            records.bytes.subarray(records.valueAt, records.valueAt + records.valueLength),
          ),
          headers: records.headers().map(({ name, value }) => [name, decoder.decode(value!)]),
        });
      }
      assert.equal(records.fault, undefined);
      this.#batcher.release(batch);
    }
  }
}

const forward = (more: object) => [{ regex: "", actions: [{ type: "forward", topic: "t", ...more }] }];

describe("records from rules", () => {
  let dir: string;
  let files = 0;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-parts-"));
  });
  after(async () => {
    for (const letters of open) await letters.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const path = () => join(dir, `letters-${files++}.ndjson`);

  it("have value, key, headers and partition of their own when the rule gives all of them", async () => {
    const bench = new Bench(
      forward({
        value: "<{{msg}}>",
        key: "{{msg | upper}}",
        headers: { é: "{{msg}}", c: "é" },
        partition: "{{msg | truncate: 1}}",
      }),
      path(),
    );
    assert.deepEqual(await bench.take(["3 é", "3 b", "0"]), [
      { topic: "t", partition: 3, key: "3 É", value: "<3 é>", headers: [["é", "3 é"], ["c", "é"]] },
      { topic: "t", partition: 3, key: "3 B", value: "<3 b>", headers: [["é", "3 b"], ["c", "é"]] },
      { topic: "t", partition: 0, key: "0", value: "<0>", headers: [["é", "0"], ["c", "é"]] },
    ]);
  });

  for (const value of ["msg", "raw", "<{{msg}}>"]) {
    it(`have headers without a key when the value is ${value}`, async () => {
      for (const headers of [{ a: "1", b: "" }, { a: "{{msg}}" }]) {
        const [record] = await new Bench(forward({ value, headers }), path()).take(["m"]);
        assert.equal(record!.key, null);
        assert.equal(record!.partition, -1);
        assert.deepEqual(
          record!.headers,
          Object.entries({ ...headers, a: headers.a.replace("{{msg}}", "m") }),
        );
      }
    });
  }

  it("keep their headers when lines wait for memory between their copies", async () => {
    const bench = new Bench([
      {
        regex: "",
        actions: [
          { type: "forward", topic: "one", headers: { n: "{{msg}}" }, partition: 1, continue: true },
          { type: "forward", topic: "two", headers: { n: "{{msg}}", k: "{{hostname}}" }, key: "{{msg}}" },
        ],
      },
    ], path());
    const messages = Array.from({ length: 600 }, (_, n) => `${n} ${"x".repeat(n * 37 % 900)}`);
    const sent = await bench.take(messages);
    for (const [topic, extra] of [["one", []], ["two", [["k", "web"]]]] as const) {
      assert.deepEqual(
        sent.filter((record) => record.topic === topic).map(({ value, headers }) => ({ value, headers })),
        messages.map((value) => ({ value, headers: [["n", value], ...extra] })),
      );
    }
    assert.equal(bench.ledger().fan_out, 600);
  });

  it("open no more batches at a time than there may be when lines choose many partitions", async () => {
    const bench = new Bench(forward({ partition: "{{msg}}" }), path());
    const messages = Array.from({ length: 300 }, (_, n) => String(n * 7919 % 100_000));
    const sent = await bench.take(messages);
    assert.deepEqual(
      sent.map(({ partition, value }) => [partition, value]).sort((a, b) => Number(a[0]) - Number(b[0])),
      messages.map((value) => [Number(value), value] as [number, string]).sort((a, b) => a[0] - b[0]),
    );
  });

  it("go to the dead letter whole when their headers find no room beside the value", async () => {
    const file = path();
    const bench = new Bench(forward({ value: "{{msg}}", headers: { a: "{{msg}}", b: "{{msg}}" } }), file);
    const fits = "x".repeat(1300);
    const tooLarge = "y".repeat(1500);
    assert.deepEqual((await bench.take([tooLarge, fits])).map(({ value }) => value), [fits]);
    const letter = await until("the letter", () => {
      const ledger = bench.ledger();
      return ledger.dead_lettered === 1
        ? JSON.parse(readFileSync(file, "utf8")) as Record<string, string>
        : undefined;
    });
    assert.equal(letter["reason"], "headers_too_large");
    assert.equal(letter["value"], `<13>1 - web app - - - ${tooLarge}`);
  });

  it("are counted under the reason when rules drop the line instead", async () => {
    const bench = new Bench([
      { prefix: "sample", actions: [{ type: "sample", rate: 0 }] },
      { prefix: "throttle", actions: [{ type: "throttle", rate: 1, burst: 2 }] },
      { prefix: "stop", actions: [{ type: "stop" }] },
      { prefix: "drop", actions: [{ type: "drop" }] },
    ], path());
    const sent = await bench.take([
      "sample",
      "throttle 1",
      "throttle 2",
      "throttle 3",
      "stop",
      "drop",
      "sample",
    ]);
    assert.deepEqual(sent.map(({ value }) => value.slice(-10)), ["throttle 1", "throttle 2"]);
    const { received, dropped } = bench.ledger();
    assert.equal(received, 7);
    assert.deepEqual(
      [dropped.rule_sample, dropped.rule_throttle, dropped.rule_stop, dropped.rule_drop],
      [2, 1, 1, 1],
    );
  });

  it("have the redacted line when no rule forwards it, and so has the dead letter", async () => {
    const file = path();
    const bench = new Bench([
      { regex: "", actions: [{ type: "redact", patterns: ["email"] }] },
      { contains: "bad", actions: [{ type: "dead_letter", reason: "bad_line", message: "{{msg}}" }] },
    ], file);
    const sent = await bench.take(["to ada@example.org", "bad ada@example.org", "none"]);
    assert.deepEqual(sent.map(({ topic, value }) => [topic, value]), [
      ["logs", "<13>1 - web app - - - to [email]"],
      ["logs", "<13>1 - web app - - - none"],
    ]);
    const letter = await until(
      "the letter",
      () =>
        bench.ledger().dead_lettered === 1
          ? JSON.parse(readFileSync(file, "utf8")) as Record<string, string>
          : undefined,
    );
    assert.equal(letter["reason"], "bad_line");
    assert.match(letter["message"]!, /bad \[email\]$/);
    assert.equal(letter["value"], "<13>1 - web app - - - bad [email]");
    assert.equal(letter["redacted"], true);
  });

  it("leave a redacted line redacted when their topic is refused and lines wait for the dead letter", async () => {
    const file = path();
    const bench = new Bench([
      { regex: "", actions: [{ type: "redact", patterns: ["email"] }] },
      { regex: "", actions: [{ type: "forward", topic: "{{msg}}" }] },
    ], file);
    await bench.take(Array.from({ length: 50 }, (_, n) => `${n} ada@example.org`));
    const letters = await until(
      "the letters",
      () =>
        bench.ledger().dead_lettered === 50
          ? readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line))
          : undefined,
    );
    assert.deepEqual(
      letters.map(({ reason, value, redacted }) => [reason, value, redacted]),
      Array.from({ length: 50 }, (_, n) => ["topic_not_legal", `<13>1 - web app - - - ${n} [email]`, true]),
    );
  });

  it("are marked in the dead letter when they were to be redacted and could not be", async () => {
    const file = path();
    // Every "a" is a match: searching them all passes over more than two million characters.
    const redact = { type: "redact", patterns: [{ regex: "a", name: "letter" }] };
    const bench = new Bench([{ regex: "", actions: [redact] }], file);
    await bench.take(["a".repeat(2020)]);
    const letter = await until(
      "the letter",
      () =>
        bench.ledger().dead_lettered === 1
          ? JSON.parse(readFileSync(file, "utf8")) as Record<string, string>
          : undefined,
    );
    assert.equal(letter["reason"], "redact_too_costly");
    assert.equal(letter["redacted"], "failed");
  });
});
