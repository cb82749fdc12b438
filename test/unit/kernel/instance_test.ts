import assert from "node:assert/strict";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { createKernel, defaultKernelSizes } from "../../../src/kernel/instance.ts";

test("createKernel() uses the default sizes when none are given", () => {
  const kernel = createKernel();
  assert.deepEqual(kernel.sizes, defaultKernelSizes);
  assert.ok(kernel.bytes.length - kernel.arenaAt >= defaultKernelSizes.arenaBytes);
  assert.ok(kernel.inputBytes >= defaultKernelSizes.frameBytesMax + defaultKernelSizes.pieceBytes);
});

test("createKernel() aligns every region when the sizes are odd", () => {
  const kernel = createKernel({
    frameBytesMax: 77,
    pieceBytes: 101,
    rowsMax: 3,
    scratchBytes: 13,
    arenaBytes: 7,
  });
  const { rowsAt, headersAt, scratchAt, inputAt, arenaAt } = kernel;
  const regions = [rowsAt, headersAt, scratchAt, inputAt, arenaAt];
  assert.deepEqual(regions.map((at) => at % 64), [0, 0, 0, 0, 0]);
  assert.deepEqual([...regions].sort((a, b) => a - b), regions);
  assert.ok(headersAt - rowsAt >= 3 * 16 && scratchAt - headersAt >= 3 * 64);
  assert.ok(arenaAt - inputAt >= kernel.inputBytes + 64, "slack behind the input");
  assert.ok(kernel.bytes.length - arenaAt >= 7 + 64, "slack at the end");
});

test("createKernel() gives memories of their own when called twice", () => {
  const [one, two] = [createKernel({ arenaBytes: 64 }), createKernel({ arenaBytes: 64 })];
  one.bytes[one.arenaAt] = 1;
  two.bytes[two.arenaAt] = 2;
  assert.equal(one.bytes[one.arenaAt], 1);
});

const refused = [
  { name: "zero", sizes: { rowsMax: 0 } },
  { name: "negative", sizes: { arenaBytes: -1 } },
  { name: "a fraction", sizes: { pieceBytes: 1.5 } },
  { name: "more than addresses reach", sizes: { arenaBytes: 2 ** 31 } },
];

for (const { name, sizes } of refused) {
  test(`createKernel() throws kernel_failed when a size is ${name}`, () => {
    assert.throws(() => createKernel(sizes), (error: unknown) => {
      return error instanceof ForwarderError && error.code === "kernel_failed";
    });
  });
}
