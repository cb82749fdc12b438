/**
 * Completions and man page, read by the programs that they are for.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { allCommands } from "../../src/cli/cli.ts";
import { completionScript } from "../../src/cli/completion.ts";
import { manPage } from "../../src/cli/man_page.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-shells-"));
after(() => rmSync(dir, { recursive: true }));

function run(program: string, args: readonly string[], input = ""): string {
  const done = spawnSync(program, args, { input, encoding: "utf8", timeout: 20_000 });
  assert.equal(done.status, 0, `${program}: ${done.error?.message ?? done.stderr}`);
  assert.equal(done.stderr, "");
  return done.stdout;
}

function written(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

describe("completionScript()", () => {
  it("completes commands, options and files in bash", () => {
    const script = written("corndog.bash", completionScript("bash", allCommands));
    const complete = (...words: string[]) =>
      run("bash", [
        "-c",
        `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${
          words.length - 1
        }; _corndog; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ]).trim().split("\n");
    assert.deepEqual(complete("corndog", "che"), ["check"]);
    assert.deepEqual(complete("corndog", "check", "--pr"), ["--print"]);
    assert.deepEqual(complete("corndog", "run", "-c", join(dir, "corndog.b")), [script]);
    const all = complete("corndog", "");
    for (const { name } of allCommands) assert.ok(all.includes(name), name);
  });

  it("is read by zsh without a complaint", () => {
    const script = written("_corndog", completionScript("zsh", allCommands));
    run("zsh", ["-f", "-n", script]);
    run("zsh", [
      "-f",
      "-c",
      `autoload -Uz compinit; compinit -D; source ${script}; [ -n "$_comps[corndog]" ]`,
    ]);
  });

  it("completes commands and options in zsh, as they are typed", () => {
    const script = written("_corndog_typed", completionScript("zsh", allCommands));
    // A shell on a terminal of its own; each read waits for what it must show.
    const typed = written(
      "typed.zsh",
      `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='ready> '; autoload -Uz compinit; compinit -D -u; source ${script}; print loaded-\\$((1 + 1))"
zpty -r -m shell seen '*loaded-2*ready> *'
zpty -w -n shell $'corndog che\\t'
zpty -r -m shell seen '*che*ck*'
zpty -w -n shell $'--pr\\t'
zpty -r -m shell seen '*--pr*int*'
zpty -d shell
print done
`,
    );
    assert.equal(run("zsh", ["-f", typed]), "done\n");
  });

  it("completes commands and options in fish", () => {
    const script = written("corndog.fish", completionScript("fish", allCommands));
    const complete = (line: string) =>
      run("fish", ["--no-config", "-c", `source ${script}; complete -C '${line}'`]).trim().split("\n")
        .map((one) => one.split("\t")[0]);
    assert.ok(complete("corndog che").includes("check"));
    assert.ok(complete("corndog check --pr").includes("--print"));
  });
});

describe("manPage()", () => {
  it("is read by groff without a warning, and has every command and option", () => {
    const text = run("groff", ["-man", "-Tutf8", "-ww", "-P-cbou"], manPage(allCommands)).replaceAll(
      "‐",
      "-",
    );
    for (const { name, options } of allCommands) {
      assert.ok(text.includes(`corndog ${name}`), name);
      for (const option of options) assert.ok(text.includes(`--${option.name}`), option.name);
    }
  });
});
