import assert from "node:assert/strict";
import { test } from "node:test";
import { packageFaults } from "../../../tools/packages.ts";

const decisions =
  "# Decisions\n\n## Packages\n\n| yaml | ISC |\n\nFor tests: fast-check, @types/node.\n\n## Else\n\nhono\n";
const sources = ['import { parse } from "yaml";'];
const others = ['import fc from "fast-check";'];

const cases: {
  name: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  want: string[];
}[] = [
  {
    name: "all is in order",
    dependencies: { yaml: "2.9.1" },
    devDependencies: { "fast-check": "4.1.2", "@types/node": "26.0.0" },
    want: [],
  },
  {
    name: "one may change by itself",
    dependencies: { yaml: "^2.9.1" },
    devDependencies: {},
    want: ['yaml "^2.9.1" is not pinned to one version'],
  },
  {
    name: "one is neither used nor justified",
    dependencies: { hono: "4.0.0" },
    devDependencies: {},
    want: ["hono is used nowhere in src or tools", "hono is not in docs/DECISIONS.md, Packages"],
  },
  {
    name: "the product's is for tests alone",
    dependencies: {},
    devDependencies: { yaml: "2.9.1" },
    want: ["yaml is used nowhere in tools or test"],
  },
];

for (const { name, dependencies, devDependencies, want } of cases) {
  test(`packageFaults() gives ${want.length} faults when ${name}`, () => {
    assert.deepEqual(packageFaults({ dependencies, devDependencies }, sources, others, decisions), want);
  });
}
