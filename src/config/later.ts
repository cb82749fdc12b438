/**
 * Names of the documented configuration that this version does not carry yet, in one place.
 *
 * Whoever writes one of them meant something by it, so it is a fault with the reason and not an "unknown key";
 * to ignore it would be to run without something that the operator relies on. A name leaves this list in the commit
 * that builds it.
 *
 * @module
 */
import type { Path } from "./yaml.ts";

/** What a refused key is missing, by its path; `*` stands for a list index. */
const keys: Readonly<Record<string, string>> = {
  "kafka.partition_by": "this version spreads lines over partitions itself; remove the key",
};

/** A key that was found and is not carried yet. */
export interface LaterKey {
  readonly path: Path;
  readonly message: string;
}

/** All keys in `document` that this version does not carry yet. */
export function findLaterKeys(document: unknown): LaterKey[] {
  const found: LaterKey[] = [];
  for (const [pattern, message] of Object.entries(keys)) {
    visit(document, pattern.split("."), [], message, found);
  }
  return found;
}

function visit(
  value: unknown,
  pattern: readonly string[],
  path: Path,
  message: string,
  found: LaterKey[],
): void {
  const [step, ...rest] = pattern;
  if (step === undefined) {
    found.push({ path, message });
  } else if (step === "*") {
    if (Array.isArray(value)) {
      value.forEach((item, index) => visit(item, rest, [...path, index], message, found));
    }
  } else if (typeof value === "object" && value !== null && Object.hasOwn(value, step)) {
    visit((value as Record<string, unknown>)[step], rest, [...path, step], message, found);
  }
}
