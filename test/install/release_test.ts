/**
 * A release as tools/release.ts makes it: twice the same bytes, whole, and installed from a server on this machine.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { describeService } from "./service.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "corndog-release-"));
const target = `${process.platform}-${process.arch}`;
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const archive = `corndog-${version}-${target}.tar.gz`;
const debian = `corndog_${version}_${process.arch === "x64" ? "amd64" : "arm64"}.deb`;
/** Two builds of 120 MB on a busy machine. */
const slow = { timeout: 180_000 };

function make(outdir: string, baseUrl: string): void {
  const done = spawnSync("bun", [
    join(root, "tools/release.ts"),
    ...["--quick", "--target", target, "--outdir", outdir, "--base-url", baseUrl],
  ], { encoding: "utf8", env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000" } });
  assert.equal(done.status, 0, done.stderr);
}

function run(program: string, args: readonly string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 256 * 1024 * 1024 });
  assert.equal(done.status, 0, `${program}: ${done.error?.message ?? done.stderr}`);
  return done.stdout;
}

describe("tools/release.ts", () => {
  const first = join(work, "first");
  before(() => make(first, "https://corndog.example/releases"), slow);
  after(() => rmSync(work, { recursive: true, force: true }));

  it("gives the same archives when it runs again", slow, () => {
    const second = join(work, "second");
    make(second, "https://corndog.example/releases");
    for (const name of [archive, debian, "install.sh", `corndog-${version}.cdx.json`]) {
      assert.deepEqual(sha256(join(second, name)), sha256(join(first, name)), name);
    }
    rmSync(second, { recursive: true });
  });

  it("lists every file with its checksum", () => {
    const sums = readFileSync(join(first, "SHA256SUMS"), "utf8").trim().split("\n");
    assert.deepEqual(
      sums.map((line) => line.slice(66)).sort(),
      readdirSync(first).filter((name) => name !== "SHA256SUMS").sort(),
    );
    for (const line of sums) assert.equal(line.slice(0, 64), sha256(join(first, line.slice(66))));
  });

  it("makes an archive with binary, service, configuration, rules, man page and completions", () => {
    const names = run("tar", ["-tzf", join(first, archive)]).trim().split("\n");
    for (
      const name of [
        "corndog",
        "corndog.service",
        "corndog.socket",
        "corndog.yml",
        "corndog.1",
        "LICENSE",
        "rules/forward-all.yml",
      ]
    ) {
      assert.ok(names.includes(`corndog-${version}-${target}/${name}`), name);
    }
  });

  it("makes a Debian package that dpkg understands, whose binary runs and takes its configuration", () => {
    const path = join(first, debian);
    assert.match(run("dpkg-deb", ["--info", path]), /Package: corndog/);
    const dir = join(work, "unpacked");
    run("dpkg-deb", ["-x", path, dir]);
    assert.equal(run(join(dir, "usr/bin/corndog"), ["version"]), `corndog ${version}\n`);
    run(join(dir, "usr/bin/corndog"), ["check", "-c", join(dir, "etc/corndog/corndog.yml")]);
    assert.match(
      readFileSync(join(dir, "lib/systemd/system/corndog.service"), "utf8"),
      /ExecStart=\/usr\/bin\/corndog run/,
    );
    for (const script of ["postinst", "prerm", "postrm"]) {
      run("dpkg-deb", ["-e", path, join(work, "control")]);
      run("sh", ["-n", join(work, "control", script)]);
    }
  });

  it("names every package of the binary in the SBOM, with its licence", () => {
    const bill = JSON.parse(readFileSync(join(first, `corndog-${version}.cdx.json`), "utf8"));
    assert.equal(bill.bomFormat, "CycloneDX");
    const names = bill.components.map((one: { name: string }) => one.name);
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["bun", ...Object.keys(dependencies)]) assert.ok(names.includes(name), name);
    for (const { name, licenses } of bill.components) {
      assert.equal(licenses.length, 1, name);
      const [{ license, expression }] = licenses;
      // CycloneDX takes a list's id or an expression, and neither in the other's place.
      assert.match(license?.id ?? "", expression === undefined ? /^[A-Za-z0-9.+-]+$/ : /^$/, name);
      assert.match(expression ?? " OR ", / (AND|OR|WITH) /, name);
    }
  });

  it(
    "is installed by its own install.sh, and what is installed is the binary of the archive",
    slow,
    async () => {
      const server = createServer((request, response) => {
        const name = /^\/latest\/download\/([^/]+)$/.exec(request.url!)?.[1];
        if (name === undefined) response.writeHead(404).end();
        else response.end(readFileSync(join(first, name)));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const dir = join(work, "bin");
      try {
        const { port } = server.address() as AddressInfo;
        const child = spawn("sh", ["-s", "--", "--base-url", `http://127.0.0.1:${port}`, "--dir", dir], {
          cwd: work,
          env: { PATH: process.env.PATH!, HOME: work },
        });
        let said = "";
        child.stdout.on("data", (data) => said += data);
        child.stderr.on("data", (data) => said += data);
        child.stdin.end(readFileSync(join(first, "install.sh")));
        assert.equal(await new Promise((resolve) => child.on("close", resolve)), 0, said);
      } finally {
        server.close();
      }
      const { binaries } = JSON.parse(readFileSync(join(first, "RELEASE.json"), "utf8"));
      assert.equal(sha256(join(dir, "corndog")), binaries[0].sha256);
    },
  );

  describeService(first, debian);
});

describe("corndog.service", () => {
  it("is understood by systemd, and leaves an attacker little", () => {
    const unit = join(root, "tools/packaging/corndog.service");
    const said = run("systemd-analyze", ["security", "--offline=true", unit]);
    const exposure = Number(/Overall exposure level for \S+ ([\d.]+)/.exec(said.replaceAll(":", ""))![1]);
    assert.ok(exposure <= 2, `exposure ${exposure}`);
  });
});

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
