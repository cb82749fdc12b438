import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, formatSize } from "../../../src/config/fields.ts";
import { nearest } from "../../../src/core/suggest.ts";
import { formatHostPort, readDuration, readHostPort, readSize } from "../../../src/config/units.ts";

const sizes: { input: string | number; want: number | string }[] = [
  { input: "64KiB", want: 65_536 },
  { input: "10MB", want: 10_000_000 },
  { input: "1GiB", want: 1_073_741_824 },
  { input: "1.5 kib", want: 1536 },
  { input: 4096, want: 4096 },
  { input: "0", want: 0 },
  { input: "64 kx", want: '"64 kx" is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB' },
  { input: "-1KiB", want: '"-1KiB" is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB' },
  { input: "0.3B", want: '"0.3B" is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB' },
  { input: NaN, want: "NaN is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB" },
  {
    input: "999999999TiB",
    want: '"999999999TiB" is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB',
  },
];

test("readSize() gives bytes or says what to write", () => {
  for (const { input, want } of sizes) {
    const read = readSize(input);
    assert.equal(read.ok ? read.value : read.message, want, String(input));
  }
});

const durations: { input: string | number; want: number | string }[] = [
  { input: "5ms", want: 5 },
  { input: "10s", want: 10_000 },
  { input: "10m", want: 600_000 },
  { input: "1h", want: 3_600_000 },
  { input: "1d", want: 86_400_000 },
  { input: "0.5s", want: 500 },
  { input: 0, want: 0 },
  { input: "5", want: '"5" has no unit; write 5ms, 5s or 5m' },
  { input: 5, want: "5 has no unit; write 5ms, 5s or 5m" },
  {
    input: "5 minutes",
    want: '"5 minutes" is not a time; write a number and a unit, such as 5ms, 10s, 10m or 1h',
  },
  { input: "", want: '"" is not a time; write a number and a unit, such as 5ms, 10s, 10m or 1h' },
];

test("readDuration() gives milliseconds or says what to write", () => {
  for (const { input, want } of durations) {
    const read = readDuration(input);
    assert.equal(read.ok ? read.value : read.message, want, String(input));
  }
});

const addresses: { input: string; want: string; any?: boolean }[] = [
  { input: "kafka-1:9092", want: "kafka-1|9092" },
  { input: "127.0.0.1:65535", want: "127.0.0.1|65535" },
  { input: "[::1]:514", want: "::1|514" },
  { input: "[fe80::1%eth0]:514", want: "fe80::1%eth0|514" },
  { input: "h:0", want: "h|0", any: true },
  { input: "h:0", want: "the port 0 cannot be reached; write the real port" },
  { input: "h:65536", want: "the port 65536 does not exist; ports end at 65535" },
  { input: "h", want: '"h" has no port; write e:1' },
  { input: ":514", want: '":514" names no host; write 0.0.0.0:514 for all interfaces or 127.0.0.1:514' },
  { input: "::1:514", want: '"::1:514" is an IPv6 address without brackets; write [::1]:514' },
  {
    input: "[1.2.3.4]:5",
    want: '"[1.2.3.4]:5" has brackets around what is not an IPv6 address; write 1.2.3.4:5',
  },
  { input: "a b:1", want: '"a b:1" is not an address; write host:port, such as e:1' },
  { input: "*:1", want: '"*:1" is not an address; write host:port, such as e:1' },
];

test("readHostPort() gives host and port or says what to write", () => {
  for (const { input, want, any } of addresses) {
    const read = readHostPort(input, "e:1", any);
    assert.equal(read.ok ? `${read.value.hostname}|${read.value.port}` : read.message, want, input);
  }
  assert.equal(formatHostPort({ hostname: "::1", port: 5 }), "[::1]:5");
});

test("formatSize() and formatDuration() write what reads back", () => {
  for (const bytes of [0, 1, 1023, 1024, 65_536, 10_000_000, 1_073_741_824]) {
    assert.deepEqual(readSize(formatSize(bytes)), { ok: true, value: bytes });
  }
  assert.equal(formatSize(1024 ** 4), "1TiB");
  assert.equal(formatSize(3 * 1024 ** 4), "3TiB");
  assert.equal(formatSize(1536 * 1024 ** 3), "1536GiB");
  for (const ms of [0, 1, 1000, 90_000, 3_600_000, 86_400_000]) {
    assert.deepEqual(readDuration(formatDuration(ms)), { ok: true, value: ms });
  }
});

test("nearest() gives the word that was meant, and nothing when none is near", () => {
  assert.equal(nearest("kafak", ["kafka", "file"]), "kafka");
  assert.equal(nearest("framig", ["framing", "frame_max"]), "framing");
  assert.equal(nearest("Limits", ["limits"]), "limits");
  assert.equal(nearest("zebra", ["kafka", "file"]), undefined);
  assert.equal(nearest("x".repeat(100_000), ["kafka"]), undefined);
});
