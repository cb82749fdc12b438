/**
 * Writing to standard output off the loop. A full pipe holds up the write, and only it: Bun writes in a thread of its
 * pool, and so does Deno's own interface, while its node:fs would block the calling thread for as long as nobody
 * reads.
 *
 * @module
 */

import { write } from "node:fs";
import { denoGlobal } from "./globals.ts";

/** Writes a first part of `bytes`, at least a byte; gives how many. Rejects with what write(2) says. */
export function writeStdout(bytes: Uint8Array): Promise<number> {
  if (denoGlobal !== undefined) return denoGlobal.stdout.write(bytes);
  return new Promise((resolve, reject) => {
    write(1, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
