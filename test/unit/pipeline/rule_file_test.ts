import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readPrevious, stageRuleFile } from "../../../src/pipeline/rule_file.ts";

describe("stageRuleFile()", () => {
  let dir: string;
  let file: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-rule-file-"));
    file = join(dir, "r.yml");
    writeFileSync(file, "old");
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const modeOf = (path: string) => statSync(path).mode & 0o7777;

  async function replace(path: string, text: string): Promise<void> {
    const staged = await stageRuleFile(path, text);
    assert.ok(staged.ok, JSON.stringify(staged));
    await staged.commit();
  }

  for (const mode of [0o600, 0o640, 0o644, 0o666]) {
    it(`keeps mode ${mode.toString(8)}, also of what it keeps and stages`, async () => {
      chmodSync(file, mode);
      const staged = await stageRuleFile(file, "new");
      assert.ok(staged.ok);
      assert.equal(modeOf(`${file}.new`), mode);
      await staged.commit();
      assert.equal(modeOf(file), mode);
      assert.equal(modeOf(`${file}.previous`), mode);
      assert.equal(readFileSync(file, "utf8"), "new");
      assert.equal(await readPrevious(file), "old");
    });
  }

  it("does not take the mode of what an earlier process left behind", async () => {
    chmodSync(file, 0o600);
    for (const name of [`${file}.new`, `${file}.previous`, `${file}.previous.new`]) {
      writeFileSync(name, "left");
      chmodSync(name, 0o666);
    }
    await replace(file, "new");
    assert.equal(modeOf(file), 0o600);
    assert.equal(modeOf(`${file}.previous`), 0o600);
    assert.deepEqual(readdirSync(dir).sort(), ["r.yml", "r.yml.previous"]);
  });

  it("replaces what a symbolic link points to, and leaves the link", async () => {
    const link = join(dir, "etc", "link.yml");
    mkdirSync(join(dir, "etc"));
    symlinkSync("../r.yml", link);
    await replace(link, "new");
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(readlinkSync(link), "../r.yml");
    assert.equal(readFileSync(file, "utf8"), "new");
    assert.ok(!lstatSync(file).isSymbolicLink());
    assert.deepEqual(readdirSync(join(dir, "etc")), ["link.yml"]);
    assert.equal(await readPrevious(link), "old");
  });

  it("does not write through a symbolic link that stands where the new text goes", async () => {
    const victim = join(dir, "victim");
    writeFileSync(victim, "mine");
    symlinkSync(victim, `${file}.new`);
    await replace(file, "new");
    assert.equal(readFileSync(victim, "utf8"), "mine");
    assert.ok(!lstatSync(file).isSymbolicLink());
  });

  it(
    "keeps the owner where the process may give files away",
    { skip: process.getuid?.() !== 0 },
    async () => {
      chownSync(file, 12345, 54321);
      await replace(file, "new");
      for (const path of [file, `${file}.previous`]) {
        const { uid, gid } = statSync(path);
        assert.deepEqual([uid, gid], [12345, 54321]);
      }
    },
  );

  it("discard() leaves everything as it was", async () => {
    writeFileSync(`${file}.previous`, "older");
    const staged = await stageRuleFile(file, "new");
    assert.ok(staged.ok);
    await staged.discard();
    assert.deepEqual(readdirSync(dir).sort(), ["r.yml", "r.yml.previous"]);
    assert.equal(readFileSync(file, "utf8"), "old");
    assert.equal(await readPrevious(file), "older");
  });

  it("says why and leaves nothing when it cannot write", async () => {
    mkdirSync(`${file}.new`);
    const staged = await stageRuleFile(file, "new");
    assert.ok(!staged.ok);
    assert.match(staged.message, /^Cannot write rule file ".*r\.yml": .*; nothing was changed$/);
    assert.deepEqual(readdirSync(dir).sort(), ["r.yml", "r.yml.new"]);
    assert.equal((await stageRuleFile(join(dir, "absent.yml"), "new")).ok, false);
  });
});
