/**
 * Notices that rule or configuration files changed, came or went.
 *
 * It compares size and modification time on a timer rather than asking the kernel: that survives editors that
 * write beside and rename, symlinks that are switched (Kubernetes), and network disks, and is the same on both
 * runtimes. Half-written files are not a problem: what does not parse changes nothing and is tried again. A file
 * that is gone is looked for once more before anybody hears of it: most come back at once. The first look counts as
 * a change: what was written between the reading of the files and that look would never be noticed otherwise.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { diskFiles, filesNamed } from "../config/files.ts";
import { untilBeatMs } from "../core/beat.ts";

/** A person who saves a file should see the effect at once; 20 `stat` calls a second cost nothing. */
const intervalMsDefault = 500;

/** Looks take this part of the time at most: a pattern may reach into thousands of folders. */
const lookShareMax = 0.1;

/** What was seen of one origin: its files, each with its signature. */
type Seen = ReadonlyMap<string, string>;

/**
 * Calls `changed` after the first look, and when a file is changed, made or removed that one of `origins()` stands for: a file, the rule files
 * of a folder, or what a pattern matches. Returns what stops it.
 */
export function watchFiles(
  origins: () => readonly string[],
  changed: () => void,
  intervalMs = intervalMsDefault,
): () => void {
  let known: ReadonlyMap<string, Seen> | undefined;
  let lookedTwice = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const look = async () => {
    const startedAtMs = performance.now();
    const now = new Map<string, Seen>();
    for (const origin of new Set(origins())) now.set(origin, await seen(origin));
    if (stopped) return;
    const tookMs = performance.now() - startedAtMs;
    timer = setTimeout(
      () => void look(),
      Math.max(untilBeatMs(intervalMs, Date.now()), tookMs / lookShareMax),
    );
    const before = known;
    if (before !== undefined && !lookedTwice && hasLost(before, now)) {
      lookedTwice = true;
      return;
    }
    lookedTwice = false;
    known = now;
    if (before === undefined || differs(before, now)) changed();
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** True if an origin that was looked at before has other files now. New origins are no change. */
function differs(before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): boolean {
  return [...now].some(([origin, files]) => {
    const former = before.get(origin);
    return former !== undefined &&
      (former.size !== files.size || [...files].some(([path, mark]) => former.get(path) !== mark));
  });
}

function hasLost(before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): boolean {
  return [...now].some(([origin, files]) =>
    [...before.get(origin) ?? []].some(([path, mark]) =>
      mark !== absent && (files.get(path) ?? absent) === absent
    )
  );
}

async function seen(origin: string): Promise<Seen> {
  const files = new Map<string, string>();
  for (const path of filesNamed(diskFiles, origin)) files.set(path, await signature(path));
  return files;
}

const absent = "absent";

async function signature(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return absent;
  }
}
