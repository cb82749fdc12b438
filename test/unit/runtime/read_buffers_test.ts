import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  largeBufferBytes,
  largeBuffersMax,
  ReadBuffers,
  smallBufferBytes,
} from "../../../src/runtime/read_buffers.ts";

describe("ReadBuffers", () => {
  it("next() grows after a full small read and shrinks after a short one", () => {
    const buffers = new ReadBuffers();
    const small = buffers.small();
    assert.equal(buffers.next(small, smallBufferBytes - 1), small, "not full: stays");
    const large = buffers.next(small, smallBufferBytes);
    assert.equal(large.length, largeBufferBytes);
    assert.equal(buffers.next(large, largeBufferBytes), large, "full: stays");
    assert.equal(buffers.next(large, smallBufferBytes), large, "half of it is still worth it");
    assert.equal(buffers.next(large, 10).length, smallBufferBytes);
    assert.equal(buffers.lent, 0);
    assert.equal(buffers.next(small, smallBufferBytes), large, "the one given back is lent again");
  });

  it("next() lends no more than the bound, and takes back from those that are not full when it is near", () => {
    const buffers = new ReadBuffers();
    const held: Uint8Array[] = [];
    for (let i = 0; i < largeBuffersMax; i++) held.push(buffers.next(buffers.small(), smallBufferBytes));
    assert.equal(buffers.lent, largeBuffersMax);
    assert.equal(buffers.next(buffers.small(), smallBufferBytes).length, smallBufferBytes, "the bound holds");
    assert.equal(buffers.next(held[0], largeBufferBytes), held[0]);
    assert.equal(buffers.next(held[0], largeBufferBytes - 1).length, smallBufferBytes);
    assert.equal(buffers.lent, largeBuffersMax - 1);
  });

  it("release() does not lend a buffer again when someone may still look at it", () => {
    const buffers = new ReadBuffers();
    const large = buffers.next(buffers.small(), smallBufferBytes);
    buffers.release(large, false);
    assert.equal(buffers.lent, 0);
    assert.notEqual(buffers.next(buffers.small(), smallBufferBytes), large);
  });
});
