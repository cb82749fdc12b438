/**
 * A disk that is a map of texts, for tests of the configuration.
 *
 * @module
 */
import type { Files } from "../../../src/config/files.ts";
import { loadConfig, type LoadOptions, type LoadResult } from "../../../src/config/load.ts";
import { formatFault } from "../../../src/core/errors.ts";

/** Files with these texts by absolute path. */
export function memoryFiles(texts: Readonly<Record<string, string>>): Files {
  const paths = Object.keys(texts);
  const isFolder = (path: string) => paths.some((name) => name.startsWith(`${path === "/" ? "" : path}/`));
  return {
    read: (path) => {
      const text = texts[path];
      if (text === undefined) {
        throw Object.assign(new Error("absent"), { code: isFolder(path) ? "EISDIR" : "ENOENT" });
      }
      return text;
    },
    exists: (path) => texts[path] !== undefined || isFolder(path),
    isFolder,
    list: (folder) => {
      const below = paths.filter((name) => name.startsWith(`${folder}/`)).map((name) =>
        name.slice(folder.length + 1)
      );
      return [...new Set(below.map((name) => name.split("/")[0]!))];
    },
  };
}

/** Loads `/c/corndog.yml` with this text and nothing of the real environment. */
export function loadText(
  text: string,
  options: LoadOptions & { others?: Record<string, string> } = {},
): LoadResult {
  return loadConfig({
    path: "/c/corndog.yml",
    cwd: "/c",
    env: {},
    cores: 2,
    nowMs: 0,
    ...options,
    files: memoryFiles({ "/c/corndog.yml": text, ...options.others }),
  });
}

/** Faults as people see them, without the folder. */
export function shown(result: LoadResult): string[] {
  return result.ok ? [] : result.faults.map((fault) => formatFault(fault).replaceAll("/c/", ""));
}

/** Warnings as people see them, without the folder. */
export function warned(result: LoadResult): string[] {
  return result.warnings.map((fault) => formatFault(fault).replaceAll("/c/", ""));
}
