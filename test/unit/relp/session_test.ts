import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { okAnswers } from "../../../src/relp/answers.ts";
import {
  type RelpHost,
  type RelpLines,
  RelpSession,
  unsentBytesMax,
  windowLinesMax,
} from "../../../src/relp/session.ts";

const encode = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const decode = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

/** How the host treats what it is given. */
interface Manner {
  /** When bytes are free again. */
  readonly placed: "at once" | "later";
  /** When lines are answered. */
  readonly answered: "at once" | "later";
}

/** A session with a host that writes everything down. */
function setUp(manner: Manner = { placed: "at once", answered: "at once" }, frameBytesMax = 1024) {
  const lines: string[] = [];
  let written = "";
  const calls: string[] = [];
  const counts = { empty: 0, truncated: 0 };
  const unsent = { bytes: 0 };
  const placing: (() => void)[] = [];
  const answering: (() => void)[] = [];
  const host: RelpHost = {
    write: (bytes) => void (written += decode(bytes)),
    unsentBytes: () => unsent.bytes,
    pause: () => void calls.push("pause"),
    resume: () => void calls.push("resume"),
    end: () => void calls.push("end"),
    destroy: () => void calls.push("destroy"),
    submit(given: RelpLines, placed, answered) {
      const take = () => {
        for (let line = 0; line < given.count; line++) {
          lines.push(decode(given.bytes.subarray(given.ranges[2 * line]!, given.ranges[2 * line + 1]!)));
        }
        placed();
      };
      if (manner.answered === "at once") {
        answered();
        take();
      } else if (manner.placed === "at once") {
        answering.push(answered);
        take();
      } else {
        placing.push(() => {
          answering.push(answered);
          take();
        });
      }
    },
    emptyFrame: () => void counts.empty++,
    truncated: () => void counts.truncated++,
    refused: (problem) => void calls.push(`refused: ${problem}`),
    opened: (name) => void software.push(name),
  };
  const software: string[] = [];
  const session = new RelpSession(host, frameBytesMax, "corndog,1");
  return {
    session,
    lines,
    calls,
    software,
    counts,
    unsent,
    written: () => written,
    receive: (text: string) => session.received(encode(text)),
    /** Lets the host get on until nothing waits. */
    settle() {
      while (placing.length + answering.length > 0) (placing.shift() ?? answering.shift())!();
    },
    place: () => placing.shift()!(),
    answer: () => answering.shift()!(),
    waiting: () => placing.length,
  };
}

const open = "1 open 28 relp_version=0\ncommands=syslog\n".replace(
  "28",
  String("relp_version=0\ncommands=syslog".length),
);
const line = (txnr: number, text: string) => `${txnr} syslog ${text.length} ${text}\n`;
const okTo = (...txnrs: number[]) => txnrs.map((txnr) => `${txnr} rsp 6 200 OK\n`).join("");

describe("RelpSession", () => {
  it("reads nothing while its sender does not read the answers, and goes on when it has", () => {
    const { session, receive, calls, unsent, lines } = setUp();
    receive(open + line(2, "a"));
    assert.deepEqual(calls, []);
    unsent.bytes = unsentBytesMax + 1;
    receive(line(3, "b"));
    assert.deepEqual(calls, ["pause"]);
    unsent.bytes = 0;
    session.drained();
    assert.deepEqual(calls, ["pause", "resume"]);
    // Frames that are answered at once too.
    unsent.bytes = unsentBytesMax + 1;
    receive("4 syslog 0\n5 other 0\n");
    assert.deepEqual(calls, ["pause", "resume", "pause"]);
    unsent.bytes = 0;
    session.drained();
    receive(line(6, "c"));
    assert.deepEqual(lines, ["a", "b", "c"]);
  });

  it("answers many frames that are no lines in one piece", () => {
    const { receive, written, counts } = setUp();
    receive(open);
    const before = written().length;
    receive(
      Array.from({ length: 1000 }, (_, index) => `${index + 2} syslog 0\n`).join("") + "7 other 3 abc\n",
    );
    assert.equal(
      written().slice(before),
      okTo(...Array.from({ length: 1000 }, (_, index) => index + 2)) +
        "7 rsp 28 500 command is not supported\n",
    );
    assert.equal(counts.empty, 1000);
  });

  it("tells who opened the session, and why it ended", () => {
    const ended = (text: string, act: (session: RelpSession) => void = () => {}) => {
      const { session, receive, software } = setUp();
      receive(text);
      act(session);
      session.closed();
      return [session.end, ...software];
    };
    const offers = "relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";
    const named = `1 open ${offers.length} ${offers}\n`;
    const name = "librelp,1.11.0,http://librelp.adiscon.com";
    assert.deepEqual(ended(named), ["peer", name]);
    assert.deepEqual(ended(open), ["peer", ""]);
    assert.deepEqual(ended(`${named}2 close 0\n`), ["close", name]);
    assert.deepEqual(ended(named, (session) => session.drain()), ["draining", name]);
    assert.deepEqual(ended("GET / HTTP/1.1\r\n"), ["refused"]);
    assert.deepEqual(ended(`${named}x`), ["refused", name]);
  });

  it("answers open with its offers, lines with 200, close with an empty answer, and ends", () => {
    const { receive, written, lines, calls } = setUp();
    receive(open + line(2, "<13>one") + line(3, "<13>two\n") + "4 close 0\n");
    assert.deepEqual(lines, ["<13>one", "<13>two"]);
    const offers = "200 OK\nrelp_version=0\nrelp_software=corndog,1\ncommands=syslog";
    assert.equal(
      written(),
      `1 rsp ${offers.length} ${offers}\n${okTo(2, 3)}4 rsp 0\n0 serverclose 0\n`,
    );
    assert.deepEqual(calls, ["end"]);
  });

  it("takes every line once, in order, and answers each once, wherever the stream is cut and however slow the host is", () => {
    const text = fc.string({ maxLength: 60, unit: "binary-ascii" });
    const cuts = fc.array(fc.nat({ max: 40 }), { maxLength: 60 });
    const manners = fc.constantFrom<Manner>(
      { placed: "at once", answered: "at once" },
      { placed: "at once", answered: "later" },
      { placed: "later", answered: "later" },
    );
    const settles = fc.array(fc.boolean(), { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 40 }), cuts, manners, settles, (texts, sizes, manner, when) => {
        const { session, lines, written, settle, calls, counts } = setUp(manner);
        const stream = encode(open + texts.map((each, index) => line(index + 2, each)).join(""));
        let at = 0;
        for (let piece = 0; at < stream.length; piece++) {
          const size = sizes[piece] === undefined ? stream.length : sizes[piece]! + 1;
          // The runtime's chunk is gone after the call.
          const chunk = Buffer.from(stream.slice(at, at + size).buffer as ArrayBuffer);
          session.received(chunk);
          (chunk.buffer as ArrayBuffer).transfer(0);
          at += size;
          if (when[piece] === true) settle();
        }
        settle();
        const trimmed = texts.map((each) => each.replace(/(?:\r?\n|\0)$/, ""));
        assert.deepEqual(lines, trimmed.filter((each) => each !== ""));
        assert.equal(counts.empty, trimmed.filter((each) => each === "").length);
        const answered = written().split("\n").filter((each) => each.endsWith(" rsp 6 200 OK"));
        assert.deepEqual(
          answered.map((each) => Number(each.split(" ")[0])).sort((a, b) => a - b),
          texts.map((_, index) => index + 2),
        );
        assert.equal(session.unanswered, 0);
        assert.equal(
          calls.filter((call) => call === "pause").length,
          calls.filter((call) => call === "resume").length,
        );
      }),
    );
  });

  it("stops reading while lines are not placed, and goes on behind them", () => {
    const { receive, calls, lines, place, waiting } = setUp({ placed: "later", answered: "later" });
    receive(open + line(2, "a"));
    receive(line(3, "b") + line(4, "c"));
    assert.deepEqual([calls, lines, waiting()], [["pause"], [], 1]);
    place();
    assert.deepEqual([lines, waiting()], [["a"], 1]);
    place();
    assert.deepEqual([calls, lines], [["pause", "resume"], ["a", "b", "c"]]);
  });

  it("stops reading at the window, and reads on when answers make room", () => {
    const { receive, calls, answer, session } = setUp({ placed: "at once", answered: "later" });
    receive(open);
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => line(from + index, "x")).join("");
    receive(many(2, windowLinesMax - 1));
    assert.deepEqual(calls, []);
    receive(many(windowLinesMax + 1, 1));
    assert.deepEqual(calls, ["pause"]);
    assert.equal(session.unanswered, windowLinesMax);
    answer();
    assert.deepEqual(calls, ["pause", "resume"]);
  });

  for (const bytes of [1023, 1024, 1025, 5000]) {
    it(`${bytes > 1024 ? "cuts" : "takes"} a line of ${bytes} bytes when 1024 are allowed, wherever it is cut`, () => {
      for (const size of [1, 7, 512, 1030, 10_000]) {
        const { session, lines, written, counts, calls } = setUp();
        const stream = encode(open + line(2, "y".repeat(bytes)) + line(3, "next"));
        for (let at = 0; at < stream.length; at += size) session.received(stream.slice(at, at + size));
        assert.deepEqual(lines, ["y".repeat(Math.min(bytes, 1024)), "next"], `pieces of ${size}`);
        assert.ok(written().endsWith(okTo(2, 3)));
        assert.equal(counts.truncated, bytes > 1024 ? 1 : 0);
        assert.deepEqual(calls, []);
      }
    });
  }

  // Whatever a frame is, it means the same in pieces: its data is skipped over the limit, nothing else of it.
  const long = "z".repeat(3000);
  const overLong = [
    {
      name: "open",
      stream: `1 open ${long.length} ${long}\n${line(2, "next")}`,
      want: ["next"],
      ended: false,
    },
    {
      name: "close",
      stream: `${open}${line(2, "one")}3 close 3000 ${long}\n${line(4, "x")}`,
      want: ["one"],
      ended: true,
    },
    {
      name: "starttls",
      stream: `${open}2 starttls 3000 ${long}\n${line(3, "next")}`,
      want: ["next"],
      ended: false,
    },
    {
      name: "syslog that has newlines at the limit",
      stream: open + line(2, `${"y".repeat(1022)}\n\n${"\n".repeat(500)}`) + line(3, "next"),
      want: [`${"y".repeat(1022)}\n\n`, "next"],
      ended: false,
    },
    {
      name: "syslog that is only as long as it is by CR LF",
      stream: open + line(2, `${"y".repeat(1024)}\r\n`) + line(3, "next"),
      want: ["y".repeat(1024), "next"],
      ended: false,
    },
  ];
  for (const { name, stream, want, ended } of overLong) {
    it(`does the same with a frame over the limit in pieces and whole: ${name}`, () => {
      const seen = [10_000, 1, 7, 512, 1030, 1060].map((size) => {
        const { session, lines, written, counts, calls } = setUp();
        const bytes = encode(stream);
        for (let at = 0; at < bytes.length; at += size) session.received(bytes.slice(at, at + size));
        assert.deepEqual(lines, want, `pieces of ${size}`);
        assert.equal(calls.includes("end"), ended);
        return { lines, written: written(), counts, calls };
      });
      for (const each of seen) assert.deepEqual(each, seen[0]);
    });
  }

  it("holds no more than a frame of a line that never ends", () => {
    const { session, lines } = setUp();
    session.received(encode(`${open}2 syslog 999999999 `));
    const chunk = new Uint8Array(100_000).fill(0x79);
    for (let i = 0; i < 2000; i++) session.received(chunk);
    assert.equal(session.holding, true);
    assert.deepEqual(lines, []);
  });

  const damage = [
    { name: "syslog", text: "<13>1 - - - - - - x\n", want: /it speaks syslog/ },
    { name: "TLS", text: "\x16\x03\x01\x00\xa5\x01", want: /it speaks TLS/ },
    { name: "HTTP", text: "GET / HTTP/1.1\r\n", want: /it speaks HTTP/ },
    { name: "a line before open", text: line(1, "x"), want: /first frame is not open/ },
    {
      name: "a transaction number of ten digits",
      text: `${open}1234567890 syslog 1 x\n`,
      want: /transaction number/,
    },
    { name: "no command", text: `${open}2  1 x\n`, want: /no command/ },
    { name: "a command of 33 letters", text: `${open}2 ${"a".repeat(33)} 0\n`, want: /too long/ },
    { name: "a length of ten digits", text: `${open}2 syslog 1234567890 x\n`, want: /length is none/ },
    { name: "a wrong length", text: `${open}2 syslog 3 abcdef\n`, want: /no newline behind/ },
    { name: "data behind length 0", text: `${open}2 syslog 0x\n`, want: /length is none/ },
  ];
  for (const { name, text, want } of damage) {
    it(`ends the connection when it gets ${name}`, () => {
      // What else is spoken is told by the first bytes that come.
      for (const size of name === "TLS" || name === "HTTP" ? [1000] : [1, 1000]) {
        const { session, calls } = setUp();
        const stream = encode(text);
        for (let at = 0; at < stream.length; at += size) session.received(stream.slice(at, at + size));
        assert.match(calls[0] ?? "", want);
        assert.equal(calls[1], "destroy");
        assert.equal(calls.length, 2);
      }
    });
  }

  it("takes the lines before damage", () => {
    const { receive, lines } = setUp();
    receive(`${open}${line(2, "good")}xyz`);
    assert.deepEqual(lines, ["good"]);
  });

  it("answers unknown commands with 500, and goes on", () => {
    const { receive, written, lines } = setUp();
    receive(`${open}2 starttls 0\n${line(3, "x")}`);
    assert.match(written(), /2 rsp \d+ 500 command is not supported\n3 rsp 6 200 OK\n$/);
    assert.deepEqual(lines, ["x"]);
  });

  it("drain() reads no more, answers what it has, and tells that it closes", () => {
    const { receive, session, calls, answer, written } = setUp({ placed: "at once", answered: "later" });
    receive(open + line(2, "x"));
    session.drain();
    assert.deepEqual(calls, ["pause"]);
    answer();
    assert.ok(written().endsWith(`${okTo(2)}0 serverclose 0\n`));
    assert.deepEqual(calls, ["pause", "end"]);
  });

  it("drain() lets a sender in that has connected and not opened yet, takes what came with it, and ends", () => {
    const { receive, session, calls, lines, written } = setUp();
    receive(open.slice(0, 5));
    session.drain();
    assert.deepEqual(calls, []);
    receive(open.slice(5) + line(2, "x"));
    assert.deepEqual(lines, ["x"]);
    assert.match(written(), /^1 rsp \d+ 200 OK\n/);
    assert.ok(written().endsWith(`${okTo(2)}0 serverclose 0\n`));
    assert.deepEqual(calls, ["pause", "end"]);
  });

  it("drain() waits no more for an open that is late", () => {
    const { session, calls, written } = setUp();
    session.drain();
    assert.deepEqual(calls, []);
    session.drain(true);
    assert.equal(written(), "0 serverclose 0\n");
    assert.deepEqual(calls, ["pause", "end"]);
  });

  it("close waits for the answers to the lines before it", () => {
    const { receive, calls, answer, written } = setUp({ placed: "at once", answered: "later" });
    receive(`${open}${line(2, "x")}3 close 0\n`);
    assert.deepEqual(calls, []);
    answer();
    assert.ok(written().endsWith(`${okTo(2)}3 rsp 0\n0 serverclose 0\n`));
    assert.deepEqual(calls, ["end"]);
  });

  it("says nothing after closed()", () => {
    const { receive, session, answer, written, calls } = setUp({ placed: "at once", answered: "later" });
    receive(open + line(2, "x"));
    const before = written();
    session.closed();
    answer();
    assert.equal(written(), before);
    assert.deepEqual(calls, []);
  });
});

describe("okAnswers()", () => {
  it("writes every number of digits", () => {
    const txnrs = Uint32Array.from([0, 1, 9, 10, 99, 100, 999_999_999, 7]);
    assert.equal(decode(okAnswers(txnrs, 7)), okTo(0, 1, 9, 10, 99, 100, 999_999_999));
  });
});
