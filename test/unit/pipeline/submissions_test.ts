import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import fc from "fast-check";
import type { Until } from "../../../src/batch/receipt.ts";
import { gatherMs } from "../../../src/pipeline/gathering.ts";
import type { RequestLines, SubmitRequest } from "../../../src/pipeline/submission.ts";
import { sweepMs } from "../../../src/pipeline/submissions.ts";
import { plainLines } from "../../../src/pipeline/line_options.ts";
import { until } from "../../support/until.ts";
import { type Asked, compile, encoder, SubmissionRig, turn } from "./submission_rig.ts";

const noRules = "rules: []\n";
const catchAll = 'rules:\n  - { regex: ".*", actions: [{ type: forward, topic: all, value: raw }] }\n';
const several = `rules:
  - { regex: "drop", actions: [{ type: drop }] }
  - { regex: "letter", actions: [{ type: dead_letter, reason: unwanted }] }
  - { regex: "copy", actions: [{ type: forward, topic: first, value: raw, continue: true }, { type: forward, topic: second, value: raw }] }
  - { regex: "(?P<t>wild-\\\\w+)", actions: [{ type: forward, topic: "{{t}}", value: raw }] }
  - { regex: "keyed", actions: [{ type: forward, topic: texts, value: raw, key: own }] }
`;

/** Frames at known places, with bytes between them that are nobody's. */
function ranges(texts: readonly string[], gap = ","): RequestLines {
  const table = new Uint32Array(2 * texts.length);
  let all = "[";
  texts.forEach((text, index) => {
    table[2 * index] = encoder.encode(all).length;
    all += text;
    table[2 * index + 1] = encoder.encode(all).length;
    all += gap;
  });
  return { kind: "ranges", bytes: encoder.encode(all), ranges: table, count: texts.length };
}

const framed = (texts: readonly string[]): RequestLines => ({
  kind: "framed",
  bytes: encoder.encode(texts.map((text) => `${text}\n`).join("")),
  framing: "newline",
});

describe("Submissions", () => {
  let dir: string;
  let files = 0;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-submissions-"));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const letterPath = () => join(dir, `letters-${files++}.ndjson`);
  const rigs: SubmissionRig[] = [];
  const rigAt = (path: string, rules: string, options = {}) => {
    const rig = new SubmissionRig(compile(rules), path, options);
    rigs.push(rig);
    return rig;
  };
  const rigOf = (rules: string, options = {}) => rigAt(letterPath(), rules, options);
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.letters.close()));
  });

  it("submit() answers at once when memory is enough", () => {
    const rig = rigOf(noRules);
    const asked = rig.ask({ lines: framed(["a", "b"]), until: "memory" });
    assert.equal(asked.result?.kind, "kept");
    assert.equal(asked.result?.reached, "memory");
    assert.equal(asked.result?.placed, 2);
    assert.equal(rig.ledger().in_flight, 2);
  });

  it("submit() answers after the commit when the disk is asked for, after the ack when Kafka is", async () => {
    const rig = rigOf(noRules);
    const disk = rig.askOne("d", { until: "disk" });
    const kafka = rig.askOne("k", { until: "kafka" });
    await turn();
    assert.deepEqual([disk.answers, kafka.answers, rig.uncommitted.length], [0, 0, 1]);
    rig.commit();
    await turn();
    assert.deepEqual([disk.result?.kind, disk.result?.reached, kafka.answers], ["kept", "disk", 0]);
    rig.settle();
    await turn();
    assert.deepEqual([kafka.result?.kind, kafka.result?.reached], ["kept", "kafka"]);
    assert.deepEqual([disk.answers, kafka.answers], [1, 1]);
  });

  it("submit() lets an ack stand for the disk when nothing is committed", async () => {
    const rig = rigOf(noRules);
    const disk = rig.askOne("d", { until: "disk" });
    await turn();
    rig.settle();
    await turn();
    assert.deepEqual([disk.result?.kind, disk.result?.reached], ["kept", "kafka"]);
  });

  it("submit() makes one batch of the requests of a turn, and of those that come while the sink is busy", async () => {
    const rig = rigOf(noRules);
    const first = Array.from({ length: 50 }, (_, index) => rig.askOne(`first ${index}`));
    const closed = () => rig.uncommitted.reduce((sum, { count }) => sum + count, 0);
    await until("the first requests", () => closed() === 50 || undefined, 10_000, 0);
    // One, unless a neighbour had the processor for longer than a turn may take.
    const before = rig.batches;
    assert.ok(before <= 5, `${before} batches`);
    rig.sink.hungry = false;
    for (let i = 0; i < 20; i++) {
      rig.askOne(`second ${i}`, { until: i % 2 === 0 ? "disk" : "kafka" });
      await turn();
    }
    assert.equal(rig.batches, before, "nothing closes early while the sink is busy");
    rig.hunger();
    assert.equal(rig.batches, before + 1);
    assert.equal(rig.uncommitted[before]!.count, 20);
    assert.equal(rig.uncommitted[before]!.receipts?.length, 20);
    while (rig.settle());
    await turn();
    assert.ok(first.every((asked) => asked.result?.kind === "kept"));
  });

  it("submit() lets a batch grow that waits for Kafka alone while Kafka is busy, and none that waits for the disk", async () => {
    const rig = rigOf(noRules);
    rig.endHungry = false;
    const kafka = [rig.askOne("k 1")];
    await turn();
    kafka.push(rig.askOne("k 2"));
    await turn();
    assert.equal(rig.batches, 0);
    rig.endHungry = true;
    rig.batcher.closeHurried();
    assert.deepEqual([rig.batches, rig.uncommitted[0]!.count], [1, 2]);
    rig.endHungry = false;
    kafka.push(rig.askOne("k 3"));
    await turn();
    const disk = rig.askOne("d", { until: "disk" });
    await turn();
    assert.deepEqual([rig.batches, rig.uncommitted[1]!.count], [2, 2]);
    while (rig.settle());
    await turn();
    assert.deepEqual([disk, ...kafka].map(({ result }) => result?.kind), Array(4).fill("kept"));
  });

  it("submit() gathers clients that come back together into one batch", async () => {
    const rig = rigOf(noRules);
    const clients = 40;
    /** Their requests come in two turns, as soon as they were answered; gives the batches. */
    const round = async () => {
      for (let client = 0; client < clients / 4; client++) rig.askOne(`first ${client}`);
      await turn();
      for (let client = clients / 4; client < clients; client++) rig.askOne(`second ${client}`);
      await turn();
      await turn();
      rig.timers.advance(gatherMs);
      const batches = rig.uncommitted.map(({ count }) => count);
      while (rig.settle());
      await turn();
      return batches;
    };
    assert.ok((await round()).length >= 2, "nothing is known of them");
    // A neighbour that has the processor for long makes more of one.
    await until("one batch", async () => (await round()).join() === `${clients}` || undefined, 10_000, 0);
  });

  it("submit() closes no batch early when nobody waits", async () => {
    const rig = rigOf(noRules);
    rig.ask({ lines: framed(["a"]), until: "memory" });
    await turn();
    assert.equal(rig.batches, 0);
  });

  it("submit() leaves one entry per request and batch", async () => {
    const rig = rigOf(several);
    rig.ask({ lines: framed(Array.from({ length: 100 }, (_, index) => `copy ${index}`)) });
    await until("all lines", () => rig.ledger().in_flight === 200 ? true : undefined, 10_000, 0);
    rig.batcher.closeAll();
    for (const topic of ["first", "second"]) {
      const batches = rig.uncommitted.filter((batch) => batch.topic === topic);
      assert.equal(batches.reduce((sum, { count }) => sum + count, 0), 100);
      assert.deepEqual(batches.map(({ receipts }) => receipts?.length), batches.map(() => 1));
    }
  });

  it("submit() says per line what differs", async () => {
    const rig = rigOf(several);
    const asked = rig.ask({
      lines: ranges(["plain", "drop me", "letter this", "to wild-west", "copy", "to chosen-x"]),
      until: "kafka",
    });
    await turn();
    while (rig.settle());
    await until("the answer", () => asked.result);
    assert.equal(asked.result!.kind, "kept");
    assert.deepEqual(asked.result!.notes, [
      { line: 1, state: "dropped", reason: "rule_drop" },
      { line: 2, state: "dead_lettered", reason: "unwanted" },
      { line: 3, state: "dead_lettered", reason: "topic_not_allowed" },
    ]);
    assert.deepEqual([asked.result!.placed, asked.result!.dropped, asked.result!.deadLettered], [6, 1, 2]);
    const { received, fan_out, delivered, dead_lettered, dropped } = rig.ledger();
    assert.deepEqual([received, fan_out, delivered, dead_lettered, dropped.rule_drop], [6, 1, 4, 2, 1]);
  });

  it("submit() keeps a line that is longer than a frame cut, and says so", async () => {
    const rig = rigOf(noRules);
    const asked = rig.ask({ lines: framed(["short", "x".repeat(1500), "last"]), until: "kafka" });
    await turn();
    while (rig.settle());
    await turn();
    assert.deepEqual(asked.result!.notes, [{ line: 1, state: "truncated", reason: "frame_too_large" }]);
    assert.equal(asked.result!.truncated, 1);
  });

  it("submit() waits for the dead letter to be durable", async () => {
    const path = letterPath();
    const rig = rigAt(path, several);
    const asked = rig.askOne("letter", { until: "disk" });
    assert.equal(asked.answers, 0);
    await until("the answer", () => asked.result);
    assert.match(readFileSync(path, "utf8"), /"reason":"unwanted"/);
  });

  it("submit() reads lines as the listener says", async () => {
    const path = letterPath();
    const rig = rigAt(path, noRules);
    const options = { ...plainLines("newline", 1024), refusesUnparsed: true };
    const asked = rig.askOne("no header at all", { until: "disk", options });
    await until("the answer", () => asked.result);
    assert.deepEqual([asked.result!.kind, asked.result!.deadLettered], ["kept", 1]);
    assert.match(readFileSync(path, "utf8"), /"reason":"unparsed"/);
  });

  it("submit() names the reason when Kafka refused a batch", async () => {
    const path = letterPath();
    const rig = rigAt(path, noRules);
    const asked = rig.askOne("poison");
    await turn();
    rig.settle({ kind: "rejected", reason: "record_invalid", message: "no" });
    await until("the answer", () => asked.result);
    assert.deepEqual([asked.result!.kind, asked.result!.rejection], ["kept", "record_invalid"]);
    assert.match(readFileSync(path, "utf8"), /poison/);
  });

  const topics: readonly { name: string; rules: string; want: string }[] = [
    { name: "no rules", rules: noRules, want: "chosen-a: line" },
    { name: "a rule for every line", rules: catchAll, want: "all: line" },
    { name: "rules that do not match", rules: several, want: "chosen-a: line" },
  ];
  for (const { name, rules, want } of topics) {
    for (const key of [undefined, "k1"]) {
      it(`submit() uses topic ${key === undefined ? "" : "and key "}of the request when there is ${name}`, async () => {
        const rig = rigOf(rules);
        rig.askOne("line", { topic: "chosen-a", key });
        await turn();
        while (rig.settle());
        assert.deepEqual(rig.delivered, [want]);
        assert.deepEqual(rig.keys, key === undefined ? [] : [key]);
      });
    }
  }

  it("submit() prefers the key of a rule", async () => {
    const rig = rigOf(several);
    rig.askOne("keyed", { key: "of the request" });
    await turn();
    rig.settle();
    assert.deepEqual(rig.keys, ["own"]);
  });

  const refusals: readonly {
    name: string;
    request: Partial<SubmitRequest> & Pick<SubmitRequest, "lines">;
    want: string;
  }[] = [
    {
      name: "a topic is not allowed",
      request: { lines: framed(["a"]), topic: "secret" },
      want: "topic_not_allowed",
    },
    {
      name: "a topic is not legal",
      request: { lines: framed(["a"]), topic: "a b" },
      want: "topic_not_legal",
    },
    {
      name: "a frame is too large",
      request: { lines: ranges(["a", "x".repeat(1025)]) },
      want: "frame_too_large",
    },
    { name: "a frame is empty", request: { lines: ranges(["a", ""]) }, want: "frame_empty" },
    {
      name: "the one frame is too large",
      request: { lines: { kind: "one", bytes: new Uint8Array(1025) } },
      want: "frame_too_large",
    },
  ];
  for (const { name, request, want } of refusals) {
    it(`submit() takes nothing when ${name}`, () => {
      const rig = rigOf(noRules);
      const { result } = rig.ask(request);
      assert.deepEqual([result!.kind, result!.refusal, result!.placed], ["refused", want, 0]);
      assert.equal(rig.ledger().received, 0);
    });
  }

  it("submit() takes a frame that is exactly as long as one may be", () => {
    const rig = rigOf(noRules);
    assert.equal(rig.askOne("x".repeat(1024), { until: "memory" }).result!.kind, "kept");
  });

  it("submit() takes nothing when the spool is full, and says when to come again", () => {
    const rig = rigOf(noRules);
    rig.blocked = "spool_full";
    const { result } = rig.askOne("a");
    assert.deepEqual([result!.kind, result!.refusal], ["refused", "spool_full"]);
    assert.ok(result!.retryAfterMs > 0);
  });

  it("submit() refuses from the first line that found no room, at the deadline, and what was placed stays", async () => {
    const rig = rigOf(noRules);
    const texts = Array.from({ length: 400 }, (_, index) => `${index} ${"x".repeat(500)}`);
    const asked = rig.ask({ lines: framed(texts), until: "disk", waitMs: 100 });
    await turn();
    assert.equal(asked.answers, 0);
    assert.equal(rig.submissions.load().waiting, 1);
    rig.timers.advance(100 - sweepMs);
    assert.equal(asked.answers, 0);
    rig.timers.advance(2 * sweepMs);
    const { kind, refusal, placed } = asked.result!;
    assert.deepEqual([kind, refusal], ["refused", "busy"]);
    assert.ok(placed > 0 && placed < 400, `${placed}`);
    for (let again = true; again;) {
      again = rig.settle();
      rig.intake.wake();
      rig.batcher.closeAll();
      again ||= rig.uncommitted.length > 0;
    }
    assert.deepEqual(rig.delivered, texts.slice(0, placed).map((text) => `logs: ${text}`));
    assert.equal(rig.ledger().received, placed);
    assert.deepEqual([rig.submissions.load().waiting, rig.submissions.load().waitingBytes], [0, 0]);
    assert.equal(rig.intake.waiting.connections, 0);
  });

  it("submit() refuses at once when too much waits already, with the time at which it drains", () => {
    const rig = rigOf(noRules, { waitingBytesMax: 1000 });
    const fill = Array.from({ length: 400 }, () => "x".repeat(500));
    const first = rig.ask({ lines: framed(fill) });
    const { result } = rig.askOne("one more");
    assert.deepEqual([result!.kind, result!.refusal, result!.placed], ["refused", "busy", 0]);
    assert.equal(result!.retryAfterMs, 60_000, "nothing drains");
    assert.equal(first.answers, 0);
    rig.submissions.cancel(first.submission);
    assert.equal(first.result!.refusal, "cancelled");
  });

  it("submit() says late when all is placed and the deadline comes, with how far it came", async () => {
    const rig = rigOf(noRules);
    const one = rig.askOne("a", { waitMs: 50 });
    await turn();
    rig.commit();
    const two = rig.askOne("b", { waitMs: 50 });
    await turn();
    rig.timers.advance(100);
    assert.deepEqual([one.result!.kind, one.result!.reached], ["late", "disk"]);
    assert.deepEqual([two.result!.kind, two.result!.reached], ["late", "memory"]);
    while (rig.settle());
    await turn();
    assert.deepEqual([one.answers, two.answers], [1, 1]);
  });

  it("submit() holds no timer when nothing is open", async () => {
    const rig = rigOf(noRules);
    rig.askOne("a");
    await turn();
    while (rig.settle());
    await turn();
    rig.timers.advance(sweepMs);
    assert.equal(rig.timers.armed, 0);
  });

  it("submit() tells that lines are placed before the next request goes, so that a connection keeps its order", async () => {
    const rig = rigOf(noRules);
    const texts = Array.from({ length: 900 }, (_, index) => `${index} ${"x".repeat(400)}`);
    let at = 0;
    const answers: number[] = [];
    const send = () => {
      const some = texts.slice(at, at += 90);
      if (some.length === 0) return;
      const first = Number.parseInt(some[0]!);
      rig.submissions.submit(
        { lines: framed(some), peer: "p", until: "kafka", waitMs: 1e9, placed: send },
        ({ kind }) => kind === "kept" && answers.push(first),
      );
    };
    send();
    await until(
      "all lines",
      () => {
        rig.settle();
        rig.intake.wake();
        return answers.length === 10 ? true : undefined;
      },
      10_000,
      0,
    );
    assert.deepEqual(rig.delivered, texts.map((text) => `logs: ${text}`));
  });

  it("close() answers everything that is open", () => {
    const rig = rigOf(noRules);
    const waiting = rig.ask({ lines: framed(Array.from({ length: 400 }, () => "x".repeat(500))) });
    const placed = rig.askOne("a", { until: "disk" });
    rig.submissions.stop();
    assert.equal(rig.askOne("late").result!.refusal, "stopping");
    rig.intake.abandon();
    rig.submissions.close();
    assert.deepEqual([waiting.result!.kind, waiting.result!.refusal], ["refused", "stopping"]);
    assert.ok(placed.result!.kind === "late" || placed.result!.kind === "refused");
    rig.ledger();
  });

  it("answers every request once and truly, whatever the memory, commits, rejections, waits and deadlines", async () => {
    const word = fc.constantFrom("plain", "drop", "letter", "copy", "wild-w", "chosen-c", "keyed");
    const request = fc.record({
      words: fc.array(word, { minLength: 1, maxLength: 60 }),
      pad: fc.nat(900),
      shape: fc.constantFrom("one", "ranges", "framed"),
      until: fc.constantFrom<Until>("memory", "disk", "kafka"),
      waitMs: fc.constantFrom(5, 100, 5_000),
      key: fc.constantFrom(undefined, "k"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 25 }),
        fc.constantFrom(noRules, catchAll, several),
        fc.infiniteStream(fc.nat(11)),
        async (requests, rules, dice) => {
          const path = letterPath();
          const rig = rigAt(path, rules, { waitingBytesMax: 32 * 1024 });
          const open: { asked: Asked; texts: string[]; until: Until; seen: boolean }[] = [];
          const check = () => {
            rig.ledger();
            for (const one of open) {
              const { result, answers } = one.asked;
              if (result === undefined || one.seen) continue;
              one.seen = true;
              assert.equal(answers, 1);
              if (result.kind === "kept") assert.equal(result.placed, one.texts.length);
              if (result.placed === 0 || one.until === "memory") continue;
              const rank = { memory: 0, disk: 1, kafka: 2 };
              if (result.kind === "kept") assert.ok(rank[result.reached] >= rank[one.until]);
              if (result.reached === "memory") continue;
              const where = result.reached === "disk" ? [...rig.onDisk, ...rig.delivered] : rig.delivered;
              const letters = read(path);
              for (const text of one.texts.slice(0, result.placed)) {
                const found = where.some((value) => value.endsWith(`: ${text}`)) || letters.includes(text);
                const dropped = rules === several && /^drop/.test(text);
                assert.ok(
                  found || dropped,
                  `${text} was answered ${result.kind} ${result.reached} and is nowhere`,
                );
              }
            }
          };
          for (const [index, { words, pad, shape, until, waitMs, key }] of requests.entries()) {
            const texts = (shape === "one" ? words.slice(0, 1) : words).map((text, line) =>
              `${text} ${index}.${line} ${"p".repeat(pad)}`
            );
            const lines: RequestLines = shape === "one"
              ? { kind: "one", bytes: encoder.encode(texts[0]!) }
              : shape === "ranges"
              ? ranges(texts)
              : framed(texts);
            open.push({ asked: rig.ask({ lines, until, waitMs, key }), texts, until, seen: false });
            for (let die = dice.next().value; die > 2; die = dice.next().value) {
              if (die === 3) rig.commit();
              else if (die === 4) rig.settle();
              else if (die === 5) rig.settle({ kind: "rejected", reason: "test", message: "test" });
              else if (die === 6) rig.intake.wake();
              else if (die === 7) rig.timers.advance(30);
              else if (die === 8) rig.sink.hungry = !rig.sink.hungry;
              else await turn();
              check();
            }
          }
          rig.hunger();
          await until(
            "answers",
            () => {
              rig.commit();
              rig.settle();
              rig.intake.wake();
              rig.timers.advance(1);
              check();
              return open.every(({ asked }) => asked.answers === 1) ? true : undefined;
            },
            10_000,
            0,
          );
          await until(
            "an empty rig",
            () => {
              rig.batcher.closeAll();
              rig.commit();
              rig.settle();
              return rig.ledger().in_flight === 0 ? true : undefined;
            },
            10_000,
            0,
          );
          check();
          assert.equal(rig.batcher.bytesUsed, 0);
          const { open: left, waiting, waitingBytes } = rig.submissions.load();
          assert.deepEqual([left, waiting, waitingBytes], [0, 0, 0]);
          // What was refused was not taken, but for copies of the line at which it stopped.
          const all = [...rig.delivered, read(path)].join("\n");
          for (const { asked, texts } of open) {
            if (asked.result!.kind !== "refused") continue;
            for (const text of texts.slice(asked.result!.placed + 1)) assert.ok(!all.includes(text), text);
          }
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  });
});

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
