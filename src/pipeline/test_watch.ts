/**
 * `corndog test --watch`: tests again whenever a rule file, the configuration or their folders change.
 *
 * Runs follow one another; changes during a run lead to one more. It ends with the process.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import type { LoadResult } from "../config/load.ts";
import { watchFiles } from "./file_watch.ts";

/** What a watch needs. */
export interface WatchParts {
  readonly config: Config;
  readonly reload: () => LoadResult;
  /** Tests what was read, or tells what is wrong with it. Called once at the start, then after each change. */
  readonly test: (loaded: LoadResult, run: number) => Promise<void>;
}

/** Tests, then watches for ever. */
export async function watchTests({ config, reload, test }: WatchParts): Promise<never> {
  let paths = pathsOf(config);
  let wake: () => void = () => {};
  let changed = false;
  watchFiles(() => paths, () => {
    changed = true;
    wake();
  });
  for (let run = 1;; run++) {
    // The first look of the watch counts as a change; what the caller has loaded is a moment old.
    while (!changed) await new Promise<void>((resolve) => wake = resolve);
    changed = false;
    const loaded: LoadResult = run === 1 ? { ok: true, config, warnings: [] } : reload();
    // Files that a faulty configuration names are not known: those known before may be the cure.
    if (loaded.ok) paths = pathsOf(loaded.config);
    await test(loaded, run);
  }
}

/** Files, and the folders in which a new one may appear. */
function pathsOf(config: Config): string[] {
  const files = [
    ...config.rules.files.map(({ path }) => path),
    ...(config.file === undefined ? [] : [config.file]),
  ];
  return [...new Set([...files, ...files.map((file) => dirname(file))])];
}
