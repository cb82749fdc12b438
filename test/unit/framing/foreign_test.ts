import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { foreignProtocol } from "../../../src/framing/foreign.ts";

const cases: { name: string; input: string; want: "tls" | "http" | undefined }[] = [
  { name: "a ClientHello", input: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", want: "tls" },
  { name: "a TLS alert", input: "\x15\x03\x01\x00\x02\x02\x28", want: undefined },
  { name: "a request", input: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", want: "http" },
  { name: "a request for a long path", input: `POST /${"x".repeat(1000)} HTTP/1.0\r\n`, want: "http" },
  { name: "the preface of HTTP/2", input: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: "http" },
  { name: "a line that begins like a request", input: "GET the milk\n", want: undefined },
  { name: "a line of an access log", input: 'GET / HTTP/1.1" 200\n', want: undefined },
  { name: "a line with a PRI", input: "<13>GET / HTTP/1.1\r\n", want: undefined },
  { name: "an octet count", input: "20 <13>GET / HTTP/1.1", want: undefined },
  { name: "nothing", input: "", want: undefined },
];

for (const { name, input, want } of cases) {
  test(`foreignProtocol() is ${want} when a connection begins with ${name}`, () =>
    assert.equal(foreignProtocol(Buffer.from(input, "latin1")), want));
}
