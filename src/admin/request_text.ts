/**
 * Reads a request's body as text, bounded, without trusting Content-Length.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { problem } from "./problem.ts";

/** The text, or the response that says why not. */
export type RequestText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly refusal: Response };

/** Reads at most `bytesMax` bytes: 413 beyond, 400 where the bytes are not UTF-8, cut off or none. */
export async function readRequestText(request: Request, bytesMax: number): Promise<RequestText> {
  const refuse = (status: 400 | 413, code: string, detail: string) =>
    ({ ok: false, refusal: problem(status, code, `Cannot use the body: ${detail}`) }) as const;
  const tooLarge = () => refuse(413, "body_too_large", `it is larger than ${bytesMax} bytes`);

  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) return tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) return tooLarge();
      chunks.push(chunk);
    }
  } catch {
    return refuse(400, "body_incomplete", "the connection ended before it was complete");
  }
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
