/**
 * Messages made wrong on purpose, from a seed: the same seed, sender and number give the same bytes, so that what
 * broke a target can be sent again.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Random } from "./random.ts";

/** Ways to be wrong. */
export const fuzzKinds = ["flips", "truncate", "bad-count", "huge", "utf8", "slowloris", "nul"] as const;

/** One of them. */
export type FuzzKind = typeof fuzzKinds[number];

/** What to send, and what to do then. */
export interface Mutated {
  readonly bytes: Buffer;
  /** `close`: in the middle of it the connection ends. `dribble`: byte by byte. */
  readonly after: "keep" | "close" | "dribble";
}

/** Bytes of a huge frame: more than forwarders take as one line. */
const hugeBytes = 1024 * 1024;
/** The same for datagrams, which hold no more with a message around it. */
const hugeDatagramBytes = 48 * 1024;
/** One message in this many dribbles: each holds its connection for seconds. */
const dribbleEvery = 50;
/** One in this many is huge, so that other messages get through too. */
const hugeEvery = 200;

/** Sequences that are not UTF-8 (Unicode 15, table 3-7), or that decoders get wrong. */
const badUtf8: readonly Buffer[] = [
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xc0, 0x80]), // overlong NUL
  Buffer.from([0xed, 0xa0, 0x80]), // lone surrogate
  Buffer.from([0xf4, 0x90, 0x80, 0x80]), // beyond the last code point
  Buffer.from([0xe2, 0x82]), // cut short
  Buffer.from([0x80]),
];

/** Makes messages wrong. */
export class Fuzzer {
  readonly #kinds: readonly FuzzKind[];
  readonly #seed: number;
  readonly #hugeBytes: number;

  constructor(kinds: readonly FuzzKind[], seed: number, datagrams = false) {
    this.#kinds = kinds;
    this.#seed = seed;
    this.#hugeBytes = datagrams ? hugeDatagramBytes : hugeBytes;
  }

  /** The mutation of message `number` of `sender`. */
  mutate(message: Buffer, sender: number, number: number): Mutated {
    const random = new Random(this.#seed, sender, number);
    let kind = random.pick(this.#kinds);
    // With other kinds at hand the slow and the large ones are rare.
    const others = this.#kinds.filter((other) => other !== "slowloris" && other !== "huge");
    if (kind === "slowloris" && others.length > 0 && random.integer(1, dribbleEvery) > 1) {
      kind = random.pick(others);
    }
    if (kind === "huge" && others.length > 0 && random.integer(1, hugeEvery) > 1) kind = random.pick(others);
    return mutation(kind, message, random, this.#hugeBytes);
  }
}

function mutation(kind: FuzzKind, message: Buffer, random: Random, hugeBytes: number): Mutated {
  switch (kind) {
    case "flips": {
      const bytes = Buffer.from(message);
      for (let count = random.integer(1, 8); count > 0 && bytes.length > 0; count--) {
        bytes[random.integer(0, bytes.length - 1)]! ^= 1 << random.integer(0, 7);
      }
      return { bytes, after: "keep" };
    }
    case "truncate":
      return { bytes: Buffer.from(message.subarray(0, random.integer(0, message.length))), after: "close" };
    case "bad-count":
      return badCount(message, random);
    case "huge": {
      const filled = Buffer.alloc(hugeBytes, 0x61 + random.integer(0, 25));
      const half = message.length >> 1;
      return {
        bytes: Buffer.concat([message.subarray(0, half), filled, message.subarray(half)]),
        after: "keep",
      };
    }
    case "utf8": {
      const place = random.integer(0, message.length);
      const parts = [message.subarray(0, place), random.pick(badUtf8), message.subarray(place)];
      return { bytes: Buffer.concat(parts), after: "keep" };
    }
    case "nul": {
      const bytes = Buffer.from(message);
      if (bytes.length > 0) bytes[random.integer(0, bytes.length - 1)] = 0;
      return { bytes, after: "keep" };
    }
    case "slowloris":
      return { bytes: Buffer.from(message), after: "dribble" };
  }
}

/** Heads are looked at so far for a count of their own. */
const headBytesMax = 4096;
/** The length in a request of HTTP, and in a frame of RELP. */
const ownCount = /(\r\ncontent-length: *)(\d+)|^(\d+ [a-z]+ )(\d+)(?= )/i;

/** A message whose own length is wrong, or that has one where none belongs. */
function badCount(message: Buffer, random: Random): Mutated {
  const counts = ["0", "00000000007", "999999999999999999999", "-5", String(message.length * 2), "", "1e3"];
  const count = random.pick(counts);
  const own = ownCount.exec(message.toString("latin1", 0, headBytesMax));
  if (own === null) {
    return { bytes: Buffer.concat([Buffer.from(count === "" ? "7" : `${count} `), message]), after: "keep" };
  }
  const from = own.index + (own[1] ?? own[3])!.length;
  const to = from + (own[2] ?? own[4])!.length;
  // A target that waits for what will not come would hold the connection.
  return {
    bytes: Buffer.concat([message.subarray(0, from), Buffer.from(count), message.subarray(to)]),
    after: "close",
  };
}
