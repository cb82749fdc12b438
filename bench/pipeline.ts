/**
 * Lines per second of one worker's pipeline without a network: framer, header parse, rules, lanes, batches to a
 * blackhole, all of it the production code, on one thread.
 *
 *     bun bench/pipeline.ts [CASE]...        deno run -A --no-check bench/pipeline.ts [CASE]...
 *
 * Each case runs in a process of its own, as a worker has one program. A chunk is what a busy connection delivers.
 * The figure is the best of many chunks: others on the machine only ever add, and a chunk of a millisecond has a
 * chance to run undisturbed. `median` tells how disturbed it was.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { setImmediate } from "node:timers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Batcher } from "../src/batch/batcher.ts";
import { settleReceipts, type Until } from "../src/batch/receipt.ts";
import { invariant } from "../src/core/invariant.ts";
import { createKernel } from "../src/kernel/instance.ts";
import { counter, CounterRow, createCounterRows } from "../src/observe/row.ts";
import { createStageTables, StageTable } from "../src/observe/stage_table.ts";
import { Intake } from "../src/pipeline/intake.ts";
import { Letters } from "../src/pipeline/letters.ts";
import type { SubmissionResult } from "../src/pipeline/submission.ts";
import { Submissions } from "../src/pipeline/submissions.ts";
import { TopicCounts } from "../src/pipeline/topic_counts.ts";
import { TopicGate } from "../src/pipeline/topic_gate.ts";
import { compileRules } from "../src/rules/compile.ts";
import type { Program } from "../src/rules/program.ts";
import { createBlackholeSink } from "../src/sink/blackhole.ts";
import { DeadLetter } from "../src/sink/dead_letter.ts";

const chunkBytes = 256 * 1024;
const warmMs = 1_500;
const measureMs = 3_000;

const forward = (topic: string) => ({ type: "forward", topic });

const head = (n: number) =>
  `<${(n * 8 + 6) % 192}>1 ${new Date(1_780_000_000_000 + n * 7).toISOString()} web-${n % 40}.edge.example ` +
  `app${n % 9} ${1000 + n} - - `;
const filler = "the quick brown fox jumps over a lazy dog while seven wizards boil quartz and vex sphinxes ";
const text = (n: number) =>
  (head(n) + `request ${n} from 10.1.${n % 256}.7 user=u${n % 97} status=${200 + n % 5} ${filler}${filler}`)
    .slice(0, 200);
const access = (n: number) =>
  head(n) +
  `10.1.${n % 256}.7 - - [02/Jan/2026:03:04:05 +0000] "GET /articles/${n}?q=abc HTTP/1.1" 200 ${n * 7} ` +
  `"https://example.com/start/page/${n}" "Mozilla/5.0 (X11; Linux x86_64)"`;
const json = (n: number) =>
  head(n) +
  `{"level":"info","ts":"2026-01-02T03:04:05.${100 + n % 900}Z","caller":"server/handler.go:${n % 400}",` +
  `"msg":"request completed","method":"GET","path":"/articles/${n}","status":200,"bytes":${n * 7},` +
  `"user":{"id":${n},"name":"user-${n}"},"meta":{"topic":"orders","region":"eu"},"tags":["a","b"]}`;

interface Case {
  readonly what: string;
  readonly rules: readonly unknown[];
  readonly line: (n: number) => string;
  /** Each chunk is handed over as requests that wait for this: one per line, or one for all. */
  readonly requests?: { readonly until: Until; readonly of: "line" | "chunk" };
}

const cases: Readonly<Record<string, Case>> = {
  A: { what: "no rules, raw", rules: [], line: text },
  B: {
    what: "header, one regex, forward",
    rules: [{ regex: "user=\\w+ status=\\d+", actions: [forward("users")] }],
    line: text,
  },
  Bkey: {
    what: "header, one regex with a group as key, forward",
    rules: [{ regex: "user=(?P<user>\\w+) status", actions: [{ ...forward("users"), key: "{{user}}" }] }],
    line: text,
  },
  Baccess: {
    what: "header, access log regex with four groups, topic and key from them",
    rules: [{
      regex: '^(?P<ip>\\S+) \\S+ \\S+ \\[(?P<t>[^\\]]+)\\] "(?P<m>\\w+) (?P<path>\\S+) [^"]*" (?P<s>\\d{3})',
      actions: [{ ...forward("http-{{s}}"), key: "{{ip}}" }],
    }],
    line: access,
  },
  C: {
    what: "JSON, JMESPath, merge, forward",
    rules: [{
      jmespath: "meta.topic",
      actions: [
        { type: "merge", json: { meta: { hotdog: { version: "{{version}}", timestamp: "{{iso8601}}" } } } },
        forward("{{value}}"),
      ],
    }],
    line: json,
  },
  D: {
    what: "JMESPath of plain identifiers as topic, message unchanged",
    rules: [{ jmespath: "meta.topic", actions: [forward("{{value}}")] }],
    line: json,
  },
  Rmemory: {
    what: "no rules, a request per line, answered when placed",
    rules: [],
    line: text,
    requests: { until: "memory", of: "line" },
  },
  Rkafka: {
    what: "no rules, a request per line, answered when settled",
    rules: [],
    line: text,
    requests: { until: "kafka", of: "line" },
  },
  Rchunk: {
    what: "no rules, one request per chunk, answered when settled",
    rules: [],
    line: text,
    requests: { until: "kafka", of: "chunk" },
  },
};

function compile(rules: readonly unknown[]): Program {
  const sources = rules.map((value, index) => ({
    value,
    file: "bench",
    path: `rules.${index}`,
    line: 1,
    places: {},
  }));
  const ruleSet = { dialect: "corndog" as const, rules: sources, tests: [], files: [] };
  const compiled = compileRules(ruleSet, { version: "0.0.0", defaultTopic: "logs" });
  if (!compiled.ok) throw new TypeError(compiled.faults.map(({ message }) => message).join("; "));
  return compiled.program;
}

/** The stages of one worker, joined as the worker joins them. */
function createPipeline(
  program: Program,
): { intake: Intake; counters: CounterRow; submissions: Submissions } {
  const kernel = createKernel();
  const counters = new CounterRow(createCounterRows(1), 0);
  const topics = new TopicCounts();
  const timers = { nowMs: () => performance.now(), set: () => 0, clear: () => {} };
  const sink = createBlackholeSink({
    events: {
      settled: (batch) => {
        counters.add(counter.delivered, batch.count);
        counters.add(counter.in_flight, -batch.count);
        settleReceipts(batch, { kind: "delivered" });
        batcher.release(batch);
      },
      wants: () => batcher.wants(),
    },
  });
  const batcher = new Batcher({
    kernel,
    batchBytesMax: 512 * 1024,
    lingerMs: 1_000,
    lanesMax: 100,
    sink,
    timers,
    emit: (batch) => sink.send(batch),
    hurried: () => submissions.closeSoon(),
  });
  const letters = new Letters({
    deadLetter: new DeadLetter({
      path: join(tmpdir(), "corndog-bench-letters.jsonl"),
      bytesMax: 1 << 20,
      memory: kernel.bytes,
      room: () => {},
    }),
    counters,
    topics,
    release: (batch) => batcher.release(batch),
  });
  const gate = new TopicGate(["*"], 1000);
  const submissions = new Submissions({
    kernel,
    batcher,
    gate,
    timers,
    waitingBytesMax: 1 << 24,
    bytesDone: () => 0,
    blocked: () => undefined,
  });
  const intake = new Intake({
    kernel,
    batcher,
    letters,
    gate,
    counters,
    program,
    rulesVersion: 1,
    waits: new StageTable(createStageTables(1), 0),
    worker: 0,
    activity: new Int32Array(16),
    halfBytesMax: 1024 * 1024,
    log: () => {},
    adopt: () => undefined,
    submissionEnded: submissions.submissionEnded,
  });
  submissions.join(intake);
  return { intake, counters, submissions };
}

/** Hands the lines over as requests; resolves when all are answered. */
function ask(
  submissions: Submissions,
  lines: readonly Uint8Array[],
  kind: "one" | "framed",
  until: Until,
): Promise<void> {
  return new Promise((resolve) => {
    let left = lines.length;
    const answer = (result: SubmissionResult) => {
      invariant(result.kind === "kept", "the blackhole keeps up");
      if (--left === 0) resolve();
    };
    for (const bytes of lines) {
      const of = kind === "one" ? { kind, bytes } : { kind, bytes, framing: "newline" as const };
      submissions.submit({ lines: of, peer: "127.0.0.1:1", until, waitMs: 10_000 }, answer);
    }
  });
}

async function run(name: string, { what, rules, line, requests }: Case): Promise<void> {
  let input = "";
  let lines = 0;
  for (; input.length + 600 < chunkBytes; lines++) input += line(lines) + "\n";
  const chunk = Buffer.from(input);
  const { intake, counters, submissions } = createPipeline(compile(rules));
  const each = requests?.of === "line" ? input.trimEnd().split("\n").map((one) => Buffer.from(one)) : [chunk];
  const stream = intake.open(
    { peer: "127.0.0.1:1", unsentBytes: 0, pause() {}, resume() {}, write() {}, end() {}, destroy() {} },
    "auto",
  );
  const samples: number[] = [];
  const begin = performance.now();
  for (let now = begin; now < begin + warmMs + measureMs;) {
    const start = performance.now();
    if (requests === undefined) intake.received(stream, chunk);
    else await ask(submissions, each, requests.of === "line" ? "one" : "framed", requests.until);
    // The blackhole settles in a microtask; what is over a turn's budget goes on in the next one.
    await Promise.resolve();
    while (intake.waiting.connections > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    now = performance.now();
    if (now > begin + warmMs) samples.push((now - start) * 1e6 / lines);
  }
  invariant(intake.waiting.connections === 0, "the blackhole keeps up");
  invariant(counters.value(counter.dead_lettered) === 0, "no line is refused");
  samples.sort((a, b) => a - b);
  // The very best may be a clock's mistake.
  const best = samples[Math.floor(samples.length / 100)];
  const median = samples[samples.length >> 1];
  const million = (ns: number) => (1e3 / ns).toFixed(2);
  const bytes = Math.round(chunk.length / lines) - 1;
  process.stdout.write(
    `${name.padEnd(8)}${best.toFixed(0).padStart(7)} ns ${million(best).padStart(6)} M/s ` +
      `(median ${million(median)})  ${what}, ${bytes} bytes\n`,
  );
}

const only = process.argv.slice(2);
if (only.length === 1) {
  await run(only[0], cases[only[0]]);
} else {
  const options = process.versions.bun === undefined ? ["run", "-A", "--no-check"] : [];
  process.stdout.write(
    `${
      process.versions.bun === undefined ? `deno ${process.versions.deno}` : `bun ${process.versions.bun}`
    }\n`,
  );
  for (const name of only.length > 0 ? only : Object.keys(cases)) {
    execFileSync(process.execPath, [...options, fileURLToPath(import.meta.url), name], { stdio: "inherit" });
  }
}
