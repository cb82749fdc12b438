import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textBufferOf } from "../../../src/core/text_buffer.ts";
import { copyHeaders, recordHeaders, writeHeaders } from "../../../src/rules/headers.ts";

/** Another reading of the format: varints by BigInt. */
function decode(bytes: Uint8Array): [string, string][] {
  let at = 0;
  const varint = () => {
    let raw = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++]!;
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((raw >> 1n) ^ -(raw & 1n));
    }
  };
  const text = () => {
    const length = varint();
    at += length;
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at - length, at));
  };
  const pairs = Array.from({ length: varint() }, (): [string, string] => [text(), text()]);
  assert.equal(at, bytes.length);
  return pairs;
}

const wellFormed = fc.string({ unit: "binary" });

test("writeHeaders() writes what a reader of Kafka's format reads, constant or not", () => {
  fc.assert(fc.property(fc.array(fc.tuple(wellFormed, wellFormed), { maxLength: 70 }), (pairs) => {
    const names = pairs.map(([name]) => name);
    const values = pairs.map(([, value]) => value);
    const constant = recordHeaders(names, values, true);
    assert.deepEqual(decode(constant.encoded!), pairs);
    const memory = textBufferOf(new Uint8Array(64 * 1024));
    const varying = recordHeaders(names, values, false);
    const length = writeHeaders(varying, memory, 7, memory.length - 7);
    assert.deepEqual(memory.subarray(7, 7 + length), memory.subarray(7, 7 + constant.encoded!.length));
    assert.deepEqual([...memory.subarray(7, 7 + length)], [...constant.encoded!]);
  }));
});

test("writeHeaders() writes nothing outside of its room, and says so, when the room does not do", () => {
  for (const isConstant of [true, false]) {
    const headers = recordHeaders(["name", "other"], ["x".repeat(300), "ä"], isConstant);
    const whole = textBufferOf(new Uint8Array(1000));
    const length = writeHeaders(headers, whole, 0, 1000);
    for (let room = 0; room < 400; room++) {
      const memory = textBufferOf(new Uint8Array(1000));
      const written = writeHeaders(headers, memory, 10, room);
      assert.ok(written === -1 || (written === length && room >= length), `room ${room} gave ${written}`);
      assert.ok(memory.subarray(10 + room).every((byte) => byte === 0));
      assert.ok(memory.subarray(0, 10).every((byte) => byte === 0));
    }
  }
});

test("copyHeaders() keeps values that are written anew for the next line", () => {
  const values = ["first"];
  const headers = recordHeaders(["h"], values, false);
  const copy = copyHeaders(headers);
  values[0] = "second";
  assert.deepEqual([...copy.values], ["first"]);
  assert.deepEqual([...headers.values], ["second"]);
});
