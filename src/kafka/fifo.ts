/**
 * A first-in first-out queue whose `take` costs the same at any length.
 *
 * @module
 */

/** Taken places are given back to the array when there are as many, and not for fewer than this. */
const takenMin = 64;

/** Items in the order in which they came. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #taken = 0;

  /** Items in it. */
  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Adds an item at the end. */
  push(item: Item): void {
    this.#items.push(item);
  }

  /** The first item, which stays; undefined when empty. */
  get first(): Item | undefined {
    return this.#items[this.#taken];
  }

  /** The items in order, which stay. */
  *[Symbol.iterator](): Generator<Item> {
    for (let index = this.#taken; index < this.#items.length; index++) yield this.#items[index]!;
  }

  /** Takes items from the end, the last first, to the first one that `isTaken` refuses, but leaves `left` of all. */
  takeEndWhile(isTaken: (item: Item) => boolean, left: number): Item[] {
    const taken: Item[] = [];
    while (this.length > left && isTaken(this.#items.at(-1)!)) taken.push(this.#items.pop()!);
    return taken;
  }

  /** Takes the first item; undefined when empty. */
  take(): Item | undefined {
    if (this.#taken === this.#items.length) return undefined;
    const item = this.#items[this.#taken];
    this.#items[this.#taken++] = undefined;
    if (this.#taken === this.#items.length) {
      this.#items.length = 0;
      this.#taken = 0;
    } else if (this.#taken >= takenMin && this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return item;
  }
}
