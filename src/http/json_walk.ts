/**
 * Goes through the lists and objects of a JSON body without parsing it: who knows what a protocol looks like finds the
 * places of its records, and parses those one by one, so that no body is parsed in one piece.
 *
 *     for (let any = walk.enter("object"); any; any = walk.more("object")) {
 *       if (walk.name() === "records") {
 *         for (let one = walk.enter("list"); one; one = walk.more("list")) { … }
 *       } else walk.skip();
 *     }
 *     if (walk.broken || !walk.atEnd()) return malformed;
 *
 * What is walked over is held to the grammar of JSON (RFC 8259); what a value is inside is for a parser. Once broken,
 * nothing is found any more.
 *
 * @module
 */
import { PartTooLarge } from "./events.ts";
import { endOfLongValue, endOfString, endOfValue, skipBlanks } from "./json_split.ts";
import { parseJson } from "./text.ts";
import { type Reading, Steps } from "./turns.ts";

const quote = 0x22;
const colon = 0x3a;
const comma = 0x2c;
const openMarks = { list: 0x5b, object: 0x7b } as const;
const closeMarks = { list: 0x5d, object: 0x7d } as const;
/** The first byte of `null`. */
const nullMark = 0x6e;

/** Longer names of members are none that anybody knows. */
const nameBytesMax = 1024;

/** A walk over one body. */
export class JsonWalk {
  /** The body is no JSON where the walk came. */
  broken = false;
  /** Where the last value lies. */
  start = 0;
  end = 0;
  readonly #bytes: Uint8Array;
  readonly #partBytesMax: number;
  readonly #steps = new Steps();
  #at = 0;
  #lookedAt = 0;

  /** A value that is taken whole may have `partBytesMax` bytes. */
  constructor(bytes: Uint8Array, partBytesMax: number) {
    this.#bytes = bytes;
    this.#partBytesMax = partBytesMax;
  }

  /** Whether it is time to yield: asked once for each value. */
  get due(): boolean {
    const bytes = this.#at - this.#lookedAt;
    this.#lookedAt = this.#at;
    return this.#steps.due(bytes);
  }

  /** Whether nothing but blanks is left. */
  atEnd(): boolean {
    return skipBlanks(this.#bytes, this.#at) === this.#bytes.length;
  }

  /** Goes into a list or an object: true before its first element or member, false where it has none or is none. */
  enter(kind: "list" | "object"): boolean {
    const bytes = this.#bytes;
    const at = skipBlanks(bytes, this.#at);
    if (this.broken || bytes[at] !== openMarks[kind]) return this.#break();
    this.#at = skipBlanks(bytes, at + 1);
    if (bytes[this.#at] !== closeMarks[kind]) return true;
    this.#at++;
    return false;
  }

  /** The same, where `null` stands for a list without elements. */
  enterNullable(): boolean {
    if (this.#bytes[skipBlanks(this.#bytes, this.#at)] !== nullMark) return this.enter("list");
    this.skip();
    return false;
  }

  /** Behind an element or member: true before the next one, false where the list or object ends. */
  more(kind: "list" | "object"): boolean {
    if (this.broken) return false;
    const at = skipBlanks(this.#bytes, this.#at);
    const mark = this.#bytes[at];
    this.#at = at + 1;
    if (mark === comma) return true;
    return mark === closeMarks[kind] ? false : this.#break();
  }

  /** The name of the member before which it stands, and goes to its value. */
  name(): string | undefined {
    if (this.broken) return undefined;
    const bytes = this.#bytes;
    const start = skipBlanks(bytes, this.#at);
    const end = bytes[start] === quote
      ? endOfString(bytes, start, Math.min(bytes.length, start + nameBytesMax))
      : -1;
    const name = end < 0 ? undefined : parseJson(bytes.subarray(start, end));
    const mark = skipBlanks(bytes, Math.max(end, 0));
    this.#at = mark + 1;
    if (typeof name === "string" && bytes[mark] === colon) return name;
    this.#break();
    return undefined;
  }

  /**
   * Goes over a value and says where it lies. False where it is longer than a part may be: `overLong` goes over it; or
   * where it has no end.
   */
  over(): boolean {
    if (this.broken) return false;
    const bytes = this.#bytes;
    this.start = skipBlanks(bytes, this.#at);
    // One byte more tells where a number ends.
    const until = Math.min(bytes.length, this.start + this.#partBytesMax + 1);
    this.end = endOfValue(bytes, this.start, until);
    if (this.end < 0) return until === bytes.length ? this.#break() : false;
    if (this.end - this.start > this.#partBytesMax) return false;
    this.#at = this.end;
    return true;
  }

  /** Goes over the value for which `over` gave false. */
  *overLong(): Reading<void> {
    if (this.broken) return;
    this.#at = this.end = yield* endOfLongValue(this.#bytes, this.start);
    if (this.end < 0) this.#break();
  }

  /** Parses a value whose end is needed now. Undefined where it is broken. @throws PartTooLarge */
  part(): unknown {
    if (!this.over()) {
      if (!this.broken) throw new PartTooLarge(this.#partBytesMax);
      return undefined;
    }
    const value = parseJson(this.#bytes.subarray(this.start, this.end));
    if (value === undefined) this.#break();
    return value;
  }

  /** Goes over a value that nobody wants, which must be JSON all the same. @throws PartTooLarge */
  skip(): void {
    this.part();
  }

  #break(): false {
    this.broken = true;
    return false;
  }
}
