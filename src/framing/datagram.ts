/**
 * A datagram is one frame (RFC 5426 3.1). What senders put behind it to be safe on a stream is no part of it: one
 * NUL, and before it one LF with or without a CR before that.
 *
 * @module
 */
import { frameFlag, frameRowBytes, type Kernel } from "../kernel/kernel.ts";
import type { FrameLimit } from "./frame_scanner.ts";

const lf = 0x0a;
const cr = 0x0d;
const nul = 0x00;

/**
 * Copies the packet into the input region and makes rows of it: one, or those into which it is split. Returns how many;
 * 0 where nothing is in it.
 */
export function frameDatagram(kernel: Kernel, packet: Uint8Array, limit?: FrameLimit): number {
  let length = packet.length;
  if (length > 0 && packet[length - 1] === nul) length--;
  if (length > 0 && packet[length - 1] === lf) {
    length--;
    if (length > 0 && packet[length - 1] === cr) length--;
  }
  if (length === 0) return 0;
  const { bytes, inputAt, inputBytes, words, rowsAt } = kernel;
  // A UNIX datagram can be larger than the input region.
  const taken = Math.min(length, inputBytes);
  bytes.set(taken === packet.length ? packet : packet.subarray(0, taken), inputAt);
  kernel.limitFrames(limit?.frameBytesMax ?? kernel.sizes.frameBytesMax, limit?.splits ?? false);
  const rows = kernel.rowsOf(inputAt, inputAt + taken);
  if (taken < length) words[(rowsAt + (rows - 1) * frameRowBytes) / 4 + 2]! |= frameFlag.truncated;
  return rows;
}
