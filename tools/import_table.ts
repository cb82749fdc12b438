/**
 * Who may import whom, as data, and the check of it.
 *
 *     import_table.ts        prints each violation as file:line: text; exit 0 or 1
 *
 * A stage is a folder of src/. Stages do not know each other; `pipeline` and the entry points join them. Few
 * files name a runtime or a package: that is what keeps either replaceable.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Stage -> stages that it may import, beside itself and `core`. */
const mayImport: Readonly<Record<string, readonly string[] | "all">> = {
  core: [],
  "version.ts": [],
  runtime: [],
  kernel: [],
  io: ["runtime"],
  framing: ["kernel"],
  syslog: ["kernel"],
  rules: ["config"],
  batch: ["kernel"],
  spool: ["kernel", "batch", "runtime"],
  sink: ["kernel", "batch", "runtime"],
  kafka: ["kernel", "batch", "sink", "config"],
  http: ["runtime"],
  relp: ["runtime"],
  observe: ["admin"],
  config: ["rules"],
  admin: ["observe", "config", "rules"],
  clobber: ["runtime"],
  pipeline: "all",
  demo: "all",
  deadletter: "all",
  cli: "all",
  "main.ts": "all",
  "worker.ts": "all",
  "packer.ts": "all",
  "load_worker.ts": "all",
};

/** Imports between stages that are for types alone. */
const typesOnly: readonly (readonly [string, string])[] = [
  ["kafka", "config"],
  ["rules", "config"],
  ["admin", "config"],
  ["observe", "admin"],
  ["admin", "rules"],
];

/** What every stage may import. */
const forAll: ReadonlySet<string> = new Set(["core", "version.ts"]);

/** Package -> files of src that may import it. Packages that are not named may be imported nowhere. */
const packageHomes: Readonly<Record<string, RegExp>> = {
  yaml: /^config\/yaml\.ts$/,
  kafkajs: /^kafka\//,
  hono: /^admin\//,
  uplot: /^admin\/dashboard\//,
  valibot: /^(config|rules|admin)\//,
  "hdr-histogram-js": /^clobber\//,
  re2js: /^rules\//,
  "@jmespath-community/jmespath": /^rules\//,
};

/** Data beside src that programs carry in them. */
const rootFiles: ReadonlySet<string> = new Set(["../package.json", "../corndog.schema.json"]);

/** What only files of src/runtime may name. */
const runtimeGlobals = /(?<![\w.$"'`/-])(?:globalThis\.)?(Bun|Deno)\.(?=[a-zA-Z])|["'](bun(:[a-z]+)?)["']/;

/** One breach of the table. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Checks one file; `path` is relative to src. */
export function checkFile(path: string, text: string): Violation[] {
  const violations: Violation[] = [];
  const code = blankComments(text);
  const report = (at: number, message: string): void => {
    violations.push({ file: `src/${path}`, line: code.slice(0, at).split("\n").length, message });
  };
  const stage = stageOf(path);
  if (!(stage in mayImport)) report(0, `folder "${stage}" is not in the import table`);
  for (const { at, specifier, isType } of importsOf(code)) {
    const message = specifier.startsWith(".")
      ? checkRelative(stage, join(dirname(path), specifier), isType)
      : checkPackage(path, specifier);
    if (message !== undefined) report(at, message);
  }
  if (stage !== "runtime") {
    for (const match of code.matchAll(new RegExp(runtimeGlobals, "g"))) {
      report(match.index, `names ${match[1] ?? match[2]}: only src/runtime may`);
    }
  }
  return violations;
}

function stageOf(path: string): string {
  return path.split("/")[0]!;
}

function checkRelative(stage: string, target: string, isType: boolean): string | undefined {
  if (target.startsWith("..")) return rootFiles.has(target) ? undefined : `imports ${target}, outside of src`;
  const other = stageOf(target);
  if (other === stage || forAll.has(other)) return undefined;
  const allowed = mayImport[stage] ?? [];
  if (allowed !== "all" && !allowed.includes(other)) {
    return `stage "${stage}" may not import stage "${other}"`;
  }
  const needsType = typesOnly.some(([from, to]) => from === stage && to === other);
  return needsType && !isType ? `stage "${stage}" may import only types of stage "${other}"` : undefined;
}

function checkPackage(path: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  if (specifier.startsWith("bun")) return undefined; // reported as a runtime's name
  const name = specifier.startsWith("@")
    ? specifier.split("/").slice(0, 2).join("/")
    : specifier.split("/")[0]!;
  const home = packageHomes[name];
  if (home === undefined) return `package "${name}" is not in the import table`;
  return home.test(path) ? undefined : `package "${name}" may be imported only where ${home} matches`;
}

interface Import {
  readonly at: number;
  readonly specifier: string;
  readonly isType: boolean;
}

/** Static, re-exporting, dynamic and `new URL(…, import.meta.url)` imports with their places. */
function* importsOf(code: string): Generator<Import> {
  const statement = /^[ \t]*(?:import|export)\b(?<what>[^;"'`=()]*?)\bfrom\s*["'](?<from>[^"'\n]+)["']/gm;
  for (const match of code.matchAll(statement)) {
    yield { at: match.index, specifier: match.groups!.from!, isType: isTypeOnly(match.groups!.what!) };
  }
  for (const match of code.matchAll(/^[ \t]*import\s*["']([^"'\n]+)["']/gm)) {
    yield { at: match.index, specifier: match[1]!, isType: false };
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*["']([^"']+)["']/g)) {
    yield { at: match.index, specifier: match[1]!, isType: /\btypeof\s*$/.test(code.slice(0, match.index)) };
  }
  for (const match of code.matchAll(/\b(?:createR|r)equire(?:\([^()]*\))?\(\s*["']([^"']+)["']/g)) {
    yield { at: match.index, specifier: match[1]!, isType: false };
  }
}

/** `import type …`, or braces in which every name says `type`. */
function isTypeOnly(what: string): boolean {
  if (/^\s*type\b/.test(what)) return true;
  const names = what.match(/^\s*\{([^}]*)\}\s*$/)?.[1]?.split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

/** The text with comments turned into blanks, lines kept. Strings that look like comments stay as they are. */
function blankComments(text: string): string {
  const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[^]*?\*\/|\/\/[^\n]*/g;
  return text.replace(token, (found) => found.startsWith("/") ? found.replace(/[^\n]/g, " ") : found);
}

/** TypeScript files of src, relative to it; the AssemblyScript sources and what is generated from them are not ours to check. */
function sourceFiles(src: string): string[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) =>
      path.endsWith(".ts") && !path.startsWith("kernel/assembly/") && !/(^|\/)generated\w*\.ts$/.test(path)
    )
    .sort();
}

if (import.meta.main) {
  const src = join(fileURLToPath(new URL("..", import.meta.url)), "src");
  const files = sourceFiles(src);
  const violations = files.flatMap((path) => checkFile(path, readFileSync(join(src, path), "utf8")));
  for (const { file, line, message } of violations) {
    console.error(`${relative("", file)}:${line}: ${message}`);
  }
  console.log(`${files.length} files, ${violations.length} violations`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
