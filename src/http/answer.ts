/**
 * Answers: a status, some fields and a body of ASCII text, as bytes. Errors are problem details (RFC 9457) whose
 * `code` is what a program looks at.
 *
 * Hot path: the bytes of an answer are made once per second (its `Date`), so that one that is given again and again
 * costs nothing.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Statuses that are answered, with their phrases. */
export const phrases = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  207: "Multi-Status",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
} as const;

/** A status that can be answered. */
export type Status = keyof typeof phrases;

/** Header fields of an answer by their names; names in lower case. */
export type AnswerFields = Readonly<Record<string, string>>;

const jsonType = "application/json";

/** One answer. Give the same object again where the same is said. */
export class Answer {
  readonly status: Status;
  readonly fields: AnswerFields;
  readonly body: Uint8Array;
  /** The connection ends behind it. */
  readonly close: boolean;
  /** The constant name of the problem that it tells; undefined where it tells none, or in another form. */
  readonly code: string | undefined;
  #second = -1;
  #keepAlive = false;
  #bytes: Uint8Array | undefined;

  constructor(status: Status, body: Uint8Array, fields: AnswerFields, close = false, code?: string) {
    this.status = status;
    this.body = body;
    this.fields = fields;
    this.close = close;
    this.code = code;
  }

  /** All bytes. `nowMs` (epoch) gives the `Date`; without `withBody` they are the answer to a HEAD. */
  bytes(nowMs: number, keepAlive: boolean, withBody: boolean): Uint8Array {
    const second = Math.floor(nowMs / 1000);
    if (
      withBody && second === this.#second && keepAlive === this.#keepAlive && this.#bytes !== undefined
    ) {
      return this.#bytes;
    }
    const bytes = this.#encode(second, keepAlive, withBody);
    if (withBody) {
      this.#bytes = bytes;
      this.#second = second;
      this.#keepAlive = keepAlive;
    }
    return bytes;
  }

  #encode(second: number, keepAlive: boolean, withBody: boolean): Uint8Array {
    let head = `HTTP/1.1 ${this.status} ${phrases[this.status]}\r\ndate: ${httpDate(second)}\r\n`;
    for (const name in this.fields) head += `${name}: ${this.fields[name]}\r\n`;
    if (this.status !== 204) head += `content-length: ${this.body.length}\r\n`;
    if (!keepAlive) head += "connection: close\r\n";
    head += "\r\n";
    const bodyBytes = withBody ? this.body.length : 0;
    const bytes = Buffer.allocUnsafe(head.length + bodyBytes);
    bytes.write(head, 0, head.length, "latin1");
    if (bodyBytes > 0) bytes.set(this.body, head.length);
    return bytes;
  }
}

let dateSecond = -1;
let dateText = "";

function httpDate(second: number): string {
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** Answers JSON with a line end behind it. Text beyond ASCII is escaped. */
export function jsonAnswer(
  status: Status,
  value: unknown,
  fields: AnswerFields = {},
  type: string = jsonType,
): Answer {
  return new Answer(status, Buffer.from(asciiJson(value), "latin1"), { "content-type": type, ...fields });
}

/** Answers text. */
export function textAnswer(status: Status, text: string, fields: AnswerFields = {}): Answer {
  return new Answer(status, Buffer.from(text, "utf8"), { "content-type": "text/plain", ...fields });
}

/** Answers bytes of a type, such as a protobuf message. */
export function bytesAnswer(status: Status, body: Uint8Array, fields: AnswerFields): Answer {
  return new Answer(status, body, fields);
}

/** Answers with a status alone. */
export function emptyAnswer(status: Status, fields: AnswerFields = {}): Answer {
  return new Answer(status, new Uint8Array(0), fields);
}

/**
 * Answers problem details. `code` is a constant name; `extensions` are further members; `close` ends the connection
 * behind it.
 */
export function problemAnswer(
  status: Status,
  code: string,
  detail: string,
  options: {
    readonly extensions?: Readonly<Record<string, unknown>>;
    readonly fields?: AnswerFields;
    readonly close?: boolean;
  } = {},
): Answer {
  const body = asciiJson({ title: phrases[status], status, code, detail, ...options.extensions });
  const fields = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...options.fields,
  };
  return new Answer(status, Buffer.from(body, "latin1"), fields, options.close, code);
}

/** The same answer with further fields. */
export function withFields(answer: Answer, fields: AnswerFields): Answer {
  return new Answer(answer.status, answer.body, { ...answer.fields, ...fields }, answer.close, answer.code);
}

function asciiJson(value: unknown): string {
  const text = JSON.stringify(value) + "\n";
  // deno-lint-ignore no-control-regex -- ASCII is what is kept
  return text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
