/**
 * Bounds the values of one label, so that whoever invents topics in log lines cannot fill a metrics store.
 *
 * The first names keep a series of their own for as long as the process lives, later ones share `other`: a
 * choice by size would move counts between series and make counters fall.
 *
 * @module
 */

/** The value that all names beyond the bound share. A name that is really so called shares it too. */
export const otherLabel = "other";

/** Remembers which names have a series of their own. */
export class LabelCap {
  readonly #own = new Set<string>();
  readonly #namesMax: number;

  constructor(namesMax: number) {
    this.#namesMax = namesMax;
  }

  /** The label value for `name`: itself, or `other`. */
  labelOf(name: string): string {
    if (this.#own.has(name)) return name;
    if (name === otherLabel || this.#own.size >= this.#namesMax) return otherLabel;
    this.#own.add(name);
    return name;
  }

  /** Sums `count(item)` per label value. */
  sum<T>(entries: Iterable<readonly [string, T]>, count: (item: T) => number): Map<string, number> {
    const sums = new Map<string, number>();
    for (const [name, item] of entries) {
      const label = this.labelOf(name);
      sums.set(label, (sums.get(label) ?? 0) + count(item));
    }
    return sums;
  }
}
