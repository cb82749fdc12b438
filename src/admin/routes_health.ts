/**
 * `GET /healthz` and `GET /readyz`, for orchestrators: 200, or 503 with the problems in words.
 *
 * @module
 */
import { problem } from "./problem.ts";
import { type AdminContext, answerJson, type Route } from "./routes.ts";

/** Alive (its workers' loops turn), and ready (accepted lines can be delivered or kept). */
export function healthRoutes({ control }: AdminContext): Route[] {
  return [
    { path: "/healthz", methods: { GET: () => answer("unhealthy", control.healthy()) } },
    { path: "/readyz", methods: { GET: () => answer("not_ready", control.ready()) } },
  ];
}

interface State {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly warnings?: readonly string[];
}

function answer(code: string, state: State): Response {
  if (state.ok) return answerJson(state);
  return problem(503, code, state.problems.join("; ") || "No reason was given", { ...state });
}
