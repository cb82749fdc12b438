/**
 * Who waits for what: `GET /admin/inflight`, `GET /admin/connections` and `DELETE /admin/connections/ID`,
 * `GET /admin/stalls`, `GET /admin/events`, `GET /admin/flight`. They answer while workers are held.
 *
 * @module
 */
import type { ConnectionFilter } from "./looks_view.ts";
import { problem } from "./problem.ts";
import { type AdminContext, answerDeadlineMs, answerJson, type Route, withDeadline } from "./routes.ts";

const limitDefault = 100;
const limitMax = 1000;

/** Looks at what waits. */
export function looksRoutes({ control }: AdminContext): Route[] {
  return [
    {
      path: "/admin/inflight",
      methods: {
        GET: async () => answerJson(await withDeadline(control.inflight(), answerDeadlineMs, "what waits")),
      },
    },
    {
      path: "/admin/flight",
      methods: {
        GET: (context) => {
          const { seconds = "10" } = context.req.query();
          const count = Number(seconds);
          if (!(count > 0 && count <= 3600)) {
            return problem(400, "query_invalid", `seconds: expected a number up to 3600, got "${seconds}"`);
          }
          return answerJson(control.flight(count));
        },
      },
    },
    { path: "/admin/events", methods: { GET: () => answerJson(control.events()) } },
    { path: "/admin/stalls", methods: { GET: () => answerJson(control.stalls()) } },
    {
      path: "/admin/connections",
      methods: {
        GET: async (context) => {
          const filter = filterOf(context.req.query());
          if (typeof filter === "string") return problem(400, "query_invalid", filter);
          return answerJson(
            await withDeadline(control.connections(filter), answerDeadlineMs, "the connections"),
          );
        },
      },
    },
    {
      path: "/admin/connections/:id",
      methods: {
        DELETE: async (context) => {
          const id = context.req.param("id")!;
          const found = await withDeadline(
            control.endConnection(id),
            answerDeadlineMs,
            "the connection's end",
          );
          if (found === undefined) {
            return problem(503, "worker_held", `Cannot end connection "${id}": its worker does not answer`);
          }
          if (!found) return problem(404, "connection_unknown", `There is no connection "${id}"`);
          return answerJson({ ended: id });
        },
      },
    },
  ];
}

/** The filter that a query says, or what is wrong with it. */
function filterOf(query: Readonly<Record<string, string>>): ConnectionFilter | string {
  const { peer, state, older, stuck, limit = String(limitDefault), ...unknown } = query;
  const [name] = Object.keys(unknown);
  if (name !== undefined) return `Unknown parameter "${name}"; known are peer, state, older, stuck, limit`;
  if (state !== undefined && state !== "reading" && state !== "waiting") {
    return `state: expected reading or waiting, got "${state}"`;
  }
  const olderMs = older === undefined ? undefined : milliseconds(older);
  if (olderMs === null) return `older: expected a time such as 10s, got "${older}"`;
  const count = Number(limit);
  if (!Number.isInteger(count) || count < 1 || count > limitMax) {
    return `limit: expected a number from 1 to ${limitMax}, got "${limit}"`;
  }
  if (stuck !== undefined && !["0", "1", "true", "false"].includes(stuck)) {
    return `stuck: expected 1 or 0, got "${stuck}"`;
  }
  return {
    ...(peer === undefined ? {} : { peer }),
    ...(olderMs === undefined ? {} : { olderMs }),
    ...(state === undefined ? {} : { state }),
    stuck: stuck === "1" || stuck === "true",
    limit: count,
  };
}

/** `500ms`, `10s`, `5m`, `2h`; null: it is none. */
function milliseconds(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h)?$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] as "s" ?? "s"];
}
