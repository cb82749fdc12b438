/**
 * Gives the memory of a chunk that was received back at once instead of leaving it to the garbage collector, where the
 * runtime hands over a fresh buffer per chunk (Bun: TCP, unix sockets and TLS). Hot path: once per received chunk.
 *
 * @module
 */

import { bunGlobal } from "./globals.ts";

/**
 * Smaller chunks cost less than a page fault each, and those below 1,000 bytes lie inside the runtime's own heap: touching
 * their buffer would copy them out of it.
 */
export const detachBytesMin = 4 * 1024;

/**
 * Frees `chunk`, at which nobody looks any more. One that is a part of a larger buffer is left as it is, and so is every
 * one of Deno's streams, which are theirs.
 */
export function detach(chunk: Uint8Array): void {
  if (bunGlobal === undefined || chunk.byteLength < detachBytesMin) return;
  const { buffer } = chunk;
  if (buffer.byteLength === chunk.byteLength) (buffer as ArrayBuffer).transfer(0);
}
