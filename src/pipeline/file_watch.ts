/**
 * Notices that rule or configuration files changed.
 *
 * It compares size and modification time on a timer rather than asking the kernel: that survives editors that
 * write beside and rename, symlinks that are switched (Kubernetes), and network disks, and is the same on both
 * runtimes. Half-written files are not a problem: what does not parse changes nothing and is tried again.
 *
 * @module
 */
import { stat } from "node:fs/promises";

/** A person who saves a file should see the effect at once; 20 `stat` calls a second cost nothing. */
const intervalMs = 500;

/** Calls `changed` when any of `paths()` is changed, made or removed. Returns what stops it. */
export function watchFiles(paths: () => readonly string[], changed: () => void): () => void {
  let known: Map<string, string> | undefined;
  let busy = false;
  const look = async () => {
    if (busy) return;
    busy = true;
    const now = new Map<string, string>();
    for (const path of paths()) now.set(path, await signature(path));
    const before = known;
    known = now;
    busy = false;
    if (
      before !== undefined && [...now].some(([path, mark]) => before.has(path) && before.get(path) !== mark)
    ) changed();
  };
  void look();
  const timer = setInterval(() => void look(), intervalMs);
  return () => clearInterval(timer);
}

async function signature(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "absent";
  }
}
