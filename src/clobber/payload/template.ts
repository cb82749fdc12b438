/**
 * Lines with fields: `{{mark}}`, `{{int(1,99)}}`. Values are drawn when the pool is made, from the seed; the mark and
 * the time are put in when a line is sent.
 *
 * @module
 */
import { didYouMean } from "../../core/suggest.ts";
import { blankMark } from "./mark.ts";
import type { Random } from "./random.ts";
import { stampPlaceholder } from "./stamp.ts";

/** Draws one value. */
type Draw = (random: Random, index: number) => string;

/** A template that was read, or what is wrong with it. */
export type TemplateResult = { readonly ok: true; readonly render: Draw } | {
  readonly ok: false;
  readonly message: string;
};

const words = [
  "mustard",
  "onion",
  "relish",
  "grill",
  "order",
  "queue",
  "ketchup",
  "stand",
  "counter",
  "roll",
];
const letters = "abcdefghijklmnopqrstuvwxyz";

/** Fields with their arguments; undefined for arguments that make no sense. */
const fields: Readonly<Record<string, (args: readonly string[], run: string) => Draw | undefined>> = {
  mark: (_, run) => () => blankMark(run),
  time: () => () => stampPlaceholder("iso"),
  bsdtime: () => () => stampPlaceholder("bsd"),
  index: () => (_, index) => String(index),
  host: () => (random) => `host-${random.integer(1, 64)}`,
  word: () => (random) => random.pick(words),
  ip: () => (random) => `10.${random.integer(0, 255)}.${random.integer(0, 255)}.${random.integer(1, 254)}`,
  uuid: () => (random) => uuid(random),
  int(args) {
    const [low, high] = [Number(args[0]), Number(args[1])];
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high) return undefined;
    return (random) => String(random.integer(low, high));
  },
  hex: (args) => count(args, (random, n) => text(random, "0123456789abcdef", n)),
  alpha: (args) => count(args, (random, n) => text(random, letters, n)),
  pick: (args) => args.length === 0 ? undefined : (random) => random.pick(args),
};

/** What a wrong field should have been. */
const shapes = "mark time bsdtime index host word ip uuid int(LOW,HIGH) hex(N) alpha(N) pick(A,B,...)";

function count(args: readonly string[], draw: (random: Random, n: number) => string): Draw | undefined {
  const n = Number(args[0]);
  if (!Number.isInteger(n) || n < 1 || n > 65_536) return undefined;
  return (random) => draw(random, n);
}

function text(random: Random, alphabet: string, length: number): string {
  let made = "";
  for (let index = 0; index < length; index++) made += alphabet[random.integer(0, alphabet.length - 1)];
  return made;
}

function uuid(random: Random): string {
  const hex = text(random, "0123456789abcdef", 30);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(12, 15)}`, `a${hex.slice(15, 18)}`];
  return `${parts.join("-")}-${hex.slice(18, 30)}`;
}

/**
 * Reads a template.
 *
 * @param own fields of the user by name, each a template itself (without own fields in it)
 */
export function readTemplate(
  source: string,
  run: string,
  own: ReadonlyMap<string, string> = new Map(),
): TemplateResult {
  const parts: Draw[] = [];
  let from = 0;
  for (const match of source.matchAll(/\{\{\s*([a-z_][\w.-]*)\s*(?:\(([^)]*)\))?\s*\}\}/gi)) {
    const [whole, name, given] = match;
    const before = source.slice(from, match.index);
    if (before !== "") parts.push(() => before);
    from = match.index + whole.length;
    const mine = own.get(name!);
    if (mine !== undefined) {
      const inner = readTemplate(mine, run);
      if (!inner.ok) return { ok: false, message: `--field ${name}: ${inner.message}` };
      parts.push(inner.render);
      continue;
    }
    const known = fields[name!];
    if (known === undefined) {
      const hint = didYouMean(name!, [...Object.keys(fields), ...own.keys()]);
      return { ok: false, message: `unknown field {{${name}}}${hint}; there are: ${shapes}` };
    }
    const args = given === undefined || given.trim() === "" ? [] : given.split(",").map((arg) => arg.trim());
    const draw = known(args, run);
    if (draw === undefined) {
      return { ok: false, message: `${whole} has arguments that make no sense; there are: ${shapes}` };
    }
    parts.push(draw);
  }
  const rest = source.slice(from);
  if (rest !== "" || parts.length === 0) parts.push(() => rest);
  return { ok: true, render: (random, index) => parts.map((part) => part(random, index)).join("") };
}
