/**
 * install.sh against a server on this machine, in the shells that people have: a good release, and every way in which
 * one can be bad. The binary is a shell script that knows its version, so that nothing large is moved about.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "corndog-install-"));
/** Copied away from the checkout, as curl would bring it. */
const script = join(work, "install.sh");
const target = "linux-x64";

/** Files of the server by path, or what it does instead of answering. */
const files = new Map<string, Uint8Array | string | ((response: ServerResponse) => void)>();
let server: Server;
let base: string;

before(async () => {
  writeFileSync(script, readFileSync(join(root, "install.sh")));
  server = createServer((request, response) => {
    const file = files.get(request.url!);
    if (typeof file === "function") return file(response);
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(work, { recursive: true, force: true });
});

/** A release whose binary is `program`; the archive has what the tools of this machine make. */
function release(version: string, place: string, program: string, forms = ["gz", "xz"]): void {
  const name = `corndog-${version}-${target}`;
  const dir = mkdtempSync(join(work, "release-"));
  mkdirSync(join(dir, name));
  writeFileSync(join(dir, name, "corndog"), program, { mode: 0o755 });
  let sums = "";
  for (const form of forms) {
    const file = `${name}.tar.${form}`;
    const done = spawnSync("tar", ["-c", form === "gz" ? "-z" : "-J", "-f", file, name], { cwd: dir });
    assert.equal(done.status, 0, String(done.stderr));
    const bytes = readFileSync(join(dir, file));
    files.set(`/${place}/${file}`, bytes);
    sums += `${createHash("sha256").update(bytes).digest("hex")}  ${file}\n`;
  }
  files.set(`/${place}/SHA256SUMS`, sums);
}

const programOf = (version: string) => `#!/bin/sh\necho "corndog ${version}"\n`;

interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the script, and waits: the server lives in this process. */
function install(
  shell: readonly string[],
  args: readonly string[],
  environment: Record<string, string> = {},
) {
  const [program, ...first] = shell;
  const child = spawn(placeOf(program!), [...first, script, ...args], {
    cwd: work,
    env: { PATH: process.env.PATH!, HOME: join(work, "home"), CORNDOG_BASE_URL: base, ...environment },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => stdout += data);
  child.stderr.on("data", (data) => stderr += data);
  const done = new Promise<Done>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  return { child, done };
}

/** Where this machine has a program, whatever PATH a test then gives. */
function placeOf(program: string): string {
  return spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
}

/** A PATH of links to the named programs only. */
function pathOf(...programs: string[]): string {
  const dir = mkdtempSync(join(work, "path-"));
  for (const program of programs) {
    const found = placeOf(program);
    if (found !== "") symlinkSync(found, join(dir, program));
  }
  return dir;
}

const tools = [
  ..."uname sysctl mkdir rm rmdir mv cp ln chmod sed head tr cut tar gzip dirname cat id grep sh sleep".split(
    " ",
  ),
  "sha256sum",
];

const shells: readonly (readonly string[])[] = [["dash"], ["busybox", "sh"], ["bash", "--posix"]];

for (const shell of shells) {
  describe(`install.sh in ${shell.join(" ")}`, () => {
    let dir: string;
    const run = (...args: string[]) => install(shell, ["--dir", dir, "--target", target, ...args]).done;
    const installed = () => spawnSync(join(dir, "corndog"), ["version"], { encoding: "utf8" }).stdout.trim();

    beforeEach(() => {
      dir = mkdtempSync(join(work, "bin-"));
      files.clear();
      release("1.2.3", "latest/download", programOf("1.2.3"));
    });

    it("installs the latest release, says how to call it, and leaves nothing else", async () => {
      const { code, stdout, stderr } = await run();
      assert.equal(code, 0, stderr);
      assert.equal(installed(), "corndog 1.2.3");
      assert.deepEqual(readdirSync(dir), ["corndog"]);
      assert.match(stdout, /installed corndog 1\.2\.3/);
      assert.match(stdout, /export PATH=/);
    });

    it("installs the release that is named, keeps the old one, and goes back to it", async () => {
      assert.equal((await run()).code, 0);
      release("1.3.0-rc.1", "download/v1.3.0-rc.1", programOf("1.3.0-rc.1"));
      const { code, stderr } = await run("--version", "1.3.0-rc.1");
      assert.equal(code, 0, stderr);
      assert.equal(installed(), "corndog 1.3.0-rc.1");
      assert.deepEqual(readdirSync(dir).sort(), ["corndog", "corndog.previous"]);
      assert.equal((await run("--rollback")).code, 0);
      assert.equal(installed(), "corndog 1.2.3");
      assert.equal((await run("--rollback")).code, 0);
      assert.equal(installed(), "corndog 1.3.0-rc.1");
    });

    it("refuses an archive that somebody changed, and touches nothing", async () => {
      assert.equal((await run()).code, 0);
      release("2.0.0", "latest/download", programOf("2.0.0"));
      for (const [path, file] of files) {
        if (!path.includes("2.0.0") || !(file instanceof Uint8Array)) continue;
        const changed = new Uint8Array(file);
        changed[changed.length >> 1]! ^= 1;
        files.set(path, changed);
      }
      const { code, stderr } = await run();
      assert.equal(code, 1);
      assert.match(stderr, /is not what the release says it is/);
      assert.match(stderr, /expected SHA-256 [0-9a-f]{64}\n\s+got\s+SHA-256 [0-9a-f]{64}/);
      assert.equal(installed(), "corndog 1.2.3");
      assert.deepEqual(readdirSync(dir), ["corndog"]);
    });

    it("refuses an archive that is cut off", async () => {
      for (const [path, file] of files) if (file instanceof Uint8Array) files.set(path, file.subarray(0, 99));
      const { code, stderr } = await run();
      assert.equal(code, 1);
      assert.match(stderr, /is not what the release says it is/);
      assert.deepEqual(readdirSync(dir), []);
    });

    it("refuses a binary that does not run, and keeps the old one", async () => {
      assert.equal((await run()).code, 0);
      release("2.0.0", "latest/download", "#!/bin/sh\necho no such instruction >&2\nexit 1\n");
      const { code, stderr } = await run();
      assert.equal(code, 1);
      assert.match(stderr, /the new binary does not run here\n\s+no such instruction/);
      assert.equal(installed(), "corndog 1.2.3");
      assert.deepEqual(readdirSync(dir), ["corndog"]);
    });

    it("names the targets that there are when this one is missing", async () => {
      const { code, stderr } = await run("--target", "darwin-arm64");
      assert.equal(code, 1);
      assert.match(stderr, /no binary for darwin-arm64\n\s+It has: linux-x64/);
      assert.match(stderr, /--from-source/);
      assert.deepEqual(readdirSync(dir), []);
    });

    it("says so when there is no such release", async () => {
      const { code, stderr } = await run("--version", "9.9.9");
      assert.equal(code, 1);
      assert.match(stderr, /download\/v9\.9\.9\/SHA256SUMS.*\n.*is there a release 9\.9\.9/);
    });

    it("does nothing with --dry-run", async () => {
      const { code, stdout, stderr } = await run("--dry-run");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /would download corndog for linux-x64/);
      assert.deepEqual(readdirSync(dir), []);
    });

    it("takes wget where there is no curl, and gzip where there is no xz", async () => {
      const words = ["--dir", dir, "--target", target];
      const { code, stderr } = await install(shell, words, { PATH: pathOf(...tools, "wget") }).done;
      assert.equal(code, 0, stderr);
      assert.deepEqual(readdirSync(dir), ["corndog"]);
    });

    it("refuses a directory that cannot be written to", async () => {
      // Root may write anywhere but to a disk that is mounted so.
      const place = process.getuid!() === 0 ? "/proc/corndog" : join(dir, "closed");
      if (place.startsWith(dir)) {
        mkdirSync(place);
        chmodSync(place, 0o500);
      }
      const { code, stderr } = await run("--dir", place);
      assert.equal(code, 1);
      assert.match(stderr, /cannot write to .*\n.*--dir DIR/);
    });

    it("leaves the old binary and no rest when it is interrupted", async () => {
      assert.equal((await run()).code, 0);
      let asked = false;
      for (const path of files.keys()) {
        if (path.includes(".tar.")) {
          files.set(path, (response) => {
            asked = true;
            response.write("x");
          });
        }
      }
      const { child, done } = install(shell, ["--dir", dir, "--target", target]);
      await until("the download", () => asked || undefined);
      // As a terminal does it: to the script and to the download.
      for (const pid of childrenOf(child.pid!)) process.kill(pid, "SIGTERM");
      process.kill(child.pid!, "SIGTERM");
      assert.notEqual((await done).code, 0);
      assert.equal(installed(), "corndog 1.2.3");
      assert.deepEqual(readdirSync(dir), ["corndog"]);
    });

    it("removes what it installed with --uninstall", async () => {
      assert.equal((await run()).code, 0);
      assert.equal((await run()).code, 0);
      const { code, stdout } = await run("--uninstall");
      assert.equal(code, 0);
      assert.match(stdout, /configuration and data stay/);
      assert.deepEqual(readdirSync(dir), []);
      assert.match((await run("--uninstall")).stdout, /there is no /);
    });

    it("does nothing when only its first half arrives", () => {
      const text = readFileSync(script, "utf8");
      for (const part of [0.1, 0.5, 0.9]) {
        const half = text.slice(0, Math.floor(text.length * part));
        const [program, ...first] = shell;
        spawnSync(program!, [...first, "-s", "--", "--dir", dir], {
          input: half,
          env: { PATH: process.env.PATH! },
        });
        assert.deepEqual(readdirSync(dir), []);
      }
    });
  });
}

describe("install.sh", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(work, "bin-"));
    files.clear();
    release("1.2.3", "latest/download", programOf("1.2.3"));
  });
  const run = (args: readonly string[], environment?: Record<string, string>) =>
    install(["sh"], ["--dir", dir, "--target", target, ...args], environment).done;

  it("says what is missing where there is neither curl nor wget", async () => {
    const { code, stderr } = await run([], { PATH: pathOf(...tools) });
    assert.equal(code, 1);
    assert.match(stderr, /neither curl nor wget/);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("takes the gzip archive of a release without xz", async () => {
    files.clear();
    release("1.2.3", "latest/download", programOf("1.2.3"), ["gz"]);
    const { code, stderr } = await run([]);
    assert.equal(code, 0, stderr);
  });

  it("refuses to download over plain http from another host", async () => {
    const { code, stderr } = await run(["--base-url", "http://corndog.example"]);
    assert.equal(code, 1);
    assert.match(stderr, /Only https:\/\/ is safe/);
  });

  it("says where a release could come from when none is named and it lies in no checkout", async () => {
    const { code, stderr } = await run([], { CORNDOG_BASE_URL: "" });
    assert.equal(code, 1);
    assert.match(stderr, /--base-url URL or CORNDOG_BASE_URL, or clone/);
  });

  it("leaves no directory that it made for nothing", async () => {
    files.clear();
    const { code } = await run(["--dir", join(dir, "of its/own")]);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("--systemd changes nothing where there is no systemd", async () => {
    const without = pathOf(...tools, "curl");
    const { code, stderr } = await run(["--systemd"], { PATH: without });
    assert.equal(code, 1);
    assert.match(stderr, process.getuid!() === 0 ? /no systemd here\n.*without --systemd/ : /needs root/);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("puts the binary into ~/.local/bin by default", async () => {
    const home = mkdtempSync(join(work, "home-"));
    const { code, stderr } = await install(["sh"], ["--target", target], { HOME: home }).done;
    assert.equal(code, 0, stderr);
    assert.ok(existsSync(join(home, ".local/bin/corndog")));
    assert.deepEqual(readdirSync(home), [".local"], "no shell file is written");
  });

  it("asks for a directory where there is no HOME", async () => {
    const { code, stderr } = await install(["sh"], ["--target", target], { HOME: "" }).done;
    assert.equal(code, 1);
    assert.match(stderr, /no HOME\n.*--dir DIR/);
  });

  it("--systemd says what it would do for the service", async () => {
    const { code, stdout, stderr } = await run(["--systemd", "--dry-run"]);
    assert.equal(code, 0, stderr);
    for (
      const part of [
        "useradd --system",
        "/etc/corndog/corndog.yml",
        "would write /etc/systemd/system/corndog.service",
        "systemctl enable",
      ]
    ) {
      assert.ok(stdout.includes(part), part);
    }
  });

  it("--systemd refuses a path that a unit cannot have", async () => {
    const { code, stderr } = await run(["--systemd", "--dry-run", "--dir", join(dir, "a b")]);
    assert.equal(code, 1);
    assert.match(stderr, /would not understand the path .*a b/);
  });

  const misuses: [string[], RegExp][] = [
    [["--versoin", "1"], /unknown option --versoin/],
    [["--version"], /--version needs a value/],
    [["--version", "../../etc"], /is no version/],
    [["--purge"], /--purge is for --uninstall/],
    [["--duration", "5s"], /--duration is for --demo/],
    [["--from-source", "--version", "1.0.0"], /--version is for releases/],
  ];
  for (const [args, message] of misuses) {
    it(`answers 2 to ${args.join(" ")}`, async () => {
      const { code, stderr } = await run(args);
      assert.equal(code, 2);
      assert.match(stderr, message);
      assert.match(stderr, /usage: sh install\.sh/);
    });
  }

  it("finds the target of another machine by what uname and its C library say", async () => {
    const fake = pathOf(...tools, "curl");
    rmSync(join(fake, "uname"));
    for (const [said, expected] of [["Linux aarch64", "linux-arm64"], ["Darwin arm64", "darwin-arm64"]]) {
      const [system, machine] = said!.split(" ");
      writeFileSync(join(fake, "uname"), `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${machine}\n`, {
        mode: 0o755,
      });
      const { stdout } = await install(["sh"], ["--dir", dir, "--dry-run"], { PATH: fake }).done;
      assert.ok(stdout.includes(`for ${expected} `), stdout);
    }
    writeFileSync(join(fake, "uname"), "#!/bin/sh\necho Plan9\n", { mode: 0o755 });
    const { code, stderr } = await install(["sh"], ["--dir", dir], { PATH: fake }).done;
    assert.equal(code, 1);
    assert.match(stderr, /does not run on Plan9/);
  });
});

/** Processes that this one started and that still run. */
function childrenOf(pid: number): number[] {
  return spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" }).stdout.trim().split(
    /\s+/,
  )
    .filter((text) => text !== "").map(Number);
}
