/**
 * Whether a text has another one in it, in linear time.
 *
 * The runtimes' `includes` looks at the last 250 characters of what it searches to decide how far it may skip; a
 * longer text whose end repeats makes it compare all of it at every place (65,536 characters times 1,000 take
 * 40 ms). Such texts are searched for with the table of Knuth, Morris and Pratt.
 *
 * @module
 */

/** Longer texts are searched for by table. */
const includedCharsMax = 250;

/** Steps (`step_budget.ts`) per character that is searched. */
export const searchStepsPerChar = 1 / 4;

/** True if `text` has the wanted one in it. */
export type TextSearch = (text: string) => boolean;

/** A search for `wanted`. */
export function textSearch(wanted: string): TextSearch {
  if (wanted.length <= includedCharsMax) return (text) => text.includes(wanted);
  const borders = bordersOf(wanted);
  return (text) => {
    let held = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text.charCodeAt(at);
      while (held > 0 && wanted.charCodeAt(held) !== char) held = borders[held - 1];
      if (wanted.charCodeAt(held) === char && ++held === wanted.length) return true;
    }
    return false;
  };
}

/** For each prefix, how long its longest proper prefix is that also ends it. */
function bordersOf(wanted: string): Int32Array {
  const borders = new Int32Array(wanted.length);
  for (let at = 1, held = 0; at < wanted.length; at++) {
    const char = wanted.charCodeAt(at);
    while (held > 0 && wanted.charCodeAt(held) !== char) held = borders[held - 1];
    if (wanted.charCodeAt(held) === char) held++;
    borders[at] = held;
  }
  return borders;
}
