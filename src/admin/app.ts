/**
 * The admin API: HTTP in front of a `Control`. It runs on the main thread, keeps nothing of its own, and no
 * request of it touches the data path.
 *
 *     GET  /                    dashboard
 *     GET  /healthz /readyz     for orchestrators
 *     GET  /metrics /stats      Prometheus, hotdog's shape
 *     GET  /admin/stats /admin/config
 *     GET  /admin/inflight /admin/connections /admin/stalls, DELETE /admin/connections/ID
 *     GET  /admin/tap           lines as they pass, as server-sent events
 *     GET  /admin/rules         PUT to swap, POST /admin/rules/check to try
 *     POST /admin/reload /admin/drain
 *
 * Errors are problem details (RFC 9457).
 *
 * @module
 */
import { Hono } from "hono";
import { ForwarderError, messageOf } from "../core/errors.ts";
import type { Logger } from "../observe/log.ts";
import { guardAccess } from "./access.ts";
import type { Control } from "./control.ts";
import { problem } from "./problem.ts";
import { limitRequests } from "./request_rate.ts";
import { type AdminContext, mount } from "./routes.ts";
import { controlRoutes } from "./routes_control.ts";
import { dashboardRoutes } from "./routes_dashboard.ts";
import { healthRoutes } from "./routes_health.ts";
import { looksRoutes } from "./routes_looks.ts";
import { rulesRoutes } from "./routes_rules.ts";
import { tapRoutes } from "./routes_tap.ts";
import { statsRoutes } from "./routes_stats.ts";

/** What the app needs. Call `checkAdminAccess` before it listens. */
export interface AdminOptions {
  readonly control: Control;
  /** Where the token lies; undefined leaves the API open, for loopback only. */
  readonly tokenFile?: string;
  /** Where it listens, `127.0.0.1:8585`. */
  readonly address: string;
  /** Told in the `Server` header to those who may ask. */
  readonly version: string;
  /** Gets every change, refusal and failure, and at `debug` every question. */
  readonly log: Logger;
}

const securityHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Makes the app; give its `fetch` to `runtime.serveHttp`. */
export function createAdminApp(
  { control, tokenFile, address, version, log }: AdminOptions,
): Hono {
  // Not strict: `/admin/stats/` is `/admin/stats`.
  const app = new Hono({ strict: false });
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
  });
  app.use(limitRequests());
  app.use(guardAccess(tokenFile, address, log));
  app.use(async (context, next) => {
    await next();
    context.res.headers.set("server", `corndog/${version}`);
    const { method, path } = context.req;
    if (method === "PUT" || method === "POST" || method === "DELETE") {
      log.info("admin_request", { method, path, status: context.res.status });
    } else log.debug("admin_question", { method, path, status: context.res.status });
  });

  const context: AdminContext = { control };
  mount(app, [
    ...dashboardRoutes(),
    ...healthRoutes(context),
    ...statsRoutes(context),
    ...looksRoutes(context),
    ...tapRoutes(context),
    ...rulesRoutes(context),
    ...controlRoutes(context),
  ]);

  app.notFound((context) => problem(404, "not_found", `Cannot find "${context.req.path}"`));
  app.onError((error, context) => {
    const { method, path } = context.req;
    log.error("admin_failed", { method, path, error });
    if (error instanceof ForwarderError) return problem(503, error.code, messageOf(error));
    return problem(500, "internal", "Cannot answer: the reason is in the log of corndog");
  });
  return app;
}
