/**
 * Counts the tests of one suite from the JUnit report of `bun test` or `deno test`.
 *
 *     count_tests.ts --suite NAME --report FILE --exit CODE [--strict] TEST_FILE…
 *
 * Prints `passed failed skipped`; names what failed and what was skipped on standard error. What the runners'
 * reports leave out counts as failed too: a missing report, a test file that is not in it, an exit code that no
 * failed test explains. With --strict (CI) so does a skipped test that test/declared_skips.txt does not name.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** One test as a report has it. */
export interface TestCase {
  /** Path from the root of the checkout where the report names it. */
  readonly file: string;
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
}

/** A report: its test cases, and the files that it speaks of. */
export interface Report {
  readonly cases: readonly TestCase[];
  readonly files: ReadonlySet<string>;
}

/** What a suite came to. */
export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** For people: names of failed and skipped tests, and what was missing. */
  readonly notes: readonly string[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * What a JUnit report says.
 *
 * Bun nests a suite per `describe`; Deno lists steps as `parent > step` beside the parent, which here counts only
 * where it failed without a failed step. Deno files the steps of `describe` under a name of its own.
 */
export function readReport(xml: string): Report {
  const cases: (TestCase & { readonly title: string })[] = [];
  const groups: string[] = [];
  const files = new Set<string>();
  for (const match of xml.matchAll(/<(\/?testsuite|testcase)\b((?:"[^"]*"|[^">])*?)(\/?>)/g)) {
    const [whole, tag, attributes, close] = match as unknown as [string, string, string, string];
    if (tag === "/testsuite") groups.pop();
    else if (tag === "testsuite") {
      groups.push(attribute(attributes, "file") ?? attribute(attributes, "name") ?? "");
      files.add(fromRoot(groups[0]!));
    } else {
      const title = attribute(attributes, "name") ?? "";
      const group = attribute(attributes, "classname") ?? "";
      const bodyAt = match.index + whole.length;
      const body = close === "/>" ? "" : xml.slice(bodyAt, xml.indexOf("</testcase>", bodyAt));
      const isBun = attribute(attributes, "assertions") !== undefined; // in Deno's the class name is the file
      cases.push({
        file: fromRoot(groups[0] ?? ""),
        name: isBun && group !== "" ? `${group} > ${title}` : title,
        title,
        result: /<(failure|error)\b/.test(body) ? "failed" : /<skipped\b/.test(body) ? "skipped" : "passed",
      });
    }
  }
  const counted = cases.filter((parent) => {
    const steps = cases.filter((step) => step.title.startsWith(`${parent.title} > `));
    return steps.length === 0 ||
      (parent.result === "failed" && !steps.some((step) => step.result === "failed"));
  });
  return { cases: counted.map(({ file, name, result }) => ({ file, name, result })), files };
}

function fromRoot(file: string): string {
  return relative(root, join(root, file));
}

function attribute(attributes: string, name: string): string | undefined {
  return attributes.match(new RegExp(`(?:^|\\s)${name}="([^"]*)"`))?.[1]
    ?.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&apos;", "'")
    .replaceAll("&#10;", "\n").replaceAll("&amp;", "&");
}

/** What a suite came to, given its report (undefined: there is none), exit code and the files that had to run. */
export function count(options: {
  readonly suite: string;
  readonly report: string | undefined;
  readonly exit: number;
  readonly files: readonly string[];
  /** Undeclared skips fail. */
  readonly strict: boolean;
  /** Lines of test/declared_skips.txt. */
  readonly declared: readonly string[];
  /** True for a file whose groups skip themselves where there is no broker: Bun's report leaves those out. */
  readonly skipsAsWhole: (file: string) => boolean;
}): Count {
  const { suite, report, exit, files, strict, declared, skipsAsWhole } = options;
  if (report === undefined) {
    return { passed: 0, failed: 1, skipped: 0, notes: ["failed: the runner ended without a report"] };
  }
  const { cases, files: reported } = readReport(report);
  const notes: string[] = [];
  let failed = 0;
  const fail = (what: string): void => {
    failed++;
    notes.push(`failed: ${what}`);
  };
  for (const { name, file } of cases.filter(({ result }) => result === "failed")) fail(`${name} (${file})`);
  const skipped = cases.filter(({ result }) => result === "skipped");
  let tolerated = 0;
  for (const { name } of skipped) {
    if (strict && !isDeclared(declared, suite, name)) fail(`skipped without a declaration: ${name}`);
    else {
      tolerated++;
      notes.push(`skipped: ${name}`);
    }
  }
  for (const file of files.filter((file) => !reported.has(fromRoot(file)))) {
    if (strict || !skipsAsWhole(file)) fail(`no test of ${file} ran`);
    else {
      tolerated++;
      notes.push(`skipped: everything in ${file}`);
    }
  }
  if (exit !== 0 && failed === 0) fail(`the runner ended with ${exit} although no test failed`);
  return {
    passed: cases.filter(({ result }) => result === "passed").length,
    failed,
    skipped: tolerated,
    notes,
  };
}

/** A declaration is `SUITE: beginning of the test's name`, with `*` for any suite. */
function isDeclared(declared: readonly string[], suite: string, name: string): boolean {
  return declared.some((line) => {
    const [where, beginning] = [
      line.slice(0, line.indexOf(":")).trim(),
      line.slice(line.indexOf(":") + 1).trim(),
    ];
    return (where === "*" || where === suite) && beginning !== "" && name.startsWith(beginning);
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: {
      suite: { type: "string" },
      report: { type: "string" },
      exit: { type: "string" },
      strict: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const declarations = join(root, "test/declared_skips.txt");
  const result = count({
    suite: values.suite ?? "",
    report: values.report !== undefined && existsSync(values.report)
      ? readFileSync(values.report, "utf8")
      : undefined,
    exit: Number(values.exit ?? 0),
    files: positionals,
    strict: values.strict,
    declared: existsSync(declarations)
      ? readFileSync(declarations, "utf8").split("\n").filter((line) =>
        line.trim() !== "" && !line.startsWith("#")
      )
      : [],
    skipsAsWhole: (file) => /\bdescribe\([^{]*\{ skip: needs\./.test(readFileSync(file, "utf8")),
  });
  for (const note of result.notes) console.error(`  ${note}`);
  console.log(`${result.passed} ${result.failed} ${result.skipped}`);
  process.exitCode = 0;
}
