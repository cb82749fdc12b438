/**
 * What the route files share: a route is a path with a handler per method, so that a wrong method is answered
 * with 405 and the right ones.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Context, Hono } from "hono";
import { ForwarderError } from "../core/errors.ts";
import type { Control } from "./control.ts";
import { problem } from "./problem.ts";

/** What handlers may use. */
export interface AdminContext {
  readonly control: Control;
}

/** Answers one request. A `ForwarderError` becomes 503, everything else that is thrown 500. */
export type Handler = (context: Context) => Response | Promise<Response>;

/** A path and what may be done with it. HEAD comes with GET. */
export interface Route {
  readonly path: string;
  readonly methods: Readonly<Partial<Record<"GET" | "PUT" | "POST" | "DELETE", Handler>>>;
}

/** The control plane answers from memory; after this long it is held and the caller should know. */
export const answerDeadlineMs = 5_000;
/** Compiling many rules and running their tests takes longer. */
export const swapDeadlineMs = 60_000;

/** Adds routes to the app. */
export function mount(app: Hono, routes: readonly Route[]): void {
  for (const { path, methods } of routes) {
    const names = Object.keys(methods);
    const allow = [...names, ...(methods.GET === undefined ? [] : ["HEAD"]), "OPTIONS"].join(", ");
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler);
    app.options(path, () => new Response(null, { status: 204, headers: { allow } }));
    app.all(
      path,
      (context) =>
        problem(405, "method_not_allowed", `Cannot ${context.req.method} "${path}": expected ${allow}`, {}, [[
          "allow",
          allow,
        ]]),
    );
  }
}

/** Answers JSON that nobody may keep. */
export function answerJson(body: unknown, status = 200): Response {
  return answerText(JSON.stringify(body) + "\n", "application/json", {}, status);
}

/** Answers text, kept by nobody unless `headers` say otherwise. The length is told so that HEAD tells it too. */
export function answerText(
  text: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): Response {
  const length = String(Buffer.byteLength(text));
  const own = { "content-type": contentType, "content-length": length, "cache-control": "no-store" };
  return new Response(text, { status, headers: { ...own, ...headers } });
}

/** Waits for `work` at most `deadlineMs`; `what` names it in the error. */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ForwarderError("deadline_exceeded", `Cannot get ${what}: no answer in ${deadlineMs} ms`, {
            retryable: true,
          }),
        ),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
