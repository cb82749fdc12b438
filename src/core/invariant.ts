/**
 * Assertions that stay on in production: a broken invariant is a bug of ours and ends the process.
 *
 * @module
 */

/** Thrown when the program contradicts itself. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws an `InvariantError` unless `condition` holds. `what` states the invariant: "batch respects its byte limit". */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${what}`);
}
