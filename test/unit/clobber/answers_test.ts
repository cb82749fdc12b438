/**
 * Where answers end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AnswerReader, type AnswerTaker, makeReader } from "../../../src/clobber/targets/answer.ts";
import { HttpAnswers } from "../../../src/clobber/targets/http_answers.ts";
import { RelpAnswers } from "../../../src/clobber/targets/relp_answers.ts";

/** What a reader said: statuses (ids for RELP), `bad`, `last`. */
function read(reader: AnswerReader, chunks: readonly Uint8Array[]): string[] {
  const said: string[] = [];
  const taker: AnswerTaker = {
    answered: (status, id) => void said.push(id < 0 ? String(status) : `${id}:${status}`),
    bad: () => void said.push("bad"),
    last: () => void said.push("last"),
  };
  for (const chunk of chunks) {
    if (said.includes("bad")) break;
    reader.read(chunk, taker);
  }
  return said;
}

const crlf = (text: string): Buffer => Buffer.from(text.replaceAll("\n", "\r\n"));

const responses: readonly { name: string; bytes: Buffer; want: string[]; head?: boolean }[] = [
  { name: "a length", bytes: crlf("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"), want: ["200"] },
  { name: "no body", bytes: crlf("HTTP/1.1 202 Accepted\nX: y\ncontent-length:0\n\n"), want: ["202"] },
  { name: "204", bytes: crlf("HTTP/1.1 204 No Content\n\n"), want: ["204"] },
  {
    name: "304 with a length",
    bytes: crlf("HTTP/1.1 304 Not Modified\nContent-Length: 9\n\n"),
    want: ["304"],
  },
  {
    name: "an answer to HEAD",
    bytes: crlf("HTTP/1.1 200 OK\nContent-Length: 9\n\n"),
    want: ["200"],
    head: true,
  },
  {
    name: "chunks with extensions and trailers",
    bytes: crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5;a=b\nhello\n00A\n0123456789\n0\nX: y\n\n"),
    want: ["200"],
  },
  {
    name: "100 before the answer",
    bytes: crlf("HTTP/1.1 100 Continue\n\nHTTP/1.1 201 Created\nContent-Length: 1\n\nx"),
    want: ["201"],
  },
  {
    name: "two answers",
    bytes: crlf("HTTP/1.1 500 Oops\nContent-Length: 2\n\nnoHTTP/1.1 429 Wait\nContent-Length: 0\n\n"),
    want: ["500", "429"],
  },
  {
    name: "a close",
    bytes: crlf("HTTP/1.1 200 OK\nConnection: close\nContent-Length: 1\n\nx"),
    want: ["200", "last"],
  },
  { name: "HTTP/1.0", bytes: crlf("HTTP/1.0 200 OK\nContent-Length: 1\n\nx"), want: ["200", "last"] },
  {
    name: "HTTP/1.0 kept alive",
    bytes: crlf("HTTP/1.0 200 OK\nConnection: Keep-Alive\nContent-Length: 1\n\nx"),
    want: ["200"],
  },
  { name: "no length", bytes: crlf("HTTP/1.1 200 OK\n\nwhatever"), want: ["200", "last"] },
  { name: "bare line feeds", bytes: Buffer.from("HTTP/1.1 200 OK\nContent-Length: 1\n\nx"), want: ["200"] },
  { name: "another protocol", bytes: Buffer.from("SSH-2.0-OpenSSH_9.6 and more\r\n"), want: ["bad"] },
  {
    name: "a chunk without a length",
    bytes: crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nxyz\n"),
    want: ["bad"],
  },
];

describe("HttpAnswers", () => {
  for (const { name, bytes, want, head } of responses) {
    it(`read() finds the end of ${name}, wherever the bytes are cut`, () => {
      assert.deepEqual(read(new HttpAnswers(head === true), [bytes]), want);
      for (let cut = 1; cut < bytes.length; cut++) {
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
        assert.deepEqual(read(new HttpAnswers(head === true), parts), want, `cut at ${cut}`);
      }
      const single = [...bytes].map((byte) => Uint8Array.of(byte));
      assert.deepEqual(read(new HttpAnswers(head === true), single), want, "byte by byte");
    });
  }

  it("read() refuses a head that does not end", () => {
    const line = Buffer.from(`X: ${"y".repeat(1000)}\r\n`);
    const said = read(new HttpAnswers(false), [crlf("HTTP/1.1 200 OK\n"), ...Array(80).fill(line)]);
    assert.deepEqual(said, ["bad"]);
  });

  it("read() survives any bytes", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (chunks) => {
      const reader = new HttpAnswers(false);
      read(reader, [crlf("HTTP/1.1 200 OK\n"), ...chunks]);
    }));
  });
});

describe("RelpAnswers", () => {
  const frames: readonly { name: string; text: string; want: string[] }[] = [
    { name: "a response", text: "7 rsp 6 200 OK\n", want: ["7:200"] },
    {
      name: "responses one behind the other",
      text: "1 rsp 3 200\n2 rsp 9 500 oops!\n3 rsp 0\n",
      want: ["1:200", "2:500", "3:0"],
    },
    { name: "data with line feeds", text: "1 rsp 12 200 OK\na=b\nc\n", want: ["1:200"] },
    { name: "a close of the server", text: "0 serverclose 0\n", want: ["last"] },
  ];
  for (const { name, text, want } of frames) {
    it(`read() finds ${name}, wherever the bytes are cut`, () => {
      const bytes = Buffer.from(text);
      for (let cut = 0; cut < bytes.length; cut++) {
        assert.deepEqual(
          read(new RelpAnswers(), [bytes.subarray(0, cut), bytes.subarray(cut)]),
          want,
          `cut at ${cut}`,
        );
      }
    });
  }
  for (
    const text of [
      "x rsp 0\n",
      "1 rsp x\n",
      "1 rsp 3 200!",
      "1 hello 0\n",
      `${"1".repeat(80)}`,
      "1 rsp 9999999999 a\n",
    ]
  ) {
    it(`read() refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.deepEqual(read(new RelpAnswers(), [Buffer.from(text)]), ["bad"]);
    });
  }
});

describe("makeReader()", () => {
  it("counts lines, bytes and chunks as the answer is defined", () => {
    const bytes = [Buffer.from("ab\ncd\n"), Buffer.from("ef\n")];
    assert.equal(read(makeReader({ kind: "line" }, "")!, bytes).length, 3);
    assert.equal(read(makeReader({ kind: "any" }, "")!, bytes).length, 2);
    assert.equal(read(makeReader({ kind: "bytes", count: 4 }, "")!, bytes).length, 2);
    assert.equal(read(makeReader({ kind: "close" }, "")!, bytes).length, 0);
    assert.equal(makeReader({ kind: "none" }, ""), undefined);
  });
});
