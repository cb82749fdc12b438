import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { openSpool } from "../../../src/spool/open_spool.ts";
import type { Spool, SpooledBatch } from "../../../src/spool/spool.ts";
import { until } from "../../support/until.ts";
import { BatchMemory, CountedEvents, settings } from "./support.ts";

/** A file system of eight mebibytes; undefined where this user may not mount one. */
function smallDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const dir = mkdtempSync(join(tmpdir(), "corndog-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "corndog", dir], { stdio: "pipe" });
    return dir;
  } catch {
    rmSync(dir, { recursive: true });
    return undefined;
  }
}

const disk = smallDisk();
after(() => {
  if (disk === undefined) return;
  execFileSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});

/** An ext4 that becomes read-only at its first error, and can be told to have one. */
class FragileDisk {
  readonly folder = mkdtempSync(join(tmpdir(), "corndog-fragile-"));
  readonly #image = join(mkdtempSync(join(tmpdir(), "corndog-image-")), "ext4");
  #device = "";

  /** @throws where this user, or this machine, has none */
  constructor() {
    try {
      writeFileSync(this.#image, "");
      truncateSync(this.#image, 32 * 1024 * 1024);
      run("mkfs.ext4", "-q", "-J", "size=4", this.#image);
      this.#device = run("losetup", "-f", "--show", this.#image).trim();
      this.mount();
      accessSync(this.#trigger, constants.W_OK);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  get #trigger(): string {
    return `/sys/fs/ext4/${basename(this.#device)}/trigger_fs_error`;
  }

  mount(): void {
    run("mount", "-o", "errors=remount-ro", this.#device, this.folder);
  }

  fail(): void {
    writeFileSync(this.#trigger, "a test wants one");
  }

  /** Mends it and mounts it anew. */
  mend(): void {
    run("umount", this.folder);
    // It answers 1 when it mended something.
    spawnSync("e2fsck", ["-p", this.#device], { stdio: "pipe" });
    this.mount();
  }

  remove(): void {
    spawnSync("umount", ["-l", this.folder], { stdio: "pipe" });
    if (this.#device !== "") spawnSync("losetup", ["-d", this.#device], { stdio: "pipe" });
    rmSync(dirname(this.#image), { recursive: true });
    rmSync(this.folder, { recursive: true });
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { stdio: "pipe", encoding: "utf8" });
}

function fragileDisk(): FragileDisk | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  try {
    return new FragileDisk();
  } catch {
    return undefined;
  }
}

const memory = new BatchMemory(16 * 1024 * 1024);

async function opened(dir: string, events: CountedEvents): Promise<Spool> {
  return await openSpool({
    settings: settings(dir, { durability: "fsync" }),
    worker: 0,
    workers: 1,
    memory: memory.kernel,
    events,
    segmentBytesMax: 1024 * 1024,
  });
}

test(
  "append() loses nothing and goes on by itself when a real disk is full",
  { skip: disk === undefined },
  async () => {
    memory.reset();
    const events = new CountedEvents();
    const spool = await opened(disk!, events);
    const committed: SpooledBatch[] = [];
    const count = 60;
    const texts = Array.from(
      { length: count },
      (_, i) => `${i} ${String.fromCharCode(97 + i % 26).repeat(200_000)}`,
    );
    for (const text of texts) spool.append(memory.batch("t", text), (spooled) => committed.push(spooled));
    await until("the disk to be full", () => spool.state.kind === "failing" ? true : undefined);
    assert.match(spool.stats().problem!, /no space left on the device \(ENOSPC\)/);
    const full = committed.length;
    assert.ok(full > 25 && full < count, `${full} batches`);
    for (let done = 0; done < count;) {
      await until("a commit", () => committed.length > done ? true : undefined);
      const spooled = committed[done++]!;
      assert.equal(memory.text(spooled.batch), texts[done - 1]);
      spool.settle(spooled, "delivered");
    }
    await until("the segments to be removed", () => spool.stats().segments <= 1 ? true : undefined);
    assert.equal(spool.state.kind, "ready");
    assert.equal(events.roomCount >= 1, true);
    assert.deepEqual(events.damages, []);
    await spool.close(1000);
  },
);

test("openSpool() finds what was committed when a real disk is full at the start", {
  skip: disk === undefined,
}, async () => {
  memory.reset();
  const first = await opened(disk!, new CountedEvents());
  const texts = Array.from({ length: 10 }, (_, i) => `${i} ${"x".repeat(100_000)}`);
  await Promise.all(
    texts.map((text) => new Promise((resolve) => first.append(memory.batch("t", text), resolve))),
  );
  await first.close(1000);
  const ballast = join(disk!, "ballast");
  try {
    writeFileSync(ballast, new Uint8Array(16 * 1024 * 1024));
  } catch {
    // That was the point.
  }
  const events = new CountedEvents();
  const second = await opened(disk!, events);
  const wish = memory.wish();
  while ((await second.next(wish)).kind === "batch");
  assert.deepEqual(wish.taken.map(({ batch }) => memory.text(batch)), texts);
  for (const spooled of wish.taken) second.settle(spooled, "delivered");
  rmSync(ballast);
  await until("the segments to be removed", () => second.stats().segments === 0 ? true : undefined);
  assert.deepEqual(events.damages, []);
  await second.close(1000);
});

test("append() says that a real disk became read-only, and openSpool() finds all that was committed before", async (t) => {
  const fragile = fragileDisk();
  if (fragile === undefined) return t.skip("needs root, ext4 and a loop device");
  try {
    memory.reset();
    const events = new CountedEvents();
    const first = await opened(fragile.folder, events);
    const texts: string[] = [];
    const append = (text: string): void => {
      first.append(memory.batch("t", text), () => texts.push(text));
    };
    for (let i = 0; i < 10; i++) append(`${i} ${"x".repeat(100_000)}`);
    await until("commits", () => texts.length === 10 ? true : undefined);
    fragile.fail();
    append("too late");
    await until("the disk to refuse", () => first.state.kind === "failing" ? true : undefined);
    assert.match(first.stats().problem!, /the file system is read-only \(EROFS\)/);
    assert.equal((await first.close(500)).length, 1, "what the disk did not take is given back");
    fragile.mend();
    const second = await opened(fragile.folder, events);
    const wish = memory.wish();
    await until("the backlog", async () => {
      while ((await second.next(wish)).kind === "batch");
      return wish.taken.length >= texts.length ? true : undefined;
    });
    assert.deepEqual(wish.taken.map(({ batch }) => memory.text(batch)), texts);
    assert.deepEqual(events.damages, []);
    await second.close(1000);
  } finally {
    fragile.remove();
  }
});
