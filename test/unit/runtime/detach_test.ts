import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detach, detachBytesMin } from "../../../src/runtime/detach.ts";
import { runtime } from "../../../src/runtime/current.ts";

describe("detach", () => {
  it("detach() gives a chunk back when it is large enough and Bun's", () => {
    const chunk = new Uint8Array(detachBytesMin);
    detach(chunk);
    assert.equal(chunk.byteLength, runtime.name === "bun" ? 0 : detachBytesMin);
  });

  it("detach() leaves a chunk alone when it is small", () => {
    const chunk = new Uint8Array(detachBytesMin - 1);
    detach(chunk);
    assert.equal(chunk.byteLength, detachBytesMin - 1);
  });

  it("detach() leaves a chunk alone when it is a part of a larger buffer", () => {
    const whole = new Uint8Array(4 * detachBytesMin);
    const chunk = whole.subarray(detachBytesMin, 3 * detachBytesMin);
    detach(chunk);
    assert.equal(chunk.byteLength, 2 * detachBytesMin);
    assert.equal(whole.byteLength, 4 * detachBytesMin);
  });
});
