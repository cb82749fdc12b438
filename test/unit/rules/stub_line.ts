/**
 * A `Line` of a frame for tests of the rules alone: a small, slow reading of RFC 5424, and anything else as message.
 *
 * @module
 */

import type { RuleSet, RuleSource } from "../../../src/config/config.ts";
import { compileRules } from "../../../src/rules/compile.ts";
import type { Program } from "../../../src/rules/program.ts";
import { parseJsonText } from "../../../src/rules/json_text.ts";
import type { FieldName, Line } from "../../../src/rules/program.ts";

const severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const facilities = ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news"];

/** 2026-01-02T03:04:05.678Z. */
export const stubNowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A line whose calls are counted. */
export class StubLine implements Line {
  readonly nowMs = stubNowMs;
  /** How often the message was decoded and parsed. */
  decoded = 0;
  parsed = 0;
  readonly #fields: Partial<Record<FieldName, string>>;
  readonly #structured: string;
  readonly #priority: number;
  #json: unknown;

  constructor(frame: string, peer = "192.0.2.1:514") {
    const found = /^<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\]|\\.)*\])+) ?([^]*)$/.exec(
      frame,
    );
    const field = (at: number) => found === null || found[at] === "-" ? undefined : found[at];
    this.#priority = found === null ? -1 : Number(found[1]);
    this.#structured = field(7) ?? "";
    this.#fields = {
      raw: frame,
      msg: found === null ? frame : found[8],
      timestamp: field(2),
      hostname: field(3),
      appname: field(4),
      procid: field(5),
      msgid: field(6),
      peer,
      severity: severities[this.severity()],
      facility: facilities[this.facility()],
    };
  }

  text(name: FieldName): string | undefined {
    if (name === "msg") this.decoded++;
    return this.#fields[name];
  }

  severity(): number {
    return this.#priority < 0 ? -1 : this.#priority & 7;
  }

  startsWith(field: "msg" | "raw", prefix: string): boolean {
    return this.#fields[field]!.startsWith(prefix);
  }

  facility(): number {
    return this.#priority < 0 ? -1 : this.#priority >> 3;
  }

  structured(id: string, param: string): string | undefined {
    const element = [...this.#structured.matchAll(/\[([^ \]]+)((?:[^\]\\]|\\.)*)\]/g)].find((found) =>
      found[1] === id
    );
    const value = element === undefined
      ? undefined
      : new RegExp(` ${param}="((?:[^"\\\\]|\\\\.)*)"`).exec(element[2]);
    return value?.[1].replaceAll(/\\(["\\\]])/g, "$1");
  }

  structuredData(): string | undefined {
    return this.#structured === "" ? undefined : this.#structured;
  }

  json(): unknown {
    if (this.parsed++ === 0) this.#json = parseJsonText(this.#fields.msg!);
    return this.#json;
  }
}

/** Frames `message` as RFC 5424. */
export function frameOf(message: string): string {
  return `<13>1 2026-01-02T03:04:05Z web app 42 ID7 [origin@32473 ip="10.0.0.9" note="a \\"b\\" \\]"] ${message}`;
}

/** A rule set of plain values. */
export function ruleSetOf(
  rules: readonly unknown[],
  tests: readonly unknown[] = [],
  dialect: RuleSet["dialect"] = "corndog",
): RuleSet {
  const source = (section: string) => (value: unknown, index: number): RuleSource => ({
    value,
    file: "rules.yml",
    path: `${section}.${index}`,
    line: index + 1,
    places: {},
  });
  return { dialect, rules: rules.map(source("rules")), tests: tests.map(source("tests")), files: [] };
}

/** The version that test programs carry. */
export const stubVersion = "1.2.3";

/** Compiles rules that must be sound. */
export function programOf(rules: readonly unknown[], dialect: RuleSet["dialect"] = "corndog"): Program {
  const compiled = compileRules(ruleSetOf(rules, [], dialect), {
    version: stubVersion,
    defaultTopic: "logs",
  });
  if (!compiled.ok) {
    throw new Error(compiled.faults.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  }
  return compiled.program;
}

/** The faults of rules as `path: message`. */
export function faultsOf(
  rules: readonly unknown[],
  tests: readonly unknown[] = [],
  dialect: RuleSet["dialect"] = "corndog",
): string[] {
  const compiled = compileRules(ruleSetOf(rules, tests, dialect), {
    version: stubVersion,
    defaultTopic: "logs",
  });
  return compiled.ok
    ? []
    : compiled.faults.map(({ source, path, message, column }) =>
      `${source.path}${path === "" ? "" : `.${path}`}${column === undefined ? "" : `@${column}`}: ${message}`
    );
}
