import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { Batcher } from "../../../src/batch/batcher.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import type { Listen } from "../../../src/config/config.ts";
import { parseRuleFile } from "../../../src/config/rule_files.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { LabelCap } from "../../../src/observe/label_cap.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import { counter, CounterRow, CounterRowReader, createCounterRows } from "../../../src/observe/row.ts";
import { createStageTables, StageTable } from "../../../src/observe/stage_table.ts";
import { Intake } from "../../../src/pipeline/intake.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import { lineOptionsOf } from "../../../src/pipeline/line_options.ts";
import { otherPeers, peersMax, PeerTroubles, sumTroubles } from "../../../src/pipeline/peer_troubles.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";
import { compileRules } from "../../../src/rules/compile.ts";
import type { Program } from "../../../src/rules/program.ts";
import { DeadLetter } from "../../../src/sink/dead_letter.ts";
import { until } from "../../support/until.ts";
import { decodeRecords } from "../kernel/oracle_records.ts";

const encoder = new TextEncoder();
const peer = "192.0.2.1:5140";

function compile(text: string): Program {
  const parsed = parseRuleFile(text, "test");
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const compiled = compileRules({ dialect: "corndog", ...parsed, files: [] }, {
    version: "1.0.0",
    defaultTopic: "logs",
  });
  assert.ok(compiled.ok, JSON.stringify(compiled));
  return compiled.program;
}

const noRules = "rules: []\n";
const catchAll = 'rules:\n  - { regex: ".*", actions: [{ type: forward, topic: all }] }\n';
const withHeaders = `rules:
  - regex: "a"
    actions: [{ type: forward, topic: all, headers: { from: "{{peer}}" } }]
`;

/** An intake whose batches are read back when the test says so. */
class Rig {
  readonly kernel = createKernel({
    frameBytesMax: 1024,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 4096,
    arenaBytes: 128 * 1024,
  });
  readonly #rows = createCounterRows(1);
  readonly counters = new CounterRow(this.#rows, 0);
  readonly #reader = new CounterRowReader(this.#rows, 0);
  readonly #sent: ClosedBatch[] = [];
  readonly #batcher: Batcher;
  readonly #letterPath: string;
  readonly deadLetter: DeadLetter;
  readonly intake: Intake;
  ended = false;

  constructor(rules: string, letterPath: string) {
    this.#letterPath = letterPath;
    this.#batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax: 16 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 100,
      sink: { hungry: true, status: () => ({ ready: true }) },
      timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
      emit: (batch) => this.#sent.push(batch),
    });
    this.deadLetter = new DeadLetter({
      path: letterPath,
      bytesMax: 1 << 30,
      memory: this.kernel.bytes,
      room: () => {},
    });
    this.intake = new Intake({
      kernel: this.kernel,
      batcher: this.#batcher,
      letters: new Letters({
        deadLetter: this.deadLetter,
        counters: this.counters,
        topics: new TopicCounts(),
        release: (batch) => this.#batcher.release(batch),
      }),
      gate: new TopicGate([], 10),
      counters: this.counters,
      program: compile(rules),
      rulesVersion: 1,
      waits: new StageTable(createStageTables(1), 0),
      worker: 0,
      activity: new Int32Array(16),
      halfBytesMax: 1 << 20,
      log: () => {},
      adopt: () => undefined,
    });
  }

  open(options: Partial<Listen>) {
    return this.intake.open({
      peer,
      pause: () => {},
      resume: () => {},
      unsentBytes: 0,
      write: () => {},
      end: () => {},
      destroy: () => this.ended = true,
    }, linesOf(options));
  }

  /** Values with the flags that their records tell of. */
  async records(): Promise<string[]> {
    // On a machine under load a stream waits for its next turn.
    while (this.intake.waiting.connections > 0) {
      this.intake.wake();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#batcher.closeAll();
    const texts: string[] = [];
    for (const batch of this.#sent.splice(0)) {
      for (const { value, headers } of decodeRecords(this.kernel.bytes.slice(batch.at + 61, batch.end))) {
        const marks = headers.map(({ key, value }) => ` [${key}=${new TextDecoder().decode(value!)}]`);
        texts.push(new TextDecoder().decode(value!) + marks.join(""));
      }
      this.counters.add(counter.delivered, batch.count);
      this.counters.add(counter.in_flight, -batch.count);
      this.#batcher.release(batch);
    }
    return texts;
  }

  async letters(lines: number): Promise<{ reason: string; value: string; message: string }[]> {
    await until(
      "dead letters",
      () => this.counters.value(counter.dead_lettered) === lines ? true : undefined,
    );
    return readFileSync(this.#letterPath, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  }

  /** The counters of the ledger that are not zero; it must balance. */
  ledger(): Record<string, unknown> {
    this.counters.publish();
    const { balanced, dropped, ...ledger } = ledgerOf(this.#reader.read());
    assert.ok(balanced, JSON.stringify({ ledger, dropped }));
    return Object.fromEntries(Object.entries({ ...ledger, ...dropped }).filter(([, count]) => count !== 0));
  }
}

function linesOf(options: Partial<Listen>) {
  return lineOptionsOf(
    {
      kind: "syslog",
      transport: "tcp",
      hostname: "",
      port: 0,
      path: "",
      framing: "auto",
      frameBytesMax: 1024,
      ...options,
    } as Listen,
  );
}

const v1 = "<13>1 - h a - - - ";

describe("lines of a listener", () => {
  let dir: string;
  let files = 0;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-lines-"));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const rigOf = (rules: string) => new Rig(rules, join(dir, `letters-${files++}.ndjson`));

  it("are cut and marked when they are too long for it, whatever other listeners allow", async () => {
    for (const rules of [noRules, catchAll]) {
      const rig = rigOf(rules);
      const small = rig.open({ frameBytesMax: 300 });
      const large = rig.open({});
      const long = `${v1}${"x".repeat(500)}`;
      rig.intake.received(small, encoder.encode(`${long}\n${v1}next\n`));
      rig.intake.received(large, encoder.encode(`${long}\n`));
      const head = rules === noRules ? 0 : v1.length;
      assert.deepEqual(await rig.records(), [
        `${long.slice(head, 300)} [corndog.flags=truncated]`,
        `${v1}next`.slice(head),
        long.slice(head),
      ]);
      assert.deepEqual(rig.ledger(), { received: 3, delivered: 3 });
      assert.deepEqual(rig.intake.troubles.report(), {
        "192.0.2.1": { oversize: 1, unparsed: 0, damaged: 0 },
      });
    }
  });

  it("become several marked records when they are split, and the ledger knows", async () => {
    for (const rules of [noRules, catchAll]) {
      const rig = rigOf(rules);
      const stream = rig.open({ frameBytesMax: 300, oversize: "split" });
      const long = `${v1}${"x".repeat(700)}`;
      rig.intake.received(stream, encoder.encode(`${long}\n${v1}next\n`));
      const head = rules === noRules ? 0 : v1.length;
      assert.deepEqual(await rig.records(), [
        `${long.slice(head, 300)} [corndog.flags=split]`,
        `${long.slice(300, 600)} [corndog.flags=split continued]`,
        `${long.slice(600)} [corndog.flags=split continued]`,
        `${v1}next`.slice(head),
      ]);
      assert.deepEqual(rig.ledger(), { received: 2, split: 2, delivered: 4 });
    }
  });

  it("go to the dead letter whole when they are too long and it says so", async () => {
    const rig = rigOf(catchAll);
    const stream = rig.open({ frameBytesMax: 300, oversize: "dead_letter" });
    const long = `${v1}${"x".repeat(700)}`;
    rig.intake.received(stream, encoder.encode(`${long}\n${v1}next\n`));
    const letters = await rig.letters(3);
    assert.equal(letters.map(({ value }) => value).join(""), long);
    assert.deepEqual(new Set(letters.map(({ reason }) => reason)), new Set(["oversize"]));
    assert.deepEqual(await rig.records(), ["next"]);
    assert.deepEqual(rig.ledger(), {
      received: 2,
      split: 2,
      delivered: 1,
      dead_lettered: 3,
    });
    await rig.deadLetter.close();
  });

  it("are split or cut when they are datagrams", async () => {
    const rig = rigOf(noRules);
    const packet = encoder.encode(`${v1}${"x".repeat(500)}`);
    rig.intake.datagram(packet, peer, linesOf({ frameBytesMax: 300, oversize: "split" }));
    rig.intake.datagram(packet, peer, linesOf({ frameBytesMax: 300 }));
    rig.intake.datagram(packet, peer);
    assert.deepEqual((await rig.records()).map((text) => text.replace(/x+/, "x")), [
      `${v1}x [corndog.flags=split]`,
      "x [corndog.flags=split continued]",
      `${v1}x [corndog.flags=truncated]`,
      `${v1}x`,
    ]);
    assert.deepEqual(rig.ledger(), { received: 3, split: 1, delivered: 4 });
  });

  it("are marked when they cannot be parsed, beside headers that a rule made", async () => {
    const rig = rigOf(withHeaders);
    rig.intake.received(rig.open({}), encoder.encode(`a\n${v1}a\nother\n`));
    assert.deepEqual(await rig.records(), [
      `a [from=${peer}] [corndog.flags=unparsed]`,
      `a [from=${peer}]`,
      "other [corndog.flags=unparsed]",
    ]);
    assert.equal(rig.counters.value(counter.unparsed), 2);
    assert.deepEqual(rig.intake.troubles.report(), { "192.0.2.1": { oversize: 0, unparsed: 2, damaged: 0 } });
  });

  it("go to the dead letter when they cannot be parsed and it says so, even where no rule looks at headers", async () => {
    const rig = rigOf(noRules);
    const stream = rig.open({ unparsed: "dead_letter" });
    rig.intake.received(stream, encoder.encode(`plain text\n${v1}good\n<13>short\n<34>1 damaged\n`));
    const letters = await rig.letters(2);
    assert.deepEqual(letters.map(({ reason, value }) => [reason, value]), [
      ["unparsed", "plain text"],
      ["unparsed", "<34>1 damaged"],
    ]);
    assert.deepEqual(await rig.records(), [`${v1}good`, "<13>short"]);
    assert.deepEqual(rig.ledger(), { received: 4, delivered: 2, dead_lettered: 2 });
    await rig.deadLetter.close();
  });

  it("are joined when the next continues them, and the last one goes on after its time", async () => {
    const rig = rigOf(noRules);
    const join = { by: "pri", waitMs: 200, bytesMax: 1024 } as const;
    const stream = rig.open({ join });
    rig.intake.received(stream, encoder.encode("<1>a\n at b\n\n at c\n<2>d\n"));
    assert.deepEqual(await rig.records(), ["<1>a\n at b\n\n at c"]);
    const got: string[] = [];
    await until("the line that waits", async () => {
      got.push(...await rig.records());
      return got.length > 0 ? true : undefined;
    });
    assert.deepEqual(got, ["<2>d"]);
    // What comes too late is a line of its own.
    rig.intake.received(stream, encoder.encode("late\n"));
    rig.intake.closed(stream);
    assert.deepEqual(await rig.records(), ["late"]);
    assert.deepEqual(rig.ledger(), { received: 6, joined: 3, delivered: 3 });
  });

  it("are counted as damaged by their sender when octet counting breaks", async () => {
    const rig = rigOf(noRules);
    const stream = rig.open({});
    rig.intake.received(stream, encoder.encode("5 <1>abgarbage 4 <2>c"));
    assert.deepEqual(await rig.records(), ["<1>ab", "garbage ", "<2>c"]);
    assert.equal(rig.counters.value(counter.frames_damaged), 1);
    assert.deepEqual(rig.intake.troubles.report(), { "192.0.2.1": { oversize: 0, unparsed: 0, damaged: 1 } });
  });
});

describe("PeerTroubles", () => {
  it("names no more senders than its bound when there are more", () => {
    const troubles = new PeerTroubles();
    for (let i = 0; i < peersMax + 10; i++) troubles.add(`[2001:db8::${i.toString(16)}]:514`, "unparsed", 1);
    troubles.add("[2001:db8::1]:9", "oversize", 2);
    const report = troubles.report();
    assert.equal(Object.keys(report).length, peersMax + 1);
    assert.deepEqual(report[otherPeers], { oversize: 0, unparsed: 10, damaged: 0 });
    assert.deepEqual(report["2001:db8::1"], { oversize: 2, unparsed: 1, damaged: 0 });
    const sum = sumTroubles([report, {
      "2001:db8::1": { oversize: 1, unparsed: 0, damaged: 0 },
      unix: report.other!,
    }], new LabelCap(peersMax + 1));
    assert.deepEqual(sum["2001:db8::1"], { oversize: 3, unparsed: 1, damaged: 0 });
  });
});
