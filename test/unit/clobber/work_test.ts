/**
 * What is sent: marks, lines, templates, frames, requests, and messages made wrong.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readTarget } from "../../../src/clobber/units.ts";
import { frame } from "../../../src/clobber/payload/framing.ts";
import { Fuzzer, fuzzKinds } from "../../../src/clobber/payload/fuzz.ts";
import { httpRequest } from "../../../src/clobber/payload/http_request.ts";
import {
  blankMark,
  markBytes,
  markOpening,
  scanMarks,
  writeMark,
} from "../../../src/clobber/payload/mark.ts";
import { fillPool, Pool, poolBytesMax } from "../../../src/clobber/payload/pool.ts";
import { Random } from "../../../src/clobber/payload/random.ts";
import { drawSize, readSizeSpec } from "../../../src/clobber/payload/sizes.ts";
import { stampPlaceholder, stampText } from "../../../src/clobber/payload/stamp.ts";
import { syslogLine } from "../../../src/clobber/payload/syslog.ts";
import { readTemplate } from "../../../src/clobber/payload/template.ts";

const run = "beef";
const opening = Buffer.from(markOpening + run);

/** Marks found in bytes. */
function marksOf(bytes: Uint8Array): [number, number, number][] {
  const found: [number, number, number][] = [];
  scanMarks(Buffer.from(bytes), opening, (...mark) => found.push(mark));
  return found;
}

describe("marks", () => {
  it("scanMarks() finds what writeMark() wrote, whatever stands around it", () => {
    fc.assert(fc.property(
      fc.nat(65_535),
      fc.nat(0xffffffff),
      fc.integer({ min: 0, max: 2 ** 52 - 1 }),
      fc.uint8Array({ maxLength: 50 }),
      (sender, sequence, due, around) => {
        const bytes = Buffer.concat([around, Buffer.from(blankMark(run)), around]);
        writeMark(bytes, around.length, sender, sequence, due);
        const found = marksOf(bytes);
        assert.ok(found.some((mark) => mark.join() === [sender, sequence, due].join()), String(found));
      },
    ));
  });

  it("scanMarks() passes over marks of other runs, cut ones and damaged ones", () => {
    const good = Buffer.from(blankMark(run));
    assert.equal(good.length, markBytes);
    const other = Buffer.from(blankMark("cafe"));
    const damaged = Buffer.from(blankMark(run).replace(".0", ".z"));
    const cut = good.subarray(0, markBytes - 1);
    assert.equal(marksOf(Buffer.concat([other, damaged, good, cut])).length, 1);
    assert.equal(marksOf(Buffer.concat([cut, good])).length, 1);
  });
});

describe("Pool", () => {
  const line = (index: number): Buffer =>
    Buffer.from(`<13>1 ${stampPlaceholder("iso")} h a - - - ${blankMark(run)} ${index}\n`);

  it("prepare() puts mark and time into the message and into nothing else", () => {
    const pool = new Pool([line(0), line(1)], run);
    const before = Buffer.from(pool.bytes);
    pool.setDue(1_700_000_000_123_456);
    assert.equal(pool.prepare(1, 3, 99), 1);
    assert.deepEqual(marksOf(pool.bytes)[1], [3, 99, 1_700_000_000_123_456]);
    const text = pool.bytes.subarray(pool.starts[1]!).toString();
    assert.match(text, /^<13>1 2023-11-14T22:13:20\.000000Z h a/);
    assert.deepEqual(pool.bytes.subarray(0, pool.starts[1]!), before.subarray(0, pool.starts[1]!));
  });

  it("prepare() counts on through the lines of one message", () => {
    const pool = new Pool([Buffer.concat([line(0), line(1), line(2)])], run);
    pool.setDue(0);
    assert.equal(pool.prepare(0, 1, 10), 3);
    assert.deepEqual(marksOf(pool.bytes).map(([, sequence]) => sequence), [10, 11, 12]);
  });

  it("fillPool() stays within its bytes, and takes one message however long", () => {
    const pool = fillPool(() => Buffer.alloc(1000, 0x61), run);
    assert.ok(pool.bytes.length <= poolBytesMax && pool.count > 200);
    assert.equal(fillPool(() => Buffer.alloc(poolBytesMax * 2), run).count, 1);
    assert.equal(pool.isPatched, false);
  });
});

describe("stamps", () => {
  it("stampText() is as long as its placeholder", () => {
    for (const kind of ["iso", "bsd"] as const) {
      for (const ms of [0, 1_700_000_000_000, 1_800_000_999_999]) {
        assert.equal(stampText(kind, ms).length, stampPlaceholder(kind).length);
      }
    }
    assert.equal(stampText("bsd", Date.UTC(2026, 0, 2, 3, 4, 5)), "Jan  2 03:04:05");
  });
});

describe("syslogLine()", () => {
  for (const format of ["5424", "3164"] as const) {
    for (const json of [false, true]) {
      it(`makes lines of exactly the wanted size when the format is ${format}${json ? " with JSON" : ""}`, () => {
        const random = new Random(1);
        for (const bytes of [260, 300, 1000, 5000]) {
          const text = syslogLine({ format, json, run }, bytes, 7, random);
          assert.equal(Buffer.byteLength(text), bytes);
          assert.ok(!/[\n\0]/.test(text), "no byte has a meaning for a framer");
          assert.equal(marksOf(Buffer.from(text)).length, 1);
          if (json) assert.equal(typeof JSON.parse(text.slice(text.indexOf("{"))).mark, "string");
        }
      });
    }
  }

  it("gives the same lines for the same seed", () => {
    const lines = (seed: number): string[] => {
      const random = new Random(seed);
      return [1, 2, 3].map((index) => syslogLine({ format: "5424", json: true, run }, 300, index, random));
    };
    assert.deepEqual(lines(5), lines(5));
    assert.notDeepEqual(lines(5), lines(6));
  });
});

describe("sizes", () => {
  it("readSizeSpec() reads sizes, spans and distributions, and nothing else", () => {
    assert.deepEqual(readSizeSpec("200"), { kind: "fixed", bytes: 200 });
    assert.deepEqual(readSizeSpec("100-400"), { kind: "uniform", low: 100, high: 400 });
    assert.deepEqual(readSizeSpec("logn(300,0.5)"), { kind: "lognormal", median: 300, sigma: 0.5 });
    for (const text of ["0", "-5", "400-100", "logn(300)", "2000000", "big", ""]) {
      assert.equal(readSizeSpec(text), undefined, text);
    }
  });

  it("drawSize() has the wanted median", () => {
    const random = new Random(3);
    const sizes = Array.from(
      { length: 2001 },
      () => drawSize({ kind: "lognormal", median: 300, sigma: 0.5 }, random),
    );
    const median = sizes.sort((a, b) => a - b)[1000]!;
    assert.ok(median > 280 && median < 320, String(median));
  });
});

describe("readTemplate()", () => {
  const random = (): Random => new Random(9);

  it("puts values for fields", () => {
    const read = readTemplate("u={{int(5,5)}} {{hex(4)}} {{ pick(a,b) }} {{mark}} {{index}}", run);
    assert.ok(read.ok);
    assert.match(read.render(random(), 12), /^u=5 [0-9a-f]{4} [ab] ~!beef\.0000\.0{8}\.0{13}~ 12$/);
  });

  it("uses fields of the user", () => {
    const read = readTemplate("{{who}}", run, new Map([["who", "ada-{{int(1,1)}}"]]));
    assert.ok(read.ok);
    assert.equal(read.render(random(), 0), "ada-1");
  });

  for (
    const [text, message] of [["{{makr}}", /did you mean "mark"/], ["{{int(9,1)}}", /make no sense/], [
      "{{hex}}",
      /make no sense/,
    ]] as const
  ) {
    it(`says what is wrong with ${text}`, () => {
      const read = readTemplate(text, run);
      assert.ok(!read.ok);
      assert.match(read.message, message);
    });
  }
});

describe("frame() and httpRequest()", () => {
  it("frame() frames as RFC 6587 has it", () => {
    const message = Buffer.from("<13>hi");
    assert.equal(frame(message, "octet").toString(), "6 <13>hi");
    assert.equal(frame(message, "newline").toString(), "<13>hi\n");
    assert.equal(frame(message, "nul").toString(), "<13>hi\0");
  });

  it("httpRequest() lets the user's headers win and counts the bytes of the body", () => {
    const target = readTarget("http://[::1]:8080/in?x=1");
    assert.ok(typeof target !== "string");
    const shape = { method: "POST", headers: [["host", "a.example"], ["X-Y", "z"]] as const, batch: 1 };
    const text = httpRequest(target, shape, Buffer.from("käse")).toString();
    assert.match(text, /^POST \/in\?x=1 HTTP\/1\.1\r\n/);
    assert.match(text, /\r\nContent-Length: 5\r\n/);
    assert.match(text, /\r\nhost: a\.example\r\nX-Y: z\r\n\r\nkäse$/);
    assert.ok(!text.includes("[::1]"));
  });
});

describe("Fuzzer", () => {
  const message = Buffer.from("<13>1 2026-01-02T03:04:05Z web app - - - hello world\n");

  it("mutate() gives the same bytes for the same seed, sender and number", () => {
    const [one, two] = [new Fuzzer(fuzzKinds, 7), new Fuzzer(fuzzKinds, 7)];
    for (let number = 0; number < 300; number++) {
      const [a, b] = [one.mutate(message, 3, number), two.mutate(message, 3, number)];
      assert.ok(a.bytes.equals(b.bytes) && a.after === b.after);
    }
  });

  it("puts a wrong length where a message has its own", () => {
    const fuzzer = new Fuzzer(["bad-count"], 3);
    const request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    for (
      const [message, own] of [[request, /Content-Length: 5\r/], [
        "12 syslog 5 hello\n",
        /syslog 5 /,
      ]] as const
    ) {
      for (let number = 0; number < 50; number++) {
        const { bytes, after } = fuzzer.mutate(Buffer.from(message), 0, number);
        assert.doesNotMatch(bytes.toString(), own);
        assert.match(bytes.toString(), /hello/);
        assert.equal(after, "close");
      }
    }
  });

  it("keeps a huge message within a datagram", () => {
    const fuzzer = new Fuzzer(["huge"], 3, true);
    assert.ok(fuzzer.mutate(Buffer.alloc(1000), 0, 0).bytes.length < 65_507);
  });

  for (const kind of fuzzKinds) {
    it(`mutate() makes messages wrong by ${kind} and leaves the original alone`, () => {
      const before = Buffer.from(message);
      const fuzzer = new Fuzzer([kind], 1);
      const changed = [1, 2, 3, 4, 5].filter((number) => {
        const { bytes, after } = fuzzer.mutate(message, 0, number);
        return !bytes.equals(before) || after !== "keep";
      });
      assert.ok(changed.length >= 4);
      assert.ok(message.equals(before));
    });
  }

  it("mutate() lets most messages be short and quick when all kinds are wanted", () => {
    const fuzzer = new Fuzzer(fuzzKinds, 11);
    const all = Array.from({ length: 2000 }, (_, number) => fuzzer.mutate(message, 0, number));
    assert.ok(all.filter(({ bytes }) => bytes.length > 100_000).length < 40);
    assert.ok(all.filter(({ after }) => after === "dribble").length < 60);
    assert.ok(all.some(({ after }) => after === "close"));
  });
});
