/**
 * The kinds of value that a configuration has: sizes, times, counts, switches, lists, addresses, files.
 *
 * Each kind reads what YAML gives and also text, because environment variables and `--set` are always text:
 * `"100"` is a count, `"true"` a switch, `"a:1,b:2"` a list. Numbers are never taken for text: a password
 * `0123` must be quoted, or its zero is gone before anybody sees it.
 *
 * @module
 */
import * as v from "valibot";
import { didYouMean } from "../core/suggest.ts";
import { quote, type Read, readDuration, readHostPort, readSize } from "./units.ts";

/** Bounds of a number, both inclusive, in the unit the value is kept in. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A schema that reads text with `read`. */
export function readText<T>(
  description: string,
  read: (input: string) => Read<T>,
): v.GenericSchema<string, T> {
  return v.pipe(v.string(wants("text")), v.description(description), readWith(read)) as v.GenericSchema<
    string,
    T
  >;
}

/** A schema that reads text or a number with `read`. */
function readTextOrNumber<T>(
  description: string,
  what: string,
  read: (input: string | number) => Read<T>,
): v.GenericSchema<string | number, T> {
  return v.pipe(
    v.union([v.string(), v.number()], wants(what)),
    v.description(description),
    readWith(read),
  ) as v.GenericSchema<
    string | number,
    T
  >;
}

/** Text that is not empty. */
export function text(description: string): v.GenericSchema<string, string> {
  return readText(
    description,
    (input) =>
      input.trim() === ""
        ? { ok: false, message: "is empty; write a value or remove the key" }
        : { ok: true, value: input },
  );
}

/** Text that is not empty and that no message repeats. */
export function secretText(description: string): v.GenericSchema<string, string> {
  const kind = ({ input }: { input: unknown }): string =>
    input === null || input === undefined
      ? "has no value; write text or remove the key"
      : `wants text, but a ${
        Array.isArray(input) ? "list" : typeof input === "object" ? "map" : typeof input
      } is written here; put it in quotes`;
  return v.pipe(
    v.string(kind),
    v.description(description),
    v.minLength(1, "is empty; write a value or remove the key"),
  ) as v.GenericSchema<string, string>;
}

/** A size in bytes: `64KiB`. */
export function size(description: string, bounds: Bounds): v.GenericSchema<string | number, number> {
  return readTextOrNumber(
    description,
    "a size such as 64KiB, 10MB or 1GiB",
    (input) => within(readSize(input), bounds, input, formatSize),
  );
}

/** A time in milliseconds: `5ms`. */
export function duration(description: string, bounds: Bounds): v.GenericSchema<string | number, number> {
  return readTextOrNumber(
    description,
    "a time such as 5ms, 10s, 10m or 1h",
    (input) => within(readDuration(input), bounds, input, formatDuration),
  );
}

/** A whole number. */
export function count(description: string, bounds: Bounds): v.GenericSchema<string | number, number> {
  return readTextOrNumber(description, "a whole number", (input) => {
    const value = typeof input === "string" && !/^\s*\d+\s*$/.test(input) ? NaN : Number(input);
    if (!Number.isSafeInteger(value)) return { ok: false, message: `${quote(input)} is not a whole number` };
    return within({ ok: true, value }, bounds, input, String);
  });
}

/** `true` or `false`. */
export function flag(description: string): v.GenericSchema<boolean | string, boolean> {
  const schema = v.pipe(
    v.union([v.boolean(), v.picklist(["true", "false"])], wants("true or false")),
    v.description(description),
    v.transform((input) => input === true || input === "true"),
  );
  return schema as v.GenericSchema<boolean | string, boolean>;
}

/** One of a few words. */
export function choice<const Words extends readonly string[]>(
  description: string,
  words: Words,
): v.GenericSchema<Words[number], Words[number]> {
  const schema = v.pipe(
    v.picklist(words, (issue) => notOneOf(issue.input, words)),
    v.description(description),
  );
  return schema as unknown as v.GenericSchema<Words[number], Words[number]>;
}

/** A list of text, or the same as one text with commas; every item is read with `read`. */
export function list<T>(
  description: string,
  read: (input: string) => Read<T>,
  max: number,
): v.GenericSchema<string | string[], T[]> {
  const item = v.pipe(v.string(wants("text")), readWith(read));
  const schema = v.pipe(
    v.lazy((input) =>
      typeof input === "string" ? commaList : v.array(v.string(wants("text")), wants("a list"))
    ),
    v.description(description),
    v.array(item),
    v.minLength(1, "is an empty list; name at least one or remove the key"),
    v.maxLength(max, `has more than ${max} entries`),
  );
  return schema as unknown as v.GenericSchema<string | string[], T[]>;
}

const commaList = v.pipe(v.string(), v.transform((input) => input.split(",").map((item) => item.trim())));

/** `host:port` that something is reached at. */
export function address(
  description: string,
  example: string,
): v.GenericSchema<string, { hostname: string; port: number }> {
  return readText(description, (input) => readHostPort(input, example));
}

/** A map with exactly these keys. */
export function section<const Entries extends v.ObjectEntries>(
  description: string,
  entries: Entries,
): v.SchemaWithPipe<
  readonly [
    v.StrictObjectSchema<Entries, undefined>,
    v.DescriptionAction<v.InferOutput<v.StrictObjectSchema<Entries, undefined>>, string>,
  ]
> {
  return v.pipe(v.strictObject(entries), v.description(description));
}

/** The message of a word that is not in the list. */
function notOneOf(input: unknown, words: readonly string[]): string {
  if (typeof input !== "string") return wants(`one of: ${words.join(", ")}`)({ input });
  return `${quote(input)} is not one of: ${words.join(", ")}${didYouMean(input, words)}`;
}

/** The message of a value of the wrong kind, as in "wants text, but a list is written here". */
export function wants(what: string): (issue: { input: unknown }) => string {
  return (issue) => {
    if (issue.input === null || issue.input === undefined) {
      return `has no value; write ${what} or remove the key`;
    }
    const cure = what === "text" && (typeof issue.input === "number" || typeof issue.input === "boolean");
    return `wants ${what}, but ${kindOf(issue.input)} is written here${cure ? "; put it in quotes" : ""}`;
  };
}

/** The kind of a YAML value in plain words. */
export function kindOf(input: unknown): string {
  if (input === null || input === undefined) return "nothing";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "a map";
  if (typeof input === "string") return `the text ${quote(input)}`;
  return `${typeof input === "number" ? "the number " : ""}${String(input)}`;
}

/** Bytes as people write them. */
export function formatSize(bytes: number): string {
  for (
    const [unit, factor] of [["TiB", 1024 ** 4], ["GiB", 1024 ** 3], ["MiB", 1024 ** 2], [
      "KiB",
      1024,
    ]] as const
  ) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

/** Milliseconds as people write them. */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of [["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

function within(
  read: Read<number>,
  bounds: Bounds,
  input: string | number,
  format: (value: number) => string,
): Read<number> {
  if (!read.ok) return read;
  if (read.value < bounds.min) {
    return { ok: false, message: `${quote(input)} is too small; the least is ${format(bounds.min)}` };
  }
  if (read.value > bounds.max) {
    return { ok: false, message: `${quote(input)} is too large; the most is ${format(bounds.max)}` };
  }
  return read;
}

function readWith<In, Out>(read: (input: In) => Read<Out>): v.RawTransformAction<In, Out> {
  return v.rawTransform<In, Out>(({ dataset, addIssue, NEVER }) => {
    const result = read(dataset.value);
    if (result.ok) return result.value;
    addIssue({ message: result.message });
    return NEVER;
  });
}
