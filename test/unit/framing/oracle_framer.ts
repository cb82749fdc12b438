/** The twin of the framer: it sees the whole stream at once, so no cut can matter to it. latin1 text throughout. */
import type { FramingMode } from "../../../src/framing/framer.ts";

export interface OracleFrame {
  readonly text: string;
  readonly truncated: boolean;
  /** "part" is the first of a frame that was split. */
  readonly split?: "part" | "continued";
}

export interface OracleStream {
  readonly frames: OracleFrame[];
  readonly emptyFrames: number;
  readonly damagedFrames: number;
}

/** One LF behind the frame before is skipped, each further one is an empty frame. */
const newlines = /^\n*/;
const octetFrame = /^([1-9]\d{0,8}) </;
const bareCount = /^([1-9]\d{0,8}) /;
const octetBeginning = /^([1-9]\d{0,8} ?)?$/;
const countsInDamage = /(?<!\d)([1-9]\d{0,8}) <\d{1,3}>/g;
const lineEnd = /\r?\n$/;

/** The first part of a longer frame: `max` bytes, or fewer so that no UTF-8 character is cut. */
export function cutText(text: string, max: number): string {
  const start = text.slice(0, max);
  const half = /(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})$/.exec(start);
  return half === null || half.index === 0 ? start : start.slice(0, half.index);
}

export function frameOracle(
  stream: string,
  mode: FramingMode,
  frameBytesMax: number,
  splits = false,
): OracleStream {
  const frames: OracleFrame[] = [];
  let emptyFrames = 0;
  let damagedFrames = 0;

  /** `missing` bytes of the frame never came. */
  const push = (text: string, missing = 0): void => {
    // What is longer by more than CR LF is told before all of it came.
    const isTold = missing > 0 && text.length >= frameBytesMax && text.length + missing > frameBytesMax + 2;
    if (splits && (text.length > frameBytesMax || isTold)) return pushParts(text, missing);
    const isCut = text.length > frameBytesMax || isTold;
    frames.push({ text: isCut ? cutText(text, frameBytesMax) : text, truncated: isCut || missing > 0 });
  };
  const pushParts = (text: string, missing: number): void => {
    let split: "part" | "continued" = "part";
    for (let rest = text; rest !== "";) {
      // A part is told when all of it is there; what never came is missed only where it would be a part of its own.
      const isLong = rest.length + missing > frameBytesMax + (missing > 0 ? 2 : 0);
      const isTold = isLong && rest.length >= frameBytesMax;
      const part = rest.length > frameBytesMax || isTold ? cutText(rest, frameBytesMax) : rest;
      rest = rest.slice(part.length);
      frames.push({ text: part, truncated: missing > 0 && rest === "" && !isTold, split });
      split = "continued";
    }
  };
  /** Takes one frame up to a delimiter, or the unterminated rest; returns where the next begins. */
  const takeLine = (at: number, delimiter: string): number => {
    const found = stream.indexOf(delimiter, at);
    if (delimiter === "\n" && !octets) {
      while (stream[at] === "\0") at++;
      if (at === stream.length) return at;
    }
    if (found < 0) {
      push(stream.slice(at));
      return stream.length;
    }
    const end = delimiter === "\n" && found > at && stream[found - 1] === "\r" ? found - 1 : found;
    if (end === at) emptyFrames++;
    else push(stream.slice(at, end));
    return found + 1;
  };
  const resyncAt = (text: string): number | undefined => {
    return [...text.matchAll(countsInDamage)].find((match) => Number(match[1]) <= frameBytesMax)?.index;
  };
  const takeText = (text: string): void => {
    if (text === "") emptyFrames++;
    else push(text);
  };
  /** The frame of a count without a "<" behind it, where it is believed. */
  const bareFrame = (rest: string): { text: string; bytes: number } | undefined => {
    const count = bareCount.exec(rest);
    if (count === null || !hasCounts || Number(count[1]) > frameBytesMax) return undefined;
    const bytes = count[0].length + Number(count[1]);
    const text = rest.slice(count[0].length, bytes);
    const behind = rest.slice(bytes);
    if (bytes > rest.length || text.slice(0, -1).includes("\n") || resyncAt(text) !== undefined) {
      return undefined;
    }
    const goesOn = text.endsWith("\n") || behind === "" || behind.startsWith("\n") || bareCount.test(behind);
    return goesOn ? { text: text.replace(lineEnd, ""), bytes } : undefined;
  };
  const takeOctets = (from: number): number => {
    const before = newlines.exec(stream.slice(from))![0].length;
    emptyFrames += Math.max(0, before - 1);
    const at = from + before;
    const rest = stream.slice(at);
    const count = octetFrame.exec(rest);
    if (count !== null) {
      hasCounts = true;
      const start = at + count[0].length - 1;
      const end = start + Number(count[1]);
      if (end > stream.length) push(stream.slice(start), end - stream.length);
      else push(stream.slice(start, end).replace(lineEnd, ""));
      return Math.min(end, stream.length);
    }
    if (octetBeginning.test(rest)) {
      if (rest !== "") push(rest);
      return stream.length;
    }
    const bare = bareFrame(rest);
    if (bare !== undefined) {
      takeText(bare.text);
      return at + bare.bytes;
    }
    damagedFrames++;
    const resync = resyncAt(rest.split("\n", 1)[0]!);
    if (resync === undefined) return takeLine(at, "\n");
    push(rest.slice(0, resync));
    return at + resync;
  };

  let hasCounts = false;
  let octets = mode === "octet";
  let nul = mode === "nul";
  if (mode === "auto") {
    octets = /^[1-9]\d{0,8} <\d/.test(stream);
    const [line] = stream.slice(0, frameBytesMax).split("\n");
    nul = /\0<\d/.test(line!);
    const isUndecided = !octets && !nul && stream.length < frameBytesMax && line === stream;
    if (isUndecided) stream = stream.replace(/\0$/, "");
  }
  for (let at = 0; at < stream.length;) {
    at = octets ? takeOctets(at) : takeLine(at, nul ? "\0" : "\n");
  }
  return { frames, emptyFrames, damagedFrames };
}
