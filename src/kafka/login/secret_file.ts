/**
 * A secret that may come from a file: read anew whenever it is used, so that who changes it needs no restart.
 *
 * @module
 */
import { readFile } from "node:fs/promises";

/** The secret in `file` now; what it was at the start where there is no file, or nothing in it at the moment. */
export async function readSecret(atStart: string, file: string | undefined): Promise<string> {
  if (file === undefined) return atStart;
  try {
    // Secret files end with the newline that their editor put there.
    const text = (await readFile(file, "utf8")).replace(/\r?\n$/, "");
    return text === "" ? atStart : text;
  } catch {
    return atStart;
  }
}
