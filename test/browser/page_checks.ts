/// <reference lib="dom" />
/**
 * What can be said of a page without knowing it: legible text, nothing wider than the window, names and roles for
 * who does not see it. Each function runs in the browser and answers what is wrong.
 *
 * @module
 */
import type { Page } from "playwright-core";

/** Text whose contrast with what is behind it is too low, by WCAG 2 AA (4.5 to 1). */
export function paleTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [red, green, blue] = channels(color).map((value) => {
        const share = value / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element: Element | null): string => {
      for (let one = element; one !== null; one = one.parentElement) {
        const color = getComputedStyle(one).backgroundColor;
        if (channels(color)[3] !== 0) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const pale: string[] = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = Array.from(element.childNodes).some((node) =>
        node.nodeType === 3 && node.textContent!.trim() !== ""
      );
      if (!own || element.tagName === "NOSCRIPT" || !element.checkVisibility()) continue;
      // What cannot be used just now may be pale (WCAG 2, 1.4.3).
      if (element.closest("[hidden], :disabled, title") !== null) continue;
      const style = getComputedStyle(element);
      const color = element instanceof SVGElement ? style.fill : style.color;
      const [a, b] = [luminance(color), luminance(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) pale.push(`${element.textContent} ${contrast.toFixed(2)}`);
    }
    return pale;
  });
}

/** How wide the page and the window are. */
export function widths(page: Page): Promise<{ page: number; window: number }> {
  return page.evaluate(() => {
    const root = document.documentElement;
    return { page: root.scrollWidth, window: root.clientWidth };
  });
}

/** What assistive technology would stumble over: things without a name, references to nothing, broken structure. */
export function accessibilityFaults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const faults: string[] = [];
    const say = (element: Element, what: string) =>
      faults.push(`${element.tagName.toLowerCase()}#${element.id}.${element.className}: ${what}`);
    const all = (selector: string) =>
      Array.from(document.querySelectorAll<HTMLElement>(selector)).filter((one) => one.checkVisibility());

    const ids = Array.from(document.querySelectorAll("[id]"), ({ id }) => id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`#${id} twice`);
    for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
      for (const element of document.querySelectorAll(`[${attribute}]`)) {
        for (const id of element.getAttribute(attribute)!.split(/\s+/)) {
          if (document.getElementById(id) === null) {
            say(element, `${attribute} names #${id}, which is not there`);
          }
        }
      }
    }
    const nameOf = (element: HTMLElement): string => {
      const by = element.getAttribute("aria-labelledby");
      if (by !== null) return by.split(/\s+/).map((id) => document.getElementById(id)?.textContent).join(" ");
      const label = (element as HTMLInputElement).labels?.[0]?.textContent;
      return (element.getAttribute("aria-label") ?? label ?? element.textContent ?? "").trim();
    };
    for (
      const element of all(
        "button, a, select, input, textarea, meter, summary, dialog, section, [role=img], nav",
      )
    ) {
      if (nameOf(element) === "") say(element, "has no name");
    }
    for (const image of document.querySelectorAll("img:not([alt])")) say(image, "has no alt");
    for (const table of all("table")) {
      if (table.querySelector("caption") === null) say(table, "has no caption");
      for (const head of table.querySelectorAll("th:not([scope])")) say(head, "has no scope");
    }
    for (const svg of all("svg")) {
      if (svg.getAttribute("aria-hidden") !== "true" && nameOf(svg) === "") say(svg, "has no name");
    }
    const levels = all("h1, h2, h3, h4, h5, h6").map(({ tagName }) => Number(tagName[1]));
    levels.forEach((level, at) => {
      if (at > 0 && level > levels[at - 1] + 1) {
        faults.push(`a heading of level ${level} after ${levels[at - 1]}`);
      }
    });
    if (levels.filter((level) => level === 1).length !== 1) faults.push("not one h1");
    for (const landmark of ["main", "header", "footer"]) {
      if (document.querySelectorAll(`body > ${landmark}`).length !== 1) faults.push(`not one ${landmark}`);
    }
    for (const element of all("[tabindex]")) if (element.tabIndex > 0) say(element, "positive tabindex");
    for (const list of all("ul, ol")) {
      for (const child of list.children) if (child.tagName !== "LI") say(list, `has a ${child.tagName}`);
    }
    if (document.documentElement.lang === "") faults.push("the page has no language");
    if (document.querySelectorAll("[role=status], [aria-live=polite]").length === 0) {
      faults.push("no live region");
    }
    return faults;
  });
}
