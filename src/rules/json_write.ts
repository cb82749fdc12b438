/**
 * Values that came from a line as JSON text again, in linear time.
 *
 * JSC's `JSON.stringify` looks for cycles by comparing every value with all that hold it once the nesting is too deep
 * for its fast path: a list nested 30,000 times takes it a second. What is nested so deep is written here, without
 * recursion. Values are those of `JSON.parse`: no cycles, no methods.
 *
 * @module
 */

/** The runtime's own writer takes what is nested up to here; it is fast far beyond. */
const nestingMax = 1_000;

/** `value` as JSON; what is no JSON value is null. */
export function jsonText(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  return isShallow(value, nestingMax) ? JSON.stringify(value) : writeDeep(value);
}

function isShallow(value: object, left: number): boolean {
  if (left === 0) return false;
  for (const item of Object.values(value)) {
    if (typeof item === "object" && item !== null && !isShallow(item, left - 1)) return false;
  }
  return true;
}

/** A list or object that is being written. */
interface Open {
  /** Undefined for a list. */
  readonly keys: readonly string[] | undefined;
  readonly items: readonly unknown[];
  next: number;
}

function open(value: object): Open {
  const isList = Array.isArray(value);
  return { keys: isList ? undefined : Object.keys(value), items: Object.values(value), next: 0 };
}

function writeDeep(root: object): string {
  const pieces = [Array.isArray(root) ? "[" : "{"];
  const stack = [open(root)];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.next === top.items.length) {
      pieces.push(top.keys === undefined ? "]" : "}");
      stack.pop();
      continue;
    }
    const at = top.next++;
    if (at > 0) pieces.push(",");
    if (top.keys !== undefined) pieces.push(JSON.stringify(top.keys[at]), ":");
    const item = top.items[at];
    if (typeof item === "object" && item !== null) {
      pieces.push(Array.isArray(item) ? "[" : "{");
      stack.push(open(item));
    } else pieces.push(JSON.stringify(item) ?? "null");
  }
  return pieces.join("");
}
