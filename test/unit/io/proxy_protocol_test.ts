import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isProxyHeader, proxyHeaderBytesMax, readProxyHeader } from "../../../src/io/proxy_protocol.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** A version 2 header. */
function v2(
  versionAndCommand: number,
  family: number,
  body: readonly number[],
  length = body.length,
): Uint8Array {
  return Uint8Array.from([...signature, versionAndCommand, family, length >> 8, length & 0xff, ...body]);
}

const ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x04, 0xd2, 0x02, 0x02];
const ipv6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x04, 0xd2, 0x02, 0x02],
];

describe("readProxyHeader()", () => {
  const whole = [
    { name: "TCP4", header: bytes("PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\n"), want: "192.0.2.7 1234" },
    {
      name: "TCP6",
      header: bytes("PROXY TCP6 2001:db8::7 2001:db8::1 1234 514\r\n"),
      want: "2001:db8::7 1234",
    },
    {
      name: "the longest of version 1",
      header: bytes(`PROXY TCP6 ${Array(2).fill(Array(8).fill("ffff").join(":")).join(" ")} 65535 65535\r\n`),
      want: `${Array(8).fill("ffff").join(":")} 65535`,
    },
    { name: "UNKNOWN", header: bytes("PROXY UNKNOWN\r\n"), want: undefined },
    { name: "UNKNOWN with words", header: bytes("PROXY UNKNOWN ffff::1 a b c\r\n"), want: undefined },
    { name: "version 2, IPv4", header: v2(0x21, 0x11, ipv4), want: "192.0.2.7 1234" },
    { name: "version 2, IPv6", header: v2(0x21, 0x21, ipv6), want: "2001:db8::7 1234" },
    {
      name: "version 2 with TLVs",
      header: v2(0x21, 0x11, [...ipv4, 0x04, 0, 3, 1, 2, 3]),
      want: "192.0.2.7 1234",
    },
    { name: "version 2, LOCAL", header: v2(0x20, 0x00, []), want: undefined },
    { name: "version 2, LOCAL with addresses", header: v2(0x20, 0x11, ipv4), want: undefined },
    { name: "version 2, a unix socket", header: v2(0x21, 0x31, Array(216).fill(0)), want: undefined },
    { name: "version 2, no family", header: v2(0x21, 0x00, [1, 2, 3]), want: undefined },
  ];
  for (const { name, header, want } of whole) {
    it(`reads ${name}, and asks for more while it is cut`, () => {
      const behind = Uint8Array.from([...header, ...bytes("<13>x\n")]);
      const read = readProxyHeader(behind);
      assert.equal(read.kind, "whole");
      if (read.kind !== "whole") return;
      assert.equal(read.length, header.length);
      assert.equal(read.source && `${read.source.hostname} ${read.source.port}`, want);
      for (let cut = 0; cut < header.length; cut++) {
        assert.deepEqual(readProxyHeader(header.subarray(0, cut)), { kind: "part" }, `cut at ${cut}`);
      }
    });
  }

  const invalid = [
    { name: "a syslog line", header: bytes("<13>hello\n"), want: /no PROXY header/ },
    { name: "lower case", header: bytes("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), want: /no PROXY header/ },
    {
      name: "an address of another family",
      header: bytes("PROXY TCP4 ::1 ::1 1 2\r\n"),
      want: /no IPv4 address/,
    },
    {
      name: "an IPv4 address as TCP6",
      header: bytes("PROXY TCP6 1.2.3.4 ::1 1 2\r\n"),
      want: /no IPv6 address/,
    },
    { name: "a port over 65535", header: bytes("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"), want: /no port/ },
    {
      name: "a port with a zero before it",
      header: bytes("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"),
      want: /no port/,
    },
    { name: "a bare LF", header: bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), want: /CR LF/ },
    { name: "a word too many", header: bytes("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), want: /none of/ },
    { name: "an unknown family", header: bytes("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), want: /none of/ },
    {
      name: "no end within 107 bytes",
      header: bytes(`PROXY UNKNOWN ${"x".repeat(100)}\r\n`),
      want: /no end/,
    },
    { name: "version 3", header: v2(0x31, 0x11, ipv4), want: /unknown version/ },
    { name: "an unknown command", header: v2(0x22, 0x11, ipv4), want: /unknown command/ },
    { name: "too short a body", header: v2(0x21, 0x21, ipv4), want: /too short/ },
    { name: "a body of 65,535 bytes", header: v2(0x21, 0x11, ipv4, 65535), want: /more than 16384/ },
  ];
  for (const { name, header, want } of invalid) {
    it(`refuses ${name}`, () => {
      const read = readProxyHeader(header);
      assert.equal(read.kind, "invalid");
      assert.match((read as { problem: string }).problem, want);
    });
  }

  it("ends what it asks more of within its bound, whatever comes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, signed) => {
      const begin = signed ? Uint8Array.from([...signature, ...noise]) : noise;
      const all = new Uint8Array(proxyHeaderBytesMax);
      all.set(begin);
      assert.notEqual(readProxyHeader(all).kind, "part");
    }));
  });
});

describe("isProxyHeader()", () => {
  const table = [
    { first: bytes("PROXY TCP4 1.2.3.4"), want: true },
    { first: bytes("PROXY UNKNOWN\r\n"), want: true },
    { first: v2(0x21, 0x11, ipv4), want: true },
    { first: bytes("PROXY server started"), want: false },
    { first: bytes("<13>PROXY TCP4 "), want: false },
    { first: bytes("PRO"), want: false },
    { first: new Uint8Array(0), want: false },
  ];
  for (const { first, want } of table) {
    it(`says ${want} to ${JSON.stringify(String.fromCharCode(...first.subarray(0, 20)))}`, () => {
      assert.equal(isProxyHeader(first), want);
    });
  }
});
