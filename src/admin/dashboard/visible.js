// @ts-check
/**
 * Text of others as it can be shown: characters that are not seen, or that turn the direction of what is around them,
 * stand there by their number. Pure.
 *
 * @module
 */

/** Control characters but tab and newline, and marks, embeddings, overrides and isolates of direction (UAX 9). */
// deno-lint-ignore no-control-regex
const hidden = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** @param {string} text */
export function visible(text) {
  return text.replace(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
