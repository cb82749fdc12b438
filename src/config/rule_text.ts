/**
 * The text of a rule file as others may see it, and the way back.
 *
 * Rules may stand inside `corndog.yml` or `hotdog.yml`, beside passwords. What `GET /admin/rules` shows of such a
 * file has `***` for every secret, on the same lines; what `PUT /admin/rules` gives back changes its `rules` and
 * `tests` and nothing else, so that no `***` is ever written over a password.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import { parseYaml, type Path, type YamlDocument } from "./yaml.ts";

/** What stands for a secret. */
export const redacted = "***";

/** Keys whose value is a secret, whatever section they stand in. */
const secretKey = /^(?:password|secret|token|passphrase)$|\.(?:password|secret|passphrase)$/i;

/** The sections of a rule file. */
const ruleSections = ["rules", "tests"] as const;

/** True if the value behind `key` must not be shown. */
export function isSecret(key: string): boolean {
  return secretKey.test(key);
}

/** The text of a parsed document with its secrets as `***`, every line where it was. */
export function redactText(text: string, document: YamlDocument): string {
  const spans = secretPaths(document.value).map((path) => document.span(path)!).sort((a, b) => b[0] - a[0]);
  let shown = text;
  for (const [start, end] of spans) {
    // A secret over several lines keeps its lines, so that places in the rules below stay true.
    const newlines = shown.slice(start, end).replace(/[^\n]+/g, "");
    shown = `${shown.slice(0, start)}"${redacted}"${newlines}${shown.slice(end)}`;
  }
  return shown;
}

/** The text of a rule file as it may be shown: that of `RuleSet.files`. */
export function shownText(text: string): string {
  const yaml = parseYaml(text, "");
  return yaml.ok ? redactText(text, yaml.document) : "";
}

/**
 * The text to write when `edited` replaces what `current`, the file as it is on the disk, says about rules.
 * A file of rules alone is replaced whole.
 */
export function mergeRuleText(current: string, edited: string): string {
  const before = parseYaml(current, "");
  const after = parseYaml(edited, "");
  invariant(after.ok, "an edited rule text was parsed before it is written");
  if (!before.ok || !isConfiguration(before.document.value)) return edited;
  let merged = current;
  const places = ruleSections.map((section) => ({
    section,
    span: before.document.sectionSpan(section),
    text: sectionText(after.document, edited, section),
  })).sort((a, b) => (b.span?.[0] ?? Infinity) - (a.span?.[0] ?? Infinity));
  for (const { span, text } of places) {
    if (span !== undefined) merged = merged.slice(0, span[0]) + text + merged.slice(span[1]);
    else if (text !== "") merged = `${merged.replace(/\n?$/, "\n")}${text}`;
  }
  return merged;
}

/** True if a document has more in it than rules and tests. */
export function isConfiguration(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.keys(value).some((key) => key !== "rules" && key !== "tests");
}

function sectionText(document: YamlDocument, text: string, section: string): string {
  const span = document.sectionSpan(section);
  return span === undefined ? "" : text.slice(...span).replace(/\n?$/, "\n");
}

function secretPaths(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    if (path.length === 0 && (key === "rules" || key === "tests")) return [];
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    return isSecret(key) && item !== null && typeof item !== "object" ? [here] : secretPaths(item, here);
  });
}
