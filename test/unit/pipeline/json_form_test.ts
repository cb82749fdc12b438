import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { FrameLine } from "../../../src/pipeline/frame_line.ts";
import type { Line } from "../../../src/rules/program.ts";
import { jsonForm } from "../../../src/rules/json_form.ts";
import { LineContext } from "../../../src/rules/line_context.ts";
import { zoneOf } from "../../../src/syslog/time_zone.ts";

const kernel = createKernel({
  rowsMax: 16,
  scratchBytes: 64 * 1024,
  arenaBytes: 1024 * 1024,
  pieceBytes: 256 * 1024,
});
const frameLine = new FrameLine(kernel);
frameLine.zone = zoneOf("UTC");
frameLine.nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** Puts frames one behind the other into the input region, with headers parsed. */
function lay(frames: readonly Uint8Array[]): void {
  const { inputAt, words, rowsAt } = kernel;
  let at = inputAt;
  frames.forEach((frame, row) => {
    kernel.bytes.set(frame, at);
    // The flags of a scan, without its cuts.
    kernel.rowOf(at, at + frame.length);
    const flags = words[rowsAt / 4 + 2]!;
    words.set([at, at + frame.length, flags, at], rowsAt / 4 + row * 4);
    at += frame.length;
  });
  // Row 0 was every row for a moment.
  kernel.rowOf(inputAt, inputAt + frames[0]!.length);
  kernel.parseHeaders(0, frames.length);
}

/** What the writer of text makes of the row: the line is asked for nothing but its texts. */
function asText(row: number, peer: string): string {
  frameLine.peer = peer;
  frameLine.move(row);
  const context = new LineContext(1);
  context.begin(frameLine);
  return jsonForm(context);
}

/** What the line writes as bytes; undefined where it leaves that to others. */
function asBytes(row: number, peer: string): string | undefined {
  const line: Line = frameLine;
  frameLine.peer = peer;
  frameLine.move(row);
  const context = new LineContext(1);
  context.begin(line);
  let written = line.writeJsonForm!(undefined);
  if (written === "needs_time") {
    const members = /^\{((?:"timestamp(?:_raw)?":"(?:[^"\\]|\\.)*",)+)/.exec(jsonForm(context))![1]!;
    written = line.writeJsonForm!(members);
  }
  return written === true ? line.splicedText!(line.splicedStart!, line.splicedEnd!) : undefined;
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** Times around what is taken as it stands, and others. */
const times = fc.oneof(
  fc.constantFrom(
    "-",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.123456Z",
    "2026-01-02T03:04:05.+01:00",
    "2026-01-02T03:04:05+01:30",
    "2026-01-02T03:04:05.5-23:59",
    "2026-01-02T03:04:05-24:00",
    "2026-01-02T03:04:05+00:00",
    "2026-01-02T03:04:05-00:00",
    "2026-01-02t03:04:05z",
    "2026-01-02T03:04:05",
    "2026-01-02T03:04:05,5Z",
    "2026-02-28T23:59:59Z",
    "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-04-30T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-12-31T24:00:00Z",
    "2026-12-31T23:60:00Z",
    "2026-12-31T23:59:60Z",
    "2026-00-10T00:00:00Z",
    "2026-13-10T00:00:00Z",
    "2026-10-00T00:00:00Z",
    "2026-10-32T00:00:00Z",
    "0001-10-10T00:00:00Z",
    "0999-10-10T00:00:00Z",
    "1000-10-10T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "2026-01-02T03:04:05Zx",
    "2026-01-02T03:04:0xZ",
    "20x6-01-02T03:04:05Z",
  ),
  fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 31 })).map(([month, day]) =>
    `2026-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}T01:02:03Z`
  ),
);
const hostile = [
  "",
  "a",
  "é",
  "😀",
  "\u2028",
  "\ufeff",
  '"',
  "\\",
  "\u0000",
  "\b\f\n\r\t\u001f\u007f",
  "x".repeat(40),
];
const word = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const field = fc.oneof(
  fc.constantFrom("-", "web", "1234", "é"),
  word.map((text) => text.replace(/[ \n]/g, "_") || "-"),
);
const name = fc.oneof(fc.constantFrom("id", "ex@32473", "a", "b", "__proto__"), word).map((text) =>
  text.replace(/[= \]"]/g, "_") || "n"
);
const parameterValue = fc.array(
  fc.constantFrom("a", "é", '\\"', "\\\\", "\\]", "\\n", "\u0001", " ", "[", "="),
  { maxLength: 12 },
)
  .map((parts) => parts.join(""));
const element = fc.tuple(name, fc.array(fc.tuple(name, parameterValue), { maxLength: 4 })).map((
  [id, parameters],
) => `[${id}${parameters.map(([key, value]) => ` ${key}="${value}"`).join("")}]`);
const structured = fc.oneof(
  fc.constant("-"),
  fc.array(element, { minLength: 1, maxLength: 3 }).map((all) => all.join("")),
);
const rfc5424 = fc.tuple(
  fc.integer({ min: 0, max: 191 }),
  times,
  field,
  field,
  field,
  field,
  structured,
  word,
).map((
  [priority, time, host, app, pid, id, data, message],
) => bytes(`<${priority}>1 ${time} ${host} ${app} ${pid} ${id} ${data} ${message}`));
const other = fc.oneof(
  word.map(bytes),
  word.map((text) => bytes(`<13>${text}`)),
  word.map((text) => bytes(`<13>Jan  2 03:04:05 web app[12]: ${text}`)),
  word.map((text) => bytes(`<13>Jan  2 2026 03:04:05.5 UTC: %ASA-1: ${text}`)),
);
/** Bytes of a frame with some of them overwritten: broken UTF-8, headers that are none. */
const frames = fc.tuple(
  fc.oneof({ weight: 3, arbitrary: rfc5424 }, { weight: 1, arbitrary: other }),
  fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 2 }),
  fc.boolean(),
).map(([frame, changes, isChanged]) => {
  const copy = frame.length === 0 ? bytes("x") : Uint8Array.from(frame);
  if (isChanged) { for (const [place, byte] of changes) copy[place % copy.length] = byte; }
  return copy;
});
const peers = fc.constantFrom("192.0.2.1:5140", "[2001:db8::1]:514", "é", '"\\', "");

test("writeJsonForm() writes the bytes of jsonForm() when it does not refuse", () => {
  let written = 0;
  let lines = 0;
  fc.assert(
    fc.property(frames, peers, (frame, peer) => {
      lay([frame]);
      const got = asBytes(0, peer);
      lines++;
      if (got === undefined) return;
      written++;
      assert.equal(got, asText(0, peer));
      JSON.parse(got);
    }),
    { numRuns: 3000 },
  );
  assert.ok(written > lines / 3, `${written} of ${lines} were written as bytes`);
});

test("writeJsonForm() refuses when the bytes are not UTF-8 or a name stands twice", () => {
  const head = "<13>1 2026-01-02T03:04:05Z web app 1 2 ";
  for (const frame of [`${head}[a][a] m`, `${head}[a b="1" b="2"] m`]) {
    lay([bytes(frame)]);
    assert.equal(asBytes(0, "p"), undefined, frame);
  }
  for (const tail of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0xaf]]) {
    lay([new Uint8Array([...bytes(`${head}- m`), ...tail])]);
    assert.equal(asBytes(0, "p"), undefined, `${tail}`);
    JSON.parse(asText(0, "p"));
  }
  // More names than are remembered.
  const many = Array.from({ length: 17 }, (_, index) => ` n${index}="v"`).join("");
  lay([bytes(`${head}[a${many}] m`)]);
  assert.equal(asBytes(0, "p"), undefined);
  lay([bytes(`${head}[a${many.replace(' n16="v"', "")}] m`)]);
  assert.equal(asBytes(0, "p"), asText(0, "p"));
});

test("writeJsonForm() takes the common line as it stands", () => {
  lay([
    bytes(
      '<134>1 2026-01-02T03:04:05.123456Z web app 12 ID47 [ex@32473 iut="3" src="a\\]b\\"c\\\\"] say "hi"\tthere',
    ),
  ]);
  assert.equal(
    asBytes(0, "192.0.2.1:514"),
    '{"timestamp":"2026-01-02T03:04:05.123456Z","hostname":"web","appname":"app","procid":"12","msgid":"ID47",' +
      '"severity":"info","facility":"local0","sd":{"ex@32473":{"iut":"3","src":"a]b\\"c\\\\"}},' +
      '"msg":"say \\"hi\\"\\tthere","peer":"192.0.2.1:514"}',
  );
});

test("writeJsonForm() refuses instead of writing past its limit when the room ends anywhere", () => {
  lay([bytes(`<13>1 2026-01-02T03:04:05Z web app 1 2 [a b="c"] ${"\u0001é".repeat(20)}`)]);
  kernel.jsonTail.set("peer");
  const at = kernel.arenaAt;
  const { length } = kernel.jsonTail;
  const end = kernel.writeJsonForm(0, at, at + 4096, 0, 0, length);
  assert.ok(end > at);
  for (let room = 0; room < end - at + 200; room++) {
    kernel.bytes.fill(0xee, at, at + 4096);
    const got = kernel.writeJsonForm(0, at, at + room, 0, 0, length);
    assert.ok(got === 0 || got === end, `${room}`);
    const beyond = kernel.bytes.subarray(at + room, at + 4096);
    assert.ok(beyond.every((byte) => byte === 0xee), `nothing is written behind ${room} bytes`);
  }
});

test("Batcher.appendJsonRows() takes each row with the bytes of jsonForm(), or says which it refuses", () => {
  const batches: string[][] = [];
  const batcher = new Batcher({
    kernel,
    batchBytesMax: 2048,
    lingerMs: 1_000_000,
    lanesMax: 2,
    sink: { hungry: true, status: () => ({ ready: true }) } as ConstructorParameters<
      typeof Batcher
    >[0]["sink"],
    timers: { nowMs: () => 0, set: () => 0, clear: () => {} },
    emit: (batch) => {
      const opened = openBatch(kernel.bytes, batch);
      assert.ok(opened.ok);
      const values: string[] = [];
      const { records } = opened;
      while (records.next()) {
        values.push(
          Buffer.from(records.bytes.subarray(records.valueAt, records.valueAt + records.valueLength))
            .toString(),
        );
      }
      assert.equal(records.fault, undefined);
      batches.push(values);
      batcher.release(batch);
    },
  });
  // One that is larger than a batch by itself, too.
  const large = fc.constant(bytes(`<13>1 2026-01-02T03:04:05Z web app 1 2 - ${"\u0001".repeat(1000)}`));
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: frames }, { weight: 1, arbitrary: large }), {
        minLength: 1,
        maxLength: 16,
      }),
      (all) => {
        lay(all);
        batches.length = 0;
        const peer = "192.0.2.1:5140";
        kernel.jsonTail.set(peer);
        const want: string[] = [];
        const refused: number[] = [];
        let row = 0;
        while (row < all.length) {
          row += batcher.appendJsonRows(batcher.lane("t"), row, all.length, kernel.jsonTail.length, 1_000);
          if (row === all.length) break;
          assert.ok(batcher.refusedRow, "there is room for all");
          refused.push(row++);
        }
        batcher.closeAll();
        for (let index = 0; index < all.length; index++) {
          if (!refused.includes(index)) want.push(asText(index, peer));
        }
        assert.deepEqual(batches.flat(), want);
        assert.equal(batcher.bytesUsed, 0);
      },
    ),
    { numRuns: 500 },
  );
});
