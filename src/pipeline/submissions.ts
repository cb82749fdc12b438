/**
 * Requests that are answered (HTTP, RELP): their lines go through the same intake as syslog, and each gets one answer.
 *
 *     submit ──> intake (rules, lanes; waits for room like a connection) ──> receipts on open batches
 *        │                                                                        │
 *        └── answer <── deadline, refusal ──────────────────── fulfilled <────────┘
 *
 * It promises: an answer within the deadline, one per request; `kept` only for what has come as far as was asked;
 * nothing is taken that finds too much waiting before it. Requests of one turn share batches: batches that an answer
 * waits for close when the turn is over and the sink is hungry, or as soon as it is; clients that were just answered
 * together and come back together are gathered before that (`Gathering`).
 *
 * Answers that come out of settled batches are told in a microtask, so that who answers may submit again.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Batcher } from "../batch/batcher.ts";
import type { BatchTimers } from "../batch/linger.ts";
import { Framer } from "../framing/framer.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { DrainRate } from "./drain_rate.ts";
import { Gathering, gatherMs } from "./gathering.ts";
import type { Intake } from "./intake.ts";
import { type FrameSource, RequestFrames } from "./request_frames.ts";
import type { Stream } from "./stream.ts";
import {
  type RefusalReason,
  type RequestLines,
  Submission,
  type SubmissionResult,
  type SubmitRequest,
} from "./submission.ts";
import type { TopicGate } from "./topic_gate.ts";

/** Deadlines are looked after this often. */
export const sweepMs = 20;
/** Requests that were not answered yet; each costs some hundred bytes. */
export const submissionsOpenMax = 65_536;

/** What submissions join; all of one worker. */
export interface SubmissionsParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly gate: TopicGate;
  readonly timers: BatchTimers;
  /** Bytes of requests that wait for room. A single request may be larger. */
  readonly waitingBytesMax: number;
  /** Bytes of batches that were settled, or whose memory the spool gave back, since the start. */
  bytesDone(): number;
  /** Why nothing is to be taken now, if so. */
  blocked(): "spool_full" | undefined;
}

/** What is queued, and how fast it goes: for Retry-After and `/admin/stats`. */
export interface SubmissionLoad {
  /** Requests without an answer. */
  readonly open: number;
  /** Requests with lines that are not placed, and their bytes. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Bytes in batches that are open or under way. */
  readonly queuedBytes: number;
  readonly drainBytesPerSecond: number;
  /** When there will be room, at this rate; at least 0.1 s, at most a minute. */
  readonly retryAfterMs: number;
}

/** Takes the answer. */
export type Answer = (result: SubmissionResult) => void;

interface Open {
  readonly submission: Submission;
  readonly answer: Answer;
  stream: Stream | undefined;
  readonly bytes: number;
}

/** The requests of one worker. */
export class Submissions {
  readonly #parts: SubmissionsParts;
  readonly #rate: DrainRate;
  readonly #gathering: Gathering;
  #gatherTimer: unknown;
  readonly #open = new Map<Submission, Open>();
  readonly #waiting = new Set<Submission>();
  #intake: Intake | undefined;
  #waitingBytes = 0;
  #stopping = false;
  #sweeper: unknown;
  #closePending = false;
  #fulfilled: Submission[] = [];

  constructor(parts: SubmissionsParts) {
    this.#parts = parts;
    this.#rate = new DrainRate(() => parts.bytesDone());
    this.#gathering = new Gathering(() => parts.timers.nowMs());
  }

  /** The intake, which is built with `submissionEnded` of this. */
  join(intake: Intake): void {
    this.#intake = intake;
  }

  /**
   * Takes a request. `answer` is called once, within `waitMs`; before this returns where everything is decided by then.
   *
   * @returns the request, to `cancel` it
   */
  submit(request: SubmitRequest, answer: Answer): Submission {
    const submission = new Submission(
      request,
      this.#parts.timers.nowMs() + request.waitMs,
      this.#whenFulfilled,
    );
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      submission.state = "answered";
      answer(submission.result("refused", refusal, this.#retryAfter(refusal)));
      return submission;
    }
    const open: Open = { submission, answer, stream: undefined, bytes: request.lines.bytes.byteLength };
    this.#open.set(submission, open);
    const stream = this.#intake!.submit(submission, framesOf(this.#parts.kernel, request.lines));
    if (submission.state === "placing") {
      open.stream = stream;
      this.#waiting.add(submission);
      this.#waitingBytes += open.bytes;
    }
    if (submission.receipt?.hurries === true && this.#gathering.came()) this.closeSoon();
    if (this.#open.size > 0) this.#armSweep();
    return submission;
  }

  /** The sender went away: nothing more of it is taken, and what waits is answered as refused. */
  cancel(submission: Submission): void {
    const open = this.#open.get(submission);
    if (open !== undefined) this.#giveUp(open, "cancelled");
  }

  /** To be given to the intake. */
  readonly submissionEnded = (submission: Submission, refusal: "stopping" | undefined): void => {
    const open = this.#open.get(submission)!;
    this.#unwait(open);
    if (refusal !== undefined) return this.#answer(open, "refused", refusal);
    submission.state = "waiting";
    const { receipt, request } = submission;
    if (receipt === undefined) this.#answer(open, "kept", undefined);
    request.placed?.();
    receipt?.placed();
  };

  /** To be given to the batcher: requests of this turn share their batches. */
  readonly closeSoon = (): void => {
    if (this.#closePending) return;
    this.#closePending = true;
    setImmediate(() => {
      this.#closePending = false;
      this.#parts.batcher.closeHurried();
    });
  };

  /** To be given to the batcher: whether batches that answers wait for stay open for those that are about to come. */
  readonly gathers = (): boolean => {
    if (!this.#gathering.isOpen) return false;
    this.#gatherTimer ??= this.#parts.timers.set(this.#gathered, gatherMs);
    return true;
  };

  readonly #gathered = (): void => {
    this.#gatherTimer = undefined;
    this.#parts.batcher.closeHurried();
  };

  /** Takes nothing more; what is open is answered as it comes. */
  stop(): void {
    this.#stopping = true;
  }

  /** Answers everything that is open with what is known. The end of a drain. */
  close(): void {
    this.#stopping = true;
    this.#tellFulfilled();
    for (const open of [...this.#open.values()]) this.#giveUp(open, "stopping");
  }

  /** Called now and then: how fast batches go. */
  tick(): void {
    // A safety net, as for streams that wait.
    this.#parts.batcher.closeHurried();
    this.#rate.look(this.#parts.timers.nowMs());
  }

  /** Requests without an answer. */
  get open(): number {
    return this.#open.size;
  }

  load(): SubmissionLoad {
    const queuedBytes = this.#parts.batcher.bytesUsed + this.#waitingBytes;
    const drainBytesPerSecond = this.#rate.bytesPerSecond;
    return {
      open: this.#open.size,
      waiting: this.#waiting.size,
      waitingBytes: this.#waitingBytes,
      queuedBytes,
      drainBytesPerSecond,
      retryAfterMs: this.#rate.msFor(queuedBytes),
    };
  }

  /** Why the request is not taken at all. */
  #refusal({ lines, topic }: SubmitRequest): RefusalReason | undefined {
    if (this.#stopping) return "stopping";
    const fault = faultOf(lines, this.#parts.kernel.sizes.frameBytesMax);
    if (fault !== undefined) return fault;
    const blocked = this.#parts.blocked();
    if (blocked !== undefined) return blocked;
    const waits = this.#waitingBytes > 0 &&
      this.#waitingBytes + lines.bytes.byteLength > this.#parts.waitingBytesMax;
    if (waits || this.#open.size >= submissionsOpenMax) return "busy";
    return topic === undefined ? undefined : this.#parts.gate.refusal(topic, true);
  }

  #retryAfter(refusal: RefusalReason | undefined): number {
    switch (refusal) {
      case undefined:
      case "busy":
      case "spool_full":
      case "dead_letter_full":
      case "stopping":
        return this.#rate.msFor(this.#parts.batcher.bytesUsed + this.#waitingBytes);
      default:
        return 0;
    }
  }

  #answer(open: Open, kind: SubmissionResult["kind"], refusal: RefusalReason | undefined): void {
    const { submission } = open;
    submission.state = "answered";
    this.#open.delete(submission);
    open.answer(submission.result(kind, refusal, kind === "kept" ? 0 : this.#retryAfter(refusal)));
  }

  #unwait(open: Open): void {
    if (!this.#waiting.delete(open.submission)) return;
    this.#waitingBytes -= open.bytes;
  }

  /** Answers before the receipt is fulfilled. */
  #giveUp(open: Open, cause: "deadline" | "stopping" | "cancelled"): void {
    const { submission, stream } = open;
    submission.receipt?.forget();
    if (submission.state === "waiting") return this.#answer(open, "late", undefined);
    const wait = this.#intake!.waitOf(stream!);
    this.#intake!.withdraw(stream!);
    this.#unwait(open);
    const late = wait === "letters" ? "dead_letter_full" : this.#parts.blocked() ?? "busy";
    this.#answer(open, "refused", cause === "deadline" ? late : cause);
  }

  readonly #whenFulfilled = (submission: Submission): void => {
    this.#gathering.answered();
    if (this.#fulfilled.length === 0) queueMicrotask(this.#tellFulfilled);
    this.#fulfilled.push(submission);
  };

  readonly #tellFulfilled = (): void => {
    const fulfilled = this.#fulfilled;
    this.#fulfilled = [];
    for (const submission of fulfilled) {
      const open = this.#open.get(submission);
      if (open !== undefined) this.#answer(open, submission.receipt!.kept ? "kept" : "late", undefined);
    }
  };

  #armSweep(): void {
    if (this.#sweeper !== undefined) return;
    this.#sweeper = this.#parts.timers.set(this.#sweep, sweepMs);
  }

  readonly #sweep = (): void => {
    this.#sweeper = undefined;
    const nowMs = this.#parts.timers.nowMs();
    for (const open of [...this.#open.values()]) {
      if (open.submission.deadlineMs <= nowMs) this.#giveUp(open, "deadline");
    }
    if (this.#open.size > 0) this.#armSweep();
  };
}

function framesOf(kernel: Kernel, lines: RequestLines): FrameSource {
  switch (lines.kind) {
    case "one":
      return new RequestFrames(kernel, undefined, 1);
    case "ranges":
      return new RequestFrames(kernel, lines.ranges, lines.count);
    case "framed":
      return new Framer(kernel, lines.framing);
  }
}

/** What is wrong with frames whose boundaries are known. */
function faultOf(lines: RequestLines, frameBytesMax: number): "frame_too_large" | "frame_empty" | undefined {
  if (lines.kind === "framed") return undefined;
  if (lines.kind === "one") return faultOfFrame(lines.bytes.byteLength, frameBytesMax);
  for (let frame = 0; frame < lines.count; frame++) {
    const fault = faultOfFrame(lines.ranges[2 * frame + 1]! - lines.ranges[2 * frame]!, frameBytesMax);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfFrame(length: number, frameBytesMax: number): "frame_too_large" | "frame_empty" | undefined {
  return length > frameBytesMax ? "frame_too_large" : length <= 0 ? "frame_empty" : undefined;
}
