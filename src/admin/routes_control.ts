/**
 * `GET /admin/config`, `POST /admin/reload`, `POST /admin/drain`.
 *
 * @module
 */
import { type AdminContext, answerJson, type Route, swapDeadlineMs, withDeadline } from "./routes.ts";
import { answerSwap } from "./routes_rules.ts";

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
