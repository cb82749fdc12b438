/**
 * The HTTP listeners of one worker: what the connections of each are given to, and what they share with other workers.
 *
 * @module
 */
import type { Config, HttpListen, Listen } from "../config/config.ts";
import { AckIds, createAckIds } from "../http/ack_ids.ts";
import { createIdempotency, Idempotency } from "../http/idempotency.ts";
import { IngestService } from "../http/ingest_service.ts";
import { createRates, Rates } from "../http/rates.ts";
import { HttpServer } from "../http/server.ts";
import { TokenFile, tokensMax } from "../http/tokens.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { stage, type StageTable, type Waiting } from "../observe/stage_table.ts";
import { collectSoon } from "../runtime/collect.ts";
import { type LineTally, requestLinesOf } from "./line_options.ts";
import { JsonCheck } from "./json_check.ts";
import type { HttpShared, WorkerLog } from "./protocol.ts";
import type { Refusals } from "./refusals.ts";
import type { Submission, SubmissionResult, SubmitRequest } from "./submission.ts";
import type { Submissions } from "./submissions.ts";

/** The part of the memory limit that unfinished requests may hold, over all workers. */
const heldShare = 1 / 8;
/** One request of `body_max` must fit, whatever the limit says. */
const heldBodiesMin = 2;
/** Token files are looked at so often; a little less than the time between two ticks of an idle worker. */
const tokensMs = 900;

/** What HTTP listeners need. */
export interface HttpListenersParts {
  readonly config: Config;
  readonly kernel: Kernel;
  readonly submissions: Submissions;
  readonly counters: CounterRow;
  readonly waits: StageTable;
  readonly shared: HttpShared;
  readonly programVersion: string;
  readonly log: WorkerLog;
}

/** Memory for the rates of tokens of one listener. */
export function createListenerRates({ kind }: Listen): SharedArrayBuffer {
  return createRates(kind === "http" ? tokensMax : 0);
}

/** Memory for the HTTP listeners of all workers. */
export function createHttpShared(config: Config): HttpShared {
  return {
    rates: config.listen.map(createListenerRates),
    idempotency: createIdempotency(),
    ackIds: createAckIds(),
  };
}

/** The HTTP side of all listeners of one worker. */
export class HttpListeners {
  readonly #parts: HttpListenersParts;
  readonly #json: JsonCheck;
  readonly #servers = new Map<HttpServer<unknown>, TokenFile | undefined>();
  /** Of listeners that are no more; they go with their last connection. */
  readonly #retired = new Set<HttpServer<unknown>>();
  /** What those that went have counted. */
  readonly #counts = { requests: 0, failures: 0, timeouts: 0 };
  #tokensAtMs = 0;

  constructor(parts: HttpListenersParts) {
    this.#parts = parts;
    this.#json = new JsonCheck(parts.kernel);
  }

  /** What the connections of a listener are given to; `rates` are those of its tokens. */
  server(
    rates: SharedArrayBuffer,
    listen: HttpListen,
    name: string,
    refusals: Refusals,
    tally?: LineTally,
  ): HttpServer<unknown> {
    const { config, kernel, submissions, shared, programVersion, log } = this.#parts;
    const tokens = listen.tokensFile === undefined ? undefined : new TokenFile(listen.tokensFile);
    if (tokens !== undefined) this.#tellTokens(tokens);
    const options = requestLinesOf(listen, tally);
    const service = new IngestService<Submission>({
      port: {
        frameBytesMax: kernel.sizes.frameBytesMax,
        submit: (request, answer) => this.#submit({ ...request, options }, answer, name),
        cancel: (submission) => submissions.cancel(submission),
        retryAfterMs: () => submissions.load().retryAfterMs,
        notJson: (bytes, ranges, count) => this.#json.notJson(bytes, ranges, count),
      },
      bodyBytesMax: listen.bodyBytesMax,
      ack: listen.ack,
      waitMs: listen.answerMs,
      defaultTopic: config.kafka.topic,
      tokens,
      rates: new Rates(rates, Date.now),
      idempotency: new Idempotency(shared.idempotency, () => Math.floor(Date.now() / 1000)),
      ackIds: new AckIds(shared.ackIds),
      origins: listen.origins,
      hasSpool: config.spool !== undefined,
      version: programVersion,
      nowMs: () => performance.now(),
    });
    const heldBytesMax = Math.max(
      heldBodiesMin * listen.bodyBytesMax,
      Math.floor(config.limits.memoryBytes * heldShare / config.workers),
    );
    const server = new HttpServer({
      service,
      heldBytesMax,
      nowMs: () => performance.now(),
      dateMs: Date.now,
      refused: (peer, detail) => refusals.tell("http_refused", name, peer, "malformed", detail),
      requestRefused: (request) => log("http_request_refused", { listener: name, ...request }, "debug"),
      ended: (connection) => log("http_connection_ended", { listener: name, ...connection }, "debug"),
      collect: collectSoon,
    });
    this.#servers.set(server as HttpServer<unknown>, tokens);
    return server as HttpServer<unknown>;
  }

  /** Hands a request over; one that is not answered at once has its place in the table of waits. */
  #submit(request: SubmitRequest, answer: (result: SubmissionResult) => void, listener: string): Submission {
    const { submissions, waits } = this.#parts;
    let slot = -1;
    const submission = submissions.submit(request, (result) => {
      if (slot >= 0) waits.leave(slot, performance.now());
      answer(result);
    });
    if (submission.state === "answered") return submission;
    const nowMs = performance.now();
    const { peer, topic, lines } = request;
    const waiting: Waiting = {
      isHeld: () => submission.state !== "answered",
      describe: () => ({
        kind: "request",
        peer,
        listener,
        ...(topic === undefined ? {} : { topic }),
        bytes: lines.bytes.byteLength,
      }),
    };
    slot = waits.enter(stage.http_reply, waiting, nowMs, nowMs + request.waitMs);
    return submission;
  }

  /** Ends slow requests, looks at token files, refreshes the counters. A few times a second. */
  tick(): void {
    for (const server of this.#retired) if (server.idle) this.#forget(server);
    for (const server of this.#servers.keys()) server.tick();
    this.count();
    const nowMs = performance.now();
    if (nowMs - this.#tokensAtMs < tokensMs) return;
    this.#tokensAtMs = nowMs;
    for (const tokens of this.#servers.values()) if (tokens?.look() === true) this.#tellTokens(tokens);
  }

  /** Brings the counters of requests up to date. */
  count(): void {
    const { counters } = this.#parts;
    let { requests, failures, timeouts } = this.#counts;
    for (const server of this.#servers.keys()) {
      requests += server.counts.requests;
      failures += server.counts.failures;
      timeouts += server.counts.timeouts;
    }
    counters.set(counter.http_requests, requests);
    counters.set(counter.http_failures, failures);
    counters.set(counter.http_timeouts, timeouts);
  }

  /** The listener is no more, and its connections are served as before; with `ends` they end when they are answered. */
  retire(server: HttpServer<unknown>, ends: boolean): void {
    this.#retired.add(server);
    if (ends) server.stop();
  }

  #forget(server: HttpServer<unknown>): void {
    const { requests, failures, timeouts } = server.counts;
    this.#counts.requests += requests;
    this.#counts.failures += failures;
    this.#counts.timeouts += timeouts;
    this.#servers.delete(server);
    this.#retired.delete(server);
  }

  /** Connections end with their next answer. */
  finish(): void {
    for (const server of this.#servers.keys()) server.finish();
  }

  /** Connections end with the answer to the request that they are at. */
  stop(): void {
    for (const server of this.#servers.keys()) server.stop();
  }

  #tellTokens({ current }: TokenFile): void {
    if (!current.ok) this.#parts.log("tokens_unusable", { problem: current.problem });
  }
}
