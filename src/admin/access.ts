/**
 * Who may speak to the admin API.
 *
 * - With a token file every request but `GET /healthz` and the dashboard's own files needs its token, as `Authorization: Bearer` or as the
 *   password of `Authorization: Basic` (any user name), which a browser asks for by itself.
 * - Without one the API listens on loopback alone, and a `Host` that is not this machine's is refused: a web page
 *   whose name was rebound to 127.0.0.1 (DNS rebinding) sends its own name there.
 * - A token with `read` before it looks at figures: it changes nothing, and is shown no line's text.
 * - A request without a `Host` gets `/healthz`, and of `/readyz` whether, and no more.
 * - Whoever may not see more learns from `/readyz` whether corndog is ready, and not why it is not: load balancers ask
 *   from elsewhere, and have no token.
 * - With or without a token a request that changes something and comes from a page of another origin is refused.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Context, MiddlewareHandler } from "hono";
import type { Fault } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import { noHostName } from "../core/no_host.ts";
import type { Logger } from "../observe/log.ts";
import { problem } from "./problem.ts";
import { answerJson } from "./routes.ts";
import { TokenFile } from "./token_file.ts";

/**
 * What others may read where the API is open to them without a token, as hotdog's status server was. The rest is for
 * whoever has a token.
 */
const openReads = new Set(["/stats", "/healthz", "/readyz", "/metrics"]);

/** Paths that never need a token: an orchestrator asks them. */
const openPaths = new Set(["/healthz", "/healthz/"]);

/** Everybody learns the status of these, and without leave no more than that. */
const barePaths = new Set(["/readyz", "/readyz/"]);

/** The files of the dashboard: the same for everyone, without a figure. The page asks for the token itself. */
const pagePaths = /^\/(?:dashboard\/[a-z_]+\.[a-z]+)?$/;

/** What the page sends along, so that the browser does not ask for a password over the page's own question. */
const pageHeader = "x-corndog-page";

/** What an answer to the page says of who asks: `read` or `write`. */
const scopeHeader = "x-corndog-scope";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

const localNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Basic comes first: the two may be sent as one header, of which Chromium looks at the first challenge only. */
const challenges = [
  ["www-authenticate", 'Basic realm="corndog admin: any user, the token as password", charset="UTF-8"'],
  ["www-authenticate", 'Bearer realm="corndog admin"'],
] as const;

/**
 * Checks the `admin` part of the configuration before anything listens: an address that others can reach needs a
 * token, unless the configuration is hotdog's, and the token file must be usable. `file` is the configuration's, for
 * the fault.
 */
export function checkAdminAccess(
  admin: { readonly hostname: string; readonly tokenFile?: string },
  file: string,
  dialect: "corndog" | "hotdog" = "corndog",
): Fault | undefined {
  const fault = (path: string, message: string): Fault => ({ file, line: 0, column: 0, path, message });
  if (admin.tokenFile !== undefined) {
    const trouble = new TokenFile(admin.tokenFile).problem();
    return trouble === undefined ? undefined : fault("admin.token_file", trouble);
  }
  if (isLoopback(admin.hostname) || dialect === "hotdog") return undefined;
  return fault(
    "admin.listen",
    `Cannot listen on "${admin.hostname}" without a token: others can reach it; set admin.token_file, or listen on 127.0.0.1`,
  );
}

/** The middleware. `address` is where the API listens, `127.0.0.1:8585`. */
export function guardAccess(tokenFile: string | undefined, address: string, log: Logger): MiddlewareHandler {
  const token = tokenFile === undefined ? undefined : new TokenFile(tokenFile);
  const ownName = hostnameOf(address);
  const isOpen = token === undefined && !isLoopback(ownName);
  return async (context, next) => {
    // Who asks is not known here, and a Host header is easily forged: an open address has its reads and no more.
    const refusal = refuseWithoutHost(context) ??
      (isOpen
        ? refuseBeyondReads(context)
        : refuseForeign(context, token === undefined ? ownName : undefined) ??
          refuseWithoutToken(context, token));
    if (refusal === undefined) {
      await next();
      if (context.req.header(pageHeader) === undefined) return;
      // The page offers no change to who may not make it.
      const given = tokenOf(context.req.header("authorization")) ?? "";
      const scope = token === undefined ? "write" : token.scopeOf(given) ?? "read";
      return context.res.headers.set(scopeHeader, scope);
    }
    if (barePaths.has(context.req.path) && safeMethods.has(context.req.method)) {
      await next();
      const ok = context.res.status === 200;
      context.res = undefined;
      context.res = answerJson({ ok }, ok ? 200 : 503);
      return;
    }
    log.warn("admin_refused", { method: context.req.method, path: context.req.path, status: refusal.status });
    return refusal;
  };
}

/** HTTP/1.0 needs no Host, and health checks of load balancers speak it; whoever asks for more can say whom. */
function refuseWithoutHost(context: Context): Response | undefined {
  if (new URL(context.req.url).hostname !== noHostName || openPaths.has(context.req.path)) return undefined;
  return problem(
    400,
    "host_needed",
    "Cannot answer without a Host header: only /healthz and /readyz need none",
  );
}

function refuseBeyondReads(context: Context): Response | undefined {
  const path = context.req.path.replace(/(.)\/$/, "$1");
  if (openReads.has(path) && safeMethods.has(context.req.method)) return undefined;
  return problem(
    403,
    "token_needed",
    "Cannot answer: others can reach this address and there is no token; set CORNDOG_ADMIN_TOKEN_FILE, or listen on 127.0.0.1",
  );
}

function refuseForeign(context: Context, ownName: string | undefined): Response | undefined {
  // The header of a request without a Host may be empty: then the URL has `noHostName`.
  const host = context.req.header("host") || new URL(context.req.url).host;
  if (ownName !== undefined && !openPaths.has(context.req.path)) {
    const name = hostnameOf(host);
    if (!localNames.has(name) && name !== ownName) {
      return problem(
        403,
        "host_refused",
        `Cannot answer for host "${name}": expected localhost or ${ownName}`,
      );
    }
  }
  const origin = context.req.header("origin");
  if (origin === undefined || safeMethods.has(context.req.method)) return undefined;
  if (
    /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, "").toLowerCase() === host.toLowerCase()
  ) return undefined;
  return problem(
    403,
    "origin_refused",
    `Cannot take a change from a page of "${origin}": expected one of ${host}`,
  );
}

function refuseWithoutToken(context: Context, token: TokenFile | undefined): Response | undefined {
  const { path, method } = context.req;
  if (token === undefined || openPaths.has(path)) return undefined;
  if (pagePaths.test(path) && safeMethods.has(method)) return undefined;
  const trouble = token.problem();
  if (trouble !== undefined) return problem(503, "token_file_unusable", trouble);
  const given = tokenOf(context.req.header("authorization"));
  const scope = given === undefined ? undefined : token.scopeOf(given);
  if (scope === "write") return undefined;
  if (scope === "read") return refuseToReader(context);
  const detail = given === undefined
    ? "Cannot answer without a token: send it as Authorization: Bearer"
    : "Cannot answer: the token is not the one in the token file";
  const asked = context.req.header(pageHeader) === undefined ? challenges : challenges.slice(1);
  return problem(401, "token_needed", detail, {}, asked);
}

/** Questions that are asked with POST, and change nothing. */
const askedPaths = new Set(["/admin/rules/check", "/admin/rules/trace"]);

/** A token that may only look changes nothing, and reads no line's text. */
function refuseToReader(context: Context): Response | undefined {
  const { path, method } = context.req;
  const asks = safeMethods.has(method) || (method === "POST" && askedPaths.has(path));
  const payload = context.req.query("payload");
  if (asks && (payload === undefined || payload === "0" || payload === "false")) return undefined;
  const what = asks ? "show the text of lines to" : "take a change from";
  return problem(403, "scope_needed", `Cannot ${what} this token: it may only read; give one with write`);
}

/** The token in an Authorization header (RFC 6750, RFC 7617). */
function tokenOf(header: string | undefined): string | undefined {
  const match = /^(bearer|basic) +(\S+) *$/i.exec(header ?? "");
  if (match === null) return undefined;
  if (match[1].toLowerCase() === "bearer") return match[2];
  const pair = Buffer.from(match[2], "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}

/** `[::1]:8585` gives `[::1]`. */
function hostnameOf(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}
