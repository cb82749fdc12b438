/**
 * Which of its needs each rule is looked up by, decided over all rules together.
 *
 * A clause costs what it lets through: long texts are rare, and what many rules have in common is probably common in
 * lines too. The stride is the largest for which few rules have texts that are too short.
 *
 * @module
 */

import { fieldReader, type ReadField } from "./field_reader.ts";
import { type IndexedText, textCharsMin, TextIndex } from "./prefilter_index.ts";
import { type NeedAtom, type NeedClause, type Needs } from "./prefilter_needs.ts";

/** Rules by the exact value of one field. */
export interface ValueIndex {
  readonly read: ReadField;
  readonly rules: ReadonlyMap<string, Int32Array>;
}

/** What `Prefilter` is made of. */
export interface PrefilterPlan {
  readonly index: TextIndex;
  readonly values: readonly ValueIndex[];
  /** Rules that are candidates for every line. */
  readonly unfiltered: readonly number[];
  /** Rules that are candidates for every line that is not all ASCII. */
  readonly unfilteredBeyondAscii: readonly number[];
  /** True if the whole frame has to be looked through, not the message alone. */
  readonly fromRaw: boolean;
}

const strides = [8, 4, 2, 1] as const;

/** How strides are weighed: a line of so many bytes, and the price of a sample, of an entry met, of a trial. */
const weighed = { lineBytes: 200, sampleNs: 1.2, entryNs: 4, trialNs: 40 } as const;

/** Decides how the rules with these needs are looked up. */
export function planOf(needs: readonly Needs[]): PrefilterPlan {
  const shared = new Map<string, number>();
  for (const clauses of needs) for (const key of keysOf(clauses)) shared.set(key, (shared.get(key) ?? 0) + 1);
  const chosen = needs.map((clauses) => cheapest(clauses, shared));
  const index = indexOf(chosen);
  const values = new Map<string, Map<string, number[]>>();
  const unfiltered: number[] = [];
  const unfilteredBeyondAscii: number[] = [];
  chosen.forEach((clause, rule) => {
    if (clause === undefined || isTooShort(clause, index.stride)) {
      unfiltered.push(rule);
      return;
    }
    if (clause.some(({ asciiOnly }) => asciiOnly)) unfilteredBeyondAscii.push(rule);
    for (const { field, how, text } of clause) {
      if (how === "in") continue;
      let byValue = values.get(field);
      if (byValue === undefined) values.set(field, byValue = new Map());
      addRule(byValue, text, rule);
    }
  });
  return {
    index,
    values: [...values].map(([field, byValue]) => ({
      read: fieldReader(field),
      rules: new Map([...byValue].map(([value, rules]) => [value, Int32Array.from(rules)])),
    })),
    unfiltered,
    unfilteredBeyondAscii,
    fromRaw: chosen.some((clause) => clause?.some(({ how, field }) => how === "in" && field === "raw")),
  };
}

function keysOf(clauses: Needs): Set<string> {
  return new Set(clauses.flat().map(keyOf));
}

function keyOf({ field, how, text }: NeedAtom): string {
  return how === "in" ? text : `${field}=${text}`;
}

function cheapest(clauses: Needs, shared: ReadonlyMap<string, number>): NeedClause | undefined {
  let best: NeedClause | undefined;
  let least = Infinity;
  for (const clause of clauses) {
    let cost = 0;
    for (const atom of clause) cost += rarity(atom) * shared.get(keyOf(atom))!;
    if (cost < least) [best, least] = [clause, cost];
  }
  return best;
}

/** The part of all lines, roughly, that has the atom in it: each two characters more halve it, up to where it is rare. */
function rarity({ how, text }: NeedAtom): number {
  return how === "is" ? 1 / 16 : 2 ** -(Math.min(text.length, 12) / 2);
}

/** True if a text of the clause could lie between two samples; a value has no minimum. */
function isTooShort(clause: NeedClause, stride: number): boolean {
  return clause.some(({ how, text }) => how === "in" && text.length < textCharsMin(stride));
}

/** The index of the stride that costs least. */
function indexOf(chosen: readonly (NeedClause | undefined)[]): TextIndex {
  let best: TextIndex | undefined;
  let least = Infinity;
  for (const stride of strides) {
    const found = chosen.map((clause) => clause === undefined || isTooShort(clause, stride) ? [] : clause);
    const index = new TextIndex(textsOf(found), stride);
    const tooShort = found.filter((clause, rule) => clause.length === 0 && chosen[rule] !== undefined).length;
    const cost = weighed.lineBytes / stride * weighed.sampleNs + index.crowd * weighed.entryNs +
      tooShort * weighed.trialNs;
    if (cost < least) [best, least] = [index, cost];
  }
  return best!;
}

function textsOf(clauses: readonly NeedClause[]): IndexedText[] {
  const texts = new Map<string, number[]>();
  clauses.forEach((clause, rule) => {
    for (const { how, text } of clause) if (how === "in") addRule(texts, text, rule);
  });
  return [...texts].map(([text, rules]) => ({ text, rules }));
}

function addRule(byText: Map<string, number[]>, text: string, rule: number): void {
  const rules = byText.get(text);
  if (rules === undefined) byText.set(text, [rule]);
  else if (rules[rules.length - 1] !== rule) rules.push(rule);
}
