/**
 * Hostile PROXY headers: whatever comes first on a connection, the reader neither throws nor asks for more than its
 * bound, a verdict does not change with what comes behind, and an address it gives is one.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readAddress } from "../../src/core/networks.ts";
import { isProxyHeader, proxyHeaderBytesMax, readProxyHeader } from "../../src/io/proxy_protocol.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const signature = "\r\n\r\n\0\r\nQUIT\n";
const headers = [
  "PROXY TCP4 192.0.2.7 198.51.100.1 1234 514\r\n<13>x\n",
  "PROXY TCP6 2001:db8::7 ::1 65535 1\r\n<13>x\n",
  "PROXY UNKNOWN\r\n",
  `PROXY UNKNOWN ${"f".repeat(80)}\r\n`,
  `${signature}\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x02\x02<13>x\n`,
  `${signature}\x21\x21\x00\x24${"\x20\x01\x0d\xb8".repeat(8)}\x04\xd2\x02\x02`,
  `${signature}\x20\x00\x00\x00`,
  `${signature}\x21\x11\x00\x10\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x02\x02\x04\x00\x01\x00`,
  `${signature}\x21\x31\x00\xd8${"\0".repeat(216)}`,
];
const tokens = [
  "\r\n",
  " ",
  "\r",
  "\n",
  "0",
  "65536",
  "::",
  "1.2.3.4",
  "PROXY ",
  "TCP4",
  "TCP6",
  signature,
  "\xff\xff",
];

test("readProxyHeader() keeps its verdict and its bound", fuzzTimeout, async () => {
  await fuzz<Uint8Array>({
    name: "proxy",
    make: (random: Random) => mutate(random, latin1(random.pick(headers)), tokens),
    run(bytes) {
      const verdict = readProxyHeader(bytes);
      for (let cut = 0; cut <= bytes.length; cut++) {
        const early = readProxyHeader(bytes.subarray(0, cut));
        // What was decided stays decided; before it, more is asked for.
        if (early.kind !== "part") assert.deepEqual(early, verdict, `decided at ${cut}`);
        if (early.kind === "whole") assert.ok(early.length <= cut);
      }
      if (verdict.kind === "part") assert.ok(bytes.length < proxyHeaderBytesMax);
      if (verdict.kind === "whole" && verdict.source !== undefined) {
        const { hostname, port } = verdict.source;
        assert.notEqual(readAddress(hostname), undefined, hostname);
        assert.ok(Number.isInteger(port) && port >= 0 && port <= 65535);
      }
      if (isProxyHeader(bytes)) assert.ok(verdict.kind !== "invalid" || /PROXY|header/.test(verdict.problem));
    },
    show: (bytes) => JSON.stringify(latin1Text(bytes)),
  });
});
