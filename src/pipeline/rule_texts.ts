/**
 * Rule texts and rule sets: what tells them apart, where they come from, and which file a change means.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { findRuleFile } from "../admin/rule_file_name.ts";
import type { RuleSet } from "../config/config.ts";
import type { Fault } from "../core/errors.ts";

type RuleFile = RuleSet["files"][number];

/** Tells texts apart. */
export function etagOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** Tells rules apart, wherever they stand and however they are written: 48 bits of it are enough to compare by eye. */
export function hashOf({ dialect, rules }: RuleSet): string {
  const text = JSON.stringify([dialect, rules.map(({ value }) => value)]);
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** A fault of a whole file. */
export function faultOf(file: string, message: string): Fault {
  return { file, line: 0, column: 0, path: "", message };
}

/** True where rules and their text are the same. */
export function sameRules(a: RuleSet, b: RuleSet): boolean {
  return a.files.length === b.files.length && a.dialect === b.dialect &&
    a.files.every((file, index) =>
      file.path === b.files[index]!.path && file.text === b.files[index]!.text
    ) &&
    JSON.stringify(a.rules.map((rule) => rule.value)) === JSON.stringify(b.rules.map((rule) => rule.value));
}

/** Where rules come from, for people. */
export function sourceOf(ruleSet: RuleSet): string {
  if (ruleSet.files.length > 0) return ruleSet.files.map((file) => file.path).join(", ");
  return ruleSet.rules.length > 0 ? ruleSet.rules[0]!.file : "no rules";
}

/** The file in force that `name` means: the only one where there is no name, else one by a part of its path. */
export function meantFile(
  files: readonly RuleFile[],
  name: string | undefined,
): { readonly ok: true; readonly file: RuleFile } | { readonly ok: false; readonly fault: Fault } {
  const refused = (file: string, message: string) => ({ ok: false, fault: faultOf(file, message) }) as const;
  const paths = files.map(({ path }) => path);
  const names = paths.join(", ");
  if (paths.length === 0) return refused(name ?? "", "No rule file is loaded");
  if (name === undefined) {
    if (files.length === 1) return { ok: true, file: files[0]! };
    return refused("", `Several rule files are loaded: name one with ?file=, one of ${names}`);
  }
  const found = findRuleFile(paths, name);
  if (found.ok) return { ok: true, file: files[paths.indexOf(found.path)]! };
  if (found.several.length === 0) {
    return refused(name, `No rule file "${name}" is loaded, only ${names}`);
  }
  const several = found.several.join(", ");
  return refused(name, `"${name}" fits several rule files: write more of the path, ${several}`);
}
