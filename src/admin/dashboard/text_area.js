// @ts-check
/// <reference lib="dom" />
/**
 * A text area with line numbers and marks at faults. The text area stays the browser's own: undo, search, screen
 * readers and every keyboard work, and Tab leaves it.
 *
 * @module
 */
import { element } from "./dom.js";

/** @typedef {import("./editor_text.js").Fault} Fault */

/** Line numbers that are drawn; longer texts go without. */
const numbersMax = 20_000;

/** See the module. */
export class TextArea {
  /** @type {HTMLTextAreaElement} */
  #area;
  /** @type {HTMLElement} */
  #gutter;
  /** @type {HTMLElement} */
  #marks;
  #lines = 0;
  /** @type {readonly Fault[]} */
  #faults = [];
  /** Called when somebody has changed the text. @type {() => void} */
  changed = () => {};

  /**
   * @param {HTMLTextAreaElement} area
   * @param {HTMLElement} gutter for the numbers
   * @param {HTMLElement} marks behind the area
   */
  constructor(area, gutter, marks) {
    this.#area = area;
    this.#gutter = gutter;
    this.#marks = marks;
    area.addEventListener("input", () => {
      this.#number();
      this.changed();
    });
    area.addEventListener("scroll", () => this.#follow());
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    // Until there is a text, nothing can be written that it would replace.
    this.#area.readOnly = false;
    if (this.#area.value !== text) this.#area.value = text;
    this.#number();
  }

  /**
   * Marks lines and columns.
   * @param {readonly Fault[]} faults
   */
  mark(faults) {
    this.#faults = faults.filter(({ here, line }) => here && line > 0);
    this.#area.setAttribute("aria-invalid", String(faults.length > 0));
    this.#lines = 0;
    this.#number();
    const rows = this.#faults.map(({ line }) => {
      const row = element("div", "fault-line");
      row.style.setProperty("--line", String(line - 1));
      return row;
    });
    const places = this.#faults.map(({ line, column }) => {
      const place = element("div", "fault-column");
      place.style.setProperty("--line", String(line - 1));
      place.style.setProperty("--column", String(Math.max(0, column - 1)));
      return place;
    });
    // Columns lie over lines, those of other faults too.
    this.#marks.replaceChildren(...rows, ...places);
    this.#follow();
  }

  /**
   * Puts the cursor there and shows it.
   * @param {number} offset
   */
  go(offset) {
    const area = this.#area;
    area.focus();
    area.setSelectionRange(offset, offset);
    const line = area.value.slice(0, offset).split("\n").length - 1;
    const lineHeight = parseFloat(getComputedStyle(area).lineHeight);
    area.scrollTop = Math.max(0, line * lineHeight - area.clientHeight / 3);
  }

  #number() {
    let lines = 1;
    const { value } = this.#area;
    for (let at = value.indexOf("\n"); at >= 0; at = value.indexOf("\n", at + 1)) lines++;
    if (lines === this.#lines) return;
    this.#lines = lines;
    const bad = new Set(this.#faults.map(({ line }) => line));
    const shown = lines > numbersMax ? 0 : lines;
    this.#gutter.replaceChildren(
      ...Array.from(
        { length: shown },
        (_, index) => element("span", bad.has(index + 1) ? "bad" : "", String(index + 1)),
      ),
    );
  }

  /** Numbers and marks scroll with the text. */
  #follow() {
    const { scrollTop, scrollLeft } = this.#area;
    this.#gutter.style.transform = `translateY(${-scrollTop}px)`;
    this.#marks.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
  }
}
