/**
 * What a connection says by itself, before the service behind it is asked or instead of it.
 *
 * @module
 */
import { type Answer, problemAnswer } from "./answer.ts";
import { headBytesMax, type HeadFault } from "./head.ts";

const retrySoon = { fields: { "retry-after": "1" } };

/** What is told where a TLS handshake comes instead of a request. */
export const tlsSpoken = "TLS was spoken to a plain HTTP listener";

export function headTooLong(): Answer {
  return problemAnswer(431, "head_too_long", `The head of a request may have ${headBytesMax} bytes`);
}

export function malformedHead(status: HeadFault["status"], code: string, detail: string): Answer {
  return problemAnswer(status, code, detail);
}

export function malformedChunks(): Answer {
  return problemAnswer(400, "chunks_malformed", "The body is not chunked as RFC 9112 has it");
}

/** The budget of unfinished requests is used up. */
export function memoryFull(): Answer {
  return problemAnswer(503, "memory_full", "Too many unfinished requests are held", retrySoon);
}

export function bodyTooLarge(bytesMax: number): Answer {
  return problemAnswer(413, "body_too_large", `The body may have ${bytesMax} bytes`, {
    extensions: { bytes_max: bytesMax },
  });
}

export function slowHead(headMs: number): Answer {
  return problemAnswer(408, "request_slow", `The head of the request took over ${headMs / 1000} s`);
}

export function slowBody(received: number, bytesMax: number): Answer {
  return problemAnswer(408, "request_slow", "The body comes too slowly", {
    extensions: { received, bytes_max: bytesMax },
  });
}
