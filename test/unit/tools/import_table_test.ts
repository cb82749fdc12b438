import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkFile } from "../../../tools/import_table.ts";

const cases: readonly { name: string; path: string; text: string; want: readonly string[] }[] = [
  {
    name: "core from anywhere",
    path: "batch/a.ts",
    text: `import { invariant } from "../core/invariant.ts";`,
    want: [],
  },
  { name: "its own stage", path: "batch/a.ts", text: `import { b } from "./b.ts";`, want: [] },
  {
    name: "an allowed stage",
    path: "batch/a.ts",
    text: `import { k } from "../kernel/kernel.ts";`,
    want: [],
  },
  {
    name: "another stage",
    path: "framing/a.ts",
    text: `\nimport { s } from "../syslog/header.ts";`,
    want: [`src/framing/a.ts:2: stage "framing" may not import stage "syslog"`],
  },
  {
    name: "another stage over several lines",
    path: "clobber/a.ts",
    text: `import {\n  one,\n  two,\n} from "../framing/framer.ts";`,
    want: [`src/clobber/a.ts:1: stage "clobber" may not import stage "framing"`],
  },
  {
    name: "another stage by re-export",
    path: "io/a.ts",
    text: `export { a } from "../kafka/a.ts";`,
    want: [`src/io/a.ts:1: stage "io" may not import stage "kafka"`],
  },
  {
    name: "another stage by a dynamic import",
    path: "io/a.ts",
    text: `const m = await import("../kafka/a.ts");`,
    want: [`src/io/a.ts:1: stage "io" may not import stage "kafka"`],
  },
  {
    name: "another stage for its side effects",
    path: "io/a.ts",
    text: `import "../kafka/a.ts";`,
    want: [`src/io/a.ts:1: stage "io" may not import stage "kafka"`],
  },
  {
    name: "only types where only types are allowed",
    path: "kafka/a.ts",
    text: `import type { C } from "../config/c.ts";`,
    want: [],
  },
  {
    name: "inline types where only types are allowed",
    path: "kafka/a.ts",
    text: `import { type C, type D } from "../config/c.ts";`,
    want: [],
  },
  {
    name: "values where only types are allowed",
    path: "kafka/a.ts",
    text: `import { type C, load } from "../config/c.ts";`,
    want: [`src/kafka/a.ts:1: stage "kafka" may import only types of stage "config"`],
  },
  {
    name: "everything from the pipeline",
    path: "pipeline/a.ts",
    text: `import { s } from "../syslog/header.ts";`,
    want: [],
  },
  { name: "a node module", path: "core/a.ts", text: `import { Buffer } from "node:buffer";`, want: [] },
  { name: "a package at its home", path: "config/yaml.ts", text: `import { parse } from "yaml";`, want: [] },
  {
    name: "a package elsewhere",
    path: "config/load.ts",
    text: `import { parse } from "yaml";`,
    want: ['src/config/load.ts:1: package "yaml" may be imported only where /^config\\/yaml\\.ts$/ matches'],
  },
  {
    name: "a package by require",
    path: "io/a.ts",
    text: `createRequire(import.meta.url)("kafkajs");`,
    want: ['src/io/a.ts:1: package "kafkajs" may be imported only where /^kafka\\// matches'],
  },
  {
    name: "a package that nobody listed",
    path: "core/a.ts",
    text: `import x from "left-pad";`,
    want: ['src/core/a.ts:1: package "left-pad" is not in the import table'],
  },
  {
    name: "a runtime's global",
    path: "io/a.ts",
    text: `const s = Bun.listen({});`,
    want: ["src/io/a.ts:1: names Bun: only src/runtime may"],
  },
  {
    name: "a runtime's global in src/runtime",
    path: "runtime/bun.ts",
    text: `const s = Bun.listen({});`,
    want: [],
  },
  {
    name: "a runtime's module",
    path: "io/a.ts",
    text: `import { dlopen } from "bun:ffi";`,
    want: ["src/io/a.ts:1: names bun:ffi: only src/runtime may"],
  },
  {
    name: "imports in comments",
    path: "io/a.ts",
    text: `// import { a } from "../kafka/a.ts";\n/* Deno.x */`,
    want: [],
  },
  {
    name: "words that look like imports",
    path: "io/a.ts",
    text: `export const from = "kafkajs";\nconst import_ = "x";`,
    want: [],
  },
  {
    name: "a folder that is not in the table",
    path: "misc/a.ts",
    text: "",
    want: ['src/misc/a.ts:1: folder "misc" is not in the import table'],
  },
  {
    name: "a file outside of src",
    path: "core/a.ts",
    text: `import x from "../../test/x.ts";`,
    want: ["src/core/a.ts:1: imports ../test/x.ts, outside of src"],
  },
];

describe("checkFile()", () => {
  for (const { name, path, text, want } of cases) {
    it(`${want.length === 0 ? "lets pass" : "reports"} ${name}`, () => {
      const got = checkFile(path, text).map(({ file, line, message }) => `${file}:${line}: ${message}`);
      assert.deepEqual(got, want);
    });
  }
});
