/**
 * A `StubLine` that keeps its bytes, for tests of what looks into them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { FrameBytes } from "../../../src/rules/program.ts";
import { StubLine } from "./stub_line.ts";

/** What stands before and behind a frame in memory; nobody may look there. */
const surroundings = "error timeout session order-17 user=";

/** A line with bytes. */
export class BytesLine extends StubLine {
  readonly frame: FrameBytes;

  constructor(frame: string) {
    super(frame);
    const bytes = Buffer.from(surroundings + frame + surroundings);
    const start = Buffer.byteLength(surroundings);
    const end = bytes.length - start;
    const messageStart = end - Buffer.byteLength(this.text("msg")!);
    this.frame = { bytes, start, messageStart, end, isAscii: Buffer.byteLength(frame) === frame.length };
  }
}
