/**
 * Replacements in one text or one run of bytes, in order, so that they can be applied in one pass. Reused from line
 * to line; hot path.
 *
 * @module
 */

/** Replacements that do not overlap. Positions are whatever the maker and the user of the list agree on. */
export class Edits {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly texts: string[] = [];
  count = 0;

  /** Puts `text` in place of [start, end). Of insertions at one place the first stays in front. */
  add(start: number, end: number, text: string): void {
    // Kept in order; edits come nearly sorted and are few.
    let at = this.count++;
    while (at > 0 && this.starts[at - 1] > start) {
      this.starts[at] = this.starts[at - 1];
      this.ends[at] = this.ends[at - 1];
      this.texts[at] = this.texts[at - 1];
      at--;
    }
    this.starts[at] = start;
    this.ends[at] = end;
    this.texts[at] = text;
  }

  /** Forgets all edits; the texts stay referenced until the next ones come. */
  clear(): void {
    this.count = 0;
  }

  /** `text` with the edits applied; positions are characters. */
  apply(text: string): string {
    let result = "";
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      result += text.slice(at, this.starts[i]) + this.texts[i];
      at = this.ends[i];
    }
    return at === 0 ? result + text : result + text.slice(at);
  }
}
