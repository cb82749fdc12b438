/**
 * RELP connections of one worker, joined with the submissions: the lines of a chunk are one request, and their answers
 * go out when it is answered.
 *
 * A request that finds no room waits with its connection, which is not read meanwhile; it is never answered with an
 * error, because senders repeat such a line for ever or give up. What cannot be answered ends its connection: the
 * sender connects again and repeats what it has no answer to.
 *
 * @module
 */
import { defaultFrameBytesMax, type RelpListen } from "../config/config.ts";
import type { Tracked, TrackedHandler } from "../io/tracked.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { stage, type StageTable } from "../observe/stage_table.ts";
import { type RelpHost, type RelpLines, RelpSession } from "../relp/session.ts";
import { type LineOptions, type LineTally, requestLinesOf } from "./line_options.ts";
import type { WorkerLog } from "./protocol.ts";
import type { Refusals } from "./refusals.ts";
import type { Submission, SubmissionResult } from "./submission.ts";
import type { Submissions } from "./submissions.ts";

/** Lines that are not answered by then end their connection. Senders give up after a minute or two themselves. */
const answerMs = 600_000;
/** A request that found no room is tried again after this at least. */
const retryMs = 20;

/** What the RELP listeners need. */
export interface RelpListenersParts {
  readonly submissions: Submissions;
  readonly counters: CounterRow;
  readonly waits: StageTable;
  readonly programVersion: string;
  readonly log: WorkerLog;
}

/** One connection. */
export interface RelpConnection {
  readonly listener: string;
  readonly options: LineOptions;
  readonly peer: string;
  readonly session: RelpSession;
  /** Requests that are not answered. */
  readonly open: Set<Submission>;
  /** Frames it had finished when they were last looked at, and when that was. */
  frames: number;
  framedAtMs: number;
  retry: ReturnType<typeof setTimeout> | undefined;
  ended: boolean;
}

/** The RELP side of all listeners of one worker. */
export class RelpListeners {
  readonly #parts: RelpListenersParts;
  readonly #connections = new Map<RelpConnection, () => void>();

  constructor(parts: RelpListenersParts) {
    this.#parts = parts;
  }

  /** The handler of one listener. */
  handler(
    listen: RelpListen,
    name: string,
    refusals: Refusals,
    tally?: LineTally,
  ): TrackedHandler<RelpConnection> {
    const options = requestLinesOf(listen, tally);
    return {
      opened: (connection) => this.#open(connection, listen, options, name, refusals),
      received: (state, chunk) => state.session.received(chunk),
      drained: (state) => state.session.drained(),
      closed: (state) => this.#closed(state),
    };
  }

  /** Reads no more; each connection is told so when it has its answers. @see RelpSession.drain */
  stop(isLate: boolean): void {
    for (const { session } of this.#connections.keys()) session.drain(isLate);
  }

  /** Connections whose unfinished frame does not go on for `ageMs` are ended; gives their peers. */
  endOldFrames(ageMs: number, nowMs: number): string[] {
    const peers: string[] = [];
    for (const [state, destroy] of this.#connections) {
      const { session } = state;
      if (!session.holding || session.frames !== state.frames || session.unanswered > 0) {
        state.frames = session.frames;
        state.framedAtMs = nowMs;
      } else if (nowMs - state.framedAtMs >= ageMs) {
        state.framedAtMs = Infinity;
        peers.push(state.peer);
        destroy();
      }
    }
    return peers;
  }

  #open(
    connection: Tracked<RelpConnection>,
    listen: RelpListen,
    options: LineOptions,
    name: string,
    refusals: Refusals,
  ): RelpConnection {
    const { counters, programVersion, log } = this.#parts;
    const frameBytesMax = listen.frameBytesMax ?? defaultFrameBytesMax;
    const host: RelpHost = {
      write: (bytes) => connection.write(bytes),
      unsentBytes: () => connection.unsentBytes,
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      end: () => connection.end(),
      destroy: () => connection.destroy(),
      submit: (lines, placed, answered) =>
        this.#submit(state, connection, name, listen, refusals, lines, placed, answered),
      emptyFrame: () => {
        counters.add(counter.received, 1);
        counters.add(counter.frames_empty, 1);
        counters.add(counter.dropped_empty_frame, 1);
      },
      truncated: () => counters.add(counter.frames_truncated, 1),
      refused: (problem) => refusals.tell("relp_refused", name, connection.peer, "protocol", problem),
      opened: (software) =>
        log("relp_session_opened", { listener: name, peer: connection.peer, software }, "debug"),
    };
    const state: RelpConnection = {
      listener: name,
      peer: connection.peer,
      options,
      session: new RelpSession(host, frameBytesMax, `corndog,${programVersion}`),
      open: new Set(),
      frames: 0,
      framedAtMs: performance.now(),
      retry: undefined,
      ended: false,
    };
    this.#connections.set(state, () => connection.destroy());
    return state;
  }

  #closed(state: RelpConnection): void {
    const { listener, peer, session: { frames, unanswered, end } } = state;
    const told = { listener, peer, lines: frames, unanswered, reason: end };
    this.#parts.log("relp_session_ended", told, "debug");
    state.ended = true;
    state.session.closed();
    clearTimeout(state.retry);
    this.#connections.delete(state);
    for (const submission of [...state.open]) this.#parts.submissions.cancel(submission);
  }

  #submit(
    state: RelpConnection,
    connection: Tracked<RelpConnection>,
    name: string,
    listen: RelpListen,
    refusals: Refusals,
    lines: RelpLines,
    placed: () => void,
    answered: () => void,
  ): void {
    const { submissions, waits } = this.#parts;
    let slot = -1;
    const answer = (result: SubmissionResult) => {
      if (slot >= 0) waits.leave(slot, performance.now());
      if (made !== undefined) state.open.delete(made);
      if (state.ended) return;
      if (result.kind === "kept") return answered();
      if (result.kind === "refused") {
        if (result.refusal === "stopping" || result.refusal === "cancelled") return;
        if (result.placed === 0) {
          const waitMs = Math.max(retryMs, result.retryAfterMs);
          // Once for each wait, however often it is tried again.
          if (state.retry === undefined) {
            const told = { listener: name, peer: state.peer, lines: lines.count, refusal: result.refusal };
            this.#parts.log("relp_session_waits", told, "debug");
          }
          state.retry = setTimeout(
            () => this.#submit(state, connection, name, listen, refusals, lines, placed, answered),
            waitMs,
          );
          return;
        }
      }
      const problem = result.kind === "late"
        ? `lines were not kept (ack: ${listen.ack}) within ${answerMs / 1000} s; the sender will repeat them`
        : `lines were not taken (${result.refusal}); the sender will repeat them`;
      refusals.tell("relp_unanswered", listen.kind, connection.peer, result.kind, problem);
      connection.destroy();
    };
    // Undefined while the answer comes at once.
    let made: Submission | undefined = undefined;
    made = submissions.submit({
      lines: { kind: "ranges", bytes: lines.bytes, ranges: lines.ranges, count: lines.count },
      peer: connection.peer,
      options: state.options,
      until: listen.ack,
      waitMs: answerMs,
      placed: () => {
        state.retry = undefined;
        placed();
      },
    }, answer);
    if (made.state === "answered") return;
    const submission = made;
    state.open.add(submission);
    const nowMs = performance.now();
    slot = waits.enter(
      stage.relp_reply,
      {
        isHeld: () => submission.state !== "answered",
        describe: () => ({
          kind: "request",
          peer: connection.peer,
          listener: name,
          bytes: lines.bytes.byteLength,
        }),
      },
      nowMs,
      nowMs + answerMs,
    );
  }
}
