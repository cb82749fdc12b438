/**
 * YAML in, plain values with places out: the only file that names the YAML library.
 *
 * In: text that a person wrote. Out: a value of maps, lists, text, numbers, booleans and null, and for every path
 * in it the line and column. Refused, each with its place: syntax errors, warnings (unknown tags, versions),
 * duplicate keys, a second document, keys that are not text, merge keys, aliases that expand without measure,
 * and nesting beyond `depthMax`. Never throws, whatever the text.
 *
 * The tree is walked here and not by the library's `toJS`, because that throws without a position.
 *
 * @module
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  stringify,
  type YAMLMap,
} from "yaml";
import type { Fault } from "../core/errors.ts";

/** Keys and indices from the top of a document. */
export type Path = readonly (string | number)[];

/** A place in a text; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A parsed document. */
export interface YamlDocument {
  /** The value; `null` for an empty document. */
  readonly value: unknown;
  /** Where `path` stands: the key of an unknown key (`at: "key"`), else the value; where it is missing, the map it is missing from. */
  locate(path: Path, at?: "key" | "value"): Place;
  /** Where the text of the value at `path` begins and ends, through aliases; undefined where there is none. */
  span(path: Path): readonly [start: number, end: number] | undefined;
  /** Characters from the place of the text at `path` to its first one (1 for a quote); undefined where the file writes it otherwise (escapes, several lines). */
  textOffset(path: Path): number | undefined;
  /** Where the whole `key: value` of a top-level key begins and ends, up to the next key or the end of the document. */
  sectionSpan(key: string): readonly [start: number, end: number] | undefined;
}

/** A document, or what is wrong with it. */
export type YamlResult =
  | { readonly ok: true; readonly document: YamlDocument }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Longest text that is read: 2000 rules take 0.3 MB. */
export const yamlBytesMax = 8 * 1024 * 1024;
/** Deepest nesting of maps and lists. */
export const depthMax = 100;
/** Most values that aliases may add to a document. */
const aliasedValuesMax = 10_000;
/** Characters of the text that a message may look at. */
const excerptMax = 200;
/** Faults reported of one document; what follows the first ones is mostly their echo. */
const faultsMax = 50;

/** Parses one YAML document. `file` is the name that faults carry. */
export function parseYaml(text: string, file: string): YamlResult {
  if (text.length > yamlBytesMax) {
    return refused(file, `the file has ${text.length} characters, at most ${yamlBytesMax} are read`);
  }
  const lines = new LineCounter();
  let parsed: Document.Parsed;
  try {
    parsed = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: "error",
      resolveKnownTags: false,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // The library recurses; text that nests tens of thousands deep ends its stack before the depth is known.
    return refused(file, `the document is nested too deeply, at most ${depthMax} levels are read`);
  }
  const place = (offset: number): Place => placeAt(lines, offset);
  const faults: Fault[] = [...parsed.errors, ...parsed.warnings].slice(0, faultsMax).map((problem) => ({
    file,
    ...place(problem.pos[0]),
    path: "",
    message: plainMessage(problem.code, problem.message, text, problem.pos[0]),
  }));
  if (faults.length > 0) return { ok: false, faults };
  const walk = new Walk(file, place);
  const value = walk.value(parsed.contents, [], 0);
  if (walk.faults.length > 0) return { ok: false, faults: walk.faults };
  return { ok: true, document: new LocatedDocument(value, parsed.contents, walk.targets, place, text) };
}

/** Writes a plain value as YAML. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function refused(file: string, message: string): YamlResult {
  return { ok: false, faults: [{ file, line: 1, column: 1, path: "", message }] };
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? { line: 1, column: 1 } : { line, column: col };
}

/** The library's words where they say enough, ours where they leave the reader alone. */
function plainMessage(code: string, message: string, text: string, offset: number): string {
  const rest = text.slice(offset, offset + excerptMax);
  switch (code) {
    case "DUPLICATE_KEY":
      return `the key "${/^["']?([^\s:"']*)/.exec(rest)?.[1] ?? ""}" is written twice; keep one of them`;
    case "MULTIPLE_DOCS":
      return "a second document begins here; keep one document per file";
    case "TAG_RESOLVE_FAILED":
      return `the tag ${/^\S+/.exec(rest)?.[0] ?? ""} has no meaning here; remove it`;
    case "TAB_AS_INDENT":
      return "a tab is not allowed as indentation; use spaces";
    default:
      return `not valid YAML: ${message}${
        text[offset - 1] === "$" ? "; inside { } and [ ] put ${NAME} in quotes" : ""
      }`;
  }
}

/** Turns nodes into plain values, in document order, so that an alias sees the latest anchor of its name. */
class Walk {
  readonly faults: Fault[] = [];
  readonly targets: Map<Alias, Node> = new Map<Alias, Node>();
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  readonly #file: string;
  readonly #place: (offset: number) => Place;
  #aliasDepth = 0;
  #aliasedValues = 0;

  constructor(file: string, place: (offset: number) => Place) {
    this.#file = file;
    this.#place = place;
  }

  value(node: unknown, path: Path, depth: number): unknown {
    if (!isNode(node)) return null;
    if (isAlias(node)) return this.#alias(node, path, depth);
    if (depth >= depthMax && !isScalar(node)) {
      return this.#fault(node, path, `nested too deeply, at most ${depthMax} levels are read`);
    }
    if (this.#aliasDepth > 0 && ++this.#aliasedValues > aliasedValuesMax) {
      if (this.#aliasedValues > aliasedValuesMax + 1) return null;
      return this.#fault(
        node,
        path,
        `aliases (*name) add more than ${aliasedValuesMax} values; write fewer of them`,
      );
    }
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(anchor, node);
    if (isScalar(node)) return this.#scalar(node, path);
    this.#open.add(node);
    let value: unknown = null;
    if (isMap(node)) value = this.#map(node, path, depth);
    else if (isSeq(node)) {
      value = node.items.map((item, index) => this.value(item, [...path, index], depth + 1));
    }
    this.#open.delete(node);
    return value;
  }

  #scalar(node: Node & { value: unknown }, path: Path): unknown {
    const { value } = node;
    if (value === undefined || value === null) return null;
    if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return value;
    return this.#fault(
      node,
      path,
      "this kind of value has no meaning here; write text, a number, true or false",
    );
  }

  #map(node: YAMLMap, path: Path, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (const pair of node.items as Pair<unknown, unknown>[]) {
      const key = isAlias(pair.key) ? undefined : isScalar(pair.key) ? keyText(pair.key.value) : undefined;
      if (key === undefined) {
        this.#fault(isNode(pair.key) ? pair.key : node, path, "a key must be plain text");
      } else if (key === "<<") {
        this.#fault(pair.key as Node, path, "merge keys (<<) are not read; repeat the keys here");
      } else if (key === "__proto__") {
        this.#fault(pair.key as Node, path, 'the key "__proto__" is not allowed; choose another name');
      } else {
        const { anchor } = pair.key as { anchor?: string };
        if (anchor !== undefined) this.#anchors.set(anchor, pair.key as Node);
        map[key] = this.value(pair.value, [...path, key], depth + 1);
      }
    }
    return map;
  }

  #alias(node: Alias, path: Path, depth: number): unknown {
    const target = this.#aliasDepth > 0 ? this.targets.get(node) : this.#anchors.get(node.source);
    if (target === undefined) {
      return this.#fault(
        node,
        path,
        `the alias *${node.source} has no anchor before it; write &${node.source} at the value it means`,
      );
    }
    if (this.#open.has(target)) {
      return this.#fault(
        node,
        path,
        `the alias *${node.source} lies inside the value it means; write the value out`,
      );
    }
    this.targets.set(node, target);
    this.#aliasDepth++;
    const value = this.value(target, path, depth);
    this.#aliasDepth--;
    return value;
  }

  #fault(node: Node, path: Path, message: string): null {
    const known = this.faults.length >= faultsMax;
    if (!known) {
      this.faults.push({
        file: this.#file,
        ...this.#place(node.range?.[0] ?? 0),
        path: path.join("."),
        message,
      });
    }
    return null;
  }
}

function keyText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return undefined;
}

/** The tree kept beside the value, to answer where a path stands. */
class LocatedDocument implements YamlDocument {
  readonly value: unknown;
  readonly #root: Node | null;
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #place: (offset: number) => Place;
  readonly #text: string;

  constructor(
    value: unknown,
    root: Node | null,
    targets: ReadonlyMap<Alias, Node>,
    place: (offset: number) => Place,
    text: string,
  ) {
    this.value = value;
    this.#root = root;
    this.#targets = targets;
    this.#place = place;
    this.#text = text;
  }

  locate(path: Path, at: "key" | "value" = "value"): Place {
    let node = this.#follow(this.#root);
    let offset = node?.range?.[0] ?? 0;
    for (let step = 0; step < path.length; step++) {
      const entry = this.#entry(node, path[step]);
      if (entry === undefined) break;
      const last = step === path.length - 1;
      const key = entry.key?.range?.[0];
      // An empty value (`tls:`) stands nowhere; its key does.
      const value = isEmpty(entry.value) ? undefined : entry.value?.range?.[0];
      offset = (last && at === "key" ? key ?? value : value ?? key) ?? offset;
      node = this.#follow(entry.value);
    }
    return this.#place(offset);
  }

  span(path: Path): readonly [number, number] | undefined {
    let node = this.#follow(this.#root);
    for (const step of path) node = this.#follow(this.#entry(node, step)?.value ?? null);
    return node?.range ? [node.range[0], node.range[1]] : undefined;
  }

  textOffset(path: Path): number | undefined {
    const span = this.span(path);
    const written = span === undefined ? "" : this.#text.slice(...span);
    let value = this.value;
    for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step];
    if (typeof value !== "string" || value === "") return undefined;
    return written === value ? 0 : written.slice(1, -1) === value ? 1 : undefined;
  }

  sectionSpan(key: string): readonly [number, number] | undefined {
    if (!isMap(this.#root) || this.#root.flow) return undefined;
    const pairs = this.#root.items as Pair<Node, Node | null>[];
    const index = pairs.findIndex((pair) => isScalar(pair.key) && keyText(pair.key.value) === key);
    if (index < 0) return undefined;
    const start = pairs[index].key.range?.[0];
    if (start === undefined) return undefined;
    const value = pairs[index].value?.range;
    const end = Math.max(value?.[1] ?? 0, pairs[index].key.range?.[2] ?? 0);
    const lineEnd = this.#text.indexOf("\n", Math.max(start, end - 1));
    const until = lineEnd < 0 ? this.#text.length : lineEnd + 1;
    return [start, until];
  }

  #follow(node: Node | null): Node | null {
    return isAlias(node) ? this.#targets.get(node) ?? null : node;
  }

  #entry(node: Node | null, step: string | number): { key?: Node; value: Node | null } | undefined {
    if (isSeq(node)) {
      const item = node.items[Number(step)];
      return isNode(item) ? { value: item } : undefined;
    }
    if (!isMap(node)) return undefined;
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      if (isScalar(pair.key) && keyText(pair.key.value) === String(step)) {
        return { key: pair.key, value: pair.value };
      }
    }
    return undefined;
  }
}

function isEmpty(node: Node | null): boolean {
  return isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1];
}
