/**
 * The compiled binary as a thing of its own: made twice it is the same, and it runs in a directory where there is
 * nothing but itself, whatever that directory says to Bun.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "corndog-compile-"));
const binary = join(work, "corndog");
/** A build writes 120 MB; on a busy machine that takes its time. */
const slow = { timeout: 120_000 };

function compile(outfile: string, cwd: string): string {
  const done = spawnSync("bun", [join(root, "compile.ts"), "--outfile", outfile], { cwd, encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  return createHash("sha256").update(readFileSync(outfile)).digest("hex");
}

/** Runs the binary in a directory that holds only `files`, with next to no environment. */
function runAlone(args: readonly string[], files: Readonly<Record<string, string>> = {}, input = ""): {
  code: number | null;
  stdout: string;
  stderr: string;
  left: string[];
} {
  const directory = mkdtempSync(join(work, "alone-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const done = spawnSync(binary, args, {
    cwd: directory,
    input,
    encoding: "utf8",
    env: { PATH: "/nonexistent", HOME: directory },
    timeout: 30_000,
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr, left: readdirSync(directory).sort() };
}

describe("compile.ts", () => {
  let first: string;
  before(() => {
    first = compile(binary, root);
  }, slow);
  after(() => rmSync(work, { recursive: true, force: true }));

  it("gives the same bytes when it runs again, elsewhere, under another name", slow, () => {
    assert.equal(compile(join(work, "another"), tmpdir()), first);
  });

  it("gives a binary that knows its version when it is alone in a directory", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const { code, stdout, left } = runAlone(["version"]);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`\\b${version.replaceAll(".", "\\.")}\\b`));
    assert.deepEqual(left, []);
  });

  it("ignores .env when there is one in the working directory", () => {
    const { code, stdout, stderr } = runAlone(["check", "--print"], {
      ".env": "KAFKA_BROKER=from-dotenv:9092\n",
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /sink/);
    assert.doesNotMatch(stdout, /from-dotenv/);
  });

  it("ignores bunfig.toml when there is one in the working directory", () => {
    const { code, stdout } = runAlone(["version"], {
      "bunfig.toml": 'preload = ["./intruder.ts"]\n',
      "intruder.ts": 'console.log("intruder");\n',
    });
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /intruder/);
  });

  it("reads lines from standard input when told to with -", () => {
    const line = "<13>1 2026-01-02T03:04:05Z web app - - - hello from stdin";
    const rules = "rules:\n  - regex: hello\n    actions:\n      - type: forward\n        topic: greetings\n";
    const { code, stdout, stderr } = runAlone(
      ["test", "-c", "corndog.yml", "-"],
      { "corndog.yml": rules },
      `${line}\n`,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /greetings/);
  });

  const exitCodes = [
    { name: "help", args: ["--help"], want: 0 },
    { name: "an unknown command", args: ["frobnicate"], want: 2 },
    { name: "an unknown option", args: ["run", "--frobnicate"], want: 2 },
    { name: "a faulty config at check", args: ["check", "-c", "corndog.yml"], want: 1 },
    { name: "a faulty config at run", args: ["run", "-c", "corndog.yml"], want: 78 },
  ];
  for (const { name, args, want } of exitCodes) {
    it(`gives a binary that exits with ${want} for ${name}`, () => {
      const { code, stderr } = runAlone(args, { "corndog.yml": "sink: nowhere\n" });
      assert.equal(code, want, stderr);
    });
  }

  it("gives a binary whose workers run: it listens, and ends with 0 on SIGTERM", async () => {
    const directory = mkdtempSync(join(work, "alone-"));
    const config =
      "listen:\n  - syslog: tcp://127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nsink: blackhole\nworkers: 2\n";
    writeFileSync(join(directory, "corndog.yml"), config);
    const child = spawn(binary, ["run", "-c", "corndog.yml"], {
      cwd: directory,
      env: { PATH: "/nonexistent", HOME: directory, CORNDOG_LOG: "json" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const started = new Promise<boolean>((resolve) => {
      child.stderr.on("data", (data) => {
        log += data;
        if (log.includes('"started"')) resolve(true);
      });
      void ended.then(() => resolve(false));
    });
    assert.ok(await started, log);
    process.kill(child.pid!, "SIGTERM");
    assert.equal(await ended, 0, log);
  });
});
