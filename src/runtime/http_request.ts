/**
 * Makes requests the same on both runtimes before a handler sees them. Where `Host` is missing or is none, Bun gives
 * a relative URL and Deno one that it makes up from what stands there, `http://a/healthz?/admin/stats` for the path
 * `/admin/stats`: routes and access rules must never be asked about those.
 *
 * @module
 */

import { noHostName } from "../core/no_host.ts";

/** `host[:port]` (RFC 9110, section 7.2), with a name, IPv4 or an IPv6 address in brackets. */
const hostPattern = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d*)?$/i;

/** Scheme and authority of an absolute URL. */
const originPattern = /^https?:\/\/[^/?#]*/i;

/**
 * Gives `request` to `fetch` with a whole URL: as it is, or under `noHostName` where it has no `Host`, or an empty
 * one. A `Host` that is none is answered with 400 (RFC 9112, section 3.2).
 */
export function handleRequest(
  request: Request,
  fetch: (request: Request) => Response | Promise<Response>,
): Response | Promise<Response> {
  const host = request.headers.get("host") ?? "";
  // A name may look well and be none: 256.256.256.256, port 99999.
  if (hostPattern.test(host) && URL.canParse(request.url)) return fetch(request);
  if (host !== "") {
    return new Response("Host is not a host name\n", {
      status: 400,
      headers: { "content-type": "text/plain" },
    });
  }
  const target = request.url.replace(originPattern, "");
  const url = `http://${noHostName}${target.startsWith("/") ? target : `/${target}`}`;
  const { method, headers, body } = request;
  // Not the request itself: to ask Deno for its signal costs a warning on standard error.
  const init: RequestInit & { duplex: "half" } = { method, headers, body, duplex: "half" };
  return fetch(new Request(url, init));
}
