/**
 * Names that are made of one value of the line and constant text around it (`logs-{{value}}`): few different ones come
 * again and again, so each is made once. A new string for every line would be garbage, whose hash is to be computed
 * too. Hot path.
 *
 * @module
 */

/** Names that are kept; when there are more they are all made anew. */
const namesMax = 1024;
/** Longer values are no topic (Kafka takes names of 249 characters): nothing is kept of them. */
const valueCharactersMax = 249;

/** Joins `before`, a value and `after`. */
export class JoinedNames {
  readonly #before: string;
  readonly #after: string;
  readonly #names = new Map<string, string>();

  constructor(before: string, after: string) {
    this.#before = before;
    this.#after = after;
  }

  /** How many are kept. */
  get size(): number {
    return this.#names.size;
  }

  /** The name with `value` in it. */
  of(value: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = this.#before + value + this.#after;
    if (value.length > valueCharactersMax) return name;
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.set(value, name);
    return name;
  }
}
