/**
 * One small HTTP request with a deadline: token endpoints and the metadata services of clouds.
 *
 * By node:http and not by `fetch`, because the certificates to trust can be given on both runtimes. No redirect is
 * followed: a request that carries a secret goes where the operator said and nowhere else.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ForwarderError, messageOf } from "../../core/errors.ts";

/** A token is a few KiB; what answers with more is not what was meant. */
const bodyBytesMax = 256 * 1024;

/** What to ask. */
export interface HttpCall {
  readonly url: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM of the certificates to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** Connect, request and answer together. */
  readonly timeoutMs: number;
}

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks once. @throws ForwarderError `kafka_unreachable` or `deadline_exceeded`, both retryable; the URL's query is not in it */
export async function httpCall(call: HttpCall): Promise<HttpAnswer> {
  const { url, method, body, ca, timeoutMs } = call;
  const name = nameOf(url);
  // Loaded here: few logins need them, and every thread would start later for it.
  const { request: make } = await (url.startsWith("https:") ? import("node:https") : import("node:http"));
  return await new Promise((resolve, reject) => {
    const fail = (
      code: "kafka_unreachable" | "deadline_exceeded",
      message: string,
      cause?: unknown,
    ): void => {
      clearTimeout(timer);
      reject(new ForwarderError(code, message, { cause, retryable: true }));
      request.destroy();
    };
    const headers = body === undefined
      ? call.headers ?? {}
      : { ...call.headers, "content-length": String(Buffer.byteLength(body)) };
    // A connection of its own: kept-alive ones would keep a former certificate.
    const request = make(url, { method, headers, agent: false, ...(ca === undefined ? {} : { ca }) });
    const timer = setTimeout(
      () => fail("deadline_exceeded", `"${name}" did not answer within ${timeoutMs} ms`),
      timeoutMs,
    );
    request.on("error", (cause: Error & { code?: string }) => {
      const reason = cause.code ?? messageOf(cause);
      fail("kafka_unreachable", `Cannot reach "${name}": ${reason}`, cause);
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) {
          fail("kafka_unreachable", `"${name}" answered more than ${bodyBytesMax} bytes`);
        } else chunks.push(chunk);
      });
      response.on("error", (cause: Error) => {
        fail("kafka_unreachable", `Answer of "${name}" broke off: ${messageOf(cause)}`, cause);
      });
      response.on("aborted", () => fail("kafka_unreachable", `Answer of "${name}" broke off`));
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.end(body);
  });
}

/** The URL without its query and without user and password, which may be secret. */
export function nameOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
