/**
 * What overrides the file: `KAFKA_BROKER` and its like (as hotdog), `CORNDOG_<PATH>`, then `--set key=value`.
 *
 * Their values are text; the fields read text. Only where a map or a list of maps is wanted (`CORNDOG_LISTEN`,
 * `--set kafka.sasl=…`) the text is read as YAML. Each override remembers its origin, so that a fault in it does
 * not point into the file.
 *
 * @module
 */
import type { Fault } from "../core/errors.ts";
import type { Environment } from "./environment.ts";
import { invariant } from "../core/invariant.ts";
import type { LogLevel } from "../core/log_names.ts";
import { nearest } from "../core/suggest.ts";
import { parseYaml, type Path } from "./yaml.ts";

/** One value that replaces what the file says. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** `CORNDOG_KAFKA_TOPIC` or `--set kafka.topic`. */
  readonly origin: string;
}

/** Overrides, and what is wrong or odd about them. */
export interface Overrides {
  readonly overrides: readonly Override[];
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

/** A key of the configuration: its path, and whether it holds a map or a list of maps. */
export interface KnownKey {
  readonly path: readonly string[];
  readonly structured: boolean;
}

/** Variables that other parts of corndog read. */
const otherVariables: ReadonlySet<string> = new Set([
  "CORNDOG_BINARY",
  "CORNDOG_CHAOS",
  "CORNDOG_FAULT",
  "CORNDOG_HANDOVER",
  "CORNDOG_INSTALL",
]);
/** What the variables of corndog begin with. */
const variablePrefix = "CORNDOG_";
/** Highest index in `--set listen.0.framing=…`. */
const indexMax = 1000;

/** Every key that `schema` (a strict object of optional values) knows, outside of lists. */
export function knownKeys(schema: unknown, path: readonly string[] = []): KnownKey[] {
  const open = unwrap(schema);
  if (open.entries === undefined) return [];
  return Object.entries(open.entries).flatMap(([key, entry]) => {
    const here = [...path, key];
    const inner = unwrap(entry);
    const structured = inner.entries !== undefined ||
      inner.item !== undefined && unwrap(inner.item).entries !== undefined;
    return [{ path: here, structured }, ...knownKeys(entry, here)];
  });
}

/** Reads the environment. `known` are the keys of the configuration. */
export function fromEnvironment(env: Environment, known: readonly KnownKey[]): Overrides {
  const overrides: Override[] = [];
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  for (const [variable, path] of hotdogVariables) {
    const value = env[variable];
    if (value !== undefined && value !== "") overrides.push({ path, value, origin: variable });
  }
  const byVariable = new Map(
    known.map((key): [string, KnownKey] => [`${variablePrefix}${key.path.join("_").toUpperCase()}`, key]),
  );
  // By its name it would be the whole section; it is the form of the log since there is one.
  byVariable.set("CORNDOG_LOG", { path: ["log", "format"], structured: false });
  for (const variable of Object.keys(env).filter((name) => name.startsWith(variablePrefix)).sort()) {
    const value = env[variable];
    const key = byVariable.get(variable);
    // Always was the same as no variable.
    if (key?.path[0] === "log" && value === "") continue;
    if (key !== undefined && value !== undefined) {
      const read = readValue(value, key, `environment ${variable}`);
      if (read.ok) overrides.push({ path: key.path, value: read.value, origin: variable });
      else faults.push(...read.faults);
    } else if (!otherVariables.has(variable)) {
      const message = `this variable names no key of the configuration and is ignored${
        didYouMeanVariable(variable, byVariable.keys())
      }`;
      warnings.push({ file: `environment ${variable}`, line: 0, column: 0, path: "", message });
    }
  }
  return { overrides, faults, warnings };
}

/** Levels of the log that hotdog took from `RUST_LOG`, in words of this one. */
const rustLevels: ReadonlyMap<string, LogLevel> = new Map([
  ["off", "error"],
  ["error", "error"],
  ["warn", "warn"],
  ["info", "info"],
  ["debug", "debug"],
  ["trace", "debug"],
]);

/** `RUST_LOG` as hotdog read it (env_logger): `info`, `hotdog=debug`, with commas; what is about its crates is not for us. */
export function fromRustLog(env: Environment): Override[] {
  const directives = (env["RUST_LOG"] ?? "").toLowerCase().split(",").map((one) => one.trim());
  const levelOf = (prefix: string) =>
    directives.filter((one) => one.startsWith(prefix)).map((one) => rustLevels.get(one.slice(prefix.length)))
      .findLast((level) => level !== undefined);
  const level = levelOf("hotdog=") ?? levelOf("");
  return level === undefined ? [] : [{ path: ["log", "level"], value: level, origin: "RUST_LOG" }];
}

/** Reads the `key=value` of `--set`. */
export function fromSets(sets: readonly string[], known: readonly KnownKey[]): Overrides {
  const overrides: Override[] = [];
  const faults: Fault[] = [];
  for (const set of sets) {
    const equals = set.indexOf("=");
    const name = equals < 0 ? set : set.slice(0, equals);
    const origin = `--set ${name}`;
    const fault = (message: string) => faults.push({ file: origin, line: 0, column: 0, path: "", message });
    if (equals <= 0) {
      fault("wants key=value, such as --set kafka.topic=logs");
      continue;
    }
    const path = name.split(".").map((step) => /^\d{1,4}$/.test(step) ? Number(step) : step);
    if (
      path.some((step) => step === "" || step === "__proto__" || typeof step === "number" && step > indexMax)
    ) {
      fault("is not a key; write its parts with dots between them, such as kafka.topic or listen.0.framing");
      continue;
    }
    if (path[0] === "rules" || path[0] === "tests") {
      fault(`${path[0]} cannot be set one by one; name rule files with --rules PATH, or change the file`);
      continue;
    }
    const key = known.find((candidate) => candidate.path.join(".") === name);
    const read = readValue(set.slice(equals + 1), key ?? { path: [], structured: false }, origin);
    if (read.ok) overrides.push({ path, value: read.value, origin });
    else faults.push(...read.faults);
  }
  return { overrides, faults, warnings: [] };
}

/** `; did you mean "CORNDOG_X"?`. The prefix, which they all share, says nothing about how near two names are. */
function didYouMeanVariable(variable: string, known: Iterable<string>): string {
  const keys = [...known].map((name) => name.slice(variablePrefix.length));
  const best = nearest(variable.slice(variablePrefix.length), keys);
  return best === undefined ? "" : `; did you mean "${variablePrefix}${best}"?`;
}

/** Why an override does not fit into a document: it reaches past the end of a list. Undefined where it fits. */
export function gapOf(document: unknown, { path }: Override): string | undefined {
  let value = document;
  for (const [index, step] of path.entries()) {
    const length = Array.isArray(value) ? value.length : 0;
    if (typeof step === "number" && step > length) {
      const list = path.slice(0, index).join(".");
      const entries = length === 1 ? "1 entry" : `${length} entries`;
      return `${list} has ${entries} before this; the next one is ${list}.${length}`;
    }
    value = (value as Record<string | number, unknown> | null | undefined)?.[step];
  }
  return undefined;
}

/** Puts the overrides into a document, in order. Lists and maps that are missing on the way are made. */
export function apply(document: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, override) => put(value, override.path, override.value), document);
}

/** The last override that decides `path`, if one does. */
export function originOf(path: Path, overrides: readonly Override[]): Override | undefined {
  return overrides.findLast((override) =>
    override.path.every((step, index) => String(step) === String(path[index]))
  );
}

/** hotdog's variables (its src/kafka.rs), as paths here. */
const hotdogVariables: readonly (readonly [string, Path])[] = [
  ["KAFKA_BROKER", ["kafka", "brokers"]],
  ["SASL_SCRAM_USERNAME", ["kafka", "sasl", "username"]],
  ["SASL_SCRAM_PASSWORD", ["kafka", "sasl", "password"]],
];

function readValue(
  text: string,
  key: KnownKey,
  origin: string,
): { readonly ok: true; readonly value: unknown } | {
  readonly ok: false;
  readonly faults: readonly Fault[];
} {
  if (!key.structured) return { ok: true, value: text };
  const parsed = parseYaml(text, origin);
  return parsed.ok ? { ok: true, value: parsed.document.value } : parsed;
}

function put(value: unknown, path: Path, put_: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return put_;
  if (typeof step === "number") {
    const list = Array.isArray(value) ? [...value] : [];
    invariant(step <= list.length, "an override leaves no hole in a list");
    list[step] = put(list[step], rest, put_);
    return list;
  }
  const map: Record<string, unknown> = typeof value === "object" && value !== null && !Array.isArray(value)
    ? { ...value }
    : {};
  // One way to give a login replaces the others: SASL_SCRAM_PASSWORD beside password_env is no contradiction.
  if (rest.length === 0) { for (const rival of loginRivals(step)) delete map[rival]; }
  map[step] = put(map[step], rest, put_);
  return map;
}

function loginRivals(key: string): string[] {
  const base = key.replace(/_(?:env|file)$/, "");
  return ["username", "password"].includes(base) ? [base, `${base}_env`, `${base}_file`] : [];
}

interface OpenSchema {
  readonly wrapped?: unknown;
  readonly getter?: (input: unknown) => unknown;
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly item?: unknown;
}

function unwrap(schema: unknown): OpenSchema {
  let current = schema as OpenSchema;
  while (current.wrapped !== undefined || typeof current.getter === "function") {
    current = (current.wrapped ?? current.getter!({})) as OpenSchema;
  }
  return current;
}
