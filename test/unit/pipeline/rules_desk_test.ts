import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { diskFiles } from "../../../src/config/files.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Fault } from "../../../src/core/errors.ts";
import { type ReadConfig, RulesDesk } from "../../../src/pipeline/rules_desk.ts";

const rules = (name: string, topic = "logs") =>
  `rules:\n  - name: ${name}\n    regex: ".*"\n    actions: [{ type: forward, topic: ${topic} }]\n`;

describe("RulesDesk", () => {
  let dir: string;
  let swaps: { version: number; names: string[] }[];
  let workersRefuse: Fault[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "corndog-desk-"));
    swaps = [];
    workersRefuse = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function desk(
    config = "rules: [rules.yml]\n",
    files: Record<string, string> = { "rules.yml": rules("one") },
  ): RulesDesk {
    writeFileSync(join(dir, "corndog.yml"), config);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    const readConfig: ReadConfig = (edited) =>
      loadConfig({
        cwd: dir,
        env: {},
        files: edited === undefined
          ? diskFiles
          : { ...diskFiles, read: (path) => path === edited.path ? edited.text : diskFiles.read(path) },
      });
    const loaded = readConfig();
    assert.ok(loaded.ok, JSON.stringify(loaded));
    return new RulesDesk(loaded.config, "0.0.0", readConfig, (version, ruleSet) => {
      swaps.push({ version, names: ruleSet.rules.map((rule) => (rule.value as { name: string }).name) });
      return Promise.resolve(workersRefuse);
    }, { swapped: () => {}, refused: () => {} });
  }

  it("put() with a base swaps only where neither the rules in force nor the file is another by now", async () => {
    const it = desk();
    const etag = () => it.view().files[0]!.etag;
    const base = etag();
    assert.ok((await it.put(rules("two"), undefined, base)).ok);
    assert.notEqual(etag(), base);
    const late = await it.put(rules("three"), undefined, base);
    assert.ok("conflict" in late && /version 2 is in force/.test(late.conflict), JSON.stringify(late));
    writeFileSync(join(dir, "rules.yml"), rules("by hand"));
    const beside = await it.put(rules("three"), undefined, etag());
    assert.ok(
      "conflict" in beside && /rules\.yml" has changed/.test(beside.conflict),
      JSON.stringify(beside),
    );
    assert.equal(it.version, 2);
    assert.match(readFileSync(join(dir, "rules.yml"), "utf8"), /by hand/);
    await it.reload();
    assert.ok((await it.put(rules("three"), undefined, etag())).ok);
  });

  it("put() with a base knows a file with secrets by what is shown of it", async () => {
    const it = desk(
      `kafka:\n  sasl: { mechanism: plain, username: u, password: s3cret }\n  brokers: [a:1]\n${
        rules("one")
      }`,
      {},
    );
    const [file] = it.view().files;
    assert.match(file!.text, /\*\*\*/);
    assert.ok((await it.put(file!.text.replace("name: one", "name: two"), undefined, file!.etag)).ok);
    assert.match(readFileSync(join(dir, "corndog.yml"), "utf8"), /s3cret[^]*name: two/);
  });

  it("put() keeps the text, and shows it, where there is no file", async () => {
    const it = desk("{}\n", {});
    const { text, etag } = it.view().unsaved!;
    assert.equal(text, "");
    assert.ok((await it.put(rules("two"), undefined, etag)).ok);
    assert.equal(it.view().unsaved!.text, rules("two"));
    assert.ok("conflict" in await it.put(rules("three"), undefined, etag));
  });

  it("put() swaps, writes the file and keeps the former one", async () => {
    const it = desk();
    const result = await it.put(rules("two"));
    assert.deepEqual(result, { ok: true, version: 2, rules: 1, tests: 0 });
    assert.deepEqual(swaps, [{ version: 2, names: ["two"] }]);
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("two"));
    assert.equal(readFileSync(join(dir, "rules.yml.previous"), "utf8"), rules("one"));
  });

  it("put() changes nothing when the text has a fault, and names its line", async () => {
    const it = desk();
    const result = await it.put(rules("two").replace("forward", "forwrd"));
    assert.ok(!result.ok);
    assert.equal(result.faults[0]!.line, 4);
    assert.deepEqual(swaps, []);
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("one"));
    assert.deepEqual(it.view().names, ["one"]);
    assert.equal(it.view().last_error?.faults.length, result.faults.length);
  });

  it("put() and reload() name faults of shape and of compilation at once, in order", async () => {
    const it = desk();
    const text = rules("two").replace('".*"', '"("') + "  - 7\n" +
      rules("three").replace("rules:\n", "").replace(": logs", ': "{{nope}}"');
    const put = await it.put(text);
    writeFileSync(join(dir, "rules.yml"), text);
    const reloaded = await it.reload();
    for (const result of [put, reloaded]) {
      assert.ok(!result.ok);
      assert.deepEqual(result.faults.map(({ line, path }) => [line, path]), [
        [3, "rules.0.regex"],
        [5, "rules.1"],
        [8, "rules.2.actions.0.topic"],
      ]);
    }
  });

  it("watched has the files of a configuration that was refused, so that mending them is noticed", async () => {
    const it = desk();
    writeFileSync(join(dir, "other.yml"), "rules: 3");
    writeFileSync(join(dir, "corndog.yml"), "rules: [rules.yml, other.yml]\n");
    assert.ok(!(await it.reload()).ok);
    assert.ok(it.watched.includes(join(dir, "other.yml")));
    writeFileSync(join(dir, "corndog.yml"), "rules: [rules.yml]\n");
    assert.ok((await it.reload()).ok);
    assert.deepEqual(it.watched, [join(dir, "rules.yml")]);
  });

  it("put() changes nothing when a test in the file fails", async () => {
    const it = desk();
    const result = await it.put(
      `${rules("two")}tests:\n  - name: t\n    input: x\n    expect: [{ topic: other }]\n`,
    );
    assert.ok(!result.ok);
    assert.match(result.faults[0]!.message, /other/);
    assert.deepEqual(swaps, []);
  });

  it("put() leaves the file alone when a worker refuses", async () => {
    const it = desk();
    workersRefuse = [{ file: "", line: 0, column: 0, path: "", message: "Worker 1 did not answer" }];
    const result = await it.put(rules("two"));
    assert.ok(!result.ok);
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("one"));
    assert.equal(it.version, 1);
  });

  it("put() asks which file when several are loaded, and takes one by name", async () => {
    const it = desk("rules: [a.yml, b.yml]\n", { "a.yml": rules("a"), "b.yml": rules("b") });
    const unclear = await it.put(rules("c"));
    assert.ok(!unclear.ok);
    assert.match(unclear.faults[0]!.message, /file=/);
    const put = await it.put(rules("c"), "b.yml");
    assert.ok(put.ok);
    assert.deepEqual(it.view().names, ["a", "c"]);
  });

  it("put() takes no rules when [] is written, and refuses what only looks like it", async () => {
    const it = desk();
    for (const text of ["", "# none\n", "rules:\n", "rules: ~\n", "rules:\n  # - regex: x\n"]) {
      const put = await it.put(text);
      assert.ok(!put.ok, text);
      assert.match(put.faults[0]!.message, /write rules: \[\]/);
    }
    assert.deepEqual(it.view().names, ["one"]);
    assert.ok((await it.put("rules: []\n")).ok);
    assert.deepEqual(it.view().names, []);
  });

  it("put() names the files that fit when a name fits several, and changes none", async () => {
    for (const folder of ["a", "b"]) mkdirSync(join(dir, folder));
    const it = desk("rules: [a/x.yml, b/x.yml]\n", { "a/x.yml": rules("a"), "b/x.yml": rules("b") });
    const unclear = await it.put(rules("c"), "x.yml");
    assert.ok(!unclear.ok);
    assert.match(unclear.faults[0]!.message, /several.*a\/x\.yml, .*b\/x\.yml/);
    assert.ok((await it.put(rules("c"), "b/x.yml")).ok);
    assert.deepEqual(it.view().names, ["a", "c"]);
  });

  it("put() into a configuration changes its rules and nothing else", async () => {
    const config =
      `kafka: { brokers: ["k:9092"], sasl: { mechanism: plain, username: u, password: hush } }\n${
        rules("inline")
      }`;
    const it = desk(config, {});
    assert.ok(!it.view().files[0]!.text.includes("hush"));
    const result = await it.put(rules("two"));
    assert.ok(result.ok, JSON.stringify(result));
    const written = readFileSync(join(dir, "corndog.yml"), "utf8");
    assert.ok(written.includes("hush"));
    assert.ok(written.includes("name: two") && !written.includes("name: inline"));
  });

  it("rollback() puts the replaced text back, and a second one undoes it", async () => {
    const it = desk();
    await it.put(rules("two"));
    assert.deepEqual(await it.rollback(), { ok: true, version: 3, rules: 1, tests: 0 });
    assert.deepEqual(it.view().names, ["one"]);
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("one"));
    assert.equal(readFileSync(join(dir, "rules.yml.previous"), "utf8"), rules("two"));
    await it.rollback();
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("two"));
    assert.deepEqual(swaps.map(({ names }) => names[0]), ["two", "one", "two"]);
  });

  it("rollback() says why when nothing was replaced, or nothing is loaded", async () => {
    const none = await desk().rollback();
    assert.ok("conflict" in none);
    assert.match(none.conflict, /rules\.yml.*PUT/);
    const inline = await desk("sink: blackhole\n", {}).rollback();
    assert.ok("conflict" in inline);
    assert.match(inline.conflict, /No rule file is loaded/);
    const same = desk();
    writeFileSync(join(dir, "rules.yml.previous"), rules("one"));
    const again = await same.rollback();
    assert.ok("conflict" in again);
    assert.match(again.conflict, /in force/);
    assert.deepEqual(swaps, []);
  });

  it("rollback() changes nothing when the former text has faults or a worker refuses, and keeps it", async () => {
    const it = desk();
    await it.put(rules("two"));
    workersRefuse = [{ file: "", line: 0, column: 0, path: "", message: "Worker 1 did not answer" }];
    assert.equal((await it.rollback()).ok, false);
    assert.equal(readFileSync(join(dir, "rules.yml"), "utf8"), rules("two"));
    assert.equal(readFileSync(join(dir, "rules.yml.previous"), "utf8"), rules("one"));
    workersRefuse = [];
    writeFileSync(join(dir, "rules.yml.previous"), "rules: 3");
    const faulty = await it.rollback();
    assert.ok(!faulty.ok && "faults" in faulty);
    assert.equal(readFileSync(join(dir, "rules.yml.previous"), "utf8"), "rules: 3");
    assert.deepEqual(readdirSync(dir).sort(), ["corndog.yml", "rules.yml", "rules.yml.previous"]);
  });

  it("rollback() of rules in a configuration leaves its other keys alone", async () => {
    const it = desk(`sink: blackhole\n${rules("inline")}`, {});
    await it.put(rules("two"));
    const file = join(dir, "corndog.yml");
    writeFileSync(file, readFileSync(file, "utf8").replace("blackhole", "stdout"));
    assert.ok((await it.rollback()).ok);
    const written = readFileSync(file, "utf8");
    assert.ok(written.includes("sink: stdout") && written.includes("name: inline"), written);
  });

  it("reload() puts in force what the files say, and names them as the source", async () => {
    const it = desk();
    writeFileSync(join(dir, "rules.yml"), rules("two"));
    assert.deepEqual(await it.reload(), { ok: true, version: 2, rules: 1, tests: 0 });
    assert.deepEqual(swaps, [{ version: 2, names: ["two"] }]);
    assert.equal(it.view().source, join(dir, "rules.yml"));
  });

  it("reload() does not put older rules back when it was asked before a PUT had written its file", async () => {
    const it = desk();
    const [put, reloaded] = await Promise.all([it.put(rules("two")), it.reload()]);
    assert.ok(put.ok && reloaded.ok);
    assert.deepEqual(swaps.map(({ names }) => names), [["two"]]);
    assert.deepEqual(it.view().names, ["two"]);
  });

  it("reload() does nothing when the files say what is in force", async () => {
    const it = desk();
    const same = await it.reload();
    assert.deepEqual(same, { ok: true, version: 1, rules: 1, tests: 0 });
    assert.deepEqual(swaps, []);
  });

  it("reload() keeps the fault of a refused PUT and forgets that of a file which was mended", async () => {
    const it = desk();
    await it.put("rules: 3");
    await it.reload();
    assert.notEqual(it.view().last_error, undefined);
    writeFileSync(join(dir, "rules.yml"), "rules: 4");
    assert.ok(!(await it.reload()).ok);
    assert.match(it.view().last_error!.faults[0]!.message, /wants a list/);
    writeFileSync(join(dir, "rules.yml"), rules("one"));
    await it.reload();
    assert.equal(it.view().last_error, undefined);
    assert.equal(it.version, 1);
  });

  const origins = [
    { name: "a pattern", config: 'rules: ["*.rules.yml"]\n', file: "a.rules.yml" },
    { name: "a folder", config: "rules: [sub]\n", file: "sub/a.yml" },
  ];
  for (const { name, config, file } of origins) {
    it(`reload() refuses when ${name} matches no file any more, and takes one that appears`, async () => {
      mkdirSync(join(dir, "sub"));
      const it = desk(config, { [file]: rules("one") });
      rmSync(join(dir, file));
      const gone = await it.reload();
      assert.ok(!gone.ok);
      assert.match(gone.faults[0]!.message, /no file matches any more.*rules: \[\]/);
      assert.deepEqual(it.view().names, ["one"]);
      assert.deepEqual(it.view().last_error?.faults, gone.faults);
      const put = await it.put(rules("two"));
      assert.ok(!put.ok);
      assert.deepEqual(swaps, []);

      const added = join(dir, file.replace("a.", "b."));
      writeFileSync(added, rules("three"));
      assert.ok((await it.reload()).ok);
      assert.deepEqual(it.view().names, ["three"]);
      assert.equal(it.view().last_error, undefined);
    });

    it(`reload() takes no rules when the only file of ${name} says so, or the name is taken out`, async () => {
      mkdirSync(join(dir, "sub"));
      const it = desk(config, { [file]: rules("one") });
      writeFileSync(join(dir, file), "rules: []\n");
      assert.ok((await it.reload()).ok);
      assert.deepEqual(it.view().names, []);
      rmSync(join(dir, file));
      assert.ok(!(await it.reload()).ok);
      writeFileSync(join(dir, "corndog.yml"), "sink: blackhole\n");
      assert.ok((await it.reload()).ok);
      assert.deepEqual(it.watched, []);
    });

    it(`watched has ${name} and the files that come from it`, () => {
      mkdirSync(join(dir, "sub"));
      const it = desk(config, { [file]: rules("one") });
      const origin = file.includes("/") ? "sub" : "*.rules.yml";
      assert.deepEqual(it.watched, [join(dir, file), join(dir, origin)]);
    });
  }

  it("check() tells faults and swaps nothing", async () => {
    const it = desk();
    assert.ok((await it.check(rules("two"))).ok);
    assert.ok(!(await it.check("rules: 3")).ok);
    assert.deepEqual(swaps, []);
    assert.equal(it.view().last_error, undefined);
  });
});
