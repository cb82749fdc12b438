/**
 * A pipeline that does what a test says, and a service in front of it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { AckIds, createAckIds } from "../../../src/http/ack_ids.ts";
import type { Answer } from "../../../src/http/answer.ts";
import { readHead } from "../../../src/http/head.ts";
import { createIdempotency, Idempotency } from "../../../src/http/idempotency.ts";
import type { IngestPlan } from "../../../src/http/admission.ts";
import { type IngestOptions, IngestService } from "../../../src/http/ingest_service.ts";
import type { EventPort, EventRequest, EventResult } from "../../../src/http/port.ts";
import { createRates, Rates } from "../../../src/http/rates.ts";
import type { Exchange } from "../../../src/http/service.ts";
import { tokensMax } from "../../../src/http/tokens.ts";

/** A request that was handed over. */
export interface FakeSubmission {
  state: "placing" | "waiting" | "answered";
  readonly request: EventRequest;
  readonly texts: readonly string[];
  finish(result?: Partial<EventResult>): void;
}

/** Answers at once where the request is for memory, else when the test says it. */
export class FakePort implements EventPort<FakeSubmission> {
  readonly frameBytesMax = 1000;
  readonly submissions: FakeSubmission[] = [];
  readonly cancelled: FakeSubmission[] = [];
  /** What requests are answered with at once. */
  refusal: Partial<EventResult> | undefined;
  /** Requests wait for room. */
  full = false;

  submit(request: EventRequest, answer: (result: EventResult) => void): FakeSubmission {
    const texts = textsOf(request);
    const submission: FakeSubmission = {
      state: "placing",
      request,
      texts,
      finish(result = {}) {
        submission.state = "answered";
        answer({
          kind: "kept",
          reached: request.until,
          placed: texts.length,
          dropped: 0,
          deadLettered: 0,
          truncated: 0,
          notes: [],
          rejection: undefined,
          refusal: undefined,
          retryAfterMs: 0,
          ...result,
        });
      },
    };
    this.submissions.push(submission);
    if (this.refusal !== undefined) submission.finish({ kind: "refused", placed: 0, ...this.refusal });
    else if (!this.full) {
      submission.state = "waiting";
      if (request.until === "memory") submission.finish();
    }
    return submission;
  }

  cancel(submission: FakeSubmission): void {
    this.cancelled.push(submission);
    submission.finish({ kind: "refused", refusal: "cancelled", placed: 0 });
  }

  retryAfterMs(): number {
    return 2500;
  }

  notJson(bytes: Uint8Array, ranges: Uint32Array, count: number): number[] {
    const bad: number[] = [];
    for (let i = 0; i < count; i++) {
      try {
        JSON.parse(Buffer.from(bytes.subarray(ranges[2 * i]!, ranges[2 * i + 1]!)).toString());
      } catch {
        bad.push(i);
      }
    }
    return bad;
  }
}

function textsOf({ lines }: EventRequest): string[] {
  if (lines.kind !== "ranges") return [Buffer.from(lines.bytes).toString()];
  const { bytes, ranges, count } = lines;
  return Array.from(
    { length: count },
    (_, i) => Buffer.from(bytes.subarray(ranges[2 * i], ranges[2 * i + 1])).toString(),
  );
}

/** One request on its way. */
export class FakeExchange implements Exchange {
  readonly peer = "192.0.2.7:4711";
  readonly tlsPeer = undefined;
  keeps = false;
  answered: Answer | undefined;

  constructor(readonly head: Exchange["head"]) {}

  keepBody(): void {
    this.keeps = true;
  }

  answer(answer: Answer): void {
    this.answered = answer;
  }
}

/** A service, and requests to it. */
export class ServiceRig {
  readonly port = new FakePort();
  readonly service: IngestService<FakeSubmission>;
  now = 1000;

  constructor(options: Partial<IngestOptions<FakeSubmission>> = {}) {
    this.service = new IngestService({
      port: this.port,
      bodyBytesMax: 100_000,
      ack: "kafka",
      waitMs: 10_000,
      defaultTopic: "logs",
      tokens: undefined,
      rates: new Rates(createRates(tokensMax), () => this.now),
      idempotency: new Idempotency(createIdempotency(), () => Math.floor(this.now / 1000)),
      ackIds: new AckIds(createAckIds()),
      origins: [],
      hasSpool: false,
      version: "1",
      nowMs: () => this.now,
      ...options,
    });
  }

  /** Sends; the answer is in `answered`, at once or later. */
  send(line: string, body: string | Uint8Array, ...fields: string[]): FakeExchange {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const request = line.startsWith("/") ? `POST ${line}` : line;
    const text = [`${request} HTTP/1.1`, "Host: h", `Content-Length: ${bytes.length}`, ...fields].join(
      "\r\n",
    );
    const read = readHead(text);
    if (!read.ok) throw new Error(read.fault.detail);
    const exchange = new FakeExchange(read.head);
    const plan: IngestPlan = this.service.plan(read.head);
    const answer = this.service.admit(plan, read.head) ?? this.service.serve(plan, exchange, bytes);
    if (answer !== undefined) exchange.answered = answer;
    return exchange;
  }
}

/** Status and JSON body of an answer. */
export function said(answer: Answer | undefined): Record<string, unknown> {
  if (answer === undefined) return { status: "none" };
  const text = Buffer.from(answer.body).toString();
  return { ...(text.startsWith("{") ? JSON.parse(text) : { text }), status: answer.status };
}
