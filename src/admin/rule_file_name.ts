/**
 * Which rule file `?file=` means.
 *
 * @module
 */

/** The one file that is meant; `several` is empty where none is. */
export type NamedRuleFile =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly several: readonly string[] };

/**
 * Finds the file of `paths` that `name` means: its whole path, or the end of it from the start of a name
 * (`app.yml`, `rules/app.yml`) where that fits one alone.
 */
export function findRuleFile(paths: readonly string[], name: string): NamedRuleFile {
  if (paths.includes(name)) return { ok: true, path: name };
  const found = name === "" ? [] : paths.filter((path) => path.endsWith(`/${name}`));
  return found.length === 1 ? { ok: true, path: found[0]! } : { ok: false, several: found };
}
