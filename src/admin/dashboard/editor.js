// @ts-check
/// <reference lib="dom" />
/**
 * The rule editor: reads a rule file from corndog, has it checked while somebody writes, marks faults with line and
 * column, and swaps it in. What has a fault cannot be swapped; what was changed by others meanwhile is not overwritten
 * unless somebody says so.
 *
 * @module
 */
import { say } from "./announce.js";
import { ask, Refusal } from "./api.js";
import { byId, element, setMark, setText } from "./dom.js";
import { faultsOf, hasOtherSections, offsetOf } from "./editor_text.js";
import { TextArea } from "./text_area.js";

/** @typedef {import("../rules_view.ts").RulesView} RulesView */
/** @typedef {import("./editor_text.js").Fault} Fault */
/** @typedef {{ path: string, text: string, etag: string }} RuleFile */
/** @typedef {"same" | "checking" | "good" | "bad" | "unknown" | "swapping"} State */

/** Somebody has paused. */
const pauseMs = 350;
/** Longer than the server's own deadline for a swap. */
const swapDeadlineMs = 40_000;

/** The editor of the page. */
export class RuleEditor {
  #area = new TextArea(
    /** @type {HTMLTextAreaElement} */ (byId("rules-text")),
    byId("rules-gutter"),
    byId("rules-marks"),
  );
  #files = /** @type {HTMLSelectElement} */ (byId("rules-file"));
  #swapButton = /** @type {HTMLButtonElement} */ (byId("rules-swap"));
  #revertButton = /** @type {HTMLButtonElement} */ (byId("rules-revert"));
  /** The rules as corndog has them. @type {RulesView | undefined} */
  #view;
  /** The file in the editor, as it was when it was read. @type {RuleFile | undefined} */
  #base;
  /** Somebody has said that what others did meanwhile may be overwritten. */
  #forced = false;
  /** @type {State} */
  #state = "same";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Ends the check that runs. @type {AbortController | undefined} */
  #check;

  constructor() {
    this.#area.changed = () => this.#edited();
    this.#swapButton.addEventListener("click", () => void this.#swap());
    this.#revertButton.addEventListener("click", () => this.#open(this.#base?.path));
    this.#files.addEventListener("change", () => this.#open(this.#files.value));
    byId("rules-rollback").addEventListener("click", () => void this.#rollback());
    byId("rules-take").addEventListener("click", () => this.#open(this.#base?.path));
    byId("rules-keep").addEventListener("click", () => this.#keepMine());
    byId("rules-text").addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && (event.key === "Enter" || event.key === "s")) {
        event.preventDefault();
        void this.#swap();
      }
    });
    addEventListener("beforeunload", (event) => {
      if (this.changed) event.preventDefault();
    });
  }

  /** True while there is something in the editor that corndog has not. */
  get changed() {
    return this.#base !== undefined && this.#area.text !== this.#base.text;
  }

  /** The text in the editor. */
  get text() {
    return this.#area.text;
  }

  /**
   * Another version may be in force than the one that was read.
   * @param {number} version
   */
  async look(version) {
    if (this.#view?.version === version || this.#state === "swapping") return;
    await this.#read();
  }

  async #read() {
    /** @type {RulesView} */
    const view = await ask("admin/rules");
    this.#view = view;
    const files = filesOf(view);
    this.#files.replaceChildren(...files.map(({ path }) => {
      const option = element("option", "", path);
      option.value = path;
      return option;
    }));
    byId("rules-file-row").hidden = files.length < 2;
    if (!this.changed) return this.#open(this.#base?.path);
    this.#files.value = this.#base?.path ?? "";
    const now = files.find(({ path }) => path === this.#base?.path);
    if (now?.etag !== this.#base?.etag) {
      this.#conflict(`Version ${view.version} came in force while you were writing.`);
    }
  }

  /**
   * Puts a file into the editor as it is in force.
   * @param {string | undefined} path
   */
  #open(path) {
    if (this.#view === undefined) return;
    const files = filesOf(this.#view);
    this.#base = files.find((file) => file.path === path) ?? files[0];
    this.#files.value = this.#base.path;
    this.#area.text = this.#base.text;
    this.#forced = false;
    byId("rules-conflict").hidden = true;
    byId("rules-saves").textContent = this.#view.files.length === 0
      ? "These rules stand in no file: a swap holds until corndog ends."
      : "A swap writes the file; the text before it is kept for Go back.";
    this.#show("same", []);
  }

  #edited() {
    clearTimeout(this.#timer);
    this.#check?.abort();
    if (!this.changed) return this.#show("same", []);
    this.#state = "checking";
    this.#showButtons();
    this.#timer = setTimeout(() => void this.#have(), pauseMs);
  }

  /** Has the text checked. */
  async #have() {
    const check = this.#check = new AbortController();
    setMark("rules-verdict", "none", "checking …");
    try {
      const { rules, tests } = await ask(`admin/rules/check${this.#query()}`, {
        method: "POST",
        body: this.#area.text,
        signal: check.signal,
        deadlineMs: swapDeadlineMs,
      });
      this.#show("good", [], `No fault. ${plural(rules, "rule")}, ${plural(tests, "test")} passed.`);
    } catch (error) {
      if (!check.signal.aborted) this.#refused(error);
    }
  }

  async #swap() {
    if (!this.changed) return say("There is nothing to swap: the text is the one in force.");
    if (this.#state !== "good") {
      return say("The rules cannot be swapped before the check has found no fault.");
    }
    const text = this.#area.text;
    this.#state = "swapping";
    this.#showButtons();
    setMark("rules-verdict", "none", "swapping …");
    try {
      const { version } = await ask(`admin/rules${this.#query()}`, {
        method: "PUT",
        body: text,
        headers: this.#forced ? {} : { "if-match": `"${this.#base?.etag}"` },
        deadlineMs: swapDeadlineMs,
      });
      if (this.#base !== undefined) this.#base = { ...this.#base, text };
      this.#state = "same";
      this.#forced = false;
      await this.#read();
      this.#show("same", [], `Version ${version} is in force on all workers.`);
    } catch (error) {
      if (error instanceof Refusal && error.status === 412) {
        this.#show("unknown", [], "");
        return this.#conflict(wordsOf(error));
      }
      this.#refused(error);
    }
  }

  /** Puts the text that the last swap replaced back in force. */
  async #rollback() {
    if (this.changed) return this.#show(this.#state, [], "Swap or discard your changes before you go back.");
    try {
      const { version } = await ask(`admin/rules/rollback${this.#query()}`, {
        method: "POST",
        deadlineMs: swapDeadlineMs,
      });
      await this.#read();
      this.#show("same", [], `The former text is in force as version ${version}.`);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** What stands here replaces what others have put in force. */
  #keepMine() {
    const files = this.#view === undefined ? [] : filesOf(this.#view);
    const now = files.find(({ path }) => path === this.#base?.path);
    if (now !== undefined) this.#base = now;
    this.#forced = true;
    byId("rules-conflict").hidden = true;
    this.#edited();
    byId("rules-text").focus();
  }

  /** @param {string} words */
  async #conflict(words) {
    setText("rules-conflict-words", words);
    byId("rules-conflict").hidden = false;
    say(words);
    // The file may be another than what is in force: then corndog has to read it first.
    if (this.#view?.version !== undefined) this.#view = await ask("admin/rules").catch(() => this.#view);
  }

  /** @param {unknown} error */
  #refused(error) {
    if (error instanceof Refusal && error.status === 422) {
      const faults = faultsOf(error.body.faults, this.#base?.path ?? "");
      const many = plural(faults.length, "fault");
      return this.#show("bad", faults, `${many}: ${faults[0]?.message ?? ""}`);
    }
    this.#show("unknown", [], error instanceof Error ? wordsOf(error) : String(error));
  }

  /**
   * @param {State} state
   * @param {Fault[]} faults
   * @param {string} [words]
   */
  #show(state, faults, words = "") {
    this.#state = state;
    this.#area.mark(faults);
    const list = byId("rules-faults");
    list.replaceChildren(...faults.map((fault) => this.#faultItem(fault)));
    const mark = {
      same: "none",
      checking: "none",
      swapping: "none",
      good: "good",
      bad: "bad",
      unknown: "warn",
    };
    const short = {
      same: words === "" ? "as in force" : "swapped",
      checking: "checking …",
      swapping: "swapping …",
      good: "no fault",
      bad: plural(faults.length, "fault"),
      unknown: "not checked",
    };
    const kind = state === "same" && words !== "" ? "good" : mark[state];
    setMark("rules-verdict", /** @type {"good"} */ (kind), short[state]);
    const other = hasOtherSections(this.#area.text)
      ? " Only rules and tests of this file are changed from here; its other sections stay as they are."
      : "";
    setText("rules-words", state === "bad" ? "" : `${words}${words === "" ? "" : other}`);
    if (words !== "") say(words);
    this.#showButtons();
  }

  #showButtons() {
    // Stays focusable: who uses the keyboard is told why nothing happens.
    this.#swapButton.setAttribute("aria-disabled", String(this.#state !== "good"));
    this.#revertButton.disabled = !this.changed || this.#state === "swapping";
  }

  /** @param {Fault} fault */
  #faultItem(fault) {
    const place = fault.line > 0 ? `line ${fault.line}, column ${fault.column}` : fault.file;
    const button = element("button", "jump", place);
    button.type = "button";
    button.disabled = !fault.here || fault.line === 0;
    button.addEventListener("click", () => this.#area.go(offsetOf(this.#area.text, fault)));
    const path = fault.path === "" ? "" : `${fault.path}: `;
    const elsewhere = fault.here || fault.line === 0 ? "" : `${fault.file}: `;
    return element("li", "", [button, ` ${elsewhere}${path}${fault.message}`]);
  }

  #query() {
    const several = (this.#view?.files.length ?? 0) > 1;
    return several ? `?file=${encodeURIComponent(this.#base?.path ?? "")}` : "";
  }
}

/**
 * The files of the rules, or the text that is in none.
 * @param {RulesView} view
 * @returns {RuleFile[]}
 */
function filesOf(view) {
  if (view.files.length > 0) return [...view.files];
  return [{ path: view.source, text: view.unsaved?.text ?? "", etag: view.unsaved?.etag ?? "" }];
}

/** @param {Error} error */
function wordsOf(error) {
  return error.message.replace(/^corndog answers \d+: /, "");
}

/**
 * @param {number} many
 * @param {string} what
 */
function plural(many, what) {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}
