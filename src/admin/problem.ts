/**
 * Errors of the admin API as problem details (RFC 9457). `type` is left at its default, about:blank, hence
 * `title` is the status phrase; what a program should look at is `code`, a constant name.
 *
 * @module
 */

const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

/** Statuses that the API answers problems with. */
export type ProblemStatus = keyof typeof titles;

/** Makes the response. `extensions` are further members, `headers` further headers. */
export function problem(
  status: ProblemStatus,
  code: string,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
  headers: readonly (readonly [string, string])[] = [],
): Response {
  const body = { title: titles[status], status, code, detail, ...extensions };
  const response = new Response(JSON.stringify(body) + "\n", {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
  for (const [name, value] of headers) response.headers.append(name, value);
  return response;
}
