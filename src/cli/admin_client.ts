/**
 * Questions to the admin API of a running corndog, as all commands that ask one put them.
 *
 * @module
 */
import { messageOf } from "../core/errors.ts";
import type { Option } from "./arguments.ts";
import type { Call } from "./command.ts";
import { reportError } from "./report.ts";

/** A control plane answers in milliseconds; one that does not is held. */
const answerMsMax = 5_000;

/** Options of every command that asks a running corndog. */
export const adminOptions: readonly Option[] = [
  { name: "admin", value: "URL", description: "admin API; default: http://127.0.0.1:8585" },
  { name: "token-file", value: "FILE", description: "file with the token that the API wants" },
  { name: "json", description: "the whole answer as JSON" },
];

/** Where the API is and what it wants. Undefined: the token cannot be read, and it was said why. */
function target(
  { given, io }: Call,
): { readonly base: string; readonly headers: Record<string, string> } | undefined {
  const written = given.values.get("admin")?.[0] ?? "http://127.0.0.1:8585";
  const base = (/^https?:\/\//.test(written) ? written : `http://${written}`).replace(/\/+$/, "");
  const headers: Record<string, string> = {};
  try {
    const tokenFile = given.values.get("token-file")?.[0];
    if (tokenFile !== undefined) headers["authorization"] = `Bearer ${firstToken(io.readFile(tokenFile))}`;
    return { base, headers };
  } catch (error) {
    reportError(io, `--token-file: ${messageOf(error)}`);
    return undefined;
  }
}

/** Asks for several paths at once. Undefined: there was no answer, and it was said why. */
export async function askAdmin<Answers extends readonly unknown[]>(
  call: Call,
  paths: { readonly [Index in keyof Answers]: string },
): Promise<Answers | undefined> {
  const at = target(call);
  if (at === undefined) return undefined;
  try {
    const answers = await Promise.all(paths.map(async (path) => {
      const response = await fetchFine(call, at, path, AbortSignal.timeout(answerMsMax));
      return await response.json();
    }));
    return answers as unknown as Answers;
  } catch (error) {
    reportNoAnswer(call, at.base, error);
    return undefined;
  }
}

/** Has something done; the answer is awaited for `deadlineMs`. Undefined: it was not done, and it was said why. */
export async function postAdmin<Answer>(
  call: Call,
  path: string,
  deadlineMs: number,
): Promise<Answer | undefined> {
  const at = target(call);
  if (at === undefined) return undefined;
  try {
    const response = await fetchFine(call, at, path, AbortSignal.timeout(deadlineMs), "POST");
    return await response.json() as Answer;
  } catch (error) {
    reportNoAnswer(call, at.base, error);
    return undefined;
  }
}

/** Opens a stream. Undefined: there was no answer, and it was said why. */
export async function openAdmin(call: Call, path: string): Promise<Response | undefined> {
  const at = target(call);
  if (at === undefined) return undefined;
  // The head comes in time; the stream may last.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error("no answer in time")), answerMsMax);
  try {
    return await fetchFine(call, at, path, late.signal);
  } catch (error) {
    reportNoAnswer(call, at.base, error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function fetchFine(
  { io }: Call,
  { base, headers }: { readonly base: string; readonly headers: Record<string, string> },
  path: string,
  signal: AbortSignal,
  method = "GET",
): Promise<Response> {
  const url = `${base}${path}`;
  const response = await io.fetch(url, { method, headers, signal });
  if (response.ok) return response;
  throw new Refusal(url, response, await detailOf(response));
}

/** What a problem details body (RFC 9457) says. */
async function detailOf(response: Response): Promise<string> {
  try {
    const body = await response.json() as { readonly detail?: unknown };
    return typeof body.detail === "string" ? `: ${body.detail}` : "";
  } catch {
    return "";
  }
}

function reportNoAnswer({ io }: Call, base: string, error: unknown): void {
  reportError(
    io,
    error instanceof Refusal
      ? error.message
      : `no corndog answers at ${base}: ${messageOf(error)}; is it running, and is --admin its address?`,
  );
}

/** The API answered, and not with what was asked for. */
class Refusal extends Error {
  constructor(url: string, { status, statusText }: Response, detail: string) {
    const cure = status === 401 || status === 403 ? "; give the token with --token-file" : "";
    super(`${url} answered ${status} ${statusText}${detail}${cure}`);
  }
}

/** The token of a file with one, or the first that may change things of the file that corndog itself reads. */
export function firstToken(text: string): string {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  const line = lines.find((one) => !one.startsWith("read ")) ?? lines[0] ?? "";
  return line.replace(/^(?:read|write)\s+/, "");
}
