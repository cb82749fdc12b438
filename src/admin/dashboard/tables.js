// @ts-check
/// <reference lib="dom" />
/**
 * Tables whose rows stay in place while their figures change, so that a reader, a selection or a screen reader
 * does not lose its place every second. Text only: names come from log lines.
 *
 * @module
 */
import { count } from "./format.js";
import { visible } from "./visible.js";

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {boolean} [text] left-aligned text; else a figure
 * @property {boolean} [action] a button with the cell's text, or nothing where that is empty
 */
/**
 * @typedef {object} Row
 * @property {string} key tells rows apart
 * @property {readonly string[]} cells
 * @property {string} [className]
 * @property {string} [hint]
 * @property {number} [bar] 0 to 1, drawn behind the row where the style says so
 */
/**
 * @typedef {object} Table
 * @property {string} caption for screen readers
 * @property {readonly Column[]} columns
 * @property {readonly Row[]} rows
 * @property {string} [empty] what to say without rows
 * @property {boolean} [whole] all rows are shown
 * @property {(key: string) => void} [act] the button of the row with this key was pressed
 */

/** What the buttons of a table do; rows change their places while a table is shown. @type {WeakMap<HTMLElement, (key: string) => void>} */
const acts = new WeakMap();

/** More rows are shown on demand. */
const rowsShown = 12;

/**
 * Renders into `box`, changing only what changed.
 * @param {HTMLElement} box
 * @param {Table} table
 */
export function renderTable(box, { caption, columns, rows, empty, whole = false, act }) {
  const columnsKey = columns.map(({ title }) => title).join("\n");
  if (box.dataset.columns !== columnsKey || (rows.length === 0) !== (box.querySelector("table") === null)) {
    box.dataset.columns = columnsKey;
    box.replaceChildren(...(rows.length === 0 ? [note(empty ?? "None.")] : [skeleton(caption, columns)]));
  }
  const body = box.querySelector("tbody");
  if (body === null) return;
  if (act !== undefined) {
    if (!acts.has(box)) box.addEventListener("click", (event) => pressed(box, event));
    acts.set(box, act);
  }
  const all = whole || box.dataset.all === "true";
  const shown = all ? rows : rows.slice(0, rowsShown);
  while (body.rows.length > shown.length) body.deleteRow(-1);
  shown.forEach((row, index) => fill(body.rows[index] ?? body.insertRow(), row, columns));
  renderMore(box, whole ? 0 : rows.length - rowsShown, all);
}

/**
 * @param {HTMLTableRowElement} element
 * @param {Row} row
 * @param {readonly Column[]} columns
 */
function fill(element, { key, cells, className, hint, bar }, columns) {
  if (bar !== undefined) element.style.setProperty("--bar", `${(bar * 100).toFixed(1)}%`);
  if (element.className !== (className ?? "")) element.className = className ?? "";
  if (hint !== undefined && element.title !== visible(hint)) element.title = visible(hint);
  cells.forEach((text, index) => {
    let cell = element.cells[index];
    if (cell === undefined) {
      cell = element.appendChild(document.createElement(index === 0 ? "th" : "td"));
      if (index === 0) cell.scope = "row";
      if (columns[index].text) cell.className = "text";
    }
    if (columns[index].action) return fillAction(cell, key, text, cells[0]);
    const shown = visible(text);
    if (cell.textContent !== shown) cell.textContent = shown;
  });
}

/**
 * @param {HTMLTableCellElement} cell
 * @param {string} key
 * @param {string} text
 * @param {string} about what the row is about, for who hears the button alone
 */
function fillAction(cell, key, text, about) {
  if (text === "") return cell.replaceChildren();
  const button = cell.querySelector("button") ?? cell.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "act";
  button.dataset.key = key;
  const name = `${text} ${visible(about)}`;
  if (button.textContent !== text) button.textContent = text;
  if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
}

/**
 * @param {HTMLElement} box
 * @param {MouseEvent} event
 */
function pressed(box, event) {
  const target = /** @type {Element} */ (event.target);
  const key = /** @type {HTMLElement | null} */ (target.closest("button.act"))?.dataset.key;
  if (key !== undefined) acts.get(box)?.(key);
}

/**
 * @param {HTMLElement} box
 * @param {number} hidden
 * @param {boolean} all
 */
function renderMore(box, hidden, all) {
  let button = /** @type {HTMLButtonElement | null} */ (box.querySelector("button.more"));
  if (hidden <= 0) return button?.remove();
  if (button === null) {
    button = box.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "more";
    button.addEventListener("click", () => box.dataset.all = String(box.dataset.all !== "true"));
  }
  button.setAttribute("aria-expanded", String(all));
  button.textContent = all ? "Show fewer" : `Show ${count(hidden)} more`;
}

/**
 * @param {string} caption
 * @param {readonly Column[]} columns
 */
function skeleton(caption, columns) {
  const table = document.createElement("table");
  const title = table.createCaption();
  title.className = "hidden";
  title.textContent = caption;
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = column.title;
    if (column.text) cell.className = "text";
  }
  table.createTBody();
  return table;
}

/** @param {string} text */
function note(text) {
  const element = document.createElement("p");
  element.className = "muted";
  element.textContent = text;
  return element;
}
