/**
 * One RELP connection, as the server: `open`, lines, `close`. Lines of a chunk are handed over together and answered
 * together, each with its own `200 OK`, when they are as safe as the listener is configured.
 *
 *     opening ──open──> taking ──close──> closing ──all answered──> ended
 *
 * Constraints it keeps:
 *  - A line is answered once, with 200 or not at all: a sender repeats after its next connect what was not answered.
 *  - What is read and not answered is bounded by the window; over it the connection is not read. Neither is it while
 *    its sender does not read the answers.
 *  - The next lines are handed over when the ones before are placed, so that their order stays.
 *  - A line over `frameBytesMax` is cut, and its rest is skipped while it comes: it can be neither answered with an
 *    error, after which senders repeat it for ever, nor kept.
 *  - Damage ends the connection: RELP has no way to find the next frame.
 *
 * Hot path: per chunk; per line a range and a transaction number, nothing else.
 *
 * @module
 */
import { answer, AnswerList, okAnswers, serverClose } from "./answers.ts";
import { FrameReader } from "./frame_reader.ts";
import { foreign, softwareOf } from "./greeting.ts";
import { LineList, trailerBytesMax, trimmed } from "./line_list.ts";

/** Lines of a connection that are not answered; librelp's own default window is 128. */
export const windowLinesMax = 16_384;
/** Their bytes. */
export const windowBytesMax = 8 * 1024 * 1024;

/** Bytes of answers that the sender does not read; those to a whole window are some hundred KiB. */
export const unsentBytesMax = 512 * 1024;

/** Offers in the answer to `open`; more than this is not answered back. */
const protocolVersion = 0;

/** The lines of a chunk. Line i is `bytes[ranges[2 i] .. ranges[2 i + 1])` and answers transaction `txnrs[i]`. */
export interface RelpLines {
  readonly bytes: Uint8Array;
  readonly ranges: Uint32Array;
  readonly txnrs: Uint32Array;
  readonly count: number;
}

/** Why a session ended, or ends. */
export type RelpEnd =
  /** Its sender ended the connection without a word, or it broke. */
  | "peer"
  /** The sender said `close`. */
  | "close"
  /** The sender was told that the listener takes no more. */
  | "draining"
  /** The sender does not speak RELP. */
  | "refused";

/** What the session asks of the world. */
export interface RelpHost {
  /** The sender reads this. */
  write(bytes: Uint8Array): void;
  /** What was written and the sender has not read. `drained` tells that there is none. */
  unsentBytes(): number;
  pause(): void;
  resume(): void;
  /** Sends FIN behind what was written. */
  end(): void;
  destroy(): void;
  /**
   * Takes lines; `placed` is called when their bytes are free again and the next lines may come, `answered` when
   * they are to be answered with 200. Both may be called before this returns.
   */
  submit(lines: RelpLines, placed: () => void, answered: () => void): void;
  /** A frame of no bytes. */
  emptyFrame(): void;
  /** A line that was cut. */
  truncated(): void;
  /** The sender does not speak RELP; the connection ends. */
  refused(problem: string): void;
  /** The sender has opened the session; `software` is what it says that it is, empty where it does not. */
  opened?(software: string): void;
}

/** One connection. */
export class RelpSession {
  readonly #host: RelpHost;
  readonly #frameBytesMax: number;
  readonly #software: string;
  readonly #reader = new FrameReader();
  readonly #answers = new AnswerList();
  #state: "opening" | "taking" | "closing" | "ended" = "opening";
  /** Bytes of an unfinished frame, or of frames that wait for the ones before. */
  #held: Uint8Array = new Uint8Array(0);
  /** Bytes of a cut frame that are still to come. */
  #skip = 0;
  /** Lines are handed over that are not placed. */
  #placing = false;
  #paused = false;
  #unansweredLines = 0;
  #unansweredBytes = 0;
  /** Transaction of the sender's `close`. */
  #closing = 0;
  #draining = false;
  /** At a drain, an `open` that has not come is waited for no more. */
  #isLate = false;
  #framesDone = 0;
  /** Bytes came while lines were placed: whole frames may lie in `held`. */
  #more = false;
  #end: RelpEnd = "peer";

  constructor(host: RelpHost, frameBytesMax: number, software: string) {
    this.#host = host;
    this.#frameBytesMax = frameBytesMax;
    this.#software = software;
  }

  /** Lines that were read and not answered. */
  get unanswered(): number {
    return this.#unansweredLines;
  }

  /** Frames that were finished so far; one that stands still beside `holding` is a sender that does not go on. */
  get frames(): number {
    return this.#framesDone;
  }

  /** Why it ended. */
  get end(): RelpEnd {
    return this.#end;
  }

  /** Whether a frame is unfinished. */
  get holding(): boolean {
    return this.#held.length > 0 || this.#skip > 0;
  }

  /** Bytes came. `chunk` is free again when this returns. */
  received(chunk: Uint8Array): void {
    if (this.#state === "closing" || this.#state === "ended") return;
    let from = 0;
    if (this.#skip > 0) {
      from = Math.min(this.#skip, chunk.length);
      this.#skip -= from;
      if (from === chunk.length) return;
    }
    const piece = from === 0 ? chunk : chunk.subarray(from);
    if (this.#placing) {
      // The runtime had read it before it was stopped.
      this.#held = joined(this.#held, piece);
      this.#more = true;
      return;
    }
    if (this.#held.length === 0) this.#take(piece, true);
    else this.#take(joined(this.#held, piece), false);
  }

  /** The sender has read all answers. */
  drained(): void {
    this.#goOn();
  }

  /**
   * Takes no more lines; what is read is answered, then the sender is told that the server closes. A sender that has not
   * opened yet is let in first, unless `isLate`: one whose `open` fails takes the server for dead, and rests.
   */
  drain(isLate = false): void {
    this.#draining = true;
    this.#isLate ||= isLate;
    this.#endWhenAnswered();
  }

  /** The connection is gone: nothing is answered any more. */
  closed(): void {
    this.#state = "ended";
    this.#held = new Uint8Array(0);
  }

  /** Reads frames from `bytes`; `borrowed` bytes are only valid now. */
  #take(bytes: Uint8Array, borrowed: boolean): void {
    const lines = new LineList();
    const at = this.#frames(bytes, lines);
    this.#sayAnswers();
    if (this.#state === "ended") return;
    // Not slice(): of a Buffer that is a view, and the chunk is the runtime's again.
    const rest = new Uint8Array(bytes.subarray(at));
    this.#held = this.#cut(rest);
    if (lines.count > 0) return this.#submit(lines, bytes, borrowed);
    if (this.#full) this.#stopReading();
    this.#endWhenAnswered();
  }

  #sayAnswers(): void {
    const answers = this.#answers.take();
    if (answers !== undefined && this.#state !== "ended") this.#host.write(answers);
  }

  #submit(lines: LineList, bytes: Uint8Array, borrowed: boolean): void {
    const { ranges, txnrs, count } = lines;
    this.#unansweredLines += count;
    this.#unansweredBytes += bytes.length;
    this.#framesDone += count;
    this.#placing = true;
    let returned = false;
    // Only the connection's own memory may be waited with; the runtime's chunk is gone after this call.
    const own = borrowed ? new Uint8Array(bytes) : bytes;
    this.#host.submit(
      { bytes: own, ranges, txnrs, count },
      () => {
        this.#placing = false;
        if (returned) this.#goOn();
      },
      () => this.#answered(txnrs, count, bytes.length),
    );
    returned = true;
    if (this.#placing || this.#full) this.#stopReading();
    if (!this.#placing) this.#endWhenAnswered();
  }

  /** Frames from the beginning of `bytes`; gives where it stopped. */
  #frames(bytes: Uint8Array, lines: LineList): number {
    const reader = this.#reader;
    let at = 0;
    while (at < bytes.length) {
      const status = reader.next(bytes, at, bytes.length);
      if (status === "part") return at;
      if (status === "damaged") {
        // The lines before the damage are whole.
        if (lines.count > 0) this.#submit(lines, new Uint8Array(bytes.subarray(0, at)), false);
        this.#sayAnswers();
        const other = this.#state === "opening" ? foreign(bytes) : undefined;
        this.#refuse(other ?? `a frame is damaged: ${reader.problem}`);
        return at;
      }
      at = reader.nextAt;
      if (!this.#frame(bytes, lines)) return at;
    }
    return at;
  }

  /** One frame; false where no other may follow. */
  #frame(bytes: Uint8Array, lines: LineList): boolean {
    const { txnr, command, dataAt, dataEnd } = this.#reader;
    if (this.#state === "opening") {
      if (command !== "open") {
        this.#refuse("its first frame is not open");
        return false;
      }
      this.#state = "taking";
      this.#host.opened?.(softwareOf(bytes.subarray(dataAt, dataEnd)));
      const offers = `relp_version=${protocolVersion}\nrelp_software=${this.#software}\ncommands=syslog`;
      this.#host.write(answer(txnr, `200 OK\n${offers}`));
      return true;
    }
    switch (command) {
      case "syslog": {
        const lineEnd = trimmed(bytes, dataAt, dataEnd);
        const keptEnd = Math.min(lineEnd, dataAt + this.#frameBytesMax);
        if (keptEnd === dataAt) {
          this.#host.emptyFrame();
          this.#answers.ok(txnr);
        } else {
          if (keptEnd < lineEnd) this.#host.truncated();
          lines.add(dataAt, keptEnd, txnr);
        }
        return true;
      }
      case "close":
        this.#state = "closing";
        this.#end = "close";
        this.#closing = txnr;
        return false;
      default:
        this.#answers.notSupported(txnr);
        return true;
    }
  }

  /**
   * Of an unfinished frame, what will be kept: data over the limit is skipped while it comes. What stays is a frame
   * of the same command and so much longer than the limit that it is read as the whole one would be: a frame means
   * the same in however many pieces it comes.
   */
  #cut(rest: Uint8Array): Uint8Array {
    const reader = this.#reader;
    if (
      !(rest.length > this.#frameBytesMax) || reader.next(rest, 0, rest.length) !== "part" || !reader.headed
    ) {
      return rest;
    }
    const keptBytes = this.#frameBytesMax + trailerBytesMax + 1;
    const keptEnd = reader.dataAt + keptBytes;
    if (reader.dataEnd <= keptEnd || rest.length < keptEnd) return rest;
    this.#skip = reader.dataEnd - rest.length;
    const head = new TextEncoder().encode(`${reader.txnr} ${reader.command} ${keptBytes} `);
    return joined(head, rest.subarray(reader.dataAt, keptEnd));
  }

  get #full(): boolean {
    return this.#unansweredLines >= windowLinesMax || this.#unansweredBytes >= windowBytesMax ||
      this.#host.unsentBytes() > unsentBytesMax;
  }

  #answered(txnrs: Uint32Array, count: number, bytes: number): void {
    this.#unansweredLines -= count;
    this.#unansweredBytes -= bytes;
    if (this.#state === "ended") return;
    this.#host.write(okAnswers(txnrs, count));
    this.#goOn();
  }

  /** Something was placed, or answered. */
  #goOn(): void {
    if (this.#placing || this.#state === "ended") return;
    if (this.#more && this.#state === "taking" && !this.#full) {
      this.#more = false;
      this.#take(this.#held, false);
      if (this.#placing) return;
    }
    this.#endWhenAnswered();
    if (this.#paused && !this.#draining && !this.#full && this.#state === "taking") {
      this.#paused = false;
      this.#host.resume();
    }
  }

  #stopReading(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#host.pause();
  }

  get #drains(): boolean {
    return this.#draining && this.#state !== "ended" && (this.#state !== "opening" || this.#isLate);
  }

  #endWhenAnswered(): void {
    if (this.#drains) this.#stopReading();
    if (this.#unansweredLines > 0 || this.#placing) return;
    if (this.#state === "closing") {
      this.#state = "ended";
      this.#host.write(answer(this.#closing, ""));
      this.#host.write(serverClose);
      this.#host.end();
    } else if (this.#drains) {
      this.#state = "ended";
      this.#end = "draining";
      this.#host.write(serverClose);
      this.#host.end();
    }
  }

  #refuse(problem: string): void {
    this.#state = "ended";
    this.#end = "refused";
    this.#held = new Uint8Array(0);
    this.#host.refused(problem);
    this.#host.destroy();
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
