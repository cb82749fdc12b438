/**
 * Damage to good bytes: what fuzz tests of byte formats share.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "./random.ts";

/** latin1 text as bytes: an index into the one is an index into the other. */
export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Bytes as latin1 text. */
export function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Puts the parts one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** At most `changes` changes to a copy: bytes, bits, tokens of the format, parts cut out, doubled or swapped. */
export function mutate(
  random: Random,
  bytes: Uint8Array,
  tokens: readonly string[],
  changes = 4,
): Uint8Array {
  let mutated: Uint8Array = bytes.slice();
  for (let left = random.between(0, changes); left > 0; left--) mutated = mutateOnce(random, mutated, tokens);
  return mutated;
}

function mutateOnce(random: Random, bytes: Uint8Array, tokens: readonly string[]): Uint8Array {
  const at = random.between(0, bytes.length);
  const end = Math.min(bytes.length, at + random.between(1, random.oneIn(8) ? 200 : 8));
  const token = latin1(random.pick(tokens));
  switch (random.between(0, 6)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.word();
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at]! ^= 1 << random.between(0, 7);
      return bytes;
    case 2:
      return joined([bytes.subarray(0, at), bytes.subarray(end)]);
    case 3:
      return joined([bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(at)]);
    case 4:
      return joined([bytes.subarray(0, at), token, bytes.subarray(at)]);
    case 5:
      return joined([bytes.subarray(0, at), token, bytes.subarray(end)]);
    default:
      return bytes.slice(0, at);
  }
}

/** Cuts the bytes into chunks of random lengths, some of them empty, some of one byte. */
export function cutAnywhere(random: Random, bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const style = random.between(0, 3);
  for (let at = 0; at < bytes.length;) {
    const most = style === 0 ? bytes.length : style === 1 ? 3 : style === 2 ? 100 : 2_000;
    const end = Math.min(bytes.length, at + random.between(0, most));
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}
