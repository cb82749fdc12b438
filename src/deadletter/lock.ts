/**
 * One replay at a time: a file with the process id of who replays. Who was killed leaves it behind; then it is taken over.
 *
 * @module
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { ForwarderError } from "../core/errors.ts";
import { codeOf, ioProblem } from "../core/io_problem.ts";

/** Takes the lock until it is disposed of. @throws ForwarderError `not_supported` while another process has it */
export async function lockReplay(path: string): Promise<AsyncDisposable> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(path, `${process.pid}\n`, { flag: "wx", mode: 0o640 });
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (cause) {
      if (codeOf(cause) !== "EEXIST") {
        throw new ForwarderError("disk_failed", ioProblem("write", path, cause), { cause });
      }
    }
    const holder = Number((await readFile(path, "utf8").catch(() => "")).trim());
    if (holder > 0 && isAlive(holder)) {
      throw new ForwarderError(
        "not_supported",
        `Process ${holder} replays already: two would send letters twice`,
      );
    }
    await rm(path, { force: true });
  }
  throw new ForwarderError("not_supported", `Another replay has just begun ("${path}")`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return codeOf(cause) === "EPERM";
  }
}
