import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { watchFiles } from "../../../src/pipeline/file_watch.ts";
import { until } from "../../support/until.ts";

describe("watchFiles()", () => {
  let dir: string;
  let stop = () => {};

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-watch-"));
  });
  afterEach(() => {
    stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Starts a watch whose first look is over. Returns how often it told a change, and how often it looked. */
  async function watch(...origins: string[]): Promise<{ changes: number; looks: number }> {
    const told = { changes: 0, looks: 0 };
    stop = watchFiles(
      () => {
        told.looks++;
        return origins;
      },
      () => told.changes++,
      50,
    );
    await until("a second look", () => (told.looks >= 2) || undefined);
    assert.equal(told.changes, 1, "the first look tells what changed before it");
    told.changes = 0;
    return told;
  }

  const cases: { name: string; origin: string; act(file: (name: string) => string): void }[] = [
    {
      name: "a file is written",
      origin: "a.yml",
      act: (file) => writeFileSync(file("a.yml"), "longer text"),
    },
    { name: "a file is removed", origin: "a.yml", act: (file) => rmSync(file("a.yml")) },
    {
      name: "a file appears where none was",
      origin: "b.yml",
      act: (file) => writeFileSync(file("b.yml"), ""),
    },
    { name: "a file appears in a folder", origin: ".", act: (file) => writeFileSync(file("b.yml"), "") },
    { name: "a file appears in a pattern", origin: "*.yml", act: (file) => writeFileSync(file("b.yml"), "") },
    { name: "a file of a pattern is removed", origin: "*.yml", act: (file) => rmSync(file("a.yml")) },
    {
      name: "a folder of a pattern appears with its files",
      origin: "**/*.yml",
      act: (file) => {
        mkdirSync(file("below"));
        writeFileSync(file("below/b.yml"), "");
      },
    },
    {
      name: "the folder behind a symbolic link is switched",
      origin: "current/*.yml",
      act: (file) => {
        symlinkSync("two", file("next"));
        renameSync(file("next"), file("current"));
      },
    },
  ];
  for (const { name, origin, act } of cases) {
    it(`tells a change when ${name}`, async () => {
      const file = (path: string) => join(dir, path);
      writeFileSync(file("a.yml"), "text");
      for (const folder of ["one", "two"]) {
        mkdirSync(file(folder));
        writeFileSync(file(`${folder}/rules.yml`), "text");
      }
      symlinkSync("one", file("current"));
      const told = await watch(file(origin));
      act(file);
      await until("the change", () => (told.changes > 0) || undefined);
    });
  }

  it("tells nothing when other files of a folder change", async () => {
    writeFileSync(join(dir, "a.yml"), "text");
    const told = await watch(dir, join(dir, "*.yml"));
    writeFileSync(join(dir, "notes.txt"), "text");
    writeFileSync(join(dir, "a.yml.previous"), "text");
    const looks = told.looks;
    await until("three more looks", () => (told.looks >= looks + 3) || undefined);
    assert.equal(told.changes, 0);
  });

  it("tells nothing when a file is gone for one look and comes back as it was", async () => {
    const [file, aside] = [join(dir, "a.yml"), join(dir, "aside")];
    writeFileSync(file, "text");
    let looks = 0;
    let changes = 0;
    stop = watchFiles(
      () => {
        looks++;
        if (looks === 2) renameSync(file, aside);
        if (looks === 3) renameSync(aside, file);
        return [join(dir, "*.yml")];
      },
      () => changes++,
      50,
    );
    await until("two looks after it is back", () => looks >= 5 || undefined);
    assert.equal(changes, 1, "that of the first look");
  });
});
