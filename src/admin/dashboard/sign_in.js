// @ts-check
/// <reference lib="dom" />
/**
 * Asks for the admin token when corndog wants one, and forgets it on demand.
 *
 * @module
 */
import { ask, hasToken, Refusal, setToken } from "./api.js";
import { byId, setText } from "./dom.js";

/** @type {(() => void)[]} */
let waiting = [];

/**
 * Resolves when corndog has taken a token.
 * @param {string} why what corndog said
 * @returns {Promise<void>}
 */
export function signIn(why) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("sign-in"));
  if (!dialog.open) {
    // What was wrong is said of a token that was given, not of one that was never asked for.
    setText("sign-in-why", hasToken() ? why.replace(/^corndog answers \d+: /, "") : "");
    dialog.showModal();
  }
  return new Promise((resolve) => waiting.push(resolve));
}

/** Listens to the form and to the button that forgets. */
export function watchSignIn() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("sign-in"));
  const input = /** @type {HTMLInputElement} */ (byId("token"));
  // Without a token there is nothing to see behind it.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  byId("sign-in-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    setToken(input.value.trim());
    setText("sign-in-why", "");
    try {
      await ask("admin/rules");
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        setToken("");
        setText("sign-in-why", "This is not the token in corndog's token file.");
        input.select();
        return;
      }
    }
    input.value = "";
    dialog.close();
    showForget();
    const told = waiting;
    waiting = [];
    for (const resolve of told) resolve();
  });
  byId("forget-token").addEventListener("click", () => {
    setToken("");
    location.reload();
  });
  showForget();
}

function showForget() {
  byId("forget-token").hidden = !hasToken();
}
