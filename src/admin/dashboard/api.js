// @ts-check
/// <reference lib="dom" />
/**
 * How the page asks corndog: with the token, if there is one, and with a deadline. The token lives in this tab only.
 *
 * @module
 */

const tokenKey = "corndog-admin-token";
/** Longer than the server's own deadline for an answer. */
const answerDeadlineMs = 6_000;

let token = storedToken();
/** What the last answer said of who asks; without a token file everybody who gets an answer may change things. */
let scope = "read";

/** An answer that is none: why, in corndog's own words. */
export class Refusal extends Error {
  /**
   * @param {number} status 0 where nobody answered
   * @param {string} message
   * @param {Record<string, unknown>} [body] the problem as it was sent
   */
  constructor(status, message, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** True if requests carry a token. */
export function hasToken() {
  return token !== "";
}

/** True if who looks at this page may change things. */
export function mayChange() {
  return scope === "write";
}

/**
 * Uses this token from now on; an empty one forgets it.
 * @param {string} text
 */
export function setToken(text) {
  token = text;
  try {
    if (text === "") sessionStorage.removeItem(tokenKey);
    else sessionStorage.setItem(tokenKey, text);
  } catch {
    // A browser that keeps nothing asks again when the page is loaded again.
  }
}

/**
 * Asks for JSON. A refusal, and silence, is a `Refusal`.
 * @param {string} path relative, so that the page works below a path of a proxy
 * @param {{ method?: string, body?: string, headers?: Record<string, string>, signal?: AbortSignal,
 *   deadlineMs?: number }} [request]
 * @returns {Promise<any>}
 */
export async function ask(path, { method = "GET", body, headers = {}, signal, deadlineMs } = {}) {
  const deadline = AbortSignal.timeout(deadlineMs ?? answerDeadlineMs);
  const own = { "x-corndog-page": "1", ...(token === "" ? {} : { authorization: `Bearer ${token}` }) };
  let response;
  try {
    response = await fetch(path, {
      method,
      cache: "no-store",
      headers: { ...own, ...headers },
      ...(body === undefined ? {} : { body }),
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    });
    scope = response.headers.get("x-corndog-scope") ?? scope;
    if (response.ok) return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "No answer from corndog");
  }
  const problem = await response.json().catch(() => ({}));
  const { status } = response;
  const words = problem.detail ?? response.statusText;
  throw new Refusal(status, `corndog answers ${status}: ${words}`, problem);
}

function storedToken() {
  try {
    return sessionStorage.getItem(tokenKey) ?? "";
  } catch {
    return "";
  }
}
