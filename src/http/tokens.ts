/**
 * Who may send: the tokens of a listener, from a file that is read again when it changes.
 *
 *     # name   token                     what it may
 *     web      3f1c…                     topics=web-*,app rate=1000/s
 *     batch    sha256:9b74c9897bac770f…  ack=kafka bytes=10MiB/s
 *
 * A line is a name (it shows in logs and problems, the token never does), the token or its SHA-256, and scopes:
 * `topics` (patterns with `*`; without it all), `rate` (events a second), `bytes` (a second), `ack` (the default of
 * its requests). Tokens are compared by their digests in constant time: all of them, every time.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, type Stats as FileStats, statSync } from "node:fs";
import { messageOf } from "../core/errors.ts";
import type { Ack } from "./endpoint.ts";

/** Tokens of one file; each request is compared with all. */
export const tokensMax = 256;
/** A file of so many tokens is some kilobytes. */
const fileBytesMax = 256 * 1024;
/** A shorter token can be guessed. */
const tokenCharactersMin = 16;
/** A token file that others may read is none. */
const readableByOthers = 0o004;

/** One token, and what it may. */
export interface Token {
  readonly name: string;
  /** Place in the file: the row of its rates. */
  readonly index: number;
  /** Undefined: all that the configuration allows. */
  readonly topics: readonly RegExp[] | undefined;
  readonly eventsPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly ack: Ack | undefined;
  readonly digest: Buffer;
}

/** Tokens, or what is wrong with the file. */
export type TokensRead = { readonly ok: true; readonly tokens: readonly Token[] } | {
  readonly ok: false;
  readonly problem: string;
};

/** Reads the text of a token file. `path` is for the message. */
export function parseTokens(text: string, path: string): TokensRead {
  const tokens: Token[] = [];
  const names = new Set<string>();
  for (const [at, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const wrong = (what: string): TokensRead => ({ ok: false, problem: `${path}:${at + 1}: ${what}` });
    const [name, secret, ...scopes] = line.split(/\s+/);
    if (secret === undefined) return wrong("a line is NAME TOKEN [topics=…] [rate=…] [bytes=…] [ack=…]");
    if (names.has(name!)) return wrong(`the name "${name}" is there twice`);
    names.add(name!);
    const digest = digestOfSecret(secret);
    if (digest === undefined) {
      return wrong(
        `a token has ${tokenCharactersMin} characters at least, or is sha256: and 64 hex digits; make one: openssl rand -hex 32`,
      );
    }
    if (tokens.some((token) => token.digest.equals(digest))) return wrong("this token is there twice");
    const read = readScopes(scopes);
    if (typeof read === "string") return wrong(read);
    if (tokens.length === tokensMax) return wrong(`a file may have ${tokensMax} tokens`);
    tokens.push({ name: name!, index: tokens.length, digest, ...read });
  }
  return tokens.length > 0
    ? { ok: true, tokens }
    : { ok: false, problem: `${path} has no token; write a line: NAME TOKEN` };
}

type Scopes = Pick<Token, "topics" | "eventsPerSecond" | "bytesPerSecond" | "ack">;

function readScopes(words: readonly string[]): Scopes | string {
  let scopes: Scopes = {
    topics: undefined,
    eventsPerSecond: undefined,
    bytesPerSecond: undefined,
    ack: undefined,
  };
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = word.slice(0, Math.max(0, equals));
    const value = word.slice(equals + 1);
    switch (name) {
      case "topics":
        scopes = { ...scopes, topics: value.split(",").filter((one) => one !== "").map(patternOf) };
        break;
      case "rate": {
        const rate = /^(\d{1,9})(?:\/s)?$/.exec(value)?.[1];
        if (rate === undefined || Number(rate) === 0) {
          return `rate=${value} is no number of events a second, such as 1000/s`;
        }
        scopes = { ...scopes, eventsPerSecond: Number(rate) };
        break;
      }
      case "bytes": {
        const bytes = readBytes(value);
        if (bytes === undefined) return `bytes=${value} is no size a second, such as 10MiB/s`;
        scopes = { ...scopes, bytesPerSecond: bytes };
        break;
      }
      case "ack":
        if (value !== "none" && value !== "memory" && value !== "disk" && value !== "kafka") {
          return `ack=${value} is none of none, memory, disk, kafka`;
        }
        scopes = { ...scopes, ack: value };
        break;
      default:
        return `"${word}" is no scope; write topics=, rate=, bytes= or ack=`;
    }
  }
  return scopes;
}

function readBytes(value: string): number | undefined {
  const match = /^(\d{1,9})(B|KiB|MiB|GiB|KB|MB|GB)?(?:\/s)?$/i.exec(value);
  if (match === null) return undefined;
  const unit = (match[2] ?? "B").toLowerCase();
  const base = unit.includes("i") ? 1024 : 1000;
  const bytes = Number(match[1]) * base ** ["b", "k", "m", "g"].indexOf(unit[0]!);
  return bytes > 0 && bytes <= 1e12 ? bytes : undefined;
}

function patternOf(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^]*");
  return new RegExp(`^${escaped}$`);
}

function digestOfSecret(secret: string): Buffer | undefined {
  const hex = /^sha256:([0-9a-f]{64})$/i.exec(secret)?.[1];
  if (hex !== undefined) return digestFromHex(hex);
  return secret.length < tokenCharactersMin || secret.startsWith("sha256:") ? undefined : digestOf(secret);
}

function digestFromHex(hex: string): Buffer {
  const digest = digestOf("");
  for (let i = 0; i < digest.length; i++) digest[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return digest;
}

/** Of equal length whatever the token's is, as the comparison needs. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** A token that is the given one, found in a time that says nothing about it. */
export function findToken(tokens: readonly Token[], given: string): Token | undefined {
  const digest = digestOf(given);
  let found: Token | undefined;
  for (const token of tokens) if (timingSafeEqual(token.digest, digest)) found = token;
  return found;
}

/** The file of a listener. */
export class TokenFile {
  readonly #path: string;
  #stamp = "";
  /** Goes up whenever the tokens changed. */
  version = 0;
  current: TokensRead;

  constructor(path: string) {
    this.#path = path;
    this.current = { ok: false, problem: `Cannot read token file "${path}"` };
    this.look();
  }

  /**
   * Reads the file if it changed. One that cannot be used leaves nobody in: a token that was taken out must not live
   * on because of a slip beside it.
   *
   * @returns true if it changed
   */
  look(): boolean {
    let stamp = "";
    let read: TokensRead;
    try {
      stamp = stampOf(statSync(this.#path));
      if (stamp === this.#stamp) return false;
      read = readTokenFile(this.#path);
    } catch (error) {
      const problem = `Cannot read token file "${this.#path}": ${messageOf(error)}`;
      if (this.#stamp === "" && !this.current.ok && this.current.problem === problem) return false;
      read = { ok: false, problem };
    }
    this.#stamp = stamp;
    this.current = read;
    this.version++;
    return true;
  }
}

/** Reads a token file, which only its owner and group may read. */
export function readTokenFile(path: string): TokensRead {
  const file = openSync(path, "r");
  try {
    const stats = fstatSync(file);
    const wrong = (what: string): TokensRead => ({
      ok: false,
      problem: `Cannot use token file "${path}": ${what}`,
    });
    if (!stats.isFile()) return wrong("it is not a file");
    if ((stats.mode & readableByOthers) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
      return wrong(`mode ${mode} lets every user read it; run chmod 600 on it`);
    }
    if (stats.size > fileBytesMax) return wrong(`it is larger than ${fileBytesMax} bytes`);
    return parseTokens(readFileSync(file, "utf8"), path);
  } finally {
    closeSync(file);
  }
}

function stampOf(stats: FileStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs, stats.mode].join(" ");
}

/** What may stand in a pair of name and password; bytes that are no text come of a key that is none. */
const pairForm = /^[\x20-\x7e]*:[\x20-\x7e]*$/;

/**
 * The token in an `Authorization`: `Bearer T` (RFC 6750), `Splunk T`, `ApiKey base64(id:T)` (Elasticsearch) or
 * `ApiKey T` (what its clients send where the key is one string), or `Basic`, whose password it is (RFC 7617);
 * Splunk's clients may send a token as the user of it too.
 */
export function tokenOfField(field: string | undefined): string | undefined {
  const match = /^(bearer|splunk|basic|apikey) +(\S+) *$/i.exec(field ?? "");
  if (match === null) return undefined;
  const scheme = match[1]!.toLowerCase();
  if (scheme === "bearer" || scheme === "splunk") return match[2];
  const pair = atobText(match[2]!);
  if (scheme === "apikey" && !pairForm.test(pair ?? "")) return match[2];
  return pair === undefined ? undefined : pair.slice(pair.indexOf(":") + 1);
}

function atobText(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
