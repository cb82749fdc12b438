/**
 * Many texts as one table of four-byte grams, for `Prefilter` to look up what a line has in it.
 *
 * A text is known by two grams of it and their distance, for each phase of the sampling: whichever phase a line has
 * it at, one of the sampled places has the first gram. Eight bytes in their places tell most texts apart; those they
 * do not are all taken for found.
 *
 * The entries of a slot lie one behind the other, so that a crowded slot costs few cache lines. An entry is four words:
 *
 *     gram | other gram | from the one to the other | text, negative if it is the last of its slot
 *
 * @module
 */

/** Bytes of a gram: one load. */
export const gramBytes = 4;
/** Folds the four bytes of a gram at once. */
export const foldGram = 0x20202020;
/** Knuth's multiplicative hash: 2^32 over the golden ratio. */
export const hashFactor = 0x9e3779b1 | 0;

/** Slots per entry, so that most of what a line has in it misses at once. */
const slotsPerEntry = 16;
/** 64 Ki slots of four bytes: more would not stay in the second cache. */
const slotBitsMax = 16;
const slotBitsMin = 10;

/** A folded text and the rules that need it. */
export interface IndexedText {
  readonly text: string;
  readonly rules: readonly number[];
}

/** Shorter texts cannot be found at this stride. */
export function textCharsMin(stride: number): number {
  return gramBytes + stride - 1;
}

/** Set in the last word of the last entry of a slot. */
export const lastOfSlot = 1 << 31;

/** Words of an entry. */
export const entryWords = 4;

/** The table. Its parts are public for the loop of `Prefilter`, which reads them and nothing else does. */
export class TextIndex {
  readonly stride: number;
  /** Entries with the same gram that are met, on average, where one of the texts is found. */
  readonly crowd: number;
  readonly textCount: number;
  /** Bits to shift the hash by. */
  readonly shift: number;
  /** Where the first entry of a slot is in `entries`, 0 for none. */
  readonly slots: Uint32Array;
  readonly entries: Int32Array;
  /** Rules of text `t` are `rules[rulesAt[t]..rulesAt[t + 1])`. */
  readonly rules: Int32Array;
  readonly rulesAt: Int32Array;

  /** `texts` are distinct and at least `textCharsMin(stride)` long. */
  constructor(texts: readonly IndexedText[], stride: number) {
    const bits = Math.ceil(Math.log2(texts.length * stride * slotsPerEntry + 1));
    this.stride = stride;
    this.textCount = texts.length;
    this.shift = 32 - Math.max(slotBitsMin, Math.min(slotBitsMax, bits));
    this.rulesAt = startsOf(texts.map(({ rules }) => rules.length));
    this.rules = Int32Array.from(texts.flatMap(({ rules }) => rules));
    const counts = gramCounts(texts);
    const unsorted = new Int32Array(texts.length * stride * entryWords);
    texts.forEach(({ text }, index) => this.#add(text, index, counts, unsorted));
    this.crowd = crowdOf(unsorted);
    this.slots = new Uint32Array(2 ** (32 - this.shift));
    this.entries = this.#sorted(unsorted);
  }

  /** Writes the entries of one text: for each phase the gram that is shared least. */
  #add(text: string, index: number, counts: ReadonlyMap<number, number>, entries: Int32Array): void {
    const shared = sharedGrams(text, counts);
    for (let phase = 0; phase < this.stride; phase++) {
      const own = rarestOf(shared, phase, this.stride);
      const other = rarestOther(shared, own);
      const word = (index * this.stride + phase) * entryWords;
      entries[word] = gramAt(text, own);
      entries[word + 1] = gramAt(text, other);
      entries[word + 2] = other - own;
      entries[word + 3] = index;
    }
  }

  /** The entries by slot, from word `entryWords` on; fills `slots`. */
  #sorted(entries: Int32Array): Int32Array {
    const slotOf = (word: number) => Math.imul(entries[word], hashFactor) >>> this.shift;
    const order = Array.from({ length: entries.length / entryWords }, (_, entry) => entry * entryWords);
    order.sort((a, b) => slotOf(a) - slotOf(b));
    const sorted = new Int32Array(entries.length + entryWords);
    order.forEach((word, index) => {
      const to = (index + 1) * entryWords;
      sorted.set(entries.subarray(word, word + entryWords), to);
      const slot = slotOf(word);
      if (this.slots[slot] === 0) this.slots[slot] = to;
      const isLast = index + 1 === order.length || slotOf(order[index + 1]) !== slot;
      if (isLast) sorted[to + 3] |= lastOfSlot;
    });
    return sorted;
  }
}

/** How many entries of the same gram an entry has beside it, itself included, on average. */
function crowdOf(entries: Int32Array): number {
  const counts = new Map<number, number>();
  for (let word = 0; word < entries.length; word += entryWords) {
    counts.set(entries[word], (counts.get(entries[word]) ?? 0) + 1);
  }
  let met = 0;
  for (const count of counts.values()) met += count * count;
  return met * entryWords / Math.max(entryWords, entries.length);
}

/** Where each of so many things begins when they lie one behind the other, and the end of the last. */
function startsOf(lengths: readonly number[]): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) starts[i + 1] = starts[i] + lengths[i];
  return starts;
}

function gramAt(text: string, at: number): number {
  return text.charCodeAt(at) | text.charCodeAt(at + 1) << 8 | text.charCodeAt(at + 2) << 16 |
    text.charCodeAt(at + 3) << 24;
}

/** How often each gram is in the texts. */
function gramCounts(texts: readonly IndexedText[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { text } of texts) {
    for (let at = 0; at + gramBytes <= text.length; at++) {
      const gram = gramAt(text, at);
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
  }
  return counts;
}

/** For each gram of `text`, how often it is in all texts. */
function sharedGrams(text: string, counts: ReadonlyMap<number, number>): number[] {
  return Array.from({ length: text.length - gramBytes + 1 }, (_, at) => counts.get(gramAt(text, at))!);
}

/** Which gram of a phase is shared least: one of those at `phase`, `phase + stride`, … */
function rarestOf(shared: readonly number[], phase: number, stride: number): number {
  let best = phase;
  for (let at = phase; at < shared.length; at += stride) if (shared[at] < shared[best]) best = at;
  return best;
}

/** The gram that is shared least other than `own` (where there is another), and farthest from it. */
function rarestOther(shared: readonly number[], own: number): number {
  let best = own;
  for (let at = 0; at < shared.length; at++) {
    if (at === own) continue;
    const isBetter = best === own || shared[at] < shared[best] ||
      (shared[at] === shared[best] && Math.abs(at - own) > Math.abs(best - own));
    if (isBetter) best = at;
  }
  return best;
}
