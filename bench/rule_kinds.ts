/**
 * Nanoseconds per line of single rules of each kind, without framing, header parsing, decoding or sending.
 *
 *     bun bench/rule_kinds.ts        deno run -A --no-check bench/rule_kinds.ts
 *
 * The lines are 200 to 300 bytes and ready as text, so that what is measured is matching, parsing of JSON where a
 * rule asks for it, merging and the making of records. Each figure is the best of many short rounds: others on the
 * machine only ever add, and a round of a few milliseconds has a chance to run undisturbed.
 *
 * @module
 */

import process from "node:process";
import { compileRules } from "../src/rules/compile.ts";
import { parseJsonText } from "../src/rules/json_text.ts";
import type { FieldName, Line } from "../src/rules/program.ts";

const rounds = 200;
const linesPerRound = 5_000;

class BenchLine implements Line {
  readonly nowMs = Date.UTC(2026, 0, 2);
  message = "";
  #json: unknown;
  #isParsed = false;

  move(message: string): void {
    this.message = message;
    this.#isParsed = false;
  }

  text(field: FieldName): string | undefined {
    return field === "msg" || field === "raw" ? this.message : "host";
  }

  json(): unknown {
    if (!this.#isParsed) {
      this.#isParsed = true;
      this.#json = parseJsonText(this.message);
    }
    return this.#json;
  }

  startsWith(_field: "msg" | "raw", prefix: string): boolean {
    return this.message.startsWith(prefix);
  }

  severity(): number {
    return 6;
  }

  facility(): number {
    return 1;
  }

  structured(): undefined {
    return undefined;
  }

  structuredData(): undefined {
    return undefined;
  }
}

const words =
  "the quick brown fox jumps over a lazy dog while seven wizards boil quartz and vex jumping sphinxes ";
const access = (n: number) =>
  `10.1.${n % 256}.7 - - [02/Jan/2026:03:04:05 +0000] "GET /articles/${n}?q=abc HTTP/1.1" 200 ${n * 7} ` +
  `"https://example.com/start/page/${n}" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"`;
const json = (n: number) =>
  `{"level":"info","ts":"2026-01-02T03:04:05.${100 + n % 900}Z","caller":"server/handler.go:${n % 400}",` +
  `"msg":"request completed","method":"GET","path":"/articles/${n}","status":200,"bytes":${n * 7},` +
  `"user":{"id":${n},"name":"user-${n}"},"meta":{"topic":"orders","region":"eu"},"tags":["a","b"]}`;
const greeting = (n: number) => `hello world-${n} ${words}${words}`;
const plain = (n: number) => `connection ${n} closed: ${words}${words}`;

const forward = (topic: string) => ({ type: "forward", topic });
const hotdog = [
  {
    regex: "^hello\\s+(?P<name>\\w+)?",
    actions: [{
      type: "replace",
      template: "This is the total message: {{msg}}\n\nAnd the name is: {{name}}\n",
    }, forward("test")],
  },
  {
    jmespath: "meta.topic",
    actions: [
      { type: "merge", json: { meta: { hotdog: { version: "{{version}}", timestamp: "{{iso8601}}" } } } },
      forward("{{value}}"),
    ],
  },
  { regex: ".*", actions: [forward("logs-unknown")] },
];
const accessPattern =
  '^(?P<ip>\\S+) \\S+ (?P<user>\\S+) \\[(?P<t>[^\\]]+)\\] "(?P<m>\\w+) (?P<path>\\S+) [^"]*" (?P<s>\\d{3})';

const cases: { name: string; rules: unknown[]; line: (n: number) => string }[] = [
  { name: "catch-all", rules: [{ regex: ".*", actions: [forward("a")] }], line: access },
  {
    name: "one regex, no groups (native)",
    rules: [{ regex: '" 5\\d\\d |" 200 ', actions: [forward("a")] }],
    line: access,
  },
  {
    name: "one regex, two groups in topic and key",
    rules: [{
      regex: accessPattern,
      actions: [{ ...forward("http-{{s}}"), key: "{{ip}}" }],
    }],
    line: access,
  },
  {
    name: "one regex, short texts only (hybrid)",
    rules: [{ regex: "GET .*Safari", actions: [forward("a")] }],
    line: access,
  },
  {
    name: "one regex on the linear engine",
    rules: [{ regex: "(?:GET|HEAD)(?:.|\\pL)* 200", actions: [forward("a")] }],
    line: access,
  },
  {
    name: "JMESPath as topic, message unchanged",
    rules: [hotdog[1]].map((rule) => ({ ...rule, actions: [forward("{{value}}")] })),
    line: json,
  },
  { name: "hotdog's three rules: greeting", rules: hotdog, line: greeting },
  { name: "hotdog's three rules: JSON, merged", rules: hotdog, line: json },
  { name: "hotdog's three rules: plain text", rules: hotdog, line: plain },
];

let checksum = 0;

function measure(rules: readonly unknown[], lines: readonly string[]): number {
  const sources = rules.map((value, index) => ({
    value,
    file: "bench",
    path: `rules.${index}`,
    line: 1,
    places: {},
  }));
  const ruleSet = { dialect: "corndog" as const, rules: sources, tests: [], files: [] };
  const compiled = compileRules(ruleSet, { version: "0.0.0", defaultTopic: "logs" });
  if (!compiled.ok) throw new TypeError(compiled.faults.map(({ message }) => message).join("; "));
  const { program } = compiled;
  const line = new BenchLine();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < linesPerRound; i++) {
      line.move(lines[i % lines.length]);
      const outcome = program.apply(line);
      checksum += outcome.count + outcome.forwards[0].topic.length + outcome.forwards[0].text.length;
    }
    best = Math.min(best, performance.now() - start);
  }
  return best * 1e6 / linesPerRound;
}

const runtime = process.versions.bun === undefined
  ? `deno ${process.versions.deno}`
  : `bun ${process.versions.bun}`;
process.stdout.write(`ns per line on ${runtime}, best of ${rounds} rounds of ${linesPerRound} lines\n`);
for (const { name, rules, line } of cases) {
  const lines = Array.from({ length: 1000 }, (_, n) => line(n));
  const bytes = Math.round(lines.reduce((sum, text) => sum + text.length, 0) / lines.length);
  const ns = measure(rules, lines);
  process.stdout.write(`${ns.toFixed(0).padStart(7)}  ${name} (${bytes} bytes)\n`);
}
process.stdout.write(`checksum ${checksum}\n`);
