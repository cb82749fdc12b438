/**
 * When an answer is complete, per protocol. A reader belongs to one connection; it gets bytes as they come and says
 * what they finish. Hot path: a head that comes whole is read where it lies.
 *
 * @module
 */
import type { Answer } from "../plan.ts";
import { HttpAnswers } from "./http_answers.ts";
import { RelpAnswers } from "./relp_answers.ts";

/** Hears of answers, in order. */
export interface AnswerTaker {
  /** @param status of HTTP and RELP; 0 where there is none. @param id transaction of RELP; -1 where there is none. */
  answered(status: number, id: number): void;
  /** The bytes are no answer; the connection is of no more use. */
  bad(): void;
  /** The answer just taken is the last of its connection. */
  last(): void;
}

/** Reads the answers of one connection. */
export interface AnswerReader {
  read(chunk: Uint8Array, taker: AnswerTaker): void;
  /** The peer ended the connection. True: that completed an answer. */
  ended(): boolean;
}

/** Makes the reader for one connection; undefined where nothing is awaited. */
export function makeReader(answer: Answer, method: string): AnswerReader | undefined {
  switch (answer.kind) {
    case "none":
      return undefined;
    case "http":
      return new HttpAnswers(method === "HEAD");
    case "relp":
      return new RelpAnswers();
    case "any":
      return anyAnswer;
    case "line":
      return lineAnswers;
    case "close":
      return closeAnswer;
    case "bytes":
      return new CountedAnswers(answer.count);
  }
}

/** Whatever comes is the answer: as clobber had it, right where an answer fits one segment. */
const anyAnswer: AnswerReader = {
  read: (_chunk, taker) => taker.answered(0, -1),
  ended: () => false,
};

const lineAnswers: AnswerReader = {
  read(chunk, taker): void {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) taker.answered(0, -1);
  },
  ended: () => false,
};

const closeAnswer: AnswerReader = { read(): void {}, ended: () => true };

class CountedAnswers implements AnswerReader {
  readonly #count: number;
  #seen = 0;

  constructor(count: number) {
    this.#count = count;
  }

  read(chunk: Uint8Array, taker: AnswerTaker): void {
    this.#seen += chunk.length;
    for (; this.#seen >= this.#count; this.#seen -= this.#count) taker.answered(0, -1);
  }

  ended(): boolean {
    return false;
  }
}
