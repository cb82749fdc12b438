// @ts-check
/// <reference lib="dom" />
/**
 * What a screen reader is told of its own accord: troubles that come and go, at most one sentence in a few seconds,
 * and what somebody has just asked for, at once.
 *
 * @module
 */
import { setText } from "./dom.js";

/** Figures change every second; nobody can listen to that. */
const pauseMs = 8_000;

let toldAtMs = -Infinity;
let told = "";
let next = "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Says a state when it is another than the one that was said last, after a pause; the newest counts.
 * @param {string} text
 */
export function announce(text) {
  next = text;
  if (text === told || timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    if (next === told) return;
    told = next;
    toldAtMs = performance.now();
    say(next);
  }, Math.max(0, toldAtMs + pauseMs - performance.now()));
}

/**
 * Answers what the reader did.
 * @param {string} text
 */
export function say(text) {
  setText("announcer", text);
}
