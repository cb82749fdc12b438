/**
 * The file with the admin tokens, one per line. It is read again when it changes, so that a token is rotated by replacing the
 * file; a file that everybody on the machine can read is refused, at the start and later.
 *
 *     TOKEN             may do everything
 *     write TOKEN       the same
 *     read TOKEN        may look, and change nothing
 *     # text            is left out, as empty lines are
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

/** Tokens of one file. */
const tokensMax = 50;

/** What a token may do: `read` looks at figures, `write` does everything. */
export type TokenScope = "read" | "write";

interface Token {
  readonly scope: TokenScope;
  readonly digest: Buffer;
}

type TokenState = { readonly ok: true; readonly tokens: readonly Token[] } | {
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

  /** What the token may do; undefined: it is none, or the file has a problem. Compares in constant time. */
  scopeOf(token: string): TokenScope | undefined {
    const state = this.#current();
    if (!state.ok) return undefined;
    const digest = digestOf(token);
    let found: TokenScope | undefined;
    // All of them, whichever it is.
    for (const one of state.tokens) if (timingSafeEqual(one.digest, digest)) found ??= one.scope;
    return found;
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
    return parseTokens(new TextDecoder().decode(bytes.subarray(0, length)), path);
  } finally {
    closeSync(file);
  }
}

function parseTokens(text: string, path: string): TokenState {
  const refused = (problem: string): TokenState => ({
    ok: false,
    problem: `Cannot use token file "${path}": ${problem}`,
  });
  const tokens: Token[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]!.startsWith("#")) continue;
    const [scope, token] = words.length === 1 ? ["write", words[0]!] : words;
    if (words.length > 2 || (scope !== "read" && scope !== "write")) {
      return refused(`line ${index + 1} is neither TOKEN nor "read TOKEN" nor "write TOKEN"`);
    }
    tokens.push({ scope, digest: digestOf(token!) });
  }
  if (tokens.length > tokensMax) return refused(`it has more than ${tokensMax} tokens`);
  return tokens.length === 0 ? refused("it is empty") : { ok: true, tokens };
}

/** Of equal length whatever the token's is, as the comparison needs. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
