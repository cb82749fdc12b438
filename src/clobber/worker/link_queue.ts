/**
 * Connections that can take a message, the one that waits longest first. Bounded by the number of slots; hot path.
 *
 * @module
 */
import type { Link } from "./link.ts";

/** A ring of links; each stands in it once at most. */
export class LinkQueue {
  readonly #ring: (Link | undefined)[];
  readonly #mask: number;
  #head = 0;
  #count = 0;

  constructor(linksMax: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, linksMax)));
    this.#ring = new Array(size).fill(undefined);
    this.#mask = size - 1;
  }

  get length(): number {
    return this.#count;
  }

  add(link: Link): void {
    if (link.queued) return;
    link.queued = true;
    this.#ring[this.#head + this.#count & this.#mask] = link;
    this.#count++;
  }

  /** The first one that is still usable; others leave the queue. */
  take(): Link | undefined {
    while (this.#count > 0) {
      const link = this.#ring[this.#head]!;
      this.#head = this.#head + 1 & this.#mask;
      this.#count--;
      link.queued = false;
      if (link.state === "open" && !link.retiring && !link.writing && link.dribble === undefined) return link;
    }
    return undefined;
  }
}
