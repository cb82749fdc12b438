/**
 * Which endpoint a head asks for.
 *
 * @module
 */
import { type Answer, emptyAnswer, jsonAnswer, textAnswer } from "./answer.ts";
import { elasticEndpoint, elasticQuestion, refuseElastic } from "./elastic.ts";
import type { Endpoint, EndpointOptions, Fixed, Refusal } from "./endpoint.ts";
import { channelOf, hecAcks, hecEndpoint, hecHealthy, hecNoChannel, refuseHec } from "./hec.ts";
import { printable, type RequestHead } from "./head.ts";
import { ingestEndpoint, refuse } from "./ingest.ts";
import { lokiEndpoint } from "./loki.ts";
import { otlpEndpoint } from "./otlp.ts";

/** What routes are made with. */
export interface RouteOptions extends EndpointOptions {
  isAckDone(id: number): boolean;
}

/** A place to send events to, an answer without events, or the reason why there is neither. */
export type Route =
  | { readonly kind: "events"; readonly endpoint: Endpoint }
  | { readonly kind: "fixed"; readonly fixed: Fixed }
  | { readonly kind: "none"; readonly refusal: Refusal; refuse(refusal: Refusal): Answer };

const hecPaths = /^\/services\/collector(?:\/(event|raw|ack|health))?(?:\/1\.0)?$/;
const bulkPath = /^(?:\/([^/_][^/]*))?(?:\/_doc)?\/_bulk$/;
/** Names that begin so are Elasticsearch's: `/INDEX/_doc`, `/_index_template/NAME`. */
const elasticPath = /^\/(?:(?!v1\/)[^/]+\/)?_/;
const ingestPath = /^\/v1\/ingest(?:\/([^/]+))?$/;

/** The route of a head. */
export function routeOf(head: RequestHead, options: RouteOptions): Route {
  const path = head.path.length > 1 && head.path.endsWith("/") ? head.path.slice(0, -1) : head.path;
  const ingest = ingestPath.exec(path);
  if (ingest !== null) {
    if (head.method !== "POST" && head.method !== "PUT") return wrongMethod(head, "POST", refuse);
    const endpoint = ingestEndpoint(head, ingest[1], options);
    return "status" in endpoint ? { kind: "none", refusal: endpoint, refuse } : { kind: "events", endpoint };
  }
  const hec = hecPaths.exec(path);
  if (hec !== null) return hecRoute(head, hec[1], options);
  const bulk = bulkPath.exec(path);
  if (bulk !== null) {
    if (head.method !== "POST" && head.method !== "PUT") return wrongMethod(head, "POST", refuseElastic);
    return { kind: "events", endpoint: elasticEndpoint(head, bulk[1], options) };
  }
  switch (path) {
    case "/v1/logs":
      return otlpRoute(head, options);
    case "/loki/api/v1/push":
      if (head.method !== "POST") return wrongMethod(head, "POST", refuse);
      return { kind: "events", endpoint: lokiEndpoint(head, options) };
    case "/healthz":
      return fixed(head, healthy, true);
    case "/ready":
      return fixed(head, ready, true);
  }
  const question = elasticQuestion(head, options.version);
  if (question !== undefined) return fixed(head, question, false, refuseElastic);
  return {
    kind: "none",
    refusal: {
      status: 404,
      code: "not_found",
      detail: `Cannot find "${printable(head.path)}": send events to /v1/ingest or /v1/ingest/TOPIC`,
    },
    // Its clients cannot read another answer, and say only that.
    refuse: elasticPath.test(path) ? refuseElastic : refuse,
  };
}

const healthy = jsonAnswer(200, { status: "ok" });
const ready = textAnswer(200, "ready\n");

function otlpRoute(head: RequestHead, options: RouteOptions): Route {
  if (head.method !== "POST") return wrongMethod(head, "POST", refuse);
  const endpoint = otlpEndpoint(head, options);
  if (endpoint !== undefined) return { kind: "events", endpoint };
  const detail = "Cannot read this: OTLP is application/x-protobuf or application/json";
  return { kind: "none", refusal: { status: 415, code: "format_unknown", detail }, refuse };
}

function hecRoute(head: RequestHead, part: string | undefined, options: RouteOptions): Route {
  if (part === "health") return fixed(head, hecHealthy, true, refuseHec);
  if (head.method !== "POST" && !(head.method === "PUT")) return wrongMethod(head, "POST", refuseHec);
  if (part === "ack") {
    const hasChannel = channelOf(head) !== undefined;
    return {
      kind: "fixed",
      fixed: {
        open: false,
        fixed: (_, body) => hasChannel ? hecAcks(body, options.isAckDone) : hecNoChannel,
        refuse: refuseHec,
      },
    };
  }
  return { kind: "events", endpoint: hecEndpoint(head, part === "raw", options) };
}

function fixed(
  head: RequestHead,
  answer: Answer,
  open: boolean,
  refuseWith: (refusal: Refusal) => Answer = refuse,
): Route {
  if (head.method !== "GET" && head.method !== "HEAD") return wrongMethod(head, "GET, HEAD", refuseWith);
  return { kind: "fixed", fixed: { open, fixed: () => answer, refuse: refuseWith } };
}

function wrongMethod(
  head: RequestHead,
  allow: string,
  refuseWith: (refusal: Refusal) => Answer,
): Route {
  return {
    kind: "none",
    refusal: {
      status: 405,
      code: "method_not_allowed",
      detail: `Cannot ${printable(head.method)} "${printable(head.path)}": this takes ${allow}`,
      fields: { allow },
    },
    refuse: refuseWith,
  };
}

/** The answer to a preflight of a page of an allowed origin (Fetch, section 4.8). */
export const preflightAnswer: Answer = emptyAnswer(204, {
  "access-control-allow-methods": "POST, PUT, GET",
  "access-control-allow-headers": "authorization, content-type, content-encoding, idempotency-key",
  "access-control-max-age": "600",
});
