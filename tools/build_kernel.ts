/**
 * Compiles src/kernel/assembly into src/kernel/generated.ts, the module as base64 text (a runtime that cannot
 * embed bytes in its binary can embed text).
 *
 *     bun tools/build_kernel.ts           writes the file
 *     bun tools/build_kernel.ts --check   exits 1 where the file is not what the sources give
 *
 * The same compiler gives the same bytes on every machine; its exact version is pinned in package.json.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ForwarderError, messageOf } from "../src/core/errors.ts";

/** What is used of `main` of assemblyscript/asc; its own types need a compiler option of theirs. */
interface AssemblyScriptCompiler {
  main(
    args: string[],
    options: {
      readFile(name: string, folder: string): string | null;
      writeFile(name: string, contents: Uint8Array | string): void;
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

/** Not a literal in the import, or type checkers go looking for the compiler's ambient types. */
const compilerModule: string = "assemblyscript/asc";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const entry = "src/kernel/assembly/index.ts";
const generatedPath = path.join(root, "src/kernel/generated.ts");

const compilerFlags = [
  "--optimizeLevel=3",
  "--shrinkLevel=0",
  "--converge",
  "--noAssert",
  "--runtime=stub",
  "--importMemory",
  "--noExportMemory",
  "--enable=simd",
];

/** Base64 text in lines that a diff tool can show. */
const lineCharacters = 100;

async function compile(): Promise<Uint8Array> {
  const compiler: AssemblyScriptCompiler = await import(compilerModule);
  let wasm: Uint8Array | undefined;
  const result = await compiler.main([entry, "--outFile=kernel.wasm", ...compilerFlags], {
    readFile: (name, folder) => readOrNull(path.join(root, folder, name)),
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") wasm = contents;
    },
  });
  if (result.error !== null || wasm === undefined) {
    throw new ForwarderError("kernel_failed", `Cannot compile "${entry}": ${result.stderr.toString()}`, {
      cause: result.error,
    });
  }
  return wasm;
}

/** The compiler probes for files that need not be there. */
function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function render(wasm: Uint8Array): string {
  const base64 = Buffer.from(wasm).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += lineCharacters) {
    lines.push(`  "${base64.slice(at, at + lineCharacters)}"`);
  }
  return [
    "// Made by tools/build_kernel.ts from src/kernel/assembly. Do not edit.",
    "",
    `/** The kernel's WebAssembly module, ${wasm.length} bytes as base64. */`,
    "export const kernelBase64: string =",
    `${lines.join(" +\n")};`,
    "",
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== "--check");
  if (unknown.length > 0) {
    console.error(`unknown argument "${unknown[0]}"; usage: build_kernel.ts [--check]`);
    return 2;
  }
  const text = render(await compile());
  if (!args.includes("--check")) {
    writeFileSync(generatedPath, text);
    return 0;
  }
  if (readOrNull(generatedPath) === text) return 0;
  console.error("src/kernel/generated.ts is stale: run bun tools/build_kernel.ts");
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
