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

/** Asks for several paths at once. Undefined: there was no answer, and it was said why. */
export async function askAdmin<Answers extends readonly unknown[]>(
  { given, io }: Call,
  paths: { readonly [Index in keyof Answers]: string },
): Promise<Answers | undefined> {
  const written = given.values.get("admin")?.[0] ?? "http://127.0.0.1:8585";
  const base = (/^https?:\/\//.test(written) ? written : `http://${written}`).replace(/\/+$/, "");
  const headers: Record<string, string> = {};
  try {
    const tokenFile = given.values.get("token-file")?.[0];
    if (tokenFile !== undefined) headers["authorization"] = `Bearer ${io.readFile(tokenFile).trim()}`;
  } catch (error) {
    reportError(io, `--token-file: ${messageOf(error)}`);
    return undefined;
  }
  try {
    const answers = await Promise.all(paths.map(async (path) => {
      const url = `${base}${path}`;
      const response = await io.fetch(url, { headers, signal: AbortSignal.timeout(answerMsMax) });
      if (response.ok) return await response.json();
      await response.body?.cancel();
      throw new Refusal(url, response);
    }));
    return answers as unknown as Answers;
  } catch (error) {
    reportError(
      io,
      error instanceof Refusal
        ? error.message
        : `no corndog answers at ${base}: ${messageOf(error)}; is it running, and is --admin its address?`,
    );
    return undefined;
  }
}

/** The API answered, and not with what was asked for. */
class Refusal extends Error {
  constructor(url: string, { status, statusText }: Response) {
    const cure = status === 401 || status === 403 ? "; give the token with --token-file" : "";
    super(`${url} answered ${status} ${statusText}${cure}`);
  }
}
