import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { FileSource } from "../../../src/deadletter/file_source.ts";
import { frame, framingOf } from "../../../src/deadletter/listener_target.ts";
import { lockReplay } from "../../../src/deadletter/lock.ts";
import { Progress } from "../../../src/deadletter/progress.ts";
import { replay, type ReplayOptions, type ReplayState } from "../../../src/deadletter/replay.ts";
import type { StoredLetter } from "../../../src/deadletter/stored_letter.ts";
import { summarize, summaryText } from "../../../src/deadletter/summary.ts";
import { LetterFile, ListenerBench } from "./bench.ts";

/** Replays a file as a new process would: the progress is read from the disk. */
async function run(
  file: LetterFile,
  listener: ListenerBench | undefined,
  more: Partial<ReplayOptions> & { path?: string } = {},
): Promise<ReplayState> {
  const source = await FileSource.open(more.path ?? file.path);
  assert.ok(source !== undefined);
  try {
    return await replay({
      sources: [source],
      progress: await Progress.load(join(file.dir, "progress")),
      route: "auto",
      listener: listener?.address,
      topics: undefined,
      reasons: undefined,
      again: false,
      dryRun: false,
      rate: 1e6,
      limit: Infinity,
      progressed: () => {},
      ...more,
    });
  } finally {
    await source.close();
  }
}

async function lettersOf(path: string): Promise<StoredLetter[]> {
  const source = await FileSource.open(path);
  assert.ok(source !== undefined);
  const letters: StoredLetter[] = [];
  for await (const some of source.read("file", 0)) letters.push(...some);
  await source.close();
  return letters;
}

test("replay() sends every line of the file once, byte for byte, over runs that are cut and files that grow", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  const odd = ["<13>one", "no priority", "<1>two\nlines", "<13>caf\u00e9 \u{1f32d}"];
  file.add(...odd.map((value) => ({ value })), {
    value_b64: Buffer.from([0x3c, 0x31, 0x3e, 0xff]).toString("base64"),
  });
  assert.equal((await run(file, listener, { limit: 2 })).isCut, true);
  assert.equal((await run(file, listener)).replayed, 3);
  assert.equal((await run(file, listener)).replayed, 0);
  file.add({ value: "<13>later" });
  assert.equal((await run(file, listener)).replayed, 1);
  const bytes = Buffer.concat(listener.received);
  assert.ok(bytes.includes(Buffer.from([0x34, 0x20, 0x3c, 0x31, 0x3e, 0xff])), "bytes that are no text");
  assert.deepEqual(
    listener.lines.filter((line) => !line.includes("\ufffd")).sort(),
    [...odd, "<13>later"].sort(),
  );
});

test("replay() of some reasons leaves the others for later, and nothing is sent twice", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  const reasons = ["a", "b", "c"];
  for (let id = 0; id < 300; id++) file.add({ value: `<1>${id}`, reason: reasons[id % 3] });
  assert.equal((await run(file, listener, { reasons: ["b"], limit: 30 })).replayed, 30);
  assert.equal((await run(file, listener, { reasons: ["b", "a"] })).replayed, 170);
  file.add({ value: "<1>b-later", reason: "b" });
  assert.equal((await run(file, listener)).replayed, 101);
  assert.equal((await run(file, listener)).replayed, 0);
  const { before } = await run(file, listener, { reasons: ["c"] });
  assert.equal(before, 0, "what is done is not even read");
  assert.equal(listener.lines.length, 301);
  assert.equal(new Set(listener.lines).size, 301);
  assert.equal((await run(file, listener, { again: true })).replayed, 301);
});

test("replay() goes on where it was when the file was moved, and begins anew with a new file of that name", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  file.add({ value: "<1>one" }, { value: "<1>two" });
  await run(file, listener, { limit: 1 });
  const moved = join(file.dir, "old.ndjson");
  renameSync(file.path, moved);
  file.add({ value: "<1>of the new file" });
  assert.equal((await run(file, listener, { path: moved })).replayed, 1);
  assert.equal((await run(file, listener)).replayed, 1);
  assert.deepEqual(listener.lines, ["<1>one", "<1>two", "<1>of the new file"]);
});

test("replay() sends a group again when its connection broke, and notes only what was read", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  for (let id = 0; id < 6000; id++) file.add({ value: `<1>${id}` });
  listener.behave = (socket, index) => {
    if (index === 1) socket.destroy();
  };
  await assert.rejects(run(file, listener), /^ForwarderError: Cannot replay to "127\.0\.0\.1:\d+": /);
  assert.equal((await run(file, listener)).replayed, 1000);
  const whole = Buffer.concat([0, 2].map((index) => listener.received[index]!));
  let lines = 0;
  for (let at = 0; at < whole.length; lines++) {
    const space = whole.indexOf(0x20, at);
    at = space + 1 + Number(whole.toString("latin1", at, space));
  }
  assert.equal(lines, 6000);
});

test("replay() of a dry run sends nothing, writes nothing down, and tells each letter", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  file.add({ value: "<1>one" }, { value: "two", kind: "record", topic: "t" });
  const told: string[] = [];
  const state = await run(file, listener, {
    dryRun: true,
    would: (letter, where) => told.push(`${where}: ${Buffer.from(letter.value)}`),
  });
  assert.deepEqual(told, ["the listener: <1>one"]);
  assert.deepEqual([...state.skipped], [["no cluster is known: kafka.brokers is not written", 1]]);
  assert.equal(listener.received.length, 0);
  assert.equal(existsSync(join(file.dir, "progress")), false);
});

test("replay() keeps the rate", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  for (let id = 0; id < 300; id++) file.add({ value: `<1>${id}` });
  const started = performance.now();
  await run(file, listener, { rate: 400 });
  const tookMs = performance.now() - started;
  assert.ok(tookMs >= 240, `300 letters took ${tookMs} ms at 400 per second`);
});

test("FileSource reads whole letters only: a half line is for later, garbage is counted", async () => {
  using file = new LetterFile();
  file.add({ value: "one" });
  appendFileSync(
    file.path,
    'garbage\n{"no":"letter"}\n\n{"time":"2026-01-02T03:04:05Z","reason":"r","value":"ha',
  );
  const source = (await FileSource.open(file.path))!;
  const letters: StoredLetter[] = [];
  for await (const some of source.read("file", 0)) letters.push(...some);
  assert.equal(letters.length, 1);
  assert.equal(source.unreadable, 2);
  await source.close();
  appendFileSync(file.path, 'lf"}\n');
  assert.deepEqual((await lettersOf(file.path)).map(({ value }) => Buffer.from(value).toString()), [
    "one",
    "half",
  ]);
  assert.equal(await FileSource.open(join(file.dir, "gone")), undefined);
});

test("FileSource gives positions that lead to the same letter again, wherever the chunks end", async () => {
  using file = new LetterFile();
  for (let id = 0; id < 1500; id++) file.add({ value: `${id} ${"\u00e9".repeat(id * 37 % 400)}` });
  const letters = await lettersOf(file.path);
  assert.equal(letters.length, 1500);
  for (const letter of [letters[0]!, letters[700]!, letters[1499]!]) {
    const source = (await FileSource.open(file.path))!;
    for await (const [first] of source.read("file", letter.at)) {
      assert.deepEqual(first, letter);
      break;
    }
    await source.close();
  }
  assert.ok(letters.every((letter, index) => index === 0 || letter.at === letters[index - 1]!.next));
});

const framings: readonly {
  name: string;
  value: string;
  framing: Parameters<typeof framingOf>[1];
  want: string;
}[] = [
  { name: "a priority is there", value: "<13>a\nb", framing: "auto", want: "octet" },
  { name: "no priority is there", value: "a", framing: "auto", want: "newline" },
  {
    name: "it looks counted",
    value: "12 <a",
    framing: "auto",
    want: "it would be taken for another framing",
  },
  { name: "it has a NUL", value: "a\0b", framing: "auto", want: "it would be taken for another framing" },
  {
    name: "it has a newline and no priority",
    value: "a\nb",
    framing: "auto",
    want: "it has an end of line in it",
  },
  {
    name: "it ends with a carriage return",
    value: "a\r",
    framing: "newline",
    want: "it has an end of line in it",
  },
  { name: "lines end with a newline", value: "<1>a", framing: "newline", want: "newline" },
  { name: "lines end with NUL", value: "<1>a\nb", framing: "nul", want: "nul" },
  {
    name: "lines end with NUL and it has one",
    value: "a\0",
    framing: "nul",
    want: "it has a NUL in it, which ends lines there",
  },
  {
    name: "it is counted and has no priority",
    value: "a",
    framing: "octet",
    want: "it has no priority, which octet counting wants",
  },
  { name: "it is empty", value: "", framing: "auto", want: "it is empty" },
];
for (const { name, value, framing, want } of framings) {
  test(`framingOf() is "${want}" when ${name}`, () => {
    const framed = framingOf(Buffer.from(value), framing);
    assert.equal(framed.ok ? framed.framing : framed.why, want);
    if (framed.ok) assert.ok(frame(Buffer.from(value), framed.framing).includes(Buffer.from(value)));
  });
}

test("Progress refuses a file that is none, and survives one that is cut off in the middle of a write", async () => {
  using file = new LetterFile();
  const path = join(file.dir, "progress");
  writeFileSync(path, '{"version":2}');
  await assert.rejects(Progress.load(path), /is not a progress file$/);
  writeFileSync(path, '{"versi');
  await assert.rejects(Progress.load(path), /is not a progress file$/);
  writeFileSync(path, '{"version":1,"sources":{}}');
  const progress = await Progress.load(path);
  progress.moved("s", "0", ["constructor"], 5);
  await progress.save();
  const again = await Progress.load(path);
  const letter = { stream: "0", at: 4, reason: "constructor" } as StoredLetter;
  assert.equal(again.isDone("s", letter), true);
  assert.equal(again.isDone("s", { ...letter, reason: "toString" }), false);
  assert.equal(again.isDone("s", { ...letter, at: 5 }), false);
});

test("lockReplay() lets one replay in at a time, and takes over from one that died", async () => {
  using file = new LetterFile();
  const path = join(file.dir, "lock");
  {
    await using _held = await lockReplay(path);
    assert.match(readFileSync(path, "utf8"), new RegExp(`^${process.pid} \\d+\n$`));
    await assert.rejects(lockReplay(path), /^ForwarderError: Process \d+ replays already/);
  }
  for (const dead of ["999999999", `${process.pid} 1`, "", "x"]) {
    writeFileSync(path, `${dead}\n`);
    await using _again = await lockReplay(path);
  }
});

test("summarize() counts by reason, and what was replayed", async () => {
  using file = new LetterFile();
  await using listener = await ListenerBench.start();
  file.add(
    { value: "<1>a", reason: "topic_not_allowed", topic: "secrets" },
    { value: "<1>bb", reason: "topic_not_allowed", topic: "other", time: "2026-01-01T00:00:00.000Z" },
    { value: "v", reason: "unknown_topic", topic: "gone", kind: "record", key: "k" },
  );
  await run(file, listener, { limit: 1 });
  const source = (await FileSource.open(file.path))!;
  const progress = await Progress.load(join(file.dir, "progress"));
  const summary = await summarize(source, progress, undefined);
  await source.close();
  assert.equal(summary.letters, 3);
  assert.deepEqual(
    summary.reasons.map(({ reason, letters, replayed, records }) => ({ reason, letters, replayed, records })),
    [
      { reason: "topic_not_allowed", letters: 2, replayed: 1, records: 0 },
      { reason: "unknown_topic", letters: 1, replayed: 0, records: 1 },
    ],
  );
  const text = summaryText(summary);
  assert.match(
    text,
    /topic_not_allowed +2 +1 +lines +2026-01-01T00:00:00 +2026-01-02T03:04:05 +secrets \(1\), other \(1\)/,
  );
  assert.match(text, /unknown_topic +1 +0 +records +.* gone$/m);
});
