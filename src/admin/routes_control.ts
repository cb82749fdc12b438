/**
 * `GET /admin/config`, `POST /admin/reload`, `POST /admin/upgrade`, `POST /admin/drain`.
 *
 * @module
 */
import { type AdminContext, answerJson, type Route, swapDeadlineMs, withDeadline } from "./routes.ts";
import { problem } from "./problem.ts";
import { answerSwap } from "./routes_rules.ts";

/** The new process opens the spool and the listeners; it is given up before. */
const upgradeDeadlineMs = 90_000;

/** What an operator does with the whole process. */
export function controlRoutes({ control }: AdminContext): Route[] {
  return [
    { path: "/admin/config", methods: { GET: () => answerJson(control.config()) } },
    {
      path: "/admin/reload",
      methods: {
        POST: async () =>
          answerSwap(await withDeadline(control.reload(), swapDeadlineMs, "the reload's result")),
      },
    },
    {
      path: "/admin/upgrade",
      methods: {
        POST: async () => {
          const result = await withDeadline(control.upgrade(), upgradeDeadlineMs, "the new process");
          return result.ok ? answerJson(result) : problem(409, "upgrade_failed", result.problem);
        },
      },
    },
    {
      path: "/admin/drain",
      methods: {
        POST: () => {
          control.drain();
          return answerJson({ state: "draining" }, 202);
        },
      },
    },
  ];
}
