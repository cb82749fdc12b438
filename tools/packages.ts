/**
 * Holds the packages against what uses them: each is pinned, used, and justified in docs/DECISIONS.md.
 *
 *     packages.ts        prints each fault; exit 0 or 1
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What package.json says. */
export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Packages that no file names: the compiler takes them by itself. */
const implied: ReadonlySet<string> = new Set(["@types/node"]);

/**
 * Looks at all packages.
 *
 * @param sources texts of src, for what the product uses
 * @param others texts of tools and tests, for what building and testing uses
 * @param decisions docs/DECISIONS.md
 */
export function packageFaults(
  manifest: Manifest,
  sources: readonly string[],
  others: readonly string[],
  decisions: string,
): string[] {
  const section = decisions.split(/^## /m).find((one) => one.startsWith("Packages\n")) ?? "";
  const faults: string[] = [];
  const look = (name: string, version: string, texts: readonly string[], where: string) => {
    if (!/^\d+\.\d+\.\d+$/.test(version)) faults.push(`${name} "${version}" is not pinned to one version`);
    if (!implied.has(name) && !texts.some((text) => text.includes(name))) {
      faults.push(`${name} is used nowhere in ${where}`);
    }
    if (!section.includes(name)) faults.push(`${name} is not in docs/DECISIONS.md, Packages`);
  };
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    look(name, version, [...sources, ...others], "src or tools");
  }
  for (const [name, version] of Object.entries(manifest.devDependencies)) {
    look(name, version, others, "tools or test");
  }
  return faults;
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const texts = (folder: string) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(ts|js|sh)$/.test(path) && path !== "packages.ts")
      .map((path) => readFileSync(join(root, folder, path), "utf8"));
  const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const decisions = readFileSync(join(root, "docs/DECISIONS.md"), "utf8");
  const faults = packageFaults(manifest, texts("src"), [...texts("tools"), ...texts("test")], decisions);
  for (const fault of faults) console.error(fault);
  const count = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).length;
  console.log(`${count} packages, ${faults.length} faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
