/**
 * `GET /`: the dashboard, a page with its style and scripts beside it, all embedded in the program.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import { dashboardAssets } from "./dashboard/assets.ts";
import { answerText, type Route } from "./routes.ts";

/** Only what this origin serves, nothing inline, no frames, no forms that leave. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** One route per asset. */
export function dashboardRoutes(): Route[] {
  return dashboardAssets().map(({ path, contentType, text }) => {
    const etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
    const headers = { "content-security-policy": contentSecurityPolicy, "cache-control": "no-cache", etag };
    const get = (context: Context) =>
      context.req.header("if-none-match") === etag
        ? new Response(null, { status: 304, headers })
        : answerText(text, contentType, headers);
    return { path, methods: { GET: get } };
  });
}
