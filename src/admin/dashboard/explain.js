// @ts-check
/// <reference lib="dom" />
/**
 * Explains a pasted line: asks corndog what its rules, or those in the editor, do with it, and shows the steps.
 *
 * @module
 */
import { say } from "./announce.js";
import { ask, Refusal } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { stepsOf } from "./explain_steps.js";

/** @typedef {import("./explain_steps.js").Step} Step */

const signs = { hit: "✓", miss: "·", end: "→", bad: "✕" };
const words = { hit: "matched", miss: "no match", end: "result", bad: "trouble" };

/**
 * Listens to the form.
 * @param {{ readonly text: string, readonly changed: boolean }} editor
 */
export function watchExplain(editor) {
  const form = /** @type {HTMLFormElement} */ (byId("explain-form"));
  const line = /** @type {HTMLTextAreaElement} */ (byId("explain-line"));
  const source = /** @type {HTMLSelectElement} */ (byId("explain-with"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // What was pasted often ends with the newline that ended the line.
    const text = line.value.replace(/\r?\n$/, "");
    if (text === "") return show([], "Paste a line first.");
    setText("explain-words", "Asking …");
    try {
      const body = JSON.stringify({
        line: text,
        ...(source.value === "editor" ? { rules: editor.text } : {}),
      });
      const { trace, truncated } = await ask("admin/rules/trace", { method: "POST", body });
      const steps = stepsOf(trace, truncated);
      show(steps, "", trace.fields);
      say(`${steps.length} steps. ${steps[steps.length - 1].title}`);
    } catch (error) {
      const faulty = error instanceof Refusal && error.status === 422;
      const why = error instanceof Error
        ? error.message.replace(/^corndog answers \d+: /, "")
        : String(error);
      show([], faulty ? `The rules in the editor have faults, see there. ${why}` : why);
      say(why);
    }
  });
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

/**
 * @param {Step[]} steps
 * @param {string} remark
 * @param {Readonly<Record<string, string>>} [fields]
 */
function show(steps, remark, fields = {}) {
  setText("explain-words", remark);
  byId("explain-fields").replaceChildren(
    ...Object.entries(fields).filter(([name]) => name !== "raw").map(([name, value]) =>
      element("div", "", [element("dt", "", name), element("dd", "", value)])
    ),
  );
  byId("explain-steps").replaceChildren(...steps.map(({ kind, title, about, details }) => {
    const sign = element("span", "sign", signs[kind]);
    sign.setAttribute("aria-hidden", "true");
    const head = element("p", "step-title", [
      element("span", "hidden", `${words[kind]}: `),
      title,
      ...(about === "" ? [] : [element("span", "about", ` ${about}`)]),
    ]);
    const list = details.map(({ text, value, bad }) =>
      element("li", bad ? "bad" : "", value === undefined ? text : [`${text} `, element("code", "", value)])
    );
    return element("li", `step ${kind}`, [
      sign,
      element("div", "", list.length === 0 ? [head] : [head, element("ul", "details", list)]),
    ]);
  }));
}
