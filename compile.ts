/**
 * Makes corndog's one binary: the program, its packages, the kernel and the dashboard, with the runtime inside.
 *
 *     bun compile.ts [--runtime bun|deno] [--target TARGET] [--outfile FILE]
 *
 * The same sources give the same bytes, in any directory and at any time: the file is always built under the one
 * name `corndog` (Bun embeds it) and then moved, and the only version in it is that of the sources.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL(".", import.meta.url));

/** All lie directly in src: a compiled binary finds a Worker only beside its first entry point. */
const entryPoints = ["src/main.ts", "src/worker.ts", "src/packer.ts", "src/load_worker.ts"];

/** Target -> what Deno calls it. Bun's name is the target with `bun-` before it. Deno has no runtime for musl. */
const targets: Readonly<Record<string, string | undefined>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "linux-x64-musl": undefined,
  "linux-arm64-musl": undefined,
  "darwin-x64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
};

const usage = `usage: bun compile.ts [--runtime bun|deno] [--target TARGET] [--outfile FILE]

  --runtime   what to build with and into the binary; default bun
  --target    ${Object.keys(targets).join(" ")}; default this machine
  --outfile   default dist/TARGET/corndog (dist/TARGET-deno/corndog)`;

function fail(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

function options(): { runtime: "bun" | "deno"; target: string; outfile: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        runtime: { type: "string", default: "bun" },
        target: { type: "string", default: `${process.platform}-${process.arch}` },
        outfile: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const { runtime, target, outfile } = values;
    if (runtime !== "bun" && runtime !== "deno") throw new Error(`unknown runtime "${runtime}"`);
    if (!(target in targets)) throw new Error(`unknown target "${target}"`);
    return { runtime, target, outfile };
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2);
  }
}

/** Program and arguments that build `file` with Bun. */
function bunCommand(target: string, file: string): string[] {
  const bun = process.versions.bun === undefined ? "bun" : process.execPath;
  return [
    ...[
      bun,
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      "--splitting",
      "--format=esm",
      "--sourcemap=inline",
      "--env=disable",
    ],
    // Without these the binary reads .env and runs bunfig.toml of whatever directory it is started in.
    ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
    ...[`--target=bun-${target}`, `--outfile=${file}`, ...entryPoints],
  ];
}

/** The same with Deno. Only the packages that the program imports go in, so the packages come from Deno's own cache. */
function denoCommand(target: string, file: string): string[] {
  const triple = targets[target];
  if (triple === undefined) fail(`Deno has no runtime for ${target}; use --runtime bun`, 2);
  const deno = "Deno" in globalThis ? process.execPath : "deno";
  const [main, ...workers] = entryPoints;
  return [
    ...[deno, "compile", "--no-check", "--frozen", "-A", "--node-modules-dir=none", "--exclude-unused-npm"],
    ...[
      `--target=${triple}`,
      `--output=${file}`,
      ...workers.flatMap((worker) => ["--include", worker]),
      main!,
    ],
  ];
}

function explainDeno(output: string): string {
  if (!/denort/.test(output)) return output;
  return `${output.trim()}

deno compile puts a second runtime file, denort, into the binary. Deno downloads it from dl.deno.land, npm does
not carry it, and it could not be had here. Either let this machine reach dl.deno.land, or take denort of exactly
this Deno version from a machine that can and set DENORT_BIN to its path. The binary that bun makes needs neither:
bun compile.ts`;
}

function build(runtime: "bun" | "deno", target: string): string {
  const directory = join(root, "dist", runtime === "bun" ? target : `${target}-deno`);
  const file = join(directory, "corndog");
  rmSync(directory, { recursive: true, force: true }); // what is left over must not pass for a new one
  mkdirSync(directory, { recursive: true });
  const [program, ...args] = (runtime === "bun" ? bunCommand : denoCommand)(target, file);
  const done = spawnSync(program!, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  const output = `${done.stdout ?? ""}${done.stderr ?? ""}`;
  if (done.error) {
    fail(`Cannot run ${program}: ${done.error.message}. "sh install.sh" gets it into .tools/bin`, 1);
  }
  if (done.status !== 0 || !existsSync(file)) fail(runtime === "deno" ? explainDeno(output) : output, 1);
  return file;
}

/** Moves it into place in one step, so that nobody ever starts half a binary. */
function deliver(file: string, outfile: string): void {
  const fresh = join(dirname(outfile), `.corndog-${process.pid}`);
  mkdirSync(dirname(outfile), { recursive: true });
  copyFileSync(file, fresh);
  renameSync(fresh, outfile);
}

const { runtime, target, outfile } = options();
const started = performance.now();
const built = build(runtime, target);
const place = outfile === undefined ? built : resolve(outfile);
if (place !== built) deliver(built, place);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
const sha256 = createHash("sha256").update(readFileSync(place)).digest("hex");
console.log(
  `${relative("", place)}: ${
    (statSync(place).size / 1e6).toFixed(1)
  } MB for ${target} with ${runtime}, ${seconds} s`,
);
console.log(`sha256 ${sha256}`);
