/**
 * The files that a configuration names: read, listed, matched with patterns. The disk comes in through `Files`.
 *
 * @module
 */
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";

/** What configuration needs of a disk. All methods throw what the disk throws (`code: "ENOENT"`). */
export interface Files {
  /** Text of a file; UTF-8. */
  read(path: string): string;
  /** True for a file or folder. */
  exists(path: string): boolean;
  /** True for a folder. */
  isFolder(path: string): boolean;
  /** Names in a folder. */
  list(folder: string): readonly string[];
}

/** The disk of this machine. */
export const diskFiles: Files = {
  read: (path) => readFileSync(path, "utf8"),
  exists: (path) => statOf(path) !== undefined,
  isFolder: (path) => statOf(path)?.isDirectory() ?? false,
  list: (folder) => readdirSync(folder),
};

/** What cannot be looked at (a link that leads to itself, a folder without permission) counts as absent; reading it says why. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Text of a file, or why it cannot be read, as the rest of a sentence that begins with its name. */
export type ReadFile = { readonly ok: true; readonly text: string } | {
  readonly ok: false;
  readonly problem: string;
};

/** Reads a file; never throws. */
export function tryRead(files: Files, path: string): ReadFile {
  try {
    return { ok: true, text: files.read(path) };
  } catch (error) {
    return { ok: false, problem: fileProblem(error) };
  }
}

/** Why a file cannot be used, in plain words: "does not exist". */
export function fileProblem(error: unknown): string {
  const code = (error as { code?: string } | null)?.code;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR": {
      const { triedFirst } = error as { triedFirst?: string };
      return triedFirst === undefined ? "does not exist" : `does not exist, and neither does ${triedFirst}`;
    }
    case "EACCES":
    case "EPERM":
      return "cannot be read: permission denied";
    case "EISDIR":
      return "is a folder, not a file";
    default:
      return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The same files; of one that is absent and for which `triedFirst` names another, that one is told as well. */
export function tellingTried(files: Files, triedFirst: (path: string) => string | undefined): Files {
  return {
    ...files,
    read(path) {
      try {
        return files.read(path);
      } catch (error) {
        const other = triedFirst(path);
        if (other === undefined || error === null || typeof error !== "object") throw error;
        throw Object.assign(error, { triedFirst: other });
      }
    },
  };
}

/** `path` made absolute from `base`. `~` is not expanded: the shell does that where it is meant. */
export function absolute(base: string, path: string): string {
  return isAbsolute(path) ? path : resolve(base, path);
}

/** True if `path` is a pattern and not a name. */
export function isPattern(path: string): boolean {
  return /[*?]/.test(path);
}

/** Deepest folder that `**` looks into. */
const patternDepthMax = 16;
/** Most files that one pattern may name. */
const patternFilesMax = 10_000;

/**
 * Files that match an absolute pattern, sorted by name. `*` and `?` stay within a name, `**` goes into folders;
 * names that begin with a dot are matched by patterns that do.
 */
export function matchFiles(files: Files, pattern: string): string[] {
  const parts = pattern.split("/");
  const fixed = parts.findIndex(isPattern);
  const root = parts.slice(0, fixed).join("/") || "/";
  const found: string[] = [];
  descend(files, root, parts.slice(fixed), 0, found);
  return [...new Set(found)].sort();
}

/** The files that an absolute name stands for: the file, all `.yml` and `.yaml` of a folder, what a pattern matches. */
export function filesNamed(files: Files, path: string): readonly string[] {
  if (isPattern(path)) return matchFiles(files, path);
  if (!files.isFolder(path)) return [path];
  return [`${path}/*.yml`, `${path}/*.yaml`].flatMap((pattern) => matchFiles(files, pattern));
}

function descend(
  files: Files,
  folder: string,
  parts: readonly string[],
  depth: number,
  found: string[],
): void {
  const [part, ...rest] = parts;
  if (part === undefined || depth > patternDepthMax || found.length >= patternFilesMax) return;
  if (part === "**") descend(files, folder, rest, depth, found);
  const matches = part === "**" ? /^[^.]/s : namePattern(part);
  for (const name of listFolder(files, folder)) {
    if (!matches.test(name)) continue;
    const path = join(folder, name);
    const isFolder = files.isFolder(path);
    if (part === "**") {
      if (isFolder) descend(files, path, parts, depth + 1, found);
    } else if (rest.length === 0) {
      if (!isFolder) found.push(path);
    } else if (isFolder) {
      descend(files, path, rest, depth + 1, found);
    }
  }
}

function namePattern(part: string): RegExp {
  const source = part.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*").replaceAll("?", "[^/]");
  return new RegExp(`^${part.startsWith(".") ? "" : "(?!\\.)"}${source}$`, "s");
}

function listFolder(files: Files, folder: string): readonly string[] {
  try {
    return files.list(folder);
  } catch {
    return [];
  }
}

/** The folder of a file. */
export function folderOf(path: string): string {
  return dirname(path);
}
