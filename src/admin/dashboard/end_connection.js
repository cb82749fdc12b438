// @ts-check
/// <reference lib="dom" />
/**
 * Ends a connection when somebody who may has confirmed it. The question names the connection as it was when it was
 * asked, since rows change their places meanwhile.
 *
 * @module
 */
import { say } from "./announce.js";
import { ask, Refusal } from "./api.js";
import { byId, setText } from "./dom.js";

/**
 * Gives the question that was asked last its answer, if it has none.
 * @type {(answer: string) => void}
 */
let answered = () => {};

/**
 * Asks whether it is meant, and ends it.
 * @param {string} id
 * @param {string} words what it is, for the question
 */
export async function askToEnd(id, words) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("end-dialog"));
  if (dialog.open) return;
  const opener = document.activeElement;
  setText("end-words", words);
  // The browser tells the end of a question late: a quick hand has asked the next one by then.
  answered(dialog.returnValue);
  dialog.returnValue = "";
  dialog.showModal();
  const answer = await new Promise((resolve) => {
    answered = resolve;
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue);
  });
  if (answer === "end") tell(await end(id));
  // Its row, and the button in it, may be gone.
  if (!(opener instanceof HTMLElement) || !opener.isConnected) byId("looks-title").focus();
}

/**
 * @param {string} id
 * @returns {Promise<string>} what became of it
 */
async function end(id) {
  try {
    await ask(`admin/connections/${encodeURIComponent(id)}`, { method: "DELETE" });
    return `Connection ${id} is ended.`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.status === 404 ? `Connection ${id} has ended already.` : `${error.message}.`;
  }
}

/** @param {string} text */
function tell(text) {
  const answer = byId("end-answer");
  answer.hidden = false;
  setText(answer, text);
  say(text);
}
