/**
 * JSON as text: whether a text is JSON at little cost where it is not, and where in it a value stands.
 *
 * Merging writes into the text and not into a parsed copy, so that what is not merged keeps its bytes: numbers past
 * 2^53, `1.0`, the order of members, duplicate keys.
 *
 * @module
 */

/** A JSON object as `JSON.parse` makes it. Members are own properties, `__proto__` too. */
export type JsonObject = { readonly [key: string]: unknown };

/** True for what JSON calls an object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const numberText = /^[\t\n\r ]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[\t\n\r ]*$/;

/**
 * The value of a JSON text, undefined where it is none. Most lines that are not JSON are told by their first and last
 * characters, without an exception, which would cost a microsecond and more.
 */
export function parseJsonText(text: string): unknown {
  if (!mayBeJson(text)) return undefined;
  const value = tryParse(text);
  return misreadsKeys && value !== undefined && hasEscapedKey(text) ? readValue(text) : value;
}

/**
 * V8 (13.6 to 15.0 at least, https://github.com/nodejs/node/issues/63785) compares an escaped key as it is written with
 * the key it saw last after the same members: once a line had the key `"\\"`, `"\u0061"` of a later line becomes a
 * backslash. A line must not change what another one says: there, texts with escaped keys are read here.
 */
const misreadsKeys = ((): boolean => {
  JSON.parse('{"corndog":[],"\\\\":0}');
  return !Object.hasOwn(JSON.parse('{"corndog":1,"\\u0061":2}'), "a");
})();

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** False where `text` cannot be JSON by its ends. */
export function mayBeJson(text: string): boolean {
  const first = skipSpace(text, 0);
  let end = text.length - 1;
  while (end > first && isSpace(text.charCodeAt(end))) end--;
  const last = text.charCodeAt(end);
  switch (text.charCodeAt(first)) {
    case 0x7b: { // {
      const next = text.charCodeAt(skipSpace(text, first + 1));
      return last === 0x7d && (next === 0x22 || next === 0x7d);
    }
    case 0x5b: // [
      return last === 0x5d;
    case 0x22: // "
      return last === 0x22 && end > first;
    case 0x74: // t
    case 0x66: // f
    case 0x6e: { // n
      const word = text.slice(first, end + 1);
      return word === "true" || word === "false" || word === "null";
    }
    default:
      return isNumberStart(text.charCodeAt(first)) && numberText.test(text);
  }
}

function isNumberStart(code: number): boolean {
  return code === 0x2d || (code >= 0x30 && code <= 0x39);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Index of the first character from `at` on that is no JSON white space, or the text's length. */
export function skipSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Index behind the string whose opening quote is at `at`. */
function skipString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return text.length;
}

/** Index behind the value that begins at `at`. `text` must be valid JSON; nesting of any depth costs no stack. */
export function skipValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = skipString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      at++;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
      at++;
    } else if (depth > 0) at++;
    else return skipScalar(text, at);
    if (depth === 0) return at;
  }
  return at;
}

function skipScalar(text: string, at: number): number {
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x2c || code === 0x7d || code === 0x5d || isSpace(code)) return at;
    at++;
  }
  return at;
}

/**
 * Index of the value of member `key` in the object that opens at `open`, or -1. Of duplicates it is the last, as for
 * `JSON.parse`. `text` must be valid JSON.
 */
export function findMember(text: string, open: number, key: string): number {
  let found = -1;
  let at = skipSpace(text, open + 1);
  while (text.charCodeAt(at) === 0x22) {
    const keyEnd = skipString(text, at);
    const name = text.slice(at + 1, keyEnd - 1);
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const isKey = name.includes("\\") ? JSON.parse(text.slice(at, keyEnd)) === key : name === key;
    if (isKey) found = value;
    at = skipSpace(text, skipValue(text, value));
    if (text.charCodeAt(at) !== 0x2c) break;
    at = skipSpace(text, at + 1);
  }
  return found;
}

/**
 * `findMember` for a key that is known to be in the object, in one search where that is exact: in a `plain` text, one
 * without backslashes, every quote is a delimiter, so the one place where the quoted key stands is the member.
 * `closedKey` is the key as JSON without its opening quote: searching for a text that begins with a quote stops at
 * every quote (V8: 380 ns a line against 85).
 */
export function findKnownMember(
  text: string,
  open: number,
  key: string,
  closedKey: string,
  plain: boolean,
): number {
  if (!plain) return findMember(text, open, key);
  let found = -1;
  for (let at = text.indexOf(closedKey, open); at >= 0; at = text.indexOf(closedKey, at + 1)) {
    if (text.charCodeAt(at - 1) !== 0x22) continue;
    if (found >= 0) return findMember(text, open, key);
    found = at;
  }
  return found < 0
    ? findMember(text, open, key)
    : skipSpace(text, skipSpace(text, found + closedKey.length) + 1);
}

/** True if `text` has a member whose key has a backslash. `text` may be anything. */
export function hasEscapedKey(text: string): boolean {
  let slash = text.indexOf("\\");
  for (let at = slash < 0 ? -1 : text.indexOf('"'); at >= 0;) {
    const end = skipString(text, at);
    if (slash < at) slash = text.indexOf("\\", at);
    if (slash < 0) return false;
    if (slash < end && text.charCodeAt(skipSpace(text, end)) === 0x3a) return true;
    at = text.indexOf('"', end);
  }
  return false;
}

/** An object or list that is not read to its end. */
interface Open {
  readonly container: unknown[] | Record<string, unknown>;
  /** The key whose value comes next; undefined before a key, and in lists. */
  key: string | undefined;
}

/**
 * The value of a text that is valid JSON, each key and scalar parsed alone. Nesting of any depth costs no stack. Some
 * three times slower than the runtime's parser.
 */
export function readValue(text: string): unknown {
  const open: Open[] = [];
  for (let at = skipSpace(text, 0);; at = skipSpace(text, at)) {
    const code = text.charCodeAt(at);
    const last = open.at(-1);
    let value: unknown;
    if (code === 0x7b || code === 0x5b) {
      open.push({ container: code === 0x7b ? {} : [], key: undefined });
      at++;
      continue;
    } else if (code === 0x7d || code === 0x5d) {
      value = open.pop()!.container;
      at++;
    } else if (code === 0x2c || code === 0x3a) {
      at++;
      continue;
    } else {
      const end = code === 0x22 ? skipString(text, at) : skipScalar(text, at);
      value = JSON.parse(text.slice(at, end));
      at = end;
      if (last !== undefined && !Array.isArray(last.container) && last.key === undefined) {
        last.key = value as string;
        continue;
      }
    }
    const parent = open.at(-1);
    if (parent === undefined) return value;
    place(parent, value);
  }
}

function place(parent: Open, value: unknown): void {
  const { container, key } = parent;
  if (Array.isArray(container)) container.push(value);
  else if (key === "__proto__") {
    // As the parser does: a member like any other.
    Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
  } else container[key!] = value;
  parent.key = undefined;
}

/** True if two JSON values are equal; members in any order. As deep as the shallower of the two. */
export function jsonEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => jsonEquals(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEquals(a[key], b[key]));
}
