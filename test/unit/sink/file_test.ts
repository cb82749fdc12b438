import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { createFileSink, type FileSinkOptions } from "../../../src/sink/file.ts";
import {
  batchOf,
  epoch,
  filesOf,
  isoTime,
  linesOf,
  Notes,
  TempDir,
  until,
  using,
  valuesOf,
} from "./bench.ts";
import { kernel } from "./bench.ts";

function make(dir: string, notes: Notes, options: Partial<FileSinkOptions> = {}) {
  return createFileSink({ kernel, events: notes, dir, rotateBytes: 1 << 20, keep: 0, worker: 0, ...options });
}

test("file sink writes one line per record in its topic's folder when batches come", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  await using(make(temp.at("data"), notes), async (sink) => {
    sink.send(batchOf("logs", [
      { value: 'quote " slash \\ tab \t newline \n bell \u0007 umlaut ä euro € rocket 🚀' },
      { value: "", key: "web-1", headers: [["source", "10.0.0.1"], ["none", null]] },
      { value: Uint8Array.of(0x68, 0xff, 0x69), key: Uint8Array.of(0xc0, 0x80) },
      { value: "header", headers: [["bytes", "\xff"]] },
    ]));
    sink.send(batchOf("other.topic-1", ["x"]));
    await until(() => notes.settledBatches.length === 2, "both batches are settled");
  });
  assert.deepEqual(linesOf(temp.at("data", "logs", "w0-00000001.ndjson")), [
    { time: isoTime, value: 'quote " slash \\ tab \t newline \n bell \u0007 umlaut ä euro € rocket 🚀' },
    { time: isoTime, key: "web-1", headers: { source: "10.0.0.1", none: null }, value: "" },
    { time: isoTime, key_b64: "wIA=", value_b64: "aP9p" },
    { time: isoTime, headers: { bytes_b64: "/w==" }, value: "header" },
  ]);
  assert.deepEqual(valuesOf(temp.at("data"), "other.topic-1"), ["x"]);
  assert.ok(notes.outcomes.every((outcome) => outcome.kind === "delivered"));
});

test("file sink keeps every byte of every value when values are random", async () => {
  using temp = new TempDir();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ unit: "binary", maxLength: 40 })), {
        minLength: 1,
        maxLength: 20,
      }),
      async (values) => {
        const dir = temp.at(`run-${Math.random()}`);
        const notes = new Notes();
        const bytes = values.map((value) => Buffer.from(value as string));
        await using(make(dir, notes), async (sink) => {
          sink.send(batchOf("t", bytes.map((value) => ({ value }))));
          await until(() => notes.settledBatches.length === 1, "settled");
        });
        const lines = linesOf(`${dir}/t/w0-00000001.ndjson`);
        lines.forEach((line, i) => {
          const isText = Buffer.from(bytes[i]!.toString("utf8")).equals(bytes[i]!);
          assert.equal(typeof line.value, isText ? "string" : "undefined");
          const back = isText
            ? Buffer.from(line.value as string)
            : Buffer.from(line.value_b64 as string, "base64");
          assert.ok(back.equals(bytes[i]!));
        });
        assert.equal(lines.length, values.length);
      },
    ),
    { numRuns: 50 },
  );
});

test("file sink keeps the order of each topic and the bound of each file when many batches come at once", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  const rotateBytes = 20_000;
  const wanted: string[][] = [[], [], [], [], [], []];
  await using(make(temp.path, notes, { rotateBytes }), async (sink) => {
    for (let i = 0; i < 120; i++) {
      const topic = i % wanted.length;
      const values = Array.from({ length: 1 + i % 40 }, (_, k) => `${i}.${k} ${"x".repeat(i * 7 % 300)}`);
      wanted[topic]!.push(...values);
      sink.send(batchOf(`t${topic}`, values));
    }
    assert.equal(sink.status().batchesInFlight, 120);
    assert.equal(sink.hungry, false);
    await until(() => notes.settledBatches.length === 120, "settled");
    assert.equal(sink.hungry, true);
    assert.ok(notes.wanted >= 1);
    const { ready, batchesInFlight, bytesInFlight } = sink.status();
    assert.deepEqual({ ready, batchesInFlight, bytesInFlight }, {
      ready: true,
      batchesInFlight: 0,
      bytesInFlight: 0,
    });
  });
  wanted.forEach((values, topic) => {
    assert.deepEqual(valuesOf(temp.path, `t${topic}`), values);
    const names = filesOf(temp.path, `t${topic}`);
    assert.ok(names.length > 1);
    for (const name of names) assert.ok(statSync(temp.at(`t${topic}`, name)).size <= rotateBytes);
  });
});

test("file sink gives a line a file of its own when the line is larger than a file may be", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  const values = ["a", "b".repeat(500), "c", "d".repeat(500), "e".repeat(500)];
  await using(make(temp.path, notes, { rotateBytes: 100 }), async (sink) => {
    sink.send(batchOf("t", values));
    await until(() => notes.settledBatches.length === 1, "settled");
  });
  assert.deepEqual(valuesOf(temp.path, "t"), values);
  assert.equal(filesOf(temp.path, "t").length, 5);
});

test("file sink removes the oldest of its own files when there are more than it keeps", async () => {
  using temp = new TempDir();
  mkdirSync(temp.at("t"));
  writeFileSync(temp.at("t", "w1-00000001.ndjson"), "another worker's\n");
  writeFileSync(temp.at("t", "notes.txt"), "a person's\n");
  const notes = new Notes();
  await using(make(temp.path, notes, { rotateBytes: 100, keep: 2 }), async (sink) => {
    sink.send(batchOf("t", Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(60, "."))));
    await until(() => notes.settledBatches.length === 1, "settled");
  });
  assert.deepEqual(filesOf(temp.path, "t"), [
    "notes.txt",
    "w0-00000011.ndjson",
    "w0-00000012.ndjson",
    "w1-00000001.ndjson",
  ]);
});

test("file sink begins a new file when it starts again", async () => {
  using temp = new TempDir();
  for (const value of ["first", "second"]) {
    const notes = new Notes();
    await using(make(temp.path, notes), async (sink) => {
      sink.send(batchOf("t", [value]));
      await until(() => notes.settledBatches.length === 1, "settled");
    });
    if (value === "first") writeFileSync(temp.at("t", "w0-00000001.ndjson"), '{"half a', { flag: "a" });
  }
  assert.deepEqual(linesOf(temp.at("t", "w0-00000002.ndjson")).map((line) => line.value), ["second"]);
});

test("file sink begins a new file when somebody moved the old one away", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  await using(make(temp.path, notes), async (sink) => {
    sink.send(batchOf("t", ["before"]));
    await until(() => notes.settledBatches.length === 1, "settled");
    renameSync(temp.at("t", "w0-00000001.ndjson"), temp.at("moved.ndjson"));
    let sent = 1;
    // The file is looked at once a second.
    await until(() => {
      if (notes.settledBatches.length === sent) {
        sink.send(batchOf("t", ["after"]));
        sent++;
      }
      return filesOf(temp.path, "t").length === 1;
    }, "a new file");
    await until(() => notes.settledBatches.length === sent, "settled");
    assert.equal(linesOf(temp.at("moved.ndjson")).length + valuesOf(temp.path, "t").length, sent);
  });
});

test("file sink says what is wrong and goes on by itself when a file is in the place of its directory", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  writeFileSync(temp.at("data"), "in the way");
  await using(make(temp.at("data"), notes), async (sink) => {
    sink.send(batchOf("t", ["kept"]));
    await until(() => sink.status().problem !== undefined, "a problem is said");
    assert.match(
      sink.status().problem!,
      /^Cannot write into ".*data": a file is in the way of the directory \(E/,
    );
    assert.equal(sink.status().ready, false);
    assert.equal(sink.hungry, false);
    rmSync(temp.at("data"));
    await until(() => notes.settledBatches.length === 1, "settled");
    assert.equal(sink.status().ready, true);
    assert.equal(sink.status().problem, undefined);
  });
  assert.deepEqual(valuesOf(temp.at("data"), "t"), ["kept"]);
});

test("file sink goes on with the other topics when one topic's folder cannot be made", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  writeFileSync(temp.at("bad"), "in the way");
  await using(make(temp.path, notes), async (sink) => {
    sink.send(batchOf("bad", ["later"]));
    await until(() => sink.status().problem !== undefined, "the topic fails");
    assert.equal(sink.status().ready, false);
    assert.match(sink.status().problem!, /^Cannot write ".*bad": a file is in the way of the directory \(E/);
    for (let i = 0; i < 5; i++) sink.send(batchOf("good", [`${i}`]));
    await until(() => notes.settledBatches.length === 5, "the others are written");
    assert.equal(sink.status().ready, true);
    assert.deepEqual(sink.status().details.topics_failing, ["bad"]);
    rmSync(temp.at("bad"));
    await until(() => notes.settledBatches.length === 6, "settled");
    assert.deepEqual(sink.status().details.topics_failing, []);
  });
  assert.deepEqual(valuesOf(temp.path, "bad"), ["later"]);
});

test("file sink writes every line once when the disk is full in the middle of a write", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  let room = 3000;
  let opened = 0;
  const sink = make(temp.path, notes, {
    rotateBytes: 50_000,
    openFile: async (path, flags) => {
      opened++;
      const handle = await open(path, flags);
      return {
        write: async (bytes, offset, length, position) => {
          if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
          const part = Math.min(length, room);
          room -= part;
          return await handle.write(bytes, offset, part, position);
        },
        truncate: (bytes) => handle.truncate(bytes),
        close: () => handle.close(),
      };
    },
  });
  const values = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(90, "."));
  await using(sink, async () => {
    sink.send(batchOf("t", values.slice(0, 50)));
    sink.send(batchOf("t", values.slice(50)));
    await until(() => opened > 3, "it tried again");
    assert.equal(sink.status().ready, false);
    assert.match(sink.status().problem!, /w0-00000001\.ndjson": no space left on the device \(ENOSPC\)$/);
    assert.equal(notes.settledBatches.length, 0);
    room = Number.MAX_SAFE_INTEGER;
    await until(() => notes.settledBatches.length === 2, "settled");
  });
  assert.deepEqual(filesOf(temp.path, "t"), ["w0-00000001.ndjson"]);
  assert.deepEqual(valuesOf(temp.path, "t"), values);
});

test("file sink leaves whole lines when it is closed while the disk is full", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  let room = 500;
  await using(
    make(temp.path, notes, {
      openFile: async (path, flags) => {
        const handle = await open(path, flags);
        return {
          write: async (bytes, offset, length, position) => {
            if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
            const part = Math.min(length, room);
            room -= part;
            return await handle.write(bytes, offset, part, position);
          },
          truncate: (bytes) => handle.truncate(bytes),
          close: () => handle.close(),
        };
      },
    }),
    async (sink) => {
      sink.send(batchOf("t", ["a"]));
      await until(() => notes.settledBatches.length === 1, "settled");
      sink.send(batchOf("t", ["b".repeat(5000)]));
      await until(() => sink.status().ready === false, "the disk is full");
    },
  );
  assert.deepEqual(valuesOf(temp.path, "t"), ["a"]);
  assert.equal(notes.settledBatches.length, 1);
});

const illegal = ["..", ".", "a/b", "", "x".repeat(250), "../../etc", "a\u0000"];
for (const topic of illegal) {
  test(`file sink refuses a batch when its topic is ${JSON.stringify(topic.slice(0, 12))}`, async () => {
    using temp = new TempDir();
    const notes = new Notes();
    await using(make(temp.at("data"), notes), async (sink) => {
      sink.send(batchOf(topic, ["x"]));
      await until(() => notes.settledBatches.length === 1, "settled");
    });
    const outcome = notes.outcomes[0]!;
    assert.equal(outcome.kind === "rejected" && outcome.reason, "topic_illegal");
    assert.deepEqual(filesOf(temp.path, "data"), []);
  });
}

test("file sink refuses a batch when its records cannot be read", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  await using(make(temp.path, notes), async (sink) => {
    const broken = batchOf("t", ["one", "two"]);
    kernel.bytes[broken.at + 61] = 0xff;
    sink.send(batchOf("t", ["before"]));
    sink.send(broken);
    sink.send(batchOf("t", ["after"]));
    await until(() => notes.settledBatches.length === 3, "settled");
  });
  assert.deepEqual(notes.outcomes.map((outcome) => outcome.kind), ["delivered", "rejected", "delivered"]);
  assert.deepEqual(valuesOf(temp.path, "t"), ["before", "after"]);
});

test("file sinks of two workers share a topic's folder and no file when both write", async () => {
  using temp = new TempDir();
  const notes = new Notes();
  await using(
    make(temp.path, notes, { worker: 0 }),
    (a) =>
      using(make(temp.path, notes, { worker: 1 }), async (b) => {
        a.send(batchOf("t", ["a"]));
        b.send(batchOf("t", ["b"]));
        await until(() => notes.settledBatches.length === 2, "settled");
      }),
  );
  assert.deepEqual(filesOf(temp.path, "t"), ["w0-00000001.ndjson", "w1-00000001.ndjson"]);
});

test("file sink does not follow a name that is taken when it begins a file", async () => {
  using temp = new TempDir();
  mkdirSync(temp.at("t"));
  symlinkSync("/dev/full", temp.at("t", "w0-00000001.ndjson"));
  const notes = new Notes();
  await using(make(temp.path, notes), async (sink) => {
    sink.send(batchOf("t", ["x"]));
    await until(() => notes.settledBatches.length === 1, "settled");
  });
  assert.equal(
    readFileSync(temp.at("t", "w0-00000002.ndjson"), "utf8"),
    `{"time":"${new Date(epoch).toISOString()}","value":"x"}\n`,
  );
});
