/**
 * Failed file operations in words for an operator.
 *
 * @module
 */
import { messageOf } from "./errors.ts";

/** What the codes mean for somebody who has to do something (errno(3)). */
const meanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EAGAIN: "the reader is slower than the writer",
  EEXIST: "a file is in the way of the directory",
  EDQUOT: "the disk quota is used up",
  EIO: "the device reported an error",
  EISDIR: "a directory is in the way",
  EMFILE: "too many files are open in this process",
  ENFILE: "too many files are open on this machine",
  ENOENT: "no such directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a file is in the way of the directory",
  EPERM: "operation not permitted",
  EPIPE: "the reader is gone",
  EROFS: "the file system is read-only",
};

/** `ENOSPC` and so on; "unknown" where the error has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "unknown";
}

/** `Cannot write "/data/x": no space left on the device (ENOSPC)`. */
export function ioProblem(action: string, path: string, error: unknown): string {
  const code = codeOf(error);
  const meaning = meanings[code];
  return `Cannot ${action} "${path}": ${meaning === undefined ? messageOf(error) : `${meaning} (${code})`}`;
}

/** Milliseconds before try number `attempts` + 1: doubles to a second, so that the first write after the cure is soon. */
export function backoffMs(attempts: number): number {
  return Math.min(1000, 50 * 2 ** Math.min(attempts, 10));
}
