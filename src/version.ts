/**
 * The version of corndog, in one place; a test holds it against package.json.
 *
 * @module
 */

/** Semantic version of this program. */
export const version = "0.1.0";
