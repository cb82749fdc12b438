/**
 * Writes corndog.schema.json, the JSON Schema of corndog.yml, from the schemas that read it.
 *
 *     bun tools/build_schema.ts            writes it
 *     bun tools/build_schema.ts --check    exit code 1 if it is not up to date
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { configEntries } from "../src/config/schema.ts";
import { elementSchema, nestedMatcherSchema } from "../src/rules/matcher_schema.ts";
import { ruleSchema } from "../src/rules/schema.ts";
import { testSchema } from "../src/rules/test_schema.ts";

const path = fileURLToPath(new URL("../corndog.schema.json", import.meta.url));

/** Everything that may stand in one corndog.yml. */
const fileSchema = v.strictObject({
  ...configEntries,
  rules: v.optional(v.pipe(
    v.array(
      v.union([
        v.pipe(v.string(), v.description("Rule file, folder or pattern; relative to this file")),
        ruleSchema,
      ]),
    ),
    v.description("Rules, and files with rules, in order"),
  )),
  tests: v.optional(v.pipe(v.array(testSchema), v.description("What rules must make of lines"))),
});

const settings = { typeMode: "input", errorMode: "ignore" } as const;

/** The schema as text. */
export function schemaText(): string {
  const { $schema, ...rest } = converted(fileSchema);
  const { $schema: _, ...matcher } = converted(elementSchema);
  return `${JSON.stringify({ $schema, title: "corndog.yml", ...rest, $defs: { matcher } }, undefined, 2)}\n`;
}

/** Lazy schemas are written out where they are used, but for the one that contains itself. */
function converted(schema: v.GenericSchema): JsonSchema {
  const { $defs: _definitions, ...json } = toJsonSchema(schema, {
    ...settings,
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      (valibotSchema as unknown) === nestedMatcherSchema
        ? { $ref: "#/$defs/matcher" }
        : valibotSchema.type === "lazy"
        ? branches(valibotSchema)
        : jsonSchema,
  });
  return json;
}

/** A lazy schema chooses by what is written: text, a map, or else a list. */
function branches(schema: unknown): JsonSchema {
  const { getter } = schema as { getter: (input: unknown) => v.GenericSchema };
  const options = new Set([undefined, "", {}].map((sample) => JSON.stringify(inline(getter(sample)))));
  const parsed = [...options].map((option) => JSON.parse(option) as JsonSchema);
  return parsed.length === 1 ? parsed[0]! : { anyOf: parsed };
}

function inline(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...json } = toJsonSchema(schema, settings);
  return json;
}

if (import.meta.main) {
  const text = schemaText();
  if (process.argv.includes("--check")) {
    let current = "";
    try {
      current = readFileSync(path, "utf8");
    } catch {
      // A file that is missing is not up to date either.
    }
    if (current !== text) {
      console.error("corndog.schema.json is not up to date; run: bun tools/build_schema.ts");
      process.exit(1);
    }
  } else {
    writeFileSync(path, text);
  }
}
