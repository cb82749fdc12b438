import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { parseRuleFile } from "../../../src/config/rule_files.ts";
import type { ConnectionInfo } from "../../../src/io/tracked.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import { counter, CounterRow, CounterRowReader, createCounterRows } from "../../../src/observe/row.ts";
import { createStageTables, StageTable } from "../../../src/observe/stage_table.ts";
import { connectionRows, longMs } from "../../../src/pipeline/connection_rows.ts";
import { Intake } from "../../../src/pipeline/intake.ts";
import { Letters } from "../../../src/pipeline/letters.ts";
import type { Stream } from "../../../src/pipeline/stream.ts";
import { TopicCounts } from "../../../src/pipeline/topic_counts.ts";
import { TopicGate } from "../../../src/pipeline/topic_gate.ts";
import { compileRules } from "../../../src/rules/compile.ts";
import type { Program } from "../../../src/rules/program.ts";
import type { Connection } from "../../../src/runtime/runtime.ts";
import { DeadLetter } from "../../../src/sink/dead_letter.ts";
import { until } from "../../support/until.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

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
const catchAll = 'rules:\n  - { regex: ".*", actions: [{ type: forward, topic: all, value: raw }] }\n';
const several = `rules:
  - { regex: "drop", actions: [{ type: drop }] }
  - { regex: "copy", actions: [{ type: forward, topic: first, continue: true }] }
  - { regex: "text (?P<n>\\\\d+)", actions: [{ type: replace, template: "<{{n}}>" }, { type: forward, topic: texts, key: "{{n}}" }] }
  - { jmespath: topic, actions: [{ type: merge, json: { n: 1 } }, { type: forward, topic: "{{value}}" }] }
`;

/** Lets streams that wait for their turn have it. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An intake with a sink that settles when the test says so. */
class Bench {
  readonly kernel = createKernel({
    frameBytesMax: 1024,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 4096,
    arenaBytes: 128 * 1024,
  });
  readonly rows = createCounterRows(1);
  readonly counters = new CounterRow(this.rows, 0);
  readonly reader = new CounterRowReader(this.rows, 0);
  readonly sent: ClosedBatch[] = [];
  /** Values in the order of delivery, with their topic. */
  readonly delivered: string[] = [];
  readonly batcher: Batcher;
  readonly deadLetter: DeadLetter;
  readonly intake: Intake;
  next: { program: Program; version: number } | undefined;

  readonly events: string[] = [];

  constructor(
    program: Program,
    deadLetterPath: string,
    options: { halfBytesMax?: number; deadLetterBytesMax?: number; besideThin?: () => boolean } = {},
  ) {
    this.batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax: 16 * 1024,
      lingerMs: 1_000_000,
      lanesMax: 100,
      sink: { hungry: true, status: () => ({ ready: true }) },
      timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
      emit: (batch) => this.sent.push(batch),
    });
    this.deadLetter = new DeadLetter({
      path: deadLetterPath,
      bytesMax: options.deadLetterBytesMax ?? 1 << 30,
      memory: this.kernel.bytes,
      room: () => {},
    });
    const topics = new TopicCounts();
    this.intake = new Intake({
      kernel: this.kernel,
      batcher: this.batcher,
      letters: new Letters({
        deadLetter: this.deadLetter,
        counters: this.counters,
        topics,
        release: (batch) => this.batcher.release(batch),
      }),
      gate: new TopicGate(["json-*"], 10),
      counters: this.counters,
      program,
      rulesVersion: 1,
      waits: new StageTable(createStageTables(1), 0),
      worker: 0,
      activity: new Int32Array(16),
      halfBytesMax: options.halfBytesMax ?? 1 << 20,
      besideThin: options.besideThin ?? (() => false),
      log: (event) => this.events.push(event),
      adopt: (version) => this.next !== undefined && this.next.version > version ? this.next : undefined,
    });
  }

  /** Settles the oldest batch. */
  settle(): boolean {
    const batch = this.sent.shift();
    if (batch === undefined) return false;
    const opened = openBatch(this.kernel.bytes, batch);
    assert.ok(opened.ok, "a batch can be read");
    const { records } = opened;
    while (records.next()) {
      const value = decoder.decode(
        records.bytes.subarray(records.valueAt, records.valueAt + records.valueLength),
      );
      this.delivered.push(`${batch.topic}: ${value}`);
    }
    assert.equal(records.fault, undefined);
    this.counters.add(counter.delivered, batch.count);
    this.counters.add(counter.in_flight, -batch.count);
    this.counters.publish();
    this.batcher.release(batch);
    return true;
  }

  /** Settles and wakes until nothing waits. */
  async finish(): Promise<void> {
    for (;;) {
      while (this.settle());
      this.intake.wake();
      this.batcher.closeAll();
      await turn();
      if (this.sent.length === 0 && this.intake.waiting.connections === 0 && this.batcher.empty) break;
    }
  }

  ledger() {
    const ledger = ledgerOf(this.reader.read());
    assert.ok(ledger.balanced, JSON.stringify(ledger));
    return ledger;
  }
}

/** A connection as the intake sees it, fed chunk by chunk; paused chunks wait as in a kernel's socket. */
class Sender {
  readonly stream: Stream;
  readonly #bench: Bench;
  readonly #queue: Uint8Array[];
  #paused = false;
  #ended = false;

  constructor(bench: Bench, chunks: Uint8Array[], id = 0) {
    this.#bench = bench;
    this.#queue = chunks;
    const connection: Connection & { readonly id: number } = {
      id,
      peer: "192.0.2.1:5140",
      pause: () => this.#paused = true,
      resume: () => this.#paused = false,
      unsentBytes: 0,
      write: () => {},
      end: () => {},
      destroy: () => {},
    };
    this.stream = bench.intake.open(connection, "auto");
  }

  /** One step; false when everything was handed over. */
  step(): boolean {
    if (this.#paused) return true;
    const chunk = this.#queue.shift();
    if (chunk !== undefined) this.#bench.intake.received(this.stream, chunk);
    else if (!this.#ended) {
      this.#ended = true;
      this.#bench.intake.closed(this.stream);
    } else return false;
    return true;
  }
}

/** Cuts bytes at random places. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((share) => Math.floor(share * bytes.length)))].sort((a, b) => a - b);
  const edges = [0, ...places, bytes.length];
  return edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge)).filter((chunk) =>
    chunk.length > 0
  );
}

describe("Intake", () => {
  let dir: string;
  let letterFiles = 0;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-intake-"));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const letterPath = () => join(dir, `letters-${letterFiles++}.ndjson`);

  it("delivers every line once and in order, whatever the cuts and the memory, and the ledger balances throughout", async () => {
    const programs = [noRules, catchAll].map(compile);
    const words = fc.string({ minLength: 0, maxLength: 300, unit: "grapheme-ascii" }).map((text) =>
      text.replaceAll(/[\r\n\0]/g, ".")
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(words, { maxLength: 120 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 1 }),
        fc.infiniteStream(fc.nat(9)),
        async (senders, cuts, octets, which, dice) => {
          const bench = new Bench(programs[which]!, letterPath());
          const lines = senders.map((texts, sender) =>
            texts.map((text, index) => `<13>1 - h a - - - ${sender} ${index} ${text}`)
          );
          const connections = lines.map((texts) => {
            const framed = texts.map((text) =>
              octets ? `${encoder.encode(text).length} ${text}` : `${text}\n`
            ).join("");
            return new Sender(bench, cut(encoder.encode(framed), cuts));
          });
          for (let left = connections; left.length > 0;) {
            left = left.filter((connection) => connection.step());
            const die = dice.next().value;
            if (die < 3) bench.settle();
            if (die < 5) bench.intake.wake();
            bench.ledger();
            // Nothing would move any more without the sink.
            if (bench.intake.waiting.connections >= left.length) await bench.finish();
          }
          await bench.finish();
          const topic = which === 0 ? "logs" : "all";
          for (const [sender, texts] of lines.entries()) {
            const got = bench.delivered.filter((value) =>
              value.startsWith(`${topic}: <13>1 - h a - - - ${sender} `)
            );
            assert.deepEqual(got, texts.map((text) => `${topic}: ${text}`));
          }
          const ledger = bench.ledger();
          assert.equal(ledger.received, lines.flat().length);
          assert.equal(ledger.delivered, lines.flat().length);
        },
      ),
      { numRuns: 100, endOnFailure: true },
    );
  });

  it("holds no more chunks than it may, also where who goes on sends larger ones", async () => {
    const bench = new Bench(compile(noRules), letterPath());
    const line = `<13>1 - h a - - - ${"x".repeat(1000)}\n`;
    const chunkOf = (bytes: number) => encoder.encode(line.repeat(Math.ceil(bytes / line.length)));
    const [small, large] = [chunkOf(64 * 1024), chunkOf(512 * 1024)];
    let most = 0;
    let left = Array.from({ length: 100 }, () => new Sender(bench, [small, large]));
    while (left.length > 0) {
      left = left.filter((sender) => {
        const goesOn = sender.step();
        most = Math.max(most, bench.intake.waiting.heldBytes);
        return goesOn;
      });
      while (bench.settle());
      bench.intake.wake();
      await turn();
    }
    await bench.finish();
    assert.equal(bench.ledger().delivered, 100 * (small.length + large.length) / line.length);
    assert.ok(most > 4 * 1024 * 1024, `${most} bytes: the bound was met`);
    assert.ok(most <= 5 * 1024 * 1024, `${most} bytes: a chunk over the bound, and no more`);
  });

  it("keeps what rules merged for a line that waits while other streams go on", async () => {
    const bench = new Bench(compile(several), letterPath());
    const merged = (sender: number, n: number, head: string) =>
      `{${head}"topic":"json-${sender}","line":${n},"fill":"${"x".repeat(n * 7 % 400)}"}`;
    const all = [0, 1, 2].map((sender) => Array.from({ length: 600 }, (_, n) => ({ sender, n })));
    const senders = all.map((lines) => {
      const bytes = encoder.encode(
        lines.map(({ sender, n }) => `<13>1 - h a - - - ${merged(sender, n, "")}\n`).join(""),
      );
      return new Sender(bench, cut(bytes, Array.from({ length: 40 }, (_, at) => at / 40)));
    });
    let waits = 0;
    for (let left = senders; left.length > 0 || bench.intake.waiting.connections > 0;) {
      left = left.filter((sender) => sender.step());
      const { connections } = bench.intake.waiting;
      waits = Math.max(waits, connections);
      if (connections < Math.max(left.length, 1)) continue;
      // One batch at a time: who goes on soon waits again, beside the others.
      bench.batcher.closeAll();
      bench.settle();
      bench.intake.wake();
      await turn();
    }
    bench.batcher.closeAll();
    while (bench.settle());
    assert.ok(waits >= 2, "streams waited beside each other");
    for (const lines of all) {
      const topic = `json-${lines[0]!.sender}: `;
      assert.deepEqual(
        bench.delivered.filter((value) => value.startsWith(topic)),
        lines.map(({ sender, n }) => topic + merged(sender, n, '"n":1,')),
      );
    }
  });

  it("runs the rules once per line, also for lines that wait between their copies", async () => {
    const path = letterPath();
    const bench = new Bench(compile(several), path);
    const lines: string[] = [];
    for (let n = 0; n < 3_000; n++) {
      const kind = [
        "drop",
        "copy",
        "text 7",
        "copy text 8",
        `{"topic":"json-a","line":${n}}`,
        '{"topic":"secret"}',
        "other",
      ][n % 7]!;
      lines.push(kind.startsWith("{") ? `<13>1 - h a - - - ${kind}` : `<13>1 - h a - - - ${n} ${kind}`);
    }
    const sender = new Sender(
      bench,
      cut(encoder.encode(lines.map((line) => `${line}\n`).join("")), [0.1, 0.5, 0.9]),
    );
    await until(
      "all lines",
      async () => {
        const more = sender.step();
        bench.settle();
        bench.intake.wake();
        bench.ledger();
        await Promise.resolve();
        return more || bench.intake.waiting.connections > 0 ? undefined : true;
      },
      20_000,
      0,
    );
    await bench.finish();
    const per = lines.length / 7 | 0;
    const want = (kind: number) => lines.filter((_, index) => index % 7 === kind).length;
    await until("letters", () => bench.ledger().dead_lettered === want(5) || undefined);
    const ledger = bench.ledger();
    assert.ok(per > 400);
    assert.equal(ledger.received, lines.length);
    assert.equal(ledger.dropped.rule_drop, want(0));
    assert.equal(ledger.in_flight, 0);
    const count = (topic: string) => bench.delivered.filter((value) => value.startsWith(`${topic}: `)).length;
    assert.equal(count("first"), want(1) + want(3));
    assert.equal(count("texts"), want(2) + want(3));
    // Merged bytes lie in the kernel's scratch: a line that waits has to keep its own.
    const merged = lines.flatMap((_, n) =>
      n % 7 === 4 ? [`json-a: {"n":1,"topic":"json-a","line":${n}}`] : []
    );
    assert.deepEqual(bench.delivered.filter((value) => value.startsWith("json-a: ")), merged);
    assert.equal(count("json-a"), want(4));
    assert.equal(bench.delivered.length + want(0) + want(5), ledger.received + ledger.fan_out);
    assert.deepEqual([...bench.intake.program.hits], [
      want(0),
      want(1) + want(3),
      want(2) + want(3),
      want(4) + want(5),
    ]);
    const letters = readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(letters.length, want(5));
    assert.equal(letters[0].reason, "topic_not_allowed");
    assert.equal(letters[0].peer, "192.0.2.1:5140");
    assert.match(letters[0].value, /secret/);
    await bench.deadLetter.close();
  });

  it("drops and counts datagrams that find no room, and counts empty ones", async () => {
    const bench = new Bench(compile(catchAll), letterPath());
    const packet = encoder.encode(`<13>1 - h a - - - ${"x".repeat(900)}`);
    for (let n = 0; n < 500; n++) bench.intake.datagram(packet, "192.0.2.1:514");
    bench.intake.datagram(encoder.encode("\n"), "192.0.2.1:514");
    const ledger = bench.ledger();
    assert.equal(ledger.received, 501);
    assert.equal(ledger.dropped.empty_frame, 1);
    assert.ok(ledger.dropped.no_memory_udp! > 300);
    await bench.finish();
    assert.equal(bench.ledger().delivered + ledger.dropped.no_memory_udp! + 1, 501);
  });

  it("adopts new rules between two lines and never within one", async () => {
    const bench = new Bench(compile(catchAll), letterPath());
    const sender = new Sender(bench, [
      encoder.encode("<13>1 - - - - - - one\n<13>1 - - - "),
      encoder.encode("- - - two\n"),
    ]);
    sender.step();
    bench.next = { program: compile(catchAll.replace("topic: all", "topic: newer")), version: 2 };
    while (sender.step()) await turn();
    await bench.finish();
    assert.deepEqual(bench.delivered.sort(), ["all: <13>1 - - - - - - one", "newer: <13>1 - - - - - - two"]);
    assert.equal(bench.intake.rulesVersion, 2);
  });

  it("cuts frames at the limit, counts them, and forwards what is left", async () => {
    const bench = new Bench(compile(catchAll), letterPath());
    const long = `<13>1 - h a - - - ${"y".repeat(3_000)}`;
    const sender = new Sender(bench, cut(encoder.encode(`${long}\n<13>1 - h a - - - next\n`), [0.3, 0.6]));
    while (sender.step()) await turn();
    await bench.finish();
    assert.deepEqual(bench.delivered, [`all: ${long.slice(0, 1024)}`, "all: <13>1 - h a - - - next"]);
    assert.equal(bench.counters.value(counter.frames_truncated), 1);
  });

  it("lets streams that wait for memory go on while the dead letter is full", async () => {
    const bench = new Bench(compile(several), letterPath(), { deadLetterBytesMax: 4_096 });
    const refused = '<13>1 - h a - - - {"topic":"secret","pad":"' + "x".repeat(800) + '"}\n';
    const hostile = new Sender(bench, [encoder.encode(refused.repeat(4_000))]);
    await until("a full dead letter", () => {
      hostile.step();
      bench.intake.wake();
      return bench.deadLetter.full && bench.intake.waiting.connections === 1 ? true : undefined;
    });
    const good = `<13>1 - h a - - - other ${"y".repeat(900)}\n`;
    const sender = new Sender(bench, cut(encoder.encode(good.repeat(2_000)), [0.25, 0.5, 0.75]));
    await until(
      "all good lines",
      async () => {
        sender.step();
        while (bench.settle());
        bench.intake.wake();
        await turn();
        bench.batcher.closeAll();
        return bench.delivered.length === 2_000 || undefined;
      },
      20_000,
      0,
    );
    bench.ledger();
    await bench.deadLetter.close();
  });

  it("gives other streams their turn while expensive rules are at work", async () => {
    const cheap = compile(noRules);
    let applied = 0;
    const slow: Program = {
      ...cheap,
      uniform: undefined,
      names: [],
      needsHeaders: false,
      fallback: cheap.fallback,
      hits: cheap.hits,
      redactedFrame: () => undefined,
      apply: (line) => {
        applied++;
        for (const until = performance.now() + 0.2; performance.now() < until;);
        return cheap.apply(line);
      },
    };
    const bench = new Bench(slow, letterPath());
    const lines = (name: string, count: number) =>
      encoder.encode(`<13>1 - h a - - - ${name}\n`.repeat(count));
    const fat = new Sender(bench, [lines("fat", 2_000)]);
    const thin = new Sender(bench, [lines("thin", 1)]);
    fat.step();
    // Counted, not timed: a machine that others use makes a line longer, and a turn shorter in lines.
    assert.ok(applied < 1_000, `one chunk held the loop for ${applied} of its 2,000 lines`);
    thin.step();
    await until("the thin stream's line", async () => {
      await turn();
      bench.batcher.closeAll();
      while (bench.settle());
      return bench.delivered.some((value) => value.endsWith("thin")) || undefined;
    });
    const fatSoFar = bench.delivered.filter((value) => value.endsWith("fat")).length;
    assert.ok(fatSoFar < 1_500, `the thin line came behind ${fatSoFar} of 2,000 fat ones`);
    await bench.finish();
    assert.equal(bench.ledger().delivered, 2_001);
  });

  it("gives a stream that sends much a small share of each turn while others send little", async () => {
    const fatLines = 3_000;
    const fat = encoder.encode("<13>1 - h a - - - fat and long\n".repeat(fatLines));
    const thin = encoder.encode("<13>1 - h a - - - thin\n");
    const { performance } = globalThis;
    const nowMs = performance.now;
    /** Lines that the fat one places in a turn at most. A clock that goes on with each look makes turns alike. */
    const mostInATurn = async (isBesideThin: boolean) => {
      const bench = new Bench(compile(noRules), letterPath(), { besideThin: () => isBesideThin });
      let now = 0;
      performance.now = () => now += 0.05;
      try {
        const connection = new Sender(bench, []).stream;
        const stream = new Sender(bench, []).stream;
        let most = 0;
        let placed = 0;
        const look = () => {
          most = Math.max(most, stream.lines - placed);
          placed = stream.lines;
          while (bench.settle());
          bench.intake.wake();
        };
        // What is little may be the last piece of much: who sends little is not decided here.
        bench.intake.received(connection, thin);
        bench.intake.received(stream, fat);
        look();
        for (let turns = 0; stream.state === "waiting"; turns++) {
          assert.ok(turns < fatLines, "a share of a turn is something");
          await turn();
          look();
          bench.intake.received(connection, thin);
        }
        assert.equal(stream.lines, fatLines);
        return most;
      } finally {
        performance.now = nowMs;
      }
    };
    const [alone, beside] = [await mostInATurn(false), await mostInATurn(true)];
    assert.ok(beside > 0 && 3 * beside < alone, `${beside} lines a turn beside thin ones, ${alone} alone`);
  });

  it("ends the connection whose half line is oldest when half lines pass their bound", async () => {
    const bench = new Bench(compile(noRules), letterPath(), { halfBytesMax: 2_000 });
    const ended: number[] = [];
    for (let n = 0; n < 6; n++) {
      const connection: Connection = {
        peer: "",
        pause: () => {},
        resume: () => {},
        unsentBytes: 0,
        write: () => {},
        end: () => {},
        destroy: () => void ended.push(n),
      };
      bench.intake.received(bench.intake.open(connection, "newline"), encoder.encode("z".repeat(450)));
      await turn();
    }
    assert.deepEqual(ended, [0, 1]);
    assert.deepEqual(bench.events, ["half_lines_full", "half_lines_full"]);
  });

  it("holds a part of the line at which a connection waits for room, and that connection counts once", async () => {
    const bench = new Bench(compile(catchAll), letterPath());
    // Each line begins in one chunk and ends in the next.
    const text = encoder.encode(`<13>1 - h a - - - ${"w".repeat(900)}\n`.repeat(500));
    const cuts = Array.from({ length: 500 }, (_, index) => (index + 0.5) / 500);
    const waits = new Sender(bench, cut(text, cuts), 1);
    const silent = new Sender(bench, [encoder.encode("<13>half a li")], 2);
    silent.step();
    for (let steps = 0; steps < 500 && waits.stream.wait !== "room"; steps++) {
      waits.step();
      await turn();
    }
    assert.ok(waits.stream.halfBytes > 0 && silent.stream.halfBytes === 13);

    const connections = [1, 2].map((id): ConnectionInfo => ({
      id,
      listener: "l",
      peer: "192.0.2.1:5140",
      tlsPeer: undefined,
      openedAtMs: 0,
      receivedAtMs: 0,
      bytes: 0,
      paused: false,
      pausedBy: undefined,
    }));
    const nowMs = performance.now() + longMs + 1_000;
    const { rows, census } = connectionRows(0, connections, bench.intake.streams, { limit: 2 }, nowMs);
    assert.deepEqual(rows.map(({ id, waits_for }) => [id, waits_for]), [["0-1", "room"], ["0-2", undefined]]);
    assert.deepEqual([census.waiting.room, census.half_lines_long], [{ count: 1, long: 1 }, 1]);
  });

  it("counts what waiting streams hold when a drain gives them up", async () => {
    const bench = new Bench(compile(catchAll), letterPath());
    const sender = new Sender(bench, [
      encoder.encode(`<13>1 - h a - - - ${"w".repeat(900)}\n`.repeat(500) + "half"),
    ]);
    sender.step();
    assert.equal(bench.intake.waiting.connections, 1);
    const before = bench.ledger();
    assert.ok(before.received < 400, `${before.received} of 501 found room`);
    assert.equal(bench.intake.abandon(), 501 - before.received);
    const after = bench.ledger();
    assert.equal(after.received, 501);
    assert.equal(after.dropped.shutdown, 501 - before.received);
    await bench.finish();
    bench.ledger();
  });
});
