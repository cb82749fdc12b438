/**
 * Replaces the text of a rule file on the disk: whole or not at all, the former text kept beside it.
 *
 * The new text is written beside the file first, so that a full or read-only disk refuses before anything is in
 * force. Both new files have mode and owner of the file they replace: its rules may name what others must not read,
 * and the one who edits it must still be able to. A symbolic link stays one; what it points to is replaced.
 *
 * @module
 */
import { chmod, type FileHandle, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { messageOf } from "../core/errors.ts";

/** A rule file's new text, on the disk and not yet in its place; or why it cannot be. */
export type StagedFile =
  | {
    readonly ok: true;
    /** Puts the new text in its place and keeps the former one. */
    commit(): Promise<void>;
    /** Removes what was written. */
    discard(): Promise<void>;
  }
  | { readonly ok: false; readonly message: string };

/** The permission bits of a mode. */
const permissions = 0o7777;

/** Writes `text` beside the file at `path`. Never throws. */
export async function stageRuleFile(path: string, text: string): Promise<StagedFile> {
  const written: string[] = [];
  const discard = async () => {
    for (const file of written) await rm(file, { force: true }).catch(() => {});
  };
  try {
    const real = await realpath(path);
    const previous = `${real}.previous`;
    const like = await stat(real);
    const write = async (name: string, content: string | Uint8Array) => {
      written.push(name);
      await writeLike(name, content, like);
      return name;
    };
    const kept = await write(`${previous}.new`, await readFile(real));
    const fresh = await write(`${real}.new`, text);
    const commit = async () => {
      await rename(kept, previous);
      await rename(fresh, real);
    };
    return { ok: true, commit, discard };
  } catch (error) {
    await discard();
    return {
      ok: false,
      message: `Cannot write rule file "${path}": ${messageOf(error)}; nothing was changed`,
    };
  }
}

/** The text that the last commit replaced. @throws what the disk throws; `ENOENT` where none is kept */
export async function readPrevious(path: string): Promise<string> {
  return await readFile(`${await realpath(path)}.previous`, "utf8");
}

/** Writes a new file with the mode and, where this process may, the owner of another. */
async function writeLike(
  path: string,
  content: string | Uint8Array,
  like: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<void> {
  // What a killed process left behind must not lend its mode to the new file, nor lead elsewhere as a link.
  await rm(path, { force: true });
  // Nobody else may read it before it has its owner.
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    const own = await file.stat();
    if (own.uid !== like.uid || own.gid !== like.gid) await giveTo(file, like);
    // A power cut after the rename must not leave an empty file in the rules' place.
    await file.sync();
  } finally {
    await file.close();
  }
  // After the change of owner, which takes bits of the mode away.
  await chmod(path, like.mode & permissions);
}

/** Only root gives files away; others may at least hand them to a group of theirs. */
async function giveTo(
  file: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  try {
    await file.chown(uid, gid);
  } catch {
    const { uid: own } = await file.stat();
    await file.chown(own, gid).catch(() => {});
  }
}
