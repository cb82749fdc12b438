/**
 * Reads marked lines back from files: all that lie in a folder and grow there, such as the file sink's. They are read
 * from where they ended when the load began; new ones from their start.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { markBytes, markOpening, scanMarks } from "../payload/mark.ts";
import { type MarkSource, nowMicros } from "./source.ts";
import type { Tally } from "./tally.ts";

/** How often files are looked at: the resolution of the latency. */
const lookMs = 10;
/** How often new files are looked for. */
const listMs = 100;
const readBytes = 1024 * 1024;
/** Files that are watched at once. */
const filesMax = 1000;

/** A file and how far it was read. */
interface Growing {
  readonly path: string;
  readonly source: number;
  offset: number;
  /** The end of what was read, in which a mark may have begun. */
  rest: Buffer;
}

/** Opens the source. */
export function openFileSource(dir: string, run: string, tally: Tally): MarkSource {
  const files = new Map<string, Growing>();
  const opening = Buffer.from(markOpening + run);
  const into = Buffer.alloc(readBytes);
  let problem: string | null = null;
  let nextListMs = 0;
  const list = (fresh: boolean): void => {
    if (!existsSync(dir)) return;
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      // A file that is renamed when it is full keeps its inode and gets a new name: that is a new file here.
      if (!entry.isFile() || files.has(path) || files.size >= filesMax) continue;
      files.set(path, {
        path,
        source: files.size,
        offset: fresh ? 0 : statSync(path).size,
        rest: Buffer.alloc(0),
      });
    }
  };
  const look = (): void => {
    try {
      const now = performance.now();
      if (now >= nextListMs) {
        list(true);
        nextListMs = now + listMs;
      }
      for (const file of files.values()) readOn(file, into, opening, tally);
      problem = null;
    } catch (error) {
      problem = messageOf(error);
    }
  };
  list(false);
  const timer = setInterval(look, lookMs);
  return {
    get problem(): string | null {
      return problem;
    },
    close(): Promise<void> {
      clearInterval(timer);
      look();
      return Promise.resolve();
    },
  };
}

function readOn(file: Growing, into: Buffer, opening: Buffer, tally: Tally): void {
  if (!existsSync(file.path) || statSync(file.path).size <= file.offset) return;
  const descriptor = openSync(file.path, "r");
  try {
    for (;;) {
      const count = readSync(descriptor, into, 0, into.length, file.offset);
      if (count === 0) return;
      const now = nowMicros();
      file.offset += count;
      const bytes = Buffer.concat([file.rest, into.subarray(0, count)]);
      scanMarks(
        bytes,
        opening,
        (sender, sequence, due) => tally.take(file.source, sender, sequence, due, now),
      );
      // Too short for a whole mark: nothing is counted twice.
      file.rest = Buffer.from(bytes.subarray(Math.max(0, bytes.length - markBytes + 1)));
    }
  } finally {
    closeSync(descriptor);
  }
}
