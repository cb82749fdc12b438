/** Where records go and which time they carry: through a real intake, down to the bytes of batches. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { partitionOfKey } from "../../../src/kafka/partitioner.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { CounterRow, createCounterRows } from "../../../src/observe/row.ts";
import { createStageTables, StageTable } from "../../../src/observe/stage_table.ts";
import { Intake } from "../../../src/pipeline/intake.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import { RecordLanes, type TopicFacts } from "../../../src/pipeline/record_lanes.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";
import { DeadLetter } from "../../../src/sink/dead_letter.ts";
import { until } from "../../support/until.ts";
import { programOf } from "../rules/stub_line.ts";

/** What a record became, in the order of the batches. */
interface Sent {
  readonly partition: number;
  readonly value: string;
  readonly timeMs: number;
}

let home = "";
before(() => void (home = mkdtempSync(join(tmpdir(), "corndog-lanes-"))));
after(() => rmSync(home, { recursive: true, force: true }));

/** An intake with `rules`, whose batches are read back when it is closed. */
class Bench {
  readonly sent: Sent[] = [];
  readonly letters: Letters;
  readonly #kernel = createKernel({
    frameBytesMax: 16 * 1024,
    pieceBytes: 32 * 1024,
    rowsMax: 64,
    scratchBytes: 8192,
    arenaBytes: 512 * 1024,
  });
  readonly #batcher: Batcher;
  readonly #intake: Intake;

  constructor(rules: readonly unknown[], facts: TopicFacts, eventTime = false, path = join(home, "letters")) {
    const kernel = this.#kernel;
    const counters = new CounterRow(createCounterRows(1), 0);
    this.#batcher = new Batcher({
      kernel,
      batchBytesMax: 32 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 64,
      sink: { hungry: true, status: () => ({ ready: true }) },
      timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
      emit: (batch) => this.#read(batch),
    });
    const deadLetter = new DeadLetter({ path, bytesMax: 1 << 30, memory: kernel.bytes, room: () => {} });
    this.letters = new Letters({ deadLetter, counters, topics: new TopicCounts(), release: () => {} });
    this.#intake = new Intake({
      kernel,
      batcher: this.#batcher,
      letters: this.letters,
      gate: new TopicGate(["*"], 100),
      counters,
      program: programOf(rules),
      lanes: new RecordLanes(this.#batcher, kernel.bytes, facts, false),
      eventTime,
      rulesVersion: 1,
      waits: new StageTable(createStageTables(1), 0),
      worker: 0,
      activity: new Int32Array(16),
      halfBytesMax: 1 << 20,
      log: () => {},
      adopt: () => undefined,
    });
  }

  /** One datagram per frame. */
  take(...frames: readonly string[]): void {
    for (const frame of frames) this.#intake.datagram(new TextEncoder().encode(frame), "192.0.2.1:514");
  }

  close(): readonly Sent[] {
    this.#batcher.closeAll();
    return this.sent;
  }

  #read(batch: ClosedBatch): void {
    const opened = openBatch(this.#kernel.bytes, batch);
    assert.ok(opened.ok);
    const { records } = opened;
    while (records.next()) {
      const value = new TextDecoder().decode(records.value()!);
      this.sent.push({ partition: batch.partition, value, timeMs: records.timestampMs });
    }
    assert.ok(records.done);
    this.#batcher.release(batch);
  }
}

const byHost = [{
  field: "msg",
  regex: ".*",
  actions: [{ type: "forward", topic: "t", key: "{{hostname}}" }],
}];
const toTopic = [{ field: "msg", regex: ".*", actions: [{ type: "forward", topic: "t" }] }];

function partitionOf(key: string, partitions: number): number {
  const bytes = new TextEncoder().encode(key);
  return partitionOfKey(bytes, 0, bytes.length, partitions);
}

const line = (host: string, text: string, time = "-") => `<13>1 ${time} ${host} app - - - ${text}`;

describe("RecordLanes", () => {
  it("of() puts records where their key says when the partitions are known", () => {
    const bench = new Bench(byHost, { partitionsOf: () => 7 });
    const hosts = Array.from({ length: 40 }, (_, index) => `host-${index}`);
    bench.take(...hosts.map((host) => line(host, host)));
    const sent = bench.close();
    assert.equal(sent.length, 40);
    for (const { partition, value } of sent) assert.equal(partition, partitionOf(value, 7));
    assert.ok(new Set(sent.map(({ partition }) => partition)).size > 4);
  });

  it("of() gathers records with a key until the partitions are known, and nothing overtakes them", () => {
    let partitions = 0;
    const bench = new Bench(byHost, { partitionsOf: () => partitions });
    bench.take(line("a", "1"), line("b", "2"));
    partitions = 3;
    bench.take(line("a", "3"));
    assert.deepEqual(bench.sent.map(({ partition, value }) => [partition, value]), [[-2, "1"], [-2, "2"]]);
    bench.close();
    const last = bench.sent.at(-1)!;
    assert.deepEqual([last.partition, last.value], [partitionOf("a", 3), "3"]);
  });

  it("of() leaves the partition open when there is no key, or the sink has none", () => {
    for (const [rules, facts] of [[toTopic, { partitionsOf: () => 7 }], [byHost, {}]] as const) {
      const bench = new Bench(rules, facts);
      bench.take(line("a", "1"));
      assert.equal(bench.close()[0]!.partition, -1);
    }
  });

  it("limitBrokenBy() sends a record that its topic refuses to the dead letter, with its peer, and the rest goes on", async () => {
    const path = join(home, "large");
    // Templates are made per line: such lines are looked at one by one.
    const bench = new Bench(byHost, { partitionsOf: () => 1, batchBytesMaxOf: () => 6000 }, false, path);
    const large = "x".repeat(6000);
    bench.take(line("a", "before"), line("a", large), line("a", "y".repeat(5000)), line("a", "after"));
    assert.deepEqual(bench.close().map(({ value }) => value.slice(0, 6)), ["before", "yyyyyy", "after"]);
    const letter = await until("a letter", () => {
      try {
        return JSON.parse(readFileSync(path, "utf8"));
      } catch {
        return undefined;
      }
    }, 10_000);
    assert.equal(letter.reason, "record_too_large");
    assert.equal(letter.peer, "192.0.2.1:514");
    assert.match(letter.message, /A record of 6000 bytes .* its max\.message\.bytes is 6000/);
    assert.ok(letter.value.endsWith(large));
    await bench.letters.close();
  });
});

describe("LinePlacer with kafka.timestamp: event", () => {
  it("stamps records with the message's own time when it is sane, else with their receipt", () => {
    const bench = new Bench(toTopic, { partitionsOf: () => 1 }, true);
    const nowMs = Date.now();
    const at = (ms: number) => new Date(nowMs + ms).toISOString();
    const times = [at(-3_600_000), at(-1000), at(60_000), at(-30 * 86_400_000), at(3_600_000), "-"];
    bench.take(...times.map((time, index) => line("a", String(index), time)));
    const sent = bench.close();
    assert.deepEqual(sent.map(({ value }) => value), ["0", "1", "2", "3", "4", "5"]);
    for (const [index, offset] of [-3_600_000, -1000, 60_000].entries()) {
      assert.equal(sent[index]!.timeMs, nowMs + offset);
    }
    for (const { timeMs } of sent.slice(3)) assert.ok(timeMs >= nowMs && timeMs <= Date.now());
  });

  it("stamps records with their receipt when the configuration says so", () => {
    const bench = new Bench(toTopic, {}, false);
    const nowMs = Date.now();
    bench.take(line("a", "1", new Date(nowMs - 3_600_000).toISOString()));
    assert.ok(bench.close()[0]!.timeMs >= nowMs);
  });
});
