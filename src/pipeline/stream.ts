/**
 * A stream of lines as the intake sees it: one connection's way, or one request's, which is a stream of one chunk that
 * has ended. The intake owns its state; books beside it (waits, half lines, joins, chunks that are held) keep what is
 * theirs in it, so that a chunk needs no look into a map.
 *
 * @module
 */
import type { Waiting, WaitingView } from "../observe/stage_table.ts";
import type { Connection } from "../runtime/runtime.ts";
import type { LineOptions } from "./line_options.ts";
import type { Wait } from "./line_placer.ts";
import type { PendingLine } from "./pending_line.ts";
import type { FrameSource } from "./request_frames.ts";
import type { Submission } from "./submission.ts";
import type { TurnShare } from "./turn_shares.ts";

/** What the intake does with a connection. */
export type StreamPeer = Pick<Connection, "peer" | "pause" | "resume" | "destroy"> & {
  /** Its number within the worker, where it is a connection with books. */
  readonly id?: number;
  readonly listener?: string;
};

/** One connection's way through the intake, or one request's: a stream of one chunk that has ended. */
export interface Stream extends TurnShare {
  readonly connection: StreamPeer;
  readonly framer: FrameSource;
  /** The request, if it is one. */
  readonly submission: Submission | undefined;
  /** When its last chunk came (`performance.now()`). */
  receivedMs: number;
  /** Bytes of the chunk that waits with it. */
  heldBytes: number;
  /** Bytes of its half line, and since when there is one (`performance.now()`). */
  halfBytes: number;
  halfSinceMs: number;
  /** What it waits for, since when, and its places in the table of waits; -1 without one. */
  wait: Wait | undefined;
  waitSinceMs: number;
  waitSlot: number;
  halfSlot: number;
  /** Itself, as the table of waits sees it. */
  readonly waiting: Waiting;
  /** Lines of it that were placed. */
  lines: number;
  /** What of the framer's counts is in ours; it counts from the connection's beginning. */
  emptyFrames: number;
  joinedLines: number;
  damagedFrames: number;
  readonly options: LineOptions;
  /** Until its first bytes came. */
  isNew: boolean;
  /** When a line that waits for a continuation has waited for long enough; 0 where none does. */
  joinUntilMs: number;
  state: "reading" | "waiting" | "ended";
  /** What is left of the row at which it was suspended. */
  pending: PendingLine | undefined;
}

/** Where the streams of one worker are while somebody holds them. */
export interface StreamHolders {
  readonly worker: number;
  /** All that are open. */
  readonly streams: ReadonlySet<Stream>;
  /** Those that stand in a queue. */
  readonly waiting: { has(stream: Stream): boolean };
}

/** A stream that has given nothing yet. */
export function newStream(
  connection: StreamPeer,
  framer: FrameSource,
  submission: Submission | undefined,
  options: LineOptions,
  holders: StreamHolders,
): Stream {
  const waiting = new StreamWaiting(holders);
  const stream: Stream = {
    connection,
    framer,
    submission,
    options,
    isNew: true,
    turn: 0,
    turnMs: 0,
    joinedLines: 0,
    damagedFrames: 0,
    joinUntilMs: 0,
    // Requests have their own bound; what they hold does not pause connections.
    heldBytes: 0,
    receivedMs: performance.now(),
    halfBytes: 0,
    halfSinceMs: 0,
    wait: undefined,
    waitSinceMs: 0,
    waitSlot: -1,
    halfSlot: -1,
    waiting,
    lines: 0,
    emptyFrames: 0,
    state: submission === undefined ? "reading" : "ended",
    pending: undefined,
  };
  waiting.stream = stream;
  return stream;
}

/** A stream as the table of waits sees it. No closures: there is one for each of thousands of connections. */
class StreamWaiting implements Waiting {
  stream: Stream | undefined;
  readonly #holders: StreamHolders;

  constructor(holders: StreamHolders) {
    this.#holders = holders;
  }

  /** Whoever waits stands in a queue that is served; a half line waits for its sender. */
  isHeld(): boolean {
    const { streams, waiting } = this.#holders;
    return (this.stream!.wait === undefined ? streams : waiting).has(this.stream!);
  }

  describe(): WaitingView {
    return describe(this.stream!, this.#holders.worker);
  }
}

/** Bytes of the chunk that is placed. */
export function bytesOf({ submission, heldBytes }: Stream): number {
  return submission?.request.lines.bytes.byteLength ?? heldBytes;
}

/** A request has no connection of its own here: who took it knows how to stop reading. */
export function connectionOf({ request }: Submission): StreamPeer {
  return { peer: request.peer, pause: nothing, resume: nothing, destroy: nothing };
}

function describe({ connection, submission, heldBytes, halfBytes }: Stream, worker: number): WaitingView {
  return {
    kind: submission === undefined ? "connection" : "request",
    ...(connection.id === undefined ? {} : { connection: `${worker}-${connection.id}` }),
    ...(connection.listener === undefined ? {} : { listener: connection.listener }),
    peer: connection.peer,
    bytes: submission?.request.lines.bytes.byteLength ?? Math.max(heldBytes, halfBytes),
  };
}

function nothing(): void {}
