/**
 * Submissions over a real intake, with a sink that commits and settles when the test says so, and a clock that only
 * the test moves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import { commitReceipts, settleReceipts, type Until } from "../../../src/batch/receipt.ts";
import type { BatchOutcome, ClosedBatch } from "../../../src/batch/record_batch.ts";
import { parseRuleFile } from "../../../src/config/rule_files.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import { counter, CounterRow, CounterRowReader, createCounterRows } from "../../../src/observe/row.ts";
import { createStageTables, StageTable } from "../../../src/observe/stage_table.ts";
import { Intake } from "../../../src/pipeline/intake.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import type { Submission, SubmissionResult, SubmitRequest } from "../../../src/pipeline/submission.ts";
import { Submissions } from "../../../src/pipeline/submissions.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";
import { compileRules } from "../../../src/rules/compile.ts";
import type { Program } from "../../../src/rules/program.ts";
import { DeadLetter } from "../../../src/sink/dead_letter.ts";
import { FakeTimers } from "../batch/fake_timers.ts";

const decoder = new TextDecoder();
export const encoder = new TextEncoder();

/** A program from the text of a rule file. */
export function compile(text: string): Program {
  const parsed = parseRuleFile(text, "test");
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const compiled = compileRules({ dialect: "corndog", ...parsed, files: [] }, {
    version: "1.0.0",
    defaultTopic: "logs",
  });
  assert.ok(compiled.ok, JSON.stringify(compiled));
  return compiled.program;
}

/** Lets immediates and microtasks run. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A request that was handed over, and its answer when there is one. */
export interface Asked {
  readonly submission: Submission;
  result: SubmissionResult | undefined;
  answers: number;
}

export class SubmissionRig {
  readonly kernel = createKernel({
    frameBytesMax: 1024,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 4096,
    arenaBytes: 128 * 1024,
  });
  readonly timers = new FakeTimers();
  readonly sink = { hungry: true, status: () => ({ ready: true }) };
  readonly rows = createCounterRows(1);
  readonly counters = new CounterRow(this.rows, 0);
  readonly reader = new CounterRowReader(this.rows, 0);
  readonly uncommitted: ClosedBatch[] = [];
  readonly committed: ClosedBatch[] = [];
  /** Values that are on the disk, and those that were delivered, as `topic: value`, in order. */
  readonly onDisk: string[] = [];
  readonly delivered: string[] = [];
  readonly keys: string[] = [];
  batches = 0;
  blocked: "spool_full" | undefined;
  /** Whether Kafka would get at once what the disk gets now. */
  endHungry = true;
  readonly batcher: Batcher;
  readonly intake: Intake;
  readonly letters: Letters;
  readonly submissions: Submissions;

  constructor(
    program: Program,
    letterPath: string,
    options: { waitingBytesMax?: number; lettersBytesMax?: number } = {},
  ) {
    this.batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax: 16 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 100,
      sink: this.sink,
      timers: this.timers,
      emit: (batch) => {
        this.batches++;
        this.uncommitted.push(batch);
      },
      hurried: () => this.submissions.closeSoon(),
      gathers: () => this.submissions.gathers(),
      endHungry: () => this.endHungry,
    });
    this.letters = new Letters({
      deadLetter: new DeadLetter({
        path: letterPath,
        bytesMax: options.lettersBytesMax ?? 1 << 30,
        memory: this.kernel.bytes,
        room: () => {},
      }),
      counters: this.counters,
      topics: new TopicCounts(),
      release: (batch) => this.batcher.release(batch),
    });
    const gate = new TopicGate(["chosen-*"], 10);
    this.submissions = new Submissions({
      kernel: this.kernel,
      batcher: this.batcher,
      gate,
      timers: this.timers,
      waitingBytesMax: options.waitingBytesMax ?? 1 << 20,
      bytesDone: () => 0,
      blocked: () => this.blocked,
    });
    this.intake = new Intake({
      kernel: this.kernel,
      batcher: this.batcher,
      letters: this.letters,
      gate,
      counters: this.counters,
      program,
      rulesVersion: 1,
      waits: new StageTable(createStageTables(1), 0),
      worker: 0,
      activity: new Int32Array(16),
      halfBytesMax: 1 << 20,
      log: () => {},
      adopt: () => undefined,
      submissionEnded: this.submissions.submissionEnded,
    });
    this.submissions.join(this.intake);
  }

  /** Hands a request over. */
  ask(request: Partial<SubmitRequest> & Pick<SubmitRequest, "lines">): Asked {
    const asked = { result: undefined as SubmissionResult | undefined, answers: 0 };
    const submission = this.submissions.submit(
      { peer: "192.0.2.9:1", until: "kafka" as Until, waitMs: 1_000, ...request },
      (result) => {
        asked.result = result;
        asked.answers++;
      },
    );
    return Object.assign(asked, { submission });
  }

  /** One line as a request. */
  askOne(text: string, request: Partial<SubmitRequest> = {}): Asked {
    return this.ask({ lines: { kind: "one", bytes: encoder.encode(text) }, ...request });
  }

  /** The oldest batch is on the disk. */
  commit(): boolean {
    const batch = this.uncommitted.shift();
    if (batch === undefined) return false;
    this.onDisk.push(...this.#values(batch));
    commitReceipts(batch);
    this.committed.push(batch);
    return true;
  }

  /** The oldest batch is settled, committed or not. */
  settle(outcome: BatchOutcome = { kind: "delivered" }): boolean {
    const batch = this.committed.shift() ?? this.uncommitted.shift();
    if (batch === undefined) return false;
    if (this.letters.settled(batch, outcome)) return true;
    this.delivered.push(...this.#values(batch));
    this.counters.add(counter.delivered, batch.count);
    this.counters.add(counter.in_flight, -batch.count);
    this.counters.publish();
    settleReceipts(batch, outcome);
    this.batcher.release(batch);
    return true;
  }

  /** The sink is hungry from now on. */
  hunger(): void {
    this.sink.hungry = true;
    this.batcher.wants();
  }

  ledger() {
    const ledger = ledgerOf(this.reader.read());
    assert.ok(ledger.balanced, JSON.stringify(ledger));
    return ledger;
  }

  #values(batch: ClosedBatch): string[] {
    const opened = openBatch(this.kernel.bytes, batch);
    assert.ok(opened.ok, "a batch can be read");
    const { records } = opened;
    const values: string[] = [];
    while (records.next()) {
      const { bytes, valueAt, valueLength, keyAt, keyLength } = records;
      values.push(`${batch.topic}: ${decoder.decode(bytes.subarray(valueAt, valueAt + valueLength))}`);
      if (keyLength >= 0) this.keys.push(decoder.decode(bytes.subarray(keyAt, keyAt + keyLength)));
    }
    assert.equal(records.fault, undefined);
    return values;
  }
}
