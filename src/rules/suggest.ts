/**
 * "Did you mean": the nearest of the known names to one that is not known.
 *
 * @module
 */

/** Names longer than this are not compared: nobody misspells them, somebody attacks with them. */
const comparedCharsMax = 64;

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous: number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, before[j - 2] + 1);
      }
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length];
}

/** The known name that a person most likely meant by `name`, or undefined if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > comparedCharsMax) return undefined;
  const lower = name.toLowerCase();
  let found: string | undefined;
  let distance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(lower, candidate.toLowerCase());
    if (edits < distance) {
      distance = edits;
      found = candidate;
    }
  }
  return found;
}

/** `; did you mean "topic"?`, or nothing: the tail of a message about an unknown name. */
export function didYouMean(name: string, known: readonly string[]): string {
  const found = nearest(name, known);
  return found === undefined ? "" : `; did you mean "${found}"?`;
}
