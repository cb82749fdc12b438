/**
 * Requests with events: who may send, what the body says, and the answer when the events have come as far as was
 * asked.
 *
 *     plan    route, token, coding of a head                       once per head
 *     admit   origin, token, load                                  before the body
 *     serve   decompress > known key? > events > rate > submit ──> answer
 *
 * It promises: 2xx only for what is kept as the answer says; a refusal names what to do, and when; nothing of a
 * request is taken that is refused before it was handed over.
 *
 * @module
 */
import { type Answer, emptyAnswer, withFields } from "./answer.ts";
import { Admission, type IngestPlan, undecodable } from "./admission.ts";
import type { AckIds } from "./ack_ids.ts";
import { codingOf, Decompressor } from "./decompress.ts";
import type { Ack, Endpoint, Refusal } from "./endpoint.ts";
import type { Events } from "./events.ts";
import { read, readInTurns } from "./read_body.ts";
import type { RequestHead } from "./head.ts";
import { channelOf, hecSuccess } from "./hec.ts";
import type { Idempotency } from "./idempotency.ts";
import { knownAnswer } from "./known_answer.ts";
import type { EventPort, EventRequest, EventResult, EventSubmission, Until } from "./port.ts";
import type { Rates } from "./rates.ts";
import { refusalOf } from "./refusals.ts";
import { preflightAnswer, routeOf } from "./routes.ts";
import type { Exchange, HttpService } from "./service.ts";
import { Turns, turnsBytesMin } from "./turns.ts";
import { type TokenFile, tokenOfField } from "./tokens.ts";

/** What the service of a listener is made of. */
export interface IngestOptions<Submission extends EventSubmission> {
  readonly port: EventPort<Submission>;
  /** Bytes of a body, as it comes and as it is. */
  readonly bodyBytesMax: number;
  /** Where neither request nor token says it. */
  readonly ack: Ack;
  /** An answer comes by then. */
  readonly waitMs: number;
  /** Where events go that name no topic, for the scopes of tokens. */
  readonly defaultTopic: string;
  readonly tokens: TokenFile | undefined;
  readonly rates: Rates;
  readonly idempotency: Idempotency;
  readonly ackIds: AckIds;
  /** Origins whose pages may send, `https://app.example`. */
  readonly origins: readonly string[];
  /** True where events that Kafka has not acknowledged are on the disk. */
  readonly hasSpool: boolean;
  readonly version: string;
  nowMs(): number;
}

interface Open<Submission> {
  submission: Submission | undefined;
  gone: boolean;
}

/** The service of one listener in one worker. */
export class IngestService<Submission extends EventSubmission> implements HttpService<IngestPlan> {
  readonly bodyBytesMax: number;
  readonly #options: IngestOptions<Submission>;
  readonly #decompressor: Decompressor;
  readonly #turns: Turns;
  readonly #open = new Map<Exchange, Open<Submission>>();
  readonly #admission: Admission;
  readonly #notJson: EventPort["notJson"];

  constructor(options: IngestOptions<Submission>) {
    this.#options = options;
    this.bodyBytesMax = options.bodyBytesMax;
    this.#decompressor = new Decompressor(options.bodyBytesMax);
    this.#turns = new Turns(options.nowMs);
    this.#admission = new Admission(options);
    this.#notJson = (bytes, ranges, count) => options.port.notJson(bytes, ranges, count);
  }

  plan(head: RequestHead): IngestPlan {
    const { port, version, ackIds } = this.#options;
    const route = routeOf(head, {
      frameBytesMax: port.frameBytesMax,
      version,
      notJson: this.#notJson,
      isAckDone: (id) => ackIds.isDone(id),
    });
    const { fields, query } = head;
    const endpoint = route.kind === "events" ? route.endpoint : undefined;
    return {
      route,
      coding: endpoint?.coding ?? codingOf(fields.get("content-encoding")),
      ack: ackOf(query.get("ack")),
      given: tokenOfField(fields.get("authorization")) ?? fields.get("x-splunk-token"),
      origin: fields.get("origin"),
      isPreflight: head.method === "OPTIONS" && fields.has("access-control-request-method"),
      key: fields.get("idempotency-key"),
      wantsAckId: head.path.startsWith("/services/collector") && channelOf(head) !== undefined,
      token: undefined,
      tokensVersion: -1,
    };
  }

  admit(plan: IngestPlan, head: RequestHead): Answer | undefined {
    const { origin, route } = plan;
    if (origin !== undefined && !this.#options.origins.includes(origin)) {
      return this.#refuse(plan, {
        status: 403,
        code: "origin_refused",
        detail: "Cannot take a request from a page: its origin is not in cors",
      });
    }
    if (plan.isPreflight && origin !== undefined) return this.#decorated(plan, preflightAnswer);
    const refusal = this.#admission.ofToken(plan) ??
      (route.kind === "none" ? route.refusal : this.#admission.ofPlan(plan)) ??
      this.#admission.ofLoad(plan, head);
    return refusal === undefined ? undefined : this.#refuse(plan, refusal);
  }

  serve(plan: IngestPlan, exchange: Exchange, body: Uint8Array): Answer | undefined {
    const { route } = plan;
    if (route.kind === "none") return this.#refuse(plan, route.refusal);
    if (route.kind === "fixed") {
      return this.#decorated(plan, route.fixed.fixed(exchange.head, body));
    }
    const { endpoint } = route;
    if (plan.coding === "identity") return this.#take(plan, endpoint, exchange, body, body);
    const done = this.#decompressor.run(plan.coding!, body, (result) => {
      const open = this.#open.get(exchange)!;
      this.#open.delete(exchange);
      if (open.gone) return exchange.answer(nobodyAnswer);
      const answer = result.ok
        ? this.#take(plan, endpoint, exchange, result.bytes, undefined)
        : this.#refuse(plan, undecodable(result.reason, plan.coding!, this.bodyBytesMax));
      if (answer !== undefined) exchange.answer(answer);
    }, () => this.#open.get(exchange)?.gone !== true);
    if (done === undefined) {
      this.#open.set(exchange, { submission: undefined, gone: false });
      exchange.keepBody();
      return undefined;
    }
    return done.ok
      ? this.#take(plan, endpoint, exchange, done.bytes, undefined)
      : this.#refuse(plan, undecodable(done.reason, plan.coding!, this.bodyBytesMax));
  }

  gone(exchange: Exchange): void {
    const open = this.#open.get(exchange);
    if (open === undefined) return;
    open.gone = true;
    if (open.submission === undefined) return; // It is being decompressed, or read.
    this.#open.delete(exchange);
    // What is placed is on its way anyway; only what still waits for room is taken back.
    if (open.submission.state === "placing") this.#options.port.cancel(open.submission);
    exchange.answer(nobodyAnswer);
  }

  /** Requests without an answer. */
  get openRequests(): number {
    return this.#open.size;
  }

  /** `lent` are the bytes that belong to the connection, if `body` does. */
  #take(
    plan: IngestPlan,
    endpoint: Endpoint,
    exchange: Exchange,
    body: Uint8Array,
    lent: Uint8Array | undefined,
  ): Answer | undefined {
    if (plan.key === undefined) return this.#submit(plan, endpoint, exchange, body, lent, undefined);
    const { idempotency } = this.#options;
    const scope = `${plan.token?.name ?? ""} ${exchange.head.path}`;
    const known = idempotency.begin(scope, plan.key, body);
    switch (known.kind) {
      case "new": {
        const answer = this.#submit(plan, endpoint, exchange, body, lent, known.slot);
        // Refused before it was handed over.
        if (answer !== undefined && answer.status >= 400) idempotency.forget(known.slot);
        return answer;
      }
      case "answered":
        return this.#decorated(plan, knownAnswer(known.answer));
      case "in_work":
        return this.#refuse(plan, {
          status: 409,
          code: "idempotency_key_in_work",
          detail: "A request with this Idempotency-Key is not answered yet: ask again later",
          retryAfterMs: 1000,
        });
      case "other_body":
        return this.#refuse(plan, {
          status: 422,
          code: "idempotency_key_reused",
          detail: "This Idempotency-Key came with another body: use a new one",
        });
      case "full":
        return this.#refuse(plan, {
          status: 503,
          code: "idempotency_full",
          detail: "Too many requests with an Idempotency-Key are in work",
          retryAfterMs: 1000,
        });
    }
  }

  #submit(
    plan: IngestPlan,
    endpoint: Endpoint,
    exchange: Exchange,
    body: Uint8Array,
    lent: Uint8Array | undefined,
    slot: number | undefined,
  ): Answer | undefined {
    if (body.length < turnsBytesMin) {
      return this.#hand(plan, endpoint, exchange, read(endpoint, body), body.length, lent, slot);
    }
    const open: Open<Submission> = { submission: undefined, gone: false };
    const readNow = this.#turns.run(readInTurns(endpoint, body), () => !open.gone, (events) => {
      this.#open.delete(exchange);
      if (events === undefined) {
        if (slot !== undefined) this.#options.idempotency.forget(slot);
        return exchange.answer(nobodyAnswer);
      }
      const answer = this.#hand(plan, endpoint, exchange, events, body.length, lent, slot);
      if (answer === undefined) return;
      if (slot !== undefined && answer.status >= 400) this.#options.idempotency.forget(slot);
      exchange.answer(answer);
    });
    if (readNow !== undefined) {
      return this.#hand(plan, endpoint, exchange, readNow.value, body.length, lent, slot);
    }
    this.#open.set(exchange, open);
    exchange.keepBody();
    return undefined;
  }

  /** Hands over the events of a body of `bodyBytes`. */
  #hand(
    plan: IngestPlan,
    endpoint: Endpoint,
    exchange: Exchange,
    events: Events | Refusal,
    bodyBytes: number,
    lent: Uint8Array | undefined,
    slot: number | undefined,
  ): Answer | undefined {
    const { port, waitMs, ackIds } = this.#options;
    if ("status" in events) return this.#refuse(plan, events);
    if (events.count === 0) return this.#nothing(plan, endpoint, events);
    const refusal = this.#admission.ofRate(plan, events.count, bodyBytes);
    if (refusal !== undefined) return this.#refuse(plan, refusal);

    const ack = this.#admission.ackOf(plan);
    const until: Until = ack === "none" ? "memory" : ack;
    const waiting = until === "memory" ? undefined : this.#admission.wait(until);
    const open: Open<Submission> = { submission: undefined, gone: false };
    let answer: Answer | undefined;
    let isDecided = false;
    const ackId = plan.wantsAckId ? ackIds.next() : undefined;
    const request: EventRequest = {
      lines: linesOf(endpoint, events),
      peer: exchange.peer,
      topic: endpoint.topic,
      key: endpoint.key,
      value: endpoint.value,
      until,
      waitMs,
    };
    const submission = port.submit(request, (result) => {
      isDecided = true;
      if (waiting !== undefined) this.#admission.kept(waiting);
      if (
        ackId !== undefined && result.kind !== "refused" &&
        (result.kind === "kept" || result.reached !== "memory")
      ) {
        ackIds.done(ackId);
      }
      const said = this.#answerTo(plan, endpoint, events, ack, result, slot);
      if (open.submission === undefined) answer = said;
      else if (this.#open.delete(exchange)) exchange.answer(said);
    });
    open.submission = submission;
    if (isDecided) return ackId === undefined || answer!.status >= 400 ? answer : hecSuccess(ackId);
    if (submission.state === "placing") {
      if (ack === "none") {
        port.cancel(submission);
        return answer ?? this.#refuse(plan, refusalOf("busy", 0, port.retryAfterMs()));
      }
      // The bytes are still needed.
      if (lent !== undefined && events.bytes.buffer === lent.buffer) exchange.keepBody();
    }
    if (ackId !== undefined) return hecSuccess(ackId);
    this.#open.set(exchange, open);
    return undefined;
  }

  /** A request without one event. */
  #nothing(plan: IngestPlan, endpoint: Endpoint, events: Events): Answer {
    const result: EventResult = {
      kind: "kept",
      reached: "memory",
      placed: 0,
      dropped: 0,
      deadLettered: 0,
      truncated: 0,
      notes: [],
      rejection: undefined,
      refusal: undefined,
      retryAfterMs: 0,
    };
    return this.#decorated(plan, endpoint.answer({ events, result, ack: "none", durable: false }));
  }

  #answerTo(
    plan: IngestPlan,
    endpoint: Endpoint,
    events: Events,
    ack: Ack,
    result: EventResult,
    slot: number | undefined,
  ): Answer {
    const { idempotency } = this.#options;
    const refusal = refusalOfResult(result);
    if (refusal !== undefined) {
      if (slot !== undefined) idempotency.forget(slot);
      return this.#refuse(plan, refusal);
    }
    const durable = ack !== "none" && ack !== "memory";
    const answer = endpoint.answer({ events, result, ack, durable });
    if (slot !== undefined) {
      idempotency.finish(slot, { status: answer.status, accepted: result.placed, durable });
    }
    return this.#decorated(plan, answer);
  }

  #refuse(plan: IngestPlan, refusal: Refusal): Answer {
    const { route } = plan;
    const answer = route.kind === "events"
      ? route.endpoint.refuse(refusal)
      : route.kind === "fixed"
      ? route.fixed.refuse(refusal)
      : route.refuse(refusal);
    return this.#decorated(plan, answer);
  }

  /** For a page of an allowed origin. */
  #decorated(plan: IngestPlan, answer: Answer): Answer {
    const { origin } = plan;
    if (origin === undefined || !this.#options.origins.includes(origin)) return answer;
    return withFields(answer, { "access-control-allow-origin": origin, vary: "origin" });
  }
}

/** Says that a request is done with whose client is gone. */
const nobodyAnswer = emptyAnswer(503);

function ackOf(text: string | undefined): Ack | "unknown" | undefined {
  if (text === undefined || text === "none" || text === "memory" || text === "disk" || text === "kafka") {
    return text;
  }
  return "unknown";
}

function linesOf(endpoint: Endpoint, events: Events): EventRequest["lines"] {
  const { bytes, count } = events;
  if (endpoint.isFramed === true) return { kind: "framed", bytes, framing: "auto" };
  return count === 1
    ? { kind: "one", bytes: events.first }
    : { kind: "ranges", bytes, ranges: events.ranges, count };
}

/** Why the answer is no success, if it is none. */
function refusalOfResult(result: EventResult): Refusal | undefined {
  const { kind, reached, placed, refusal, retryAfterMs } = result;
  if (kind === "refused") return refusalOf(refusal ?? "busy", placed, retryAfterMs);
  if (kind === "kept" || reached !== "memory") return undefined;
  return refusalOf("ack_timeout", placed, retryAfterMs);
}
