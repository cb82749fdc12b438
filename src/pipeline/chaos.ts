/**
 * Faults of our own on purpose, to prove that they are found: only where the environment says `CORNDOG_CHAOS`.
 *
 *     CORNDOG_CHAOS=lost-wakeup=kafka:5%@200rps     5 % of the acknowledgements are forgotten, above 200 a second
 *     CORNDOG_CHAOS=held-loop=400ms:2s              the loop of worker 0 is held for 400 ms every two seconds
 *     CORNDOG_CHAOS=held-rule=NAME:400ms:2s         the same, as if that rule did it
 *     CORNDOG_CHAOS=blocked-loop=400ms:2s           worker 0 sleeps for 400 ms in a call, as on a disk that is gone
 *     CORNDOG_CHAOS=gc-storm=300MiB:2s              worker 0 keeps so much in small objects and has them collected
 *     CORNDOG_CHAOS=blind                           nothing is written down, to measure what that costs
 *     CORNDOG_CHAOS=slow-disk=3s                    what is written to the spool is there 3 s later
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { collectGarbage } from "../runtime/collect.ts";
import type { Disk, DiskFile } from "../spool/disk.ts";

/** The faults that were asked for. */
export interface Chaos {
  /** True where an acknowledgement is to be forgotten. */
  forgets(nowMs: number): boolean;
  readonly holdMs: number;
  readonly holdEveryMs: number;
  /** The rule that holds it; undefined: none does. */
  readonly holdRule: string | undefined;
  /** What holds it: work, a call in which it sleeps, or the collection of this much garbage. */
  readonly holdBy: "work" | "sleep" | "garbage";
  readonly garbageBytes: number;
  /** No waits, events and latencies are written down. */
  readonly blind: boolean;
  /** What each write to the spool takes longer. */
  readonly diskMs: number;
}

const forms = {
  lostWakeup: /^lost-wakeup=kafka:(\d+(?:\.\d+)?)%(?:@(\d+)rps)?$/,
  held: /^held-(?:loop=|rule=([^:]+):)(\d+)ms:(\d+)s$/,
  slowDisk: /^slow-disk=(\d+)s$/,
  blind: /^blind$/,
  blocked: /^blocked-loop=(\d+)ms:(\d+)s$/,
  storm: /^gc-storm=(\d+)MiB:(\d+)s$/,
};

/** Reads the variable; undefined where it is not set. @throws ForwarderError `config_invalid` */
export function chaosOf(text: string | undefined, random: () => number = Math.random): Chaos | undefined {
  if (text === undefined || text === "") return undefined;
  const [lost, held, disk, blind, blocked, storms] = Object.values(forms).map((form) => form.exec(text));
  if (!(lost ?? held ?? disk ?? blind ?? blocked ?? storms)) {
    const known =
      "lost-wakeup=kafka:5%@200rps, held-loop=400ms:2s, held-rule=NAME:400ms:2s, blocked-loop=400ms:2s, " +
      "gc-storm=300MiB:2s or slow-disk=3s";
    throw new ForwarderError("config_invalid", `Cannot use CORNDOG_CHAOS="${text}": expected ${known}`);
  }
  const share = Number(lost?.[1] ?? 0) / 100;
  const above = Number(lost?.[2] ?? 0);
  let secondEndsMs = 0;
  let count = 0;
  let last = 0;
  return {
    forgets(nowMs) {
      if (nowMs >= secondEndsMs) {
        last = nowMs >= secondEndsMs + 1000 ? 0 : count;
        count = 0;
        secondEndsMs = nowMs + 1000;
      }
      count++;
      return share > 0 && Math.max(last, count) > above && random() < share;
    },
    holdMs: Number(held?.[2] ?? blocked?.[1] ?? 0),
    holdEveryMs: Number(held?.[3] ?? blocked?.[2] ?? storms?.[2] ?? 0) * 1000,
    holdRule: held?.[1],
    holdBy: storms ? "garbage" : blocked ? "sleep" : "work",
    garbageBytes: Number(storms?.[1] ?? 0) * 1024 * 1024,
    blind: Boolean(blind),
    diskMs: Number(disk?.[1] ?? 0) * 1000,
  };
}

/** Holds the loop, as a fault of ours would. */
export function holdLoop({ holdMs, holdBy }: Chaos): void {
  if (holdBy === "garbage") return storm();
  if (holdBy === "sleep") {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, holdMs);
    return;
  }
  const untilMs = performance.now() + holdMs;
  while (performance.now() < untilMs);
}

/** Bytes of one small object with its place in a list, about. */
const objectBytes = 72;
/** Objects that are made at once: so few hold nothing up. */
const objectsPerCall = 300_000;
/** A collection takes less on a machine with many cores; it is repeated for so long. */
const stormMs = 600;
const kept: object[] = [];

/** Keeps more, where that is wanted: true when it is enough, so that it is its collection that holds the loop. */
export function keepGarbage({ garbageBytes }: Chaos): boolean {
  const wanted = Math.ceil(garbageBytes / objectBytes);
  const end = Math.min(wanted, kept.length + objectsPerCall);
  while (kept.length < end) kept.push({ at: kept.length });
  return kept.length === wanted;
}

/** Has the collector look at all that is kept, again and again. */
function storm(): void {
  for (const untilMs = performance.now() + stormMs; performance.now() < untilMs;) {
    collectGarbage();
    // Where it cannot be told to, new objects in place of old ones make it work.
    for (let nth = 0; nth < objectsPerCall / 10; nth++) kept[nth] = { at: nth };
  }
}

/** The disk, with every write so much later. */
export function slowDisk(disk: Disk, ms: number): Disk {
  if (ms === 0) return disk;
  const slow = (file: DiskFile): DiskFile => ({
    read: (into, position) => file.read(into, position),
    async write(views, position) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return await file.write(views, position);
    },
    sync: () => file.sync(),
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    close: () => file.close(),
  });
  return { ...disk, open: async (path, mode) => slow(await disk.open(path, mode)) };
}
