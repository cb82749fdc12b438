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
  const [lost, held, disk, blind, blocked, storm] = Object.values(forms).map((form) => form.exec(text));
  if (!(lost ?? held ?? disk ?? blind ?? blocked ?? storm)) {
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
    holdEveryMs: Number(held?.[3] ?? blocked?.[2] ?? storm?.[2] ?? 0) * 1000,
    holdRule: held?.[1],
    holdBy: storm ? "garbage" : blocked ? "sleep" : "work",
    garbageBytes: Number(storm?.[1] ?? 0) * 1024 * 1024,
    blind: Boolean(blind),
    diskMs: Number(disk?.[1] ?? 0) * 1000,
  };
}

/** Holds the loop, as a fault of ours would. */
export function holdLoop({ holdMs, holdBy, garbageBytes }: Chaos): void {
  if (holdBy === "garbage") return stormOf(garbageBytes);
  if (holdBy === "sleep") {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, holdMs);
    return;
  }
  const untilMs = performance.now() + holdMs;
  while (performance.now() < untilMs);
}

/** Bytes of one small object with its place in a list, about, on either engine. */
const objectBytes = 48;
/** What was kept; it is garbage when the next storm comes. */
let kept: object[] = [];

/** Keeps `bytes` in small objects: the collector must look at each of them, again and again while they grow. */
function stormOf(bytes: number): void {
  kept = [];
  for (let count = Math.ceil(bytes / objectBytes); count > 0; count--) kept.push({ count });
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
