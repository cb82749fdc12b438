/**
 * Reads a dead-letter file, which corndog may append to meanwhile: what is there when it is opened, and no half line.
 *
 * The file is known again by its first line, wherever it was moved to.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { ForwarderError } from "../core/errors.ts";
import { ioProblem } from "../core/io_problem.ts";
import { letterOfLine, type LetterSource, type StoredLetter } from "./stored_letter.ts";

/** Bytes that are read at a time. */
const chunkBytes = 256 * 1024;
/** A line with the largest frame in base64 is far below it; what is longer is no letter. */
const lineBytesMax = 64 * 1024 * 1024;
/** Of the first line, this much makes the name. */
const nameBytes = 4096;

const newline = 10;
/** A file is one stream. */
const stream = "file";

/** Letters of a file. */
export class FileSource implements LetterSource {
  readonly name: string;
  readonly title: string;
  readonly streams: LetterSource["streams"];
  unreadable = 0;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle, name: string, end: number) {
    this.title = path;
    this.name = name;
    this.#handle = handle;
    this.streams = [{ stream, first: 0, end }];
  }

  /** Opens it; undefined where there is no such file. @throws ForwarderError `disk_failed` */
  static async open(path: string): Promise<FileSource | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(path, "r");
    } catch (cause) {
      if ((cause as { code?: string }).code === "ENOENT") return undefined;
      throw new ForwarderError("disk_failed", ioProblem("read", path, cause), { cause });
    }
    try {
      const { size } = await handle.stat();
      const head = Buffer.alloc(Math.min(size, nameBytes));
      await handle.read(head, 0, head.length, 0);
      const line = head.subarray(0, head.includes(newline) ? head.indexOf(newline) : head.length);
      const name = `file:${createHash("sha256").update(line).digest("hex").slice(0, 32)}`;
      return new FileSource(path, handle, name, size);
    } catch (cause) {
      await handle.close();
      throw new ForwarderError("disk_failed", ioProblem("read", path, cause), { cause });
    }
  }

  /** @inheritdoc */
  async *read(_stream: string, from: number): AsyncGenerator<readonly StoredLetter[]> {
    const end = this.streams[0]!.end;
    let at = from;
    let held = Buffer.alloc(0);
    for (let position = from; position < end;) {
      const chunk = Buffer.alloc(Math.min(chunkBytes, end - position));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      held = held.length === 0
        ? chunk.subarray(0, bytesRead)
        : Buffer.concat([held, chunk.subarray(0, bytesRead)]);
      const letters: StoredLetter[] = [];
      let start = 0;
      for (let stop = held.indexOf(newline); stop >= 0; stop = held.indexOf(newline, start)) {
        const next = at + stop + 1 - start;
        if (stop > start) this.#take(held.toString("utf8", start, stop), at, next, letters);
        at = next;
        start = stop + 1;
      }
      held = held.subarray(start);
      if (held.length > lineBytesMax) {
        throw new ForwarderError("disk_failed", `"${this.title}" is no dead-letter file`);
      }
      if (letters.length > 0) yield letters;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #take(line: string, at: number, next: number, letters: StoredLetter[]): void {
    const letter = letterOfLine(line, stream, at, next);
    if (letter === undefined) this.unreadable++;
    else letters.push(letter);
  }
}
