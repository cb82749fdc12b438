import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { knownKeys } from "../../../src/config/overrides.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { schemaText } from "../../../tools/build_schema.ts";

interface Json {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Json>>;
  readonly items?: Json;
  readonly anyOf?: readonly Json[];
}

const text = readFileSync(new URL("../../../corndog.schema.json", import.meta.url), "utf8");
const schema = JSON.parse(text) as Json;

test("corndog.schema.json is what the schemas give", () => assert.equal(text, schemaText()));

test("corndog.schema.json describes every key outside of rules", () => {
  const bare: string[] = [];
  const visit = (json: Json, path: string) => {
    for (const [key, value] of Object.entries(json.properties ?? {})) {
      const described = value.description ?? value.anyOf?.find((option) => option.description)?.description;
      if (described === undefined) bare.push(`${path}${key}`);
      if (path !== "" || (key !== "rules" && key !== "tests")) visit(value, `${path}${key}.`);
    }
    if (json.items !== undefined) visit(json.items, path);
    for (const option of json.anyOf ?? []) visit(option, path);
  };
  visit(schema, "");
  assert.deepEqual(bare, []);
});

test("corndog.schema.json has no reference that leads nowhere", () => {
  const { $defs } = JSON.parse(text) as { $defs: Record<string, unknown> };
  const references = [...text.matchAll(/"\$ref": "#\/\$defs\/(\w+)"/g)].map(([, name]) => name!);
  assert.equal(references.length, text.split('"$ref"').length - 1);
  assert.ok(references.length > 0 && references.every((name) => Object.hasOwn($defs, name)));
});

test("knownKeys() gives every key one environment variable of its own", () => {
  const names = knownKeys(configSchema).map(({ path }) => path.join("_"));
  assert.equal(new Set(names).size, names.length);
  assert.ok(
    names.includes("kafka_topic_wait") && names.includes("kafka_topics_max") &&
      names.includes("kafka_sasl_password_env"),
  );
});
