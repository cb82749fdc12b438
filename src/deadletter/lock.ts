/**
 * One replay at a time: a file with who replays, by process id and start time. Who was killed leaves it behind; then it
 * is taken over, also where another process has got the id, or nobody has buried the dead one yet.
 *
 * @module
 */
import { link, readFile, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { ForwarderError } from "../core/errors.ts";
import { codeOf, ioProblem } from "../core/io_problem.ts";

/** Takes the lock until it is disposed of. @throws ForwarderError `not_supported` while another process has it */
export async function lockReplay(path: string): Promise<AsyncDisposable> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const own = `${process.pid} ${await startOf(process.pid) ?? ""}`.trim();
      // By a link, so that the file is never there without its holder.
      const fresh = `${path}.${process.pid}`;
      await writeFile(fresh, `${own}\n`, { mode: 0o640 });
      await link(fresh, path).finally(() => rm(fresh, { force: true }));
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (cause) {
      if (codeOf(cause) !== "EEXIST") {
        throw new ForwarderError("disk_failed", ioProblem("write", path, cause), { cause });
      }
    }
    const [pid, start] = (await readFile(path, "utf8").catch(() => "")).trim().split(" ");
    const holder = Number(pid);
    if (holder > 0 && await isAlive(holder, start)) {
      throw new ForwarderError(
        "not_supported",
        `Process ${holder} replays already: two would send letters twice`,
      );
    }
    await rm(path, { force: true });
  }
  throw new ForwarderError("not_supported", `Another replay has just begun ("${path}")`);
}

/** Whether the process that began at `start` still runs. */
async function isAlive(pid: number, start: string | undefined): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if (codeOf(cause) !== "EPERM") return false;
  }
  const now = await startOf(pid);
  return now === undefined || start === undefined || now === start;
}

/** When a process began, in the kernel's ticks, or "dead" for one that has ended (proc(5)); undefined without /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    // The name in parentheses may have anything in it: what counts follows its end.
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ").at(-1)!.split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "dead" : fields[19];
  } catch {
    return undefined;
  }
}
