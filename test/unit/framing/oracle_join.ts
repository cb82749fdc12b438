/** The twin of the joining of lines: it sees the whole stream at once. latin1 text throughout. */
import { cutText, type OracleFrame } from "./oracle_framer.ts";

export interface JoinedStream {
  readonly frames: OracleFrame[];
  readonly emptyFrames: number;
  readonly joinedLines: number;
}

export function joinOracle(
  stream: string,
  by: "pri" | "indent",
  limits: { readonly frameBytesMax: number; readonly bytesMax: number; readonly linesMax: number },
): JoinedStream {
  const frames: OracleFrame[] = [];
  let emptyFrames = 0;
  let joinedLines = 0;
  let current: { start: number; end: number; lines: number } | undefined;
  /** Empty lines behind the current frame. */
  let pending = 0;
  const close = (): void => {
    emptyFrames += pending;
    pending = 0;
    if (current === undefined) return;
    const text = stream.slice(current.start, current.end);
    const truncated = text.length > limits.frameBytesMax;
    frames.push({ text: truncated ? cutText(text, limits.frameBytesMax) : text, truncated });
    current = undefined;
  };
  const continues = (line: string): boolean => by === "pri" ? !/^<\d/.test(line) : /^[ \t]/.test(line);
  for (let at = 0; at < stream.length;) {
    const found = stream.indexOf("\n", at);
    const hasEnd = found >= 0;
    let end = hasEnd ? found : stream.length;
    const next = end + 1;
    if (hasEnd && end > at && stream[end - 1] === "\r") end--;
    while (at < end && stream[at] === "\0") at++;
    const line = stream.slice(at, end);
    if (line === "") {
      if (hasEnd) pending++;
    } else if (
      current !== undefined && continues(line) && current.lines < limits.linesMax &&
      line.length <= limits.frameBytesMax && current.end - current.start <= limits.frameBytesMax &&
      end - current.start <= limits.bytesMax
    ) {
      joinedLines += 1 + pending;
      pending = 0;
      current = { start: current.start, end, lines: current.lines + 1 };
    } else {
      close();
      current = { start: at, end, lines: 1 };
    }
    at = next;
  }
  close();
  return { frames, emptyFrames, joinedLines };
}
