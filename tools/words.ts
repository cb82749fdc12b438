/**
 * Words that must not be committed: work left open, tests that hide others, paths of one machine, registry hosts.
 *
 *     words.ts        prints each as file:line: text; exit 0 or 1
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What is looked for in which files, and what to say of it. A sample in brackets keeps this file clean of itself. */
const forbidden: readonly { readonly pattern: RegExp; readonly files: RegExp; readonly message: string }[] = [
  {
    pattern: /\b(TOD[O]|FIXM[E]|XX[X])\b/,
    files: /\.(ts|js|c|h|py|sh|yml|md|json)$/,
    message: "work left open",
  },
  {
    pattern: /\b(test|it|describe)\.(onl[y]|tod[o])\b/,
    files: /_test\.ts$/,
    message: "hides other tests, or is none",
  },
  {
    pattern: /(^|[\s"'`(=:])\/(wor[k]|roo[t]|opt\/tool[s])\//,
    files: /./,
    message: "a path of one machine",
  },
  {
    pattern: /https?:\/\/(registr[y]|prox[y]|rep[o]|mirro[r])[\w-]*\./,
    files: /./,
    message: "names a registry host",
  },
  { pattern: /["']resolve[d]["']\s*:\s*["']http/, files: /lock/, message: "a lock file names a host" },
];

/** Files with a reason to have such words. */
const excused = /^(LICENSE|test\/vendor\/|test\/fixtures\/)/;

/** Bytes that mark a file as not being text. */
const nul = "\0";

/** Breaches in one file, as `file:line: message: text`. */
export function checkWords(file: string, text: string): string[] {
  if (excused.test(file) || text.includes(nul)) return [];
  const rules = forbidden.filter((rule) => rule.files.test(file));
  return text.split("\n").flatMap((line, index) =>
    rules.filter((rule) => rule.pattern.test(line)).map((rule) =>
      `${file}:${index + 1}: ${rule.message}: ${line.trim().slice(0, 100)}`
    )
  );
}

/** Files of the checkout that are or could be committed; without git, all but what is known to be made here. */
function listFiles(root: string): string[] {
  const listing = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const git = spawnSync("git", listing, { cwd: root, encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });
  if (git.status === 0) return git.stdout.split(nul).filter((file) => file !== "");
  const made = /^(node_modules|dist|bin|\.tools|\.git|corndog-data|bench\/tls)\/|\.log$/;
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !made.test(file));
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const files = listFiles(root).filter((file) => existsSync(join(root, file)));
  const breaches = files.flatMap((file) => checkWords(file, readFileSync(join(root, file), "latin1")));
  for (const breach of breaches) console.error(breach);
  console.log(`${files.length} files, ${breaches.length} breaches`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
