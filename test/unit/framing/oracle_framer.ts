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

const octetFrame = /^\n?([1-9]\d{0,8}) </;
const octetBeginning = /^\n?([1-9]\d{0,8} ?)?$/;

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
  const takeOctets = (at: number): number => {
    const rest = stream.slice(at);
    const count = octetFrame.exec(rest);
    if (count !== null) {
      const start = at + count[0].length - 1;
      const end = start + Number(count[1]);
      push(stream.slice(start, end), end > stream.length);
      return Math.min(end, stream.length);
    }
    if (octetBeginning.test(rest)) {
      const left = rest.replace(/^\n/, "");
      if (left !== "") push(left);
      return stream.length;
    }
    damagedFrames++;
    return takeLine(at, "\n");
  };

  let octets = mode === "octet";
  if (mode === "auto") octets = /^[1-9]\d{0,8} </.test(stream);
  for (let at = 0; at < stream.length;) {
    at = octets ? takeOctets(at) : takeLine(at, mode === "nul" ? "\0" : "\n");
  }
  return { frames, emptyFrames, damagedFrames };
}
