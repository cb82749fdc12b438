/**
 * The figures: `GET /admin/stats` whole, `GET /metrics` for Prometheus (OpenMetrics where it is asked for), `GET /stats` as hotdog answers it.
 *
 * @module
 */
import { Exposition } from "../observe/exposition.ts";
import { hotdogStats } from "../observe/hotdog_stats.ts";
import { metricContentTypes, metricFormatOf } from "../observe/metric_text.ts";
import {
  type AdminContext,
  answerDeadlineMs,
  answerJson,
  answerText,
  type Route,
  withDeadline,
} from "./routes.ts";

/** Three renderings of one object. */
export function statsRoutes({ control }: AdminContext): Route[] {
  const exposition = new Exposition();
  const stats = () => withDeadline(control.stats(), answerDeadlineMs, "statistics");
  return [
    { path: "/admin/stats", methods: { GET: async () => answerJson(await stats()) } },
    { path: "/stats", methods: { GET: async () => answerJson(hotdogStats(await stats())) } },
    {
      path: "/metrics",
      methods: {
        GET: async (context) => {
          const format = metricFormatOf(context.req.header("accept"));
          return answerText(exposition.render(await stats(), format), metricContentTypes[format]);
        },
      },
    },
  ];
}
