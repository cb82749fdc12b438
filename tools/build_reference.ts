/**
 * Writes the reference of all keys into docs/CONFIGURATION.md, from the schemas that read them.
 *
 *     bun tools/build_reference.ts            writes it
 *     bun tools/build_reference.ts --check    exit code 1 if it is not up to date
 *
 * The prose of the page is written by hand; what stands between the two marks is generated. Names, defaults and
 * sentences come from the schemas. Bounds and choices are asked of them: a value that is surely wrong is read, and
 * the message says what would be right.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { configEntries } from "../src/config/schema.ts";
import { invariant } from "../src/core/invariant.ts";

const path = fileURLToPath(new URL("../docs/CONFIGURATION.md", import.meta.url));

const beginMark = "<!-- keys: written by tools/build_reference.ts -->";
const endMark = "<!-- end of keys -->";

/** A schema, as far as it is looked at here. */
interface OpenSchema {
  readonly type: string;
  readonly wrapped?: OpenSchema;
  readonly default?: unknown;
  readonly entries?: Readonly<Record<string, OpenSchema>>;
  readonly item?: OpenSchema;
  readonly getter?: (input: unknown) => OpenSchema;
  readonly pipe?: readonly { readonly type: string; readonly description?: string }[];
}

/** One row of the reference. */
interface Row {
  readonly key: string;
  readonly fallback: string;
  readonly text: string;
}

/** The page with its generated part made anew. */
export function pageText(current: string): string {
  const begin = current.indexOf(beginMark);
  const end = current.indexOf(endMark);
  invariant(begin >= 0 && end > begin, "the page has both marks, in order");
  return `${current.slice(0, begin + beginMark.length)}\n\n${referenceText()}\n${current.slice(end)}`;
}

/** All keys, one table per section. */
function referenceText(): string {
  const sections: string[] = [];
  const single: Row[] = [];
  for (const [key, given] of Object.entries(configEntries)) {
    const schema = given as unknown as OpenSchema;
    const rows = rowsBelow(key, schema);
    if (rows.length === 0) single.push(rowOf(key, schema));
    else sections.push(`### ${key}\n\n${descriptionOf(schema)}.\n\n${tableOf(rows)}`);
  }
  single.push(
    { key: "rules", fallback: "none", text: "Rules, and files with rules, in order: [RULES.md](RULES.md)" },
    { key: "tests", fallback: "none", text: "What the rules must make of lines: [RULES.md](RULES.md)" },
  );
  return `${sections.join("\n")}\n### Keys without a section\n\n${tableOf(single)}`;
}

/** Rows for everything inside of `schema`; none if it is a plain value. */
function rowsBelow(key: string, schema: OpenSchema): Row[] {
  const inner = mapOf(schema);
  if (inner === undefined) return [];
  const { prefix, entries } = inner;
  return Object.entries(entries).flatMap(([name, entry]) => {
    const below = `${key}${prefix}.${name}`;
    const rows = rowsBelow(below, entry);
    const isChoice = open(entry).getter !== undefined;
    return rows.length === 0 || isChoice ? [rowOf(below, entry), ...rows] : rows;
  });
}

/** The keys of a map, or of the maps in a list. */
function mapOf(schema: OpenSchema): { prefix: string; entries: Record<string, OpenSchema> } | undefined {
  const inner = open(schema);
  // A lazy schema is a map where a map is written.
  const map = inner.getter === undefined ? inner : open(inner.getter({}));
  if (map.entries !== undefined) return { prefix: "", entries: map.entries };
  const item = inner.item === undefined ? undefined : open(inner.item);
  return item?.entries === undefined ? undefined : { prefix: "[]", entries: item.entries };
}

function rowOf(key: string, schema: OpenSchema): Row {
  const fallback = schema.type !== "optional" ? "required" : fallbackOf(schema.default);
  return { key, fallback, text: [descriptionOf(schema), ...limitsOf(schema)].join(". ") };
}

function fallbackOf(value: unknown): string {
  return value === undefined ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function descriptionOf(schema: OpenSchema): string {
  const inner = open(schema);
  const found = [inner, inner.getter?.({}), inner.getter?.("")]
    .flatMap((one) => one?.pipe ?? [])
    .filter((action) => action.type === "description")
    .map((action) => action.description!);
  invariant(found.length > 0, "every key has a description");
  return [...new Set(found)].map((text) => text.replaceAll("|", "\\|")).join("; or ");
}

/** Values of which at least one is too small, too large, or none of the choices. */
const wrongValues = ["0", "0ms", "-", "900000000000000", "900000000000000ms"];

/** What the schema says about values that it does not take. */
function limitsOf(schema: OpenSchema): string[] {
  const messages = wrongValues.flatMap((value) =>
    v.safeParse(schema as unknown as v.GenericSchema, value).issues?.map((issue) => issue.message) ?? []
  );
  const find = (pattern: RegExp) => messages.map((text) => pattern.exec(text)?.[1]).find((text) => text);
  const least = find(/the least is (\S+)$/);
  const most = find(/the most is (\S+)$/);
  const choices = find(/is not one of: ([^;]+)/);
  const range = [least && `at least ${least}`, most && `at most ${most}`].filter(Boolean).join(", ");
  const described = choices !== undefined &&
    choices.split(", ").every((word) => descriptionOf(schema).includes(word));
  return [
    ...(range === "" ? [] : [range.charAt(0).toUpperCase() + range.slice(1)]),
    ...(choices === undefined || described ? [] : [`One of: ${choices}`]),
  ];
}

function open(schema: OpenSchema): OpenSchema {
  return schema.wrapped === undefined ? schema : open(schema.wrapped);
}

/** A table as the formatter wants it: columns of one width. */
function tableOf(rows: readonly Row[]): string {
  const cells = [
    ["key", "default", "meaning"],
    ...rows.map(({ key, fallback, text }) => [`\`${key}\``, fallback, text]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) {
  const current = readFileSync(path, "utf8");
  const text = pageText(current);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (text !== current) {
    console.error("docs/CONFIGURATION.md is not up to date; run: bun tools/build_reference.ts");
    process.exit(1);
  }
}
