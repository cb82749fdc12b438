/**
 * `GET /admin/tap`: lines as they pass, as server-sent events (WHATWG HTML, server-sent events). The text of lines only
 * with `payload=1`. What the reader does not take is left out and counted; it never holds the data path.
 *
 * @module
 */
import type { FieldName } from "../rules/program.ts";
import type { TapFilter } from "./tap_view.ts";
import { problem } from "./problem.ts";
import type { AdminContext, Route } from "./routes.ts";

/** A forgotten tap ends by itself. */
const tapMsMax = 15 * 60_000;
/** A comment now and then shows proxies and readers that the stream lives. */
const aliveMs = 10_000;
/** Bundles that wait for a slow reader. */
const waitingMax = 32;

const headerFields = ["hostname", "appname", "severity", "facility", "procid", "msgid", "msg", "raw"];

/** The tap. */
export function tapRoutes({ control }: AdminContext): Route[] {
  return [{
    path: "/admin/tap",
    methods: {
      GET: (context) => {
        const filter = filterOf(context.req.query());
        if (typeof filter === "string") return problem(400, "query_invalid", filter);
        let stop: (() => void) | undefined;
        const timers: ReturnType<typeof setInterval>[] = [];
        const encoder = new TextEncoder();
        let left = 0;
        const end = () => {
          for (const timer of timers) clearInterval(timer);
          stop?.();
        };
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            const write = (text: string) => {
              if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(text));
              else return false;
              return true;
            };
            stop = control.tap(filter, (events, leftOut) => {
              left += leftOut;
              const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
              const told = left > 0 ? `event: left_out\ndata: ${left}\n\n` : "";
              if (write(text + told)) left = 0;
              else left += events.length;
            });
            if (stop === undefined) return;
            write(": tap\n\n");
            timers.push(
              setInterval(() => write(": alive\n\n"), aliveMs),
              setTimeout(() => {
                end();
                controller.close();
              }, tapMsMax),
            );
          },
          cancel: end,
        }, { highWaterMark: waitingMax });
        if (stop === undefined) {
          return problem(429, "taps_max", "Cannot tap: too many look already; end one of them");
        }
        return new Response(body, {
          headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
        });
      },
    },
  }];
}

/** The filter that a query says, or what is wrong with it. */
function filterOf(query: Readonly<Record<string, string>>): TapFilter | string {
  const { connection, peer, topic, rule, field, sample = "1", payload = "0", trace = "0", ...unknown } =
    query;
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    return `Unknown parameter "${name}"; known are connection, peer, topic, rule, field, sample, payload, trace`;
  }
  const part = Number(sample);
  if (!(part > 0 && part <= 1)) return `sample: expected a number above 0 and up to 1, got "${sample}"`;
  if (!["0", "1", "true", "false"].includes(payload)) return `payload: expected 1 or 0, got "${payload}"`;
  if (!["0", "1", "true", "false"].includes(trace)) return `trace: expected 1 or 0, got "${trace}"`;
  const equals = field?.indexOf("=") ?? -1;
  if (field !== undefined && equals < 1) return `field: expected NAME=VALUE, got "${field}"`;
  const fieldName = field?.slice(0, equals);
  if (fieldName !== undefined && !headerFields.includes(fieldName) && !fieldName.startsWith("sd.")) {
    return `field: expected one of ${headerFields.join(", ")} or sd.ID.PARAM, got "${fieldName}"`;
  }
  return {
    ...(connection === undefined ? {} : { connection }),
    ...(peer === undefined ? {} : { peer }),
    ...(topic === undefined ? {} : { topic }),
    ...(rule === undefined ? {} : { rule }),
    ...(field === undefined
      ? {}
      : { field: { name: fieldName as FieldName, value: field.slice(equals + 1) } }),
    sample: part,
    payload: payload === "1" || payload === "true",
    ...(trace === "1" || trace === "true" ? { trace: true } : {}),
  };
}
