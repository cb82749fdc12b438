import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { diskFiles, filesNamed } from "../../../src/config/files.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-files-"));
after(() => rmSync(dir, { recursive: true }));
mkdirSync(join(dir, "sub"));
for (const name of ["b.yml", "a.yml", "c.yaml", "notes.txt", ".hidden.yml", "sub/d.yml"]) {
  writeFileSync(join(dir, name), "");
}
symlinkSync("loop.yml", join(dir, "loop.yml"));

const cases: { name: string; path: string; want: string[] }[] = [
  { name: "a file is named, there or not", path: "absent.yml", want: ["absent.yml"] },
  { name: "a folder is named", path: "", want: ["a.yml", "b.yml", "loop.yml", "c.yaml"] },
  { name: "a pattern is named", path: "?.yml", want: ["a.yml", "b.yml"] },
  { name: "a pattern goes into folders", path: "**/d.yml", want: ["sub/d.yml"] },
  { name: "a link leads to itself", path: "loop.yml", want: ["loop.yml"] },
  { name: "a pattern leads through a file", path: "a.yml/*.yml", want: [] },
];
for (const { name, path, want } of cases) {
  test(`filesNamed() gives what is meant and does not throw when ${name}`, () => {
    assert.deepEqual(filesNamed(diskFiles, join(dir, path)), want.map((file) => join(dir, file)));
  });
}

test("diskFiles says that a link which leads to itself is absent", () => {
  assert.equal(diskFiles.exists(join(dir, "loop.yml")), false);
  assert.equal(diskFiles.isFolder(join(dir, "loop.yml")), false);
});
