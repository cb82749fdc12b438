// @ts-check
/// <reference lib="dom" />
/**
 * The dashboard: asks corndog every second and shows the answer; says when there is none, and asks for the token when
 * corndog wants one. Where nobody looks at the page nothing is asked.
 *
 * @module
 */
import { announce } from "./announce.js";
import { ask, Refusal } from "./api.js";
import { renderInputs, renderSink, renderSpool, renderTopics } from "./delivery.js";
import { byId, setText } from "./dom.js";
import { RuleEditor } from "./editor.js";
import { watchExplain } from "./explain.js";
import { renderFlow, watchFlow } from "./flow.js";
import { clock } from "./format.js";
import { renderHappened } from "./happened.js";
import { History } from "./history.js";
import { renderLedger } from "./ledger.js";
import { lookProblems, renderLooks } from "./looks.js";
import { createPlots, renderFigures, renderHead } from "./overview.js";
import { renderRules } from "./rules.js";
import { signIn, watchSignIn } from "./sign_in.js";
import { createStagePlot } from "./stage_plot.js";
import { renderStages } from "./stages.js";

/** @typedef {import("../stats_view.ts").Stats} Stats */

const pollMs = 1000;
/** The workers are asked too, and thus less often. */
const looksPollMs = 2000;

const history = new History();
const drawPlots = createPlots();
const drawStagePlot = createStagePlot();
const editor = new RuleEditor();

/** When the last answer came; undefined before the first. @type {number | undefined} */
let answeredAtMs;
/** What the workers told of connections and waits. @type {import("./problems.js").Problem[]} */
let others = [];
/** The version that served this page. @type {string | undefined} */
let version;

/**
 * Does it again and again, a while apart, while the page is looked at.
 * @param {number} everyMs
 * @param {() => Promise<void>} work
 */
async function repeat(everyMs, work) {
  for (;;) {
    const startedAtMs = performance.now();
    await work();
    await pause(Math.max(100, everyMs - (performance.now() - startedAtMs)));
    if (document.hidden) await visible();
  }
}

async function poll() {
  try {
    const stats = await ask("admin/stats");
    show(stats);
    await editor.look(stats.rules.version);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) {
      setText("link", "corndog asks for its token");
      await signIn(error.message);
      return;
    }
    showGone(error instanceof Refusal ? error.message : "This page has a fault", error);
  }
}

async function pollLooks() {
  try {
    const [connections, inflight, stalls, events] = await Promise.all([
      ask("admin/connections?limit=200"),
      ask("admin/inflight"),
      ask("admin/stalls"),
      ask("admin/events"),
    ]);
    const looks = { connections, inflight, stalls, events };
    renderLooks(looks);
    others = lookProblems(looks);
    renderHappened(stalls, events, inflight.orphans);
  } catch {
    // The poll of the statistics tells that there is no answer.
  }
}

/**
 * @param {string} reason
 * @param {unknown} error
 */
function showGone(reason, error) {
  if (!(error instanceof Refusal)) console.error(error);
  history.gap(Date.now());
  document.body.classList.add("gone");
  const since = answeredAtMs === undefined ? "" : ` since ${clock(answeredAtMs)}. The figures are from then`;
  setText("link", `${reason}${since}. Trying again every second.`);
  announce(`${reason}.`);
  document.title = "✕ corndog";
}

/** @param {Stats} stats */
function show(stats) {
  // The program was replaced by another version: so is its page, unless somebody is writing in it.
  version ??= stats.version;
  if (stats.version !== version && !editor.changed) return location.reload();
  answeredAtMs = Date.now();
  history.push(stats, answeredAtMs);
  document.body.classList.remove("gone");
  byId("main").removeAttribute("aria-busy");
  setText("link", "Live");
  renderHead(stats, history, others);
  renderFlow(stats, history);
  renderFigures(stats, history);
  drawPlots(history, answeredAtMs);
  drawStagePlot(history.points, answeredAtMs);
  renderLedger(stats, history);
  renderStages(stats);
  renderRules(stats, history);
  renderSink(stats);
  renderSpool(stats);
  renderTopics(stats, history);
  renderInputs(stats, history);
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function visible() {
  return new Promise((resolve) =>
    document.addEventListener("visibilitychange", () => resolve(undefined), { once: true })
  );
}

watchSignIn();
watchFlow();
watchExplain(editor);
void repeat(pollMs, poll);
void repeat(looksPollMs, pollLooks);
