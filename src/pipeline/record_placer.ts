/**
 * Puts one copy of the line at hand into the lane of its topic, or into the dead letter where it cannot go there. Hot
 * path: nothing is allocated but what rules ask for.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Batcher } from "../batch/batcher.ts";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { markFlags, markHeader, markHeaderName, markText } from "../kernel/marks.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { type RecordHeaders, recordHeaders, writeHeaders } from "../rules/headers.ts";
import type { Forward, Program } from "../rules/program.ts";
import type { FrameLine } from "./frame_line.ts";
import type { LineAtHand } from "./line_at_hand.ts";
import type { LetterWait, LineLetters } from "./line_letters.ts";
import type { RecordLanes } from "./record_lanes.ts";
import type { TopicGate } from "./topic_gate.ts";

/** What a placer of records joins. */
export interface RecordPlacerParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly gate: TopicGate;
  readonly counters: CounterRow;
  readonly lanes: RecordLanes;
  readonly letters: LineLetters;
  readonly line: FrameLine;
  readonly hand: LineAtHand;
}

/** The records of one placer of lines. */
export class RecordPlacer {
  readonly #kernel: Kernel;
  readonly #buffer: TextBuffer;
  readonly #batcher: Batcher;
  readonly #gate: TopicGate;
  readonly #counters: CounterRow;
  readonly #lanes: RecordLanes;
  readonly #letters: LineLetters;
  readonly #line: FrameLine;
  readonly #hand: LineAtHand;

  constructor(parts: RecordPlacerParts) {
    this.#kernel = parts.kernel;
    this.#buffer = textBufferOf(parts.kernel.bytes);
    this.#batcher = parts.batcher;
    this.#gate = parts.gate;
    this.#counters = parts.counters;
    this.#lanes = parts.lanes;
    this.#letters = parts.letters;
    this.#line = parts.line;
    this.#hand = parts.hand;
  }

  /** Undefined where the copy was taken, else what it waits for. */
  place(program: Program, forward: Forward, timeMs: number): LetterWait | undefined {
    const refusal = this.#gate.refusal(forward.topic, forward.topicFromLine);
    if (refusal !== undefined) {
      return this.#letters.write(
        program,
        refusal,
        `Topic "${forward.topic.slice(0, 249)}" was refused`,
        forward.topic.slice(0, 249),
      );
    }
    const { scratchAt } = this.#kernel;
    const { scratchBytes } = this.#kernel.sizes;
    let at: number;
    let length: number;
    // What rules wrote for this line lies in front.
    let scratchUsed = this.#line.scratchUsed;
    if (forward.value === "text") {
      if (!fits(forward.text, scratchBytes - scratchUsed)) {
        return this.#letters.write(
          program,
          "value_too_large",
          "The value that the rules made is too large",
          forward.topic,
        );
      }
      at = scratchAt + scratchUsed;
      length = this.#buffer.utf8Write(forward.text, at, scratchBytes - scratchUsed);
      scratchUsed += length;
    } else if (forward.value === "bytes") {
      at = forward.start;
      length = forward.end - at;
    } else {
      at = forward.value === "raw" ? this.#line.start : this.#line.messageStart;
      length = this.#line.end - at;
    }
    let keyAt = 0;
    let keyLength = -1;
    const key = forward.key ?? this.#hand.submission?.request.key;
    if (key !== undefined) {
      if (!fits(key, scratchBytes - scratchUsed)) {
        return this.#letters.write(
          program,
          "key_too_large",
          "The key that the rules made is too large",
          forward.topic,
        );
      }
      keyAt = scratchAt + scratchUsed;
      keyLength = this.#buffer.utf8Write(key, keyAt, scratchBytes - scratchUsed);
    }
    let headersAt = 0;
    let headersLength = 0;
    const marks = this.#line.flags & markFlags;
    if (forward.headers === undefined) {
      if (marks !== 0) {
        const header = markHeader(this.#kernel.words, marks);
        headersAt = header.at;
        headersLength = header.length;
      }
    } else {
      if (key !== undefined) scratchUsed += keyLength;
      headersAt = scratchAt + scratchUsed;
      const headers = marks === 0 ? forward.headers : withMark(forward.headers, marks);
      headersLength = writeHeaders(headers, this.#buffer, headersAt, scratchBytes - scratchUsed);
      if (headersLength < 0) {
        return this.#letters.write(
          program,
          "headers_too_large",
          "The headers that the rules made are too large",
          forward.topic,
        );
      }
    }
    const limit = this.#lanes.limitBrokenBy(forward.topic, length + Math.max(keyLength, 0) + headersLength);
    if (limit !== undefined) {
      const what = `A record of ${length} bytes is too large for topic "${forward.topic}"`;
      return this.#letters.write(
        program,
        "record_too_large",
        `${what}: its max.message.bytes is ${limit}`,
        forward.topic,
      );
    }
    const lane = this.#lanes.of(forward.topic, forward.partition, keyAt, keyLength);
    if (!this.#batcher.append(lane, timeMs, keyAt, keyLength, at, length, headersAt, headersLength)) {
      return "room";
    }
    this.#counters.add(counter.in_flight, 1);
    return undefined;
  }
}

/** The headers that the rules made, and the one that tells what is the matter with the line. */
function withMark({ names, values }: RecordHeaders, marks: number): RecordHeaders {
  return recordHeaders([...names, markHeaderName], [...values, markText(marks)], false);
}

/** True if the text surely or really has at most `bytes` bytes as UTF-8. */
function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes;
}
