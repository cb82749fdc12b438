/**
 * Who may send, and how much: why a request is refused before its body comes, or before its events are handed over.
 *
 * @module
 */
import type { Coding } from "./decompress.ts";
import type { Ack, Refusal } from "./endpoint.ts";
import type { RequestHead } from "./head.ts";
import { keyCharactersMax } from "./idempotency.ts";
import type { EventPort, Until } from "./port.ts";
import type { Rates } from "./rates.ts";
import type { Route } from "./routes.ts";
import { findToken, type Token, type TokenFile } from "./tokens.ts";

/** From this part of the time to the deadline on, waiting requests are a reason to refuse more of them. */
const queueAgeShare = 0.5;

/** What a head asks for. */
export interface IngestPlan {
  readonly route: Route;
  readonly coding: Coding | undefined;
  readonly ack: Ack | "unknown" | undefined;
  readonly given: string | undefined;
  readonly origin: string | undefined;
  readonly isPreflight: boolean;
  readonly key: string | undefined;
  /** The request asks for an id instead of waiting. */
  readonly wantsAckId: boolean;
  /** The token, and the version of the file that it was found in. */
  token: Token | undefined;
  tokensVersion: number;
}

/** A request that waits for disk or Kafka. */
export interface Waiting {
  readonly sinceMs: number;
  readonly until: Until;
}

/** What refusals depend on; see `IngestOptions`. */
export interface AdmissionOptions {
  readonly port: Pick<EventPort, "retryAfterMs">;
  readonly ack: Ack;
  readonly waitMs: number;
  readonly defaultTopic: string;
  readonly tokens: TokenFile | undefined;
  readonly rates: Rates;
  readonly hasSpool: boolean;
  nowMs(): number;
}

/** The refusals of one listener in one worker. */
export class Admission {
  readonly #options: AdmissionOptions;
  /** Requests that wait for disk or Kafka, oldest first. */
  readonly #waiting = new Set<Waiting>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** How far the events of a request must come: as it says, its token, the listener. */
  ackOf(plan: IngestPlan): Ack {
    return plan.ack !== undefined && plan.ack !== "unknown" ? plan.ack : plan.token?.ack ?? this.#options.ack;
  }

  /** A request waits from now on, until `kept`. */
  wait(until: Until): Waiting {
    const waiting = { sinceMs: this.#options.nowMs(), until };
    this.#waiting.add(waiting);
    return waiting;
  }

  /** A request waits no more. */
  kept(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** Why the token does not do. */
  ofToken(plan: IngestPlan): Refusal | undefined {
    const { tokens, defaultTopic } = this.#options;
    const { route } = plan;
    if (tokens === undefined || (route.kind === "fixed" && route.fixed.open)) return undefined;
    const { current, version } = tokens;
    if (!current.ok) {
      return {
        status: 503,
        code: "token_file_unusable",
        detail: "Cannot check tokens: the reason is in the log of corndog",
        retryAfterMs: 10_000,
      };
    }
    if (plan.tokensVersion !== version) {
      plan.token = plan.given === undefined ? undefined : findToken(current.tokens, plan.given);
      plan.tokensVersion = version;
    }
    const { token } = plan;
    if (token === undefined) {
      return plan.given === undefined
        ? {
          status: 401,
          code: "token_needed",
          detail: "Cannot take this without a token: send it as Authorization: Bearer",
          fields: { "www-authenticate": 'Bearer realm="corndog"' },
        }
        : {
          status: 401,
          code: "token_wrong",
          detail: "Cannot take this: the token is not known",
          fields: { "www-authenticate": 'Bearer realm="corndog", error="invalid_token"' },
        };
    }
    const topic = (route.kind === "events" ? route.endpoint.topic : undefined) ?? defaultTopic;
    if (token.topics !== undefined && !token.topics.some((pattern) => pattern.test(topic))) {
      return {
        status: 403,
        code: "topic_not_allowed",
        detail: `Cannot take this: the token "${token.name}" may not send to this topic`,
      };
    }
    return undefined;
  }

  /** What is wrong with a request before its body is known. */
  ofPlan(plan: IngestPlan): Refusal | undefined {
    if (plan.coding === undefined) {
      return {
        status: 415,
        code: "encoding_unknown",
        detail: "Cannot decompress this: Content-Encoding may be gzip, deflate or zstd",
        fields: { "accept-encoding": "gzip, deflate, zstd" },
      };
    }
    if (plan.ack === "unknown") {
      return { status: 400, code: "ack_unknown", detail: "ack is one of none, memory, disk, kafka" };
    }
    if (plan.key !== undefined && (plan.key === "" || plan.key.length > keyCharactersMax)) {
      return {
        status: 400,
        code: "idempotency_key_malformed",
        detail: `An Idempotency-Key has 1 to ${keyCharactersMax} characters`,
      };
    }
    return undefined;
  }

  /** What is asked for is not done in time for others already: more of it would wait for nothing. */
  ofLoad(plan: IngestPlan, head: RequestHead): Refusal | undefined {
    if (plan.route.kind !== "events") return undefined;
    const { waitMs, hasSpool, port, nowMs } = this.#options;
    const ack = this.ackOf(plan);
    // What is on the disk is safe, and the answer says so when Kafka does not come.
    if (ack === "none" || ack === "memory" || (ack === "kafka" && hasSpool)) return undefined;
    const [oldest] = this.#waiting;
    if (oldest === undefined || head.contentLength === 0) return undefined;
    const ageMs = nowMs() - oldest.sinceMs;
    if (ageMs < waitMs * queueAgeShare) return undefined;
    return {
      status: 503,
      code: "queue_too_old",
      detail: `Cannot take this: others have waited for ${Math.round(ageMs / 100) / 10} s to be kept`,
      retryAfterMs: Math.max(port.retryAfterMs(), waitMs - ageMs),
    };
  }

  /** Whether the token is over its rate. */
  ofRate(plan: IngestPlan, events: number, bytes: number): Refusal | undefined {
    const { token } = plan;
    if (token === undefined) return undefined;
    const { rates } = this.#options;
    const { eventsPerSecond, bytesPerSecond, index, name } = token;
    let retryAfterMs = eventsPerSecond === undefined ? 0 : rates.takeEvents(index, eventsPerSecond, events);
    if (retryAfterMs === 0 && bytesPerSecond !== undefined) {
      retryAfterMs = rates.takeBytes(index, bytesPerSecond, bytes);
      // Or who tries again and again would use up the one rate by the other.
      if (retryAfterMs > 0 && eventsPerSecond !== undefined) rates.giveEvents(index, events);
    }
    if (retryAfterMs === 0) return undefined;
    return {
      status: 429,
      code: "rate_exceeded",
      detail: `Cannot take this: the token "${name}" is over its rate`,
      retryAfterMs,
    };
  }
}

/** Why a body could not be decompressed. */
export function undecodable(
  reason: "malformed" | "too_large",
  coding: Coding,
  bodyBytesMax: number,
): Refusal {
  return reason === "too_large"
    ? {
      status: 413,
      code: "body_too_large",
      detail: `The decompressed body may have ${bodyBytesMax} bytes`,
      extensions: { bytes_max: bodyBytesMax },
    }
    : { status: 400, code: "encoding_malformed", detail: `The body is not ${coding}, or not all of it` };
}
