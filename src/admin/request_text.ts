/**
 * Reads a request's body as text, bounded in size and in time, without trusting Content-Length.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { problem } from "./problem.ts";

/** The text, or the response that says why not. */
export type RequestText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly refusal: Response };

/** A megabyte over a slow link is there by then; who needs longer holds a connection for nothing. */
export const bodyDeadlineMs = 30_000;

/**
 * Reads at most `bytesMax` bytes in at most `deadlineMs`: 413 and 408 beyond, 400 where the bytes are not UTF-8, cut
 * off or none. 413 and 408 end the connection, since the rest of the body may still come (Deno answers, but waits for
 * the peer to close).
 */
export async function readRequestText(
  request: Request,
  bytesMax: number,
  deadlineMs: number = bodyDeadlineMs,
): Promise<RequestText> {
  const refuse = (status: 400 | 408 | 413, code: string, detail: string) => {
    const headers = status === 400 ? [] : [["connection", "close"]] as const;
    return {
      ok: false,
      refusal: problem(status, code, `Cannot use the body: ${detail}`, {}, headers),
    } as const;
  };
  const tooLarge = () => refuse(413, "body_too_large", `it is larger than ${bytesMax} bytes`);

  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) return tooLarge();
  const chunks: Uint8Array[] = [];
  const reader = request.body?.getReader();
  let late = false;
  // Ends the read in work too.
  const timer = setTimeout(() => {
    late = true;
    reader?.cancel().catch(() => {});
  }, deadlineMs);
  try {
    for (let bytes = 0; reader !== undefined;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > bytesMax) {
        reader.cancel().catch(() => {});
        return tooLarge();
      }
      chunks.push(value);
    }
  } catch {
    if (!late) return refuse(400, "body_incomplete", "the connection ended before it was complete");
  } finally {
    clearTimeout(timer);
  }
  if (late) return refuse(408, "body_late", `it was not complete after ${deadlineMs / 1000} s`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return refuse(400, "body_not_utf8", "it is not UTF-8");
  }
  return text.trim() === ""
    ? refuse(400, "body_empty", "it is empty; send the text of a rule file")
    : { ok: true, text };
}
