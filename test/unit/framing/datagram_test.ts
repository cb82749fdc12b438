import assert from "node:assert/strict";
import { test } from "node:test";
import { frameDatagram } from "../../../src/framing/datagram.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { frameFlag } from "../../../src/kernel/kernel.ts";

const kernel = createKernel({ frameBytesMax: 80, pieceBytes: 64, scratchBytes: 64, arenaBytes: 64 });
const x80 = "x".repeat(80);

const cases = [
  { name: "a frame", input: "<1>a", want: "<1>a" },
  { name: "a frame and LF", input: "<1>a\n", want: "<1>a" },
  { name: "a frame and CR LF", input: "<1>a\r\n", want: "<1>a" },
  { name: "a frame and NUL", input: "<1>a\0", want: "<1>a" },
  { name: "a frame of two lines", input: "<1>a\nb\n\n", want: "<1>a\nb\n" },
  { name: "empty", input: "", want: undefined },
  { name: "a LF alone", input: "\n", want: undefined },
  { name: "at the limit", input: x80, want: x80 },
  { name: "above the limit", input: `${x80}y`, want: x80, truncated: true },
  { name: "larger than the input region", input: x80.repeat(20), want: x80, truncated: true },
];

for (const { name, input, want, truncated } of cases) {
  test(`frameDatagram() gives one row or none when the packet is ${name}`, () => {
    const rows = frameDatagram(kernel, new TextEncoder().encode(input));
    assert.equal(rows, want === undefined ? 0 : 1);
    if (want === undefined) return;
    const [start, end, flags] = kernel.words.subarray(kernel.rowsAt / 4);
    assert.equal(new TextDecoder().decode(kernel.bytes.subarray(start, end)), want);
    assert.equal((flags! & frameFlag.truncated) !== 0, truncated ?? false);
  });
}
