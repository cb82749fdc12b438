/**
 * Writes the table of Kafka's error codes into docs/KAFKA.md, from src/kafka/error_codes.ts.
 *
 *     build_kafka_errors.ts [--check]      --check writes nothing and exits 1 where the page is not as it should be
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { kafkaErrors } from "../src/kafka/error_codes.ts";

const page = fileURLToPath(new URL("../docs/KAFKA.md", import.meta.url));
const begin = "<!-- errors: made by tools/build_kafka_errors.ts -->";
const end = "<!-- /errors -->";

/** The page with the table as it should be. Throws where it has no place for one. */
export function withErrorTable(text: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/KAFKA.md has no place between "${begin}" and "${end}"`);
  return `${text.slice(0, from + begin.length)}\n\n${errorTable()}\n\n${text.slice(to)}`;
}

function errorTable(): string {
  const rows = [
    ["code", "name", "course"],
    ...kafkaErrors.map(({ code, name, course }) => [String(code), `\`${name}\``, course]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}

if (import.meta.main) {
  const is = readFileSync(page, "utf8");
  const wanted = withErrorTable(is);
  if (is === wanted) console.log("docs/KAFKA.md is up to date");
  else if (process.argv.includes("--check")) {
    console.error("docs/KAFKA.md does not fit src/kafka/error_codes.ts: run bun tools/build_kafka_errors.ts");
    process.exitCode = 1;
  } else {
    writeFileSync(page, wanted);
    console.log("docs/KAFKA.md written");
  }
}
