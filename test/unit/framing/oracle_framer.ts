/** The twin of the framer: it sees the whole stream at once, so no cut can matter to it. latin1 text throughout. */
import type { FramingMode } from "../../../src/framing/framer.ts";

export interface OracleFrame {
  readonly text: string;
  readonly truncated: boolean;
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

export function frameOracle(stream: string, mode: FramingMode, frameBytesMax: number): OracleStream {
  const frames: OracleFrame[] = [];
  let emptyFrames = 0;
  let damagedFrames = 0;

  const push = (text: string, cut = false): void => {
    const truncated = cut || text.length > frameBytesMax;
    frames.push({ text: text.slice(0, frameBytesMax), truncated });
  };
  /** Takes one frame up to a delimiter, or the unterminated rest; returns where the next begins. */
  const takeLine = (at: number, delimiter: string): number => {
    const found = stream.indexOf(delimiter, at);
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
      if (end > stream.length) push(stream.slice(start), true);
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
  if (mode === "auto") octets = /^[1-9]\d{0,8} </.test(stream);
  for (let at = 0; at < stream.length;) {
    at = octets ? takeOctets(at) : takeLine(at, mode === "nul" ? "\0" : "\n");
  }
  return { frames, emptyFrames, damagedFrames };
}
