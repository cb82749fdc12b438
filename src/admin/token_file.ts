/**
 * The file with the admin token. It is read again when it changes, so that a token is rotated by replacing the
 * file; a file that everybody on the machine can read is refused, at the start and later.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync, type Stats as FileStats, statSync } from "node:fs";
import { messageOf } from "../core/errors.ts";

/** A token is some dozens of bytes; a larger file is the wrong one. */
const tokenBytesMax = 4096;

const readableByOthers = 0o004;

type TokenState = { readonly ok: true; readonly digest: Buffer } | {
  readonly ok: false;
  readonly problem: string;
};

/** A token in a file. */
export class TokenFile {
  readonly #path: string;
  #stamp = "";
  #state: TokenState = { ok: false, problem: "" };

  constructor(path: string) {
    this.#path = path;
  }

  /** Why no token can be taken from the file now; undefined when all is well. */
  problem(): string | undefined {
    const state = this.#current();
    return state.ok ? undefined : state.problem;
  }

  /** Compares in constant time. False while the file has a problem. */
  matches(token: string): boolean {
    const state = this.#current();
    return state.ok && timingSafeEqual(state.digest, digestOf(token));
  }

  #current(): TokenState {
    try {
      const stamp = stampOf(statSync(this.#path));
      if (stamp !== this.#stamp) {
        this.#state = readToken(this.#path);
        this.#stamp = stamp;
      }
    } catch (error) {
      this.#stamp = "";
      this.#state = { ok: false, problem: `Cannot read token file "${this.#path}": ${messageOf(error)}` };
    }
    return this.#state;
  }
}

function stampOf(stats: FileStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs, stats.mode].join(" ");
}

function readToken(path: string): TokenState {
  const file = openSync(path, "r");
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return { ok: false, problem: `Cannot use token file "${path}": it is not a file` };
    if ((stats.mode & readableByOthers) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
      return {
        ok: false,
        problem: `Cannot use token file "${path}": mode ${mode} lets every user read it; run chmod 600 on it`,
      };
    }
    const bytes = new Uint8Array(tokenBytesMax + 1);
    const length = readSync(file, bytes, 0, bytes.length, 0);
    if (length > tokenBytesMax) {
      return {
        ok: false,
        problem: `Cannot use token file "${path}": it is larger than ${tokenBytesMax} bytes`,
      };
    }
    const token = new TextDecoder().decode(bytes.subarray(0, length)).trim();
    if (token === "") return { ok: false, problem: `Cannot use token file "${path}": it is empty` };
    return { ok: true, digest: digestOf(token) };
  } finally {
    closeSync(file);
  }
}

/** Of equal length whatever the token's is, as the comparison needs. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
