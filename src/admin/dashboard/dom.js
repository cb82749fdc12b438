// @ts-check
/// <reference lib="dom" />
/**
 * The few ways in which this page touches its document. Text is always text: names and messages come from log lines
 * and from senders, and none of them becomes markup.
 *
 * @module
 */

import { visible } from "./visible.js";

/** @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Changes text only where it is another, so that selections and screen readers keep their place.
 * @param {string | HTMLElement} target element, or its id
 * @param {string} text
 */
export function setText(target, text) {
  const found = typeof target === "string" ? byId(target) : target;
  const shown = visible(text);
  if (found.textContent !== shown) found.textContent = shown;
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} [className]
 * @param {string | (Node | string)[]} [content]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, className = "", content = []) {
  const created = document.createElement(name);
  if (className !== "") created.className = className;
  if (typeof content === "string") created.textContent = visible(content);
  else created.append(...content.map((part) => typeof part === "string" ? visible(part) : part));
  return created;
}

/**
 * Replaces what is in `box` only if `key`, which stands for the content, is another than last time.
 * @param {HTMLElement} box
 * @param {string} key
 * @param {() => Node[]} make
 */
export function replaceIfNew(box, key, make) {
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...make());
}

/**
 * Pairs of name and figure.
 * @param {HTMLElement} list a `dl`
 * @param {Readonly<Record<string, string>>} entries
 */
export function showPairs(list, entries) {
  replaceIfNew(
    list,
    JSON.stringify(entries),
    () =>
      Object.entries(entries).map(([name, value]) =>
        element("div", "", [element("dt", "", name), element("dd", "", value)])
      ),
  );
}

/**
 * The verdict of a card, in its corner.
 * @param {string} id
 * @param {"good" | "warn" | "bad" | "none"} kind
 * @param {string} text
 */
export function setMark(id, kind, text) {
  const mark = byId(id);
  const sign = { good: "✓ ", warn: "! ", bad: "✕ ", none: "" }[kind];
  if (mark.className !== `mark ${kind}`) mark.className = `mark ${kind}`;
  setText(mark, `${sign}${text}`);
}
