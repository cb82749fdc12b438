/**
 * How far a replay has come, so that the next one goes on there: in a small JSON file beside the dead-letter file.
 *
 *     { "version": 1, "sources": { "<source>": { "at": "<time>", "streams": { "<stream>": { "<reason>": position } } } } }
 *
 * A position is where the next letter begins that was not replayed. Reason `*` holds for all; a replay of some reasons
 * (`--reason`) moves those alone, so that what it left out is not taken for done, nor done again.
 *
 * @module
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { ForwarderError } from "../core/errors.ts";
import { codeOf, ioProblem } from "../core/io_problem.ts";
import type { StoredLetter } from "./stored_letter.ts";

/** Sources that are remembered; the oldest are forgotten. */
const sourcesMax = 100;
/** All reasons. */
const all = "*";

type Positions = Record<string, number>;
interface SourceProgress {
  at: string;
  streams: Record<string, Positions>;
}

/** The file, read and written as a whole. */
export class Progress {
  readonly path: string;
  readonly #sources: Map<string, SourceProgress>;

  private constructor(path: string, sources: Map<string, SourceProgress>) {
    this.path = path;
    this.#sources = sources;
  }

  /** Reads it; without a file nothing was replayed. @throws ForwarderError `disk_failed` */
  static async load(path: string): Promise<Progress> {
    try {
      const { version, sources } = JSON.parse(await readFile(path, "utf8")) as {
        version: unknown;
        sources: object;
      };
      if (version !== 1) throw new SyntaxError(`version ${String(version)} is not known`);
      return new Progress(path, new Map(Object.entries(sources) as [string, SourceProgress][]));
    } catch (cause) {
      if (codeOf(cause) === "ENOENT") return new Progress(path, new Map());
      const reason = cause instanceof SyntaxError
        ? `"${path}" is not a progress file`
        : ioProblem("read", path, cause);
      throw new ForwarderError("disk_failed", reason, { cause });
    }
  }

  /** True if the letter was replayed before. */
  isDone(source: string, { stream, reason, at }: StoredLetter): boolean {
    const positions = this.#positions(source, stream);
    return at < Math.max(positions[all] ?? 0, own(positions, reason) ?? 0);
  }

  /** Where to begin to look for letters of these reasons; undefined stands for all. */
  startOf(source: string, stream: string, reasons: readonly string[] | undefined): number {
    const positions = this.#positions(source, stream);
    const everywhere = positions[all] ?? 0;
    if (reasons === undefined) return everywhere;
    return Math.min(...reasons.map((reason) => Math.max(everywhere, own(positions, reason) ?? 0)));
  }

  /** Letters of these reasons are done up to `position`. */
  moved(source: string, stream: string, reasons: readonly string[] | undefined, position: number): void {
    const kept = this.#sources.get(source) ?? { at: "", streams: {} };
    const positions: Positions = { ...kept.streams[stream] };
    if (reasons === undefined) {
      positions[all] = Math.max(positions[all] ?? 0, position);
      for (const reason of Object.keys(positions)) {
        if (reason !== all && positions[reason]! <= position) delete positions[reason];
      }
    } else {
      for (const reason of reasons) positions[reason] = Math.max(own(positions, reason) ?? 0, position);
    }
    this.#sources.delete(source);
    const at = new Date().toISOString();
    this.#sources.set(source, { at, streams: { ...kept.streams, [stream]: positions } });
    while (this.#sources.size > sourcesMax) this.#sources.delete(this.#sources.keys().next().value!);
  }

  /** What was noted of a stream is of another one of that name. */
  forget(source: string, stream: string): void {
    delete this.#sources.get(source)?.streams[stream];
  }

  /** Writes it whole or not at all. @throws ForwarderError `disk_failed` */
  async save(): Promise<void> {
    const fresh = `${this.path}.new`;
    try {
      const text = JSON.stringify({ version: 1, sources: Object.fromEntries(this.#sources) }, undefined, 1);
      await writeFile(fresh, `${text}\n`, { mode: 0o640 });
      await rename(fresh, this.path);
    } catch (cause) {
      throw new ForwarderError("disk_failed", ioProblem("write", this.path, cause), { cause });
    }
  }

  #positions(source: string, stream: string): Positions {
    return this.#sources.get(source)?.streams[stream] ?? {};
  }
}

/** Reasons are names of others: "constructor" is one too. */
function own(positions: Positions, reason: string): number | undefined {
  return Object.hasOwn(positions, reason) ? positions[reason] : undefined;
}
