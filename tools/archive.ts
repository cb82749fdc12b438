/**
 * The two archive formats of a release, written so that the same files give the same bytes: POSIX ustar, and the
 * `ar` of Debian packages. Owners are root, times are the caller's.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** One regular file of a tar archive. */
export interface TarEntry {
  /** At most 100 bytes; folders on the way are made. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

const blockBytes = 512;
/** tar fills its last record, 20 blocks. */
const recordBytes = 20 * blockBytes;

/** A tar archive with the folders that its files lie in. `time` is in seconds since 1970. */
export function tar(entries: readonly TarEntry[], time: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  for (const { path, bytes, mode } of entries) {
    for (const folder of foldersOf(path)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      parts.push(tarHead(folder, 0, 0o755, "5", time));
    }
    parts.push(tarHead(path, bytes.length, mode, "0", time), bytes, padding(bytes.length, blockBytes));
  }
  const length = parts.reduce((total, part) => total + part.length, 0);
  const whole = length + 2 * blockBytes;
  parts.push(new Uint8Array(2 * blockBytes), padding(whole, recordBytes));
  return Buffer.concat(parts);
}

/** "a/", "a/b/" of "a/b/c". */
function foldersOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => `${names.slice(0, index + 1).join("/")}/`);
}

function tarHead(path: string, bytes: number, mode: number, type: string, time: number): Uint8Array {
  if (Buffer.byteLength(path) > 100) throw new Error(`"${path}" is too long for a tar head`);
  const head = Buffer.alloc(blockBytes);
  head.write(path, 0);
  const octal = (value: number, at: number, width: number) =>
    head.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes, 124, 12);
  octal(time, 136, 12);
  head.write("        ", 148);
  head.write(type, 156);
  head.write("ustar\x0000", 257);
  head.write("root", 265);
  head.write("root", 297);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return head;
}

function padding(length: number, to: number): Uint8Array {
  return new Uint8Array((to - length % to) % to);
}

/** An `ar` archive, deb(5). Names have at most 15 bytes. */
export function ar(members: readonly { name: string; bytes: Uint8Array }[], time: number): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const { name, bytes } of members) {
    const head = name.padEnd(16) + String(time).padEnd(12) + "0".padEnd(6) + "0".padEnd(6) +
      "100644".padEnd(8) + String(bytes.length).padEnd(10) + "`\n";
    parts.push(Buffer.from(head), bytes);
    if (bytes.length % 2 === 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}
