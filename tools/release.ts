/**
 * Makes a release: archives, Debian packages, container file, SBOM, checksums, all in one directory.
 *
 *     bun tools/release.ts [--target TARGET]... [--outdir DIR] [--base-url URL] [--quick] [--record]
 *
 *     --target     default: all six, with --record this machine's
 *     --outdir     default: dist/release/v<version>, with --record dist/record
 *     --base-url   where the release will be downloaded from; written into its install.sh
 *     --quick      gzip only, at its fastest: to try things out
 *     --record     writes sizes and start-up into docs/INSTALL.md; takes two quiet minutes. No Debian package
 *
 * The same sources give the same bytes: owners, order and times in the archives are fixed, the time is that of the
 * last commit (or SOURCE_DATE_EPOCH). RELEASE.json says from what and with what it was made, and how large it is.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { ar, tar, type TarEntry } from "./archive.ts";
import { debianControl, debianScripts } from "./debian.ts";
import { sbomOf } from "./sbom.ts";
import { measureStartUp } from "./start_up.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** This machine's, if it is one of them. */
const ownTarget = `${process.platform}-${process.arch}`;
const allTargets = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
] as const;
type Target = (typeof allTargets)[number];

/** Debian's name of an architecture; only what is linked to glibc becomes a package. */
const debianArchitectures: Partial<Record<Target, string>> = { "linux-x64": "amd64", "linux-arm64": "arm64" };

interface Options {
  readonly targets: readonly Target[];
  readonly outdir: string;
  readonly baseUrl: string;
  readonly quick: boolean;
  readonly record: boolean;
}

const { version } = JSON.parse(text("package.json")) as { version: string };

function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function fail(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        target: { type: "string", multiple: true },
        outdir: { type: "string" },
        "base-url": { type: "string", default: "" },
        quick: { type: "boolean", default: false },
        record: { type: "boolean", default: false },
      },
    });
    const names = values.target ?? (values.record ? [ownTarget] : allTargets);
    const unknown = names.find((name) => !(allTargets as readonly string[]).includes(name));
    if (unknown !== undefined) {
      throw new Error(`unknown target "${unknown}"; one of ${allTargets.join(", ")}`);
    }
    return {
      targets: names as Target[],
      outdir: values.outdir ?? join(root, values.record ? "dist/record" : `dist/release/v${version}`),
      baseUrl: values["base-url"],
      quick: values.quick,
      record: values.record,
    };
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}\nusage: the head of tools/release.ts`, 2);
  }
}

function output(program: string, args: readonly string[], input?: Uint8Array): Uint8Array {
  const done = spawnSync(program, args, { cwd: root, input, maxBuffer: 512 * 1024 * 1024 });
  if (done.error !== undefined) fail(`cannot run ${program}: ${done.error.message}`);
  if (done.status !== 0) fail(`${program} ${args.join(" ")} failed:\n${done.stderr}`);
  return done.stdout;
}

/** Seconds since 1970 that everything is dated with. */
function epoch(): number {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) return Number(given);
  return Number(new TextDecoder().decode(output("git", ["log", "-1", "--format=%ct"])));
}

function commit(): string {
  const done = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  const changed = spawnSync("git", ["status", "--porcelain", "--untracked-files=no"], {
    cwd: root,
    encoding: "utf8",
  });
  return `${done.stdout.trim()}${changed.stdout === "" ? "" : " with changes that are not committed"}`;
}

function gzip(bytes: Uint8Array, quick: boolean): Uint8Array {
  const packed = gzipSync(bytes, { level: quick ? 1 : 9 });
  packed[9] = 3; // the operating system in the head, RFC 1952: always Unix
  return packed;
}

/** Without a filter for machine code, which would save 3 %: busybox, Alpine's xz, does not know one. */
function xz(bytes: Uint8Array): Uint8Array {
  return output("xz", ["-9", "--threads=1", "--stdout"], bytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What goes beside the binary: documents, the service, completions. */
function companions(dir: string): TarEntry[] {
  const made = (argument: string[]) => output("bun", ["src/main.ts", ...argument]);
  const file = (path: string, bytes: Uint8Array | string): TarEntry => ({
    path: `${dir}/${path}`,
    bytes: typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
    mode: 0o644,
  });
  return [
    file("LICENSE", text("LICENSE")),
    file("README.md", text("README.md")),
    file("CHANGELOG.md", text("CHANGELOG.md")),
    file("corndog.service", text("tools/packaging/corndog.service")),
    file("corndog.socket", text("tools/packaging/corndog.socket")),
    file("corndog.yml", text("tools/packaging/corndog.yml")),
    file("corndog.schema.json", text("corndog.schema.json")),
    file("corndog.1", made(["man"])),
    file("completions/corndog.bash", made(["completion", "bash"])),
    file("completions/_corndog", made(["completion", "zsh"])),
    file("completions/corndog.fish", made(["completion", "fish"])),
    ...readdirSync(join(root, "rules")).sort().map((name) => file(`rules/${name}`, text(`rules/${name}`))),
  ];
}

/** The Debian package: the same files in the places that Debian's policy has for them. */
function debianPackage(architecture: string, binary: Uint8Array, time: number, quick: boolean): Uint8Array {
  const entries = companions(".");
  const bytesOf = (name: string) => entries.find(({ path }) => path === `./${name}`)!.bytes;
  const unit = new TextDecoder().decode(bytesOf("corndog.service")).replaceAll("/usr/local/bin", "/usr/bin");
  const data: TarEntry[] = [
    { path: "./etc/corndog/corndog.yml", bytes: bytesOf("corndog.yml"), mode: 0o644 },
    { path: "./lib/systemd/system/corndog.service", bytes: new TextEncoder().encode(unit), mode: 0o644 },
    { path: "./lib/systemd/system/corndog.socket", bytes: bytesOf("corndog.socket"), mode: 0o644 },
    { path: "./usr/bin/corndog", bytes: binary, mode: 0o755 },
    {
      path: "./usr/share/bash-completion/completions/corndog",
      bytes: bytesOf("completions/corndog.bash"),
      mode: 0o644,
    },
    { path: "./usr/share/doc/corndog/copyright", bytes: bytesOf("LICENSE"), mode: 0o644 },
    {
      path: "./usr/share/fish/vendor_completions.d/corndog.fish",
      bytes: bytesOf("completions/corndog.fish"),
      mode: 0o644,
    },
    { path: "./usr/share/man/man1/corndog.1.gz", bytes: gzip(bytesOf("corndog.1"), false), mode: 0o644 },
    {
      path: "./usr/share/zsh/vendor-completions/_corndog",
      bytes: bytesOf("completions/_corndog"),
      mode: 0o644,
    },
  ];
  const installed = data.reduce((total, { bytes }) => total + bytes.length, 0);
  const control: TarEntry[] = [
    ...debianScripts(),
    {
      path: "./control",
      bytes: new TextEncoder().encode(debianControl(version, architecture, Math.ceil(installed / 1024))),
      mode: 0o644,
    },
    { path: "./conffiles", bytes: new TextEncoder().encode("/etc/corndog/corndog.yml\n"), mode: 0o644 },
  ];
  const packed = tar(data, time);
  return ar([
    { name: "debian-binary", bytes: new TextEncoder().encode("2.0\n") },
    { name: "control.tar.gz", bytes: gzip(tar(control, time), false) },
    quick ? { name: "data.tar.gz", bytes: gzip(packed, true) } : { name: "data.tar.xz", bytes: xz(packed) },
  ], time);
}

/** What RELEASE.json says of a binary. */
interface BinaryFacts {
  readonly target: Target;
  readonly sha256: string;
  readonly bytes: number;
  readonly tar_gz_bytes: number;
  readonly tar_xz_bytes?: number;
  /** Of the one for this machine. */
  readonly first_accept_ms?: number;
  readonly idle_rss_mb?: number;
}

/** The table of docs/INSTALL.md. */
function sizeTable(): string {
  const megabytes = (bytes: number | undefined) => bytes === undefined ? "" : (bytes / 1e6).toFixed(1);
  const rows = binaries.map((one) =>
    [
      ...[one.target, megabytes(one.bytes), megabytes(one.tar_xz_bytes), megabytes(one.tar_gz_bytes)],
      ...[one.first_accept_ms === undefined ? "" : `${one.first_accept_ms} ms`, one.idle_rss_mb ?? ""],
    ].join(" | ")
  );
  return `| ${version} | binary, MB | .tar.xz | .tar.gz | first connection | idle memory, MB |
| --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row} |`).join("\n")}`;
}

/** What RELEASE.json says of the binary of this machine beside its size. */
async function startUp(binary: string) {
  const { firstAcceptMs, idleRssMb } = await measureStartUp([binary]);
  return { first_accept_ms: firstAcceptMs, idle_rss_mb: idleRssMb };
}

const options = readOptions();
const time = epoch();
rmSync(options.outdir, { recursive: true, force: true });
mkdirSync(options.outdir, { recursive: true });
const sums: string[] = [];
const binaries: BinaryFacts[] = [];

function put(name: string, bytes: Uint8Array | string): void {
  writeFileSync(join(options.outdir, name), bytes);
  const raw = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  sums.push(`${sha256(raw)}  ${name}`);
  console.log(`${relative("", join(options.outdir, name))}  ${(raw.length / 1e6).toFixed(1)} MB`);
}

for (const target of options.targets) {
  const path = join(root, "dist", target, "corndog");
  output("bun", ["compile.ts", "--target", target]);
  const binary = readFileSync(path);
  const measured = target === ownTarget && !options.quick ? await startUp(path) : {};
  const name = `corndog-${version}-${target}`;
  const packed = tar([{ path: `${name}/corndog`, bytes: binary, mode: 0o755 }, ...companions(name)], time);
  const small = options.quick ? undefined : xz(packed);
  if (small !== undefined) put(`${name}.tar.xz`, small);
  const large = gzip(packed, options.quick);
  put(`${name}.tar.gz`, large);
  const architecture = debianArchitectures[target];
  if (architecture !== undefined && !options.record) {
    put(`corndog_${version}_${architecture}.deb`, debianPackage(architecture, binary, time, options.quick));
  }
  binaries.push({
    target,
    sha256: sha256(binary),
    bytes: binary.length,
    tar_gz_bytes: large.length,
    ...(small === undefined ? {} : { tar_xz_bytes: small.length }),
    ...measured,
  });
}
put("install.sh", text("install.sh").replace("release_url=''", `release_url='${options.baseUrl}'`));
put("Containerfile", text("tools/packaging/Containerfile"));
put(`corndog-${version}.cdx.json`, `${JSON.stringify(sbomOf(root, time), undefined, 2)}\n`);
const provenance = {
  name: "corndog",
  version,
  source: { commit: commit(), date: new Date(time * 1000).toISOString() },
  made_with: {
    bun: new TextDecoder().decode(output("bun", ["--version"])).trim(),
    command: `bun tools/release.ts ${process.argv.slice(2).join(" ")}`.trim(),
    on: `${process.platform}-${process.arch}`,
  },
  again: `git checkout ${commit().split(" ")[0]} && sh install.sh --dry-run && bun tools/release.ts`,
  binaries,
};
put("RELEASE.json", `${JSON.stringify(provenance, undefined, 2)}\n`);
writeFileSync(join(options.outdir, "SHA256SUMS"), `${sums.join("\n")}\n`);
if (options.record) {
  const page = text("docs/INSTALL.md");
  const at = /(<!-- sizes -->\n\n)[^]*?(\n\n<!-- end of sizes -->)/;
  if (!at.test(page)) fail("docs/INSTALL.md has no place for sizes");
  writeFileSync(
    join(root, "docs/INSTALL.md"),
    page.replace(at, (_, head, tail) => head + sizeTable() + tail),
  );
  output("deno", ["fmt", "-q", "docs/INSTALL.md"]);
}
