// @ts-check
/**
 * Places in a text, and what a refusal says of them. Pure.
 *
 * @module
 */

/**
 * @typedef {object} Fault
 * @property {string} file
 * @property {number} line from 1; 0 where the fault is the whole file's
 * @property {number} column from 1
 * @property {string} path
 * @property {string} message
 * @property {boolean} here in the text of the editor
 */

/** Faults that are listed. */
const faultsMax = 50;

/**
 * What a 422 says, whatever it is.
 * @param {unknown} faults
 * @param {string} path the file in the editor
 * @returns {Fault[]}
 */
export function faultsOf(faults, path) {
  if (!Array.isArray(faults)) return [];
  return faults.slice(0, faultsMax).map((fault) => {
    const file = String(fault.file ?? "");
    return {
      file,
      line: Number(fault.line) || 0,
      column: Number(fault.column) || 0,
      path: String(fault.path ?? ""),
      message: String(fault.message ?? "unknown"),
      // Text that is in no file has a name of its own.
      here: file === path || file === "admin API" || path === "" || file === "",
    };
  });
}

/**
 * Where a line and column are in a text.
 * @param {string} text
 * @param {{ line: number, column: number }} place from 1
 */
export function offsetOf(text, { line, column }) {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf("\n", start);
    if (end < 0) break;
    start = end + 1;
  }
  const end = text.indexOf("\n", start);
  return Math.min(start + Math.max(0, column - 1), end < 0 ? text.length : end);
}

/**
 * True if the text has sections beside rules and tests: it is a whole configuration.
 * @param {string} text
 */
export function hasOtherSections(text) {
  return /^(?!rules\b|tests\b)[a-z_]+[ \t]*:/m.test(text);
}
