import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { headFieldsMax, readHead } from "../../../src/http/head.ts";

/** A head with `fields` behind the request line. */
const head = (line: string, ...fields: string[]): string => [line, ...fields].join("\r\n");
const host = "Host: here";

describe("readHead()", () => {
  const good: { name: string; text: string; want: Record<string, unknown> }[] = [
    {
      name: "a POST with a length",
      text: head("POST /v1/ingest/web?ack=disk&x=a+b%21 HTTP/1.1", host, "Content-Length: 12"),
      want: { method: "POST", path: "/v1/ingest/web", contentLength: 12, keepAlive: true },
    },
    { name: "no body", text: head("GET / HTTP/1.1", host), want: { contentLength: 0 } },
    {
      name: "chunks",
      text: head("POST / HTTP/1.1", host, "transfer-encoding: Chunked"),
      want: { contentLength: -1 },
    },
    {
      name: "the same length twice",
      text: head("POST / HTTP/1.1", host, "Content-Length: 5", "Content-Length: 5"),
      want: { contentLength: 5 },
    },
    {
      name: "a client that closes",
      text: head("GET / HTTP/1.1", host, "Connection: Foo, close"),
      want: { keepAlive: false },
    },
    { name: "HTTP/1.0", text: head("GET / HTTP/1.0"), want: { keepAlive: false } },
    {
      name: "HTTP/1.0 that is kept",
      text: head("GET / HTTP/1.0", "Connection: Keep-Alive"),
      want: { keepAlive: true },
    },
    {
      name: "a client that waits for a word",
      text: head("POST / HTTP/1.1", host, "Expect: 100-continue", "Content-Length: 1"),
      want: { expectsContinue: true },
    },
    {
      name: "a target in absolute form",
      text: head("GET http://here:80/a%20b?c HTTP/1.1", host),
      want: { path: "/a b" },
    },
    { name: "an IPv6 host", text: head("GET / HTTP/1.1", "Host: [::1]:8080"), want: { path: "/" } },
    {
      name: "blanks and tabs around a value",
      text: head("GET / HTTP/1.1", "Host:\t here \t", "X:"),
      want: { path: "/" },
    },
  ];
  for (const { name, text, want } of good) {
    it(`reads ${name}`, () => {
      const read = readHead(text);
      assert.ok(read.ok, JSON.stringify(read));
      for (const [key, value] of Object.entries(want)) {
        assert.deepEqual(read.head[key as keyof typeof read.head], value, key);
      }
    });
  }

  it("gives query parameters decoded, the first of a name", () => {
    const read = readHead(head("GET /a?ack=disk&ack=none&b=%C3%A4+x&&c HTTP/1.1", host));
    assert.ok(read.ok);
    assert.deepEqual([...read.head.query], [["ack", "disk"], ["b", "ä x"], ["c", ""]]);
  });

  const bad: { name: string; text: string; status: number }[] = [
    { name: "no request line", text: "", status: 400 },
    { name: "no version", text: head("GET /", host), status: 400 },
    { name: "HTTP/2", text: head("PRI * HTTP/2.0"), status: 505 },
    { name: "two blanks", text: head("GET  / HTTP/1.1", host), status: 400 },
    { name: "a blank in the target", text: head("GET /a b HTTP/1.1", host), status: 400 },
    { name: "a control byte in the target", text: head("GET /\x01 HTTP/1.1", host), status: 400 },
    { name: "a method that is no token", text: head("GE(T / HTTP/1.1", host), status: 400 },
    { name: "no Host", text: head("GET / HTTP/1.1"), status: 400 },
    { name: "two Hosts", text: head("GET / HTTP/1.1", host, host), status: 400 },
    { name: "a Host with a path", text: head("GET / HTTP/1.1", "Host: a/b"), status: 400 },
    { name: "a blank before the colon", text: head("GET / HTTP/1.1", host, "A : b"), status: 400 },
    { name: "a folded line", text: head("GET / HTTP/1.1", host, "A: b", " c"), status: 400 },
    { name: "a line without colon", text: head("GET / HTTP/1.1", host, "nothing"), status: 400 },
    { name: "a bare LF", text: head("GET / HTTP/1.1", `${host}\nA: b`), status: 400 },
    { name: "a bare CR", text: head("GET / HTTP/1.1", host, "A: b\rc"), status: 400 },
    { name: "a NUL", text: head("GET / HTTP/1.1", host, "A: b\0"), status: 400 },
    { name: "a vertical tab", text: head("POST / HTTP/1.1", host, "Content-Length: \v5"), status: 400 },
    { name: "an empty name", text: head("GET / HTTP/1.1", host, ": b"), status: 400 },
    { name: "a length with a sign", text: head("POST / HTTP/1.1", host, "Content-Length: +5"), status: 400 },
    { name: "a length in hex", text: head("POST / HTTP/1.1", host, "Content-Length: 0x5"), status: 400 },
    { name: "an empty length", text: head("POST / HTTP/1.1", host, "Content-Length:"), status: 400 },
    {
      name: "two lengths",
      text: head("POST / HTTP/1.1", host, "Content-Length: 5", "Content-Length: 6"),
      status: 400,
    },
    { name: "a length list", text: head("POST / HTTP/1.1", host, "Content-Length: 5, 6"), status: 400 },
    {
      name: "a length that no double holds",
      text: head("POST / HTTP/1.1", host, "Content-Length: 99999999999999999999"),
      status: 400,
    },
    {
      name: "a length beside chunks",
      text: head("POST / HTTP/1.1", host, "Content-Length: 5", "Transfer-Encoding: chunked"),
      status: 400,
    },
    {
      name: "a coding that is not known",
      text: head("POST / HTTP/1.1", host, "Transfer-Encoding: gzip, chunked"),
      status: 501,
    },
    {
      name: "two codings",
      text: head("POST / HTTP/1.1", host, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
      status: 501,
    },
    {
      name: "chunks in HTTP/1.0",
      text: head("POST / HTTP/1.0", host, "Transfer-Encoding: chunked"),
      status: 400,
    },
    { name: "another expectation", text: head("POST / HTTP/1.1", host, "Expect: tea"), status: 417 },
    { name: "a path that is not UTF-8", text: head("GET /%ff HTTP/1.1", host), status: 400 },
    {
      name: "two tokens",
      text: head("GET / HTTP/1.1", host, "Authorization: a", "Authorization: b"),
      status: 400,
    },
    {
      name: "too many fields",
      text: head("GET / HTTP/1.1", host, ...Array.from({ length: headFieldsMax }, () => "A: b")),
      status: 431,
    },
  ];
  for (const { name, text, status } of bad) {
    it(`refuses ${name}`, () => {
      const read = readHead(text);
      assert.equal(read.ok ? 200 : read.fault.status, status);
    });
  }

  it("takes exactly as many fields as are allowed", () => {
    const fields = Array.from({ length: headFieldsMax - 1 }, () => "A: b");
    assert.equal(readHead(head("GET / HTTP/1.1", host, ...fields)).ok, true);
  });

  it("reads blanks in linear time", () => {
    let best = Infinity;
    for (let at = 0; at < 20 && best >= 50; at++) {
      const started = performance.now();
      readHead(head("GET / HTTP/1.1", host, `A: ${" \t".repeat(8000)}b${" ".repeat(8000)}`));
      best = Math.min(best, performance.now() - started);
    }
    assert.ok(best < 50, `${best} ms`);
  });
});
