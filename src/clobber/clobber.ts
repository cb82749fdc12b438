/**
 * The load generator as the program calls it: flags in, exit code out, with the terminal and the signals around it.
 *
 * @module
 */
import { accessSync, constants, existsSync, fstatSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { messageOf } from "../core/errors.ts";
import { dial, runtime } from "../runtime/current.ts";
import { type Flags, UsageError } from "./flags.ts";
import { readSettings } from "./options.ts";
import { runClobber } from "./run.ts";
import type { KafkaAccess } from "./verify/access.ts";
import type { LoadThread } from "./worker/protocol.ts";

/** Standard input that says nothing for so long is none: a terminal that was redirected, a service's open pipe. */
const stdinSilenceMs = 1000;
/** The exit code of a program that SIGINT ended. */
const interruptedExit = 130;

/** Runs it. What is wrong with the flags comes back as a sentence. `readAccess` reads the `kafka` section of a file. */
export async function clobber(
  flags: Flags,
  spawn: () => LoadThread,
  out: (text: string) => void,
  readAccess: (path: string) => Promise<KafkaAccess>,
): Promise<number | { readonly usage: string }> {
  try {
    const settings = await readSettings(flags, {
      readText: (path) => readFileSync(path, "utf8"),
      readBytes: (path) => readFileSync(path),
      stdin: readStdin,
      outputProblem,
      readAccess,
    });
    return await runClobber(settings, {
      spawn,
      dial,
      out,
      err: (text) => void process.stderr.write(text),
      terminalColumns: process.stderr.isTTY === true ? process.stderr.columns ?? 80 : undefined,
      colors: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "" &&
        process.env["TERM"] !== "dumb",
      onInterrupt,
      processCpuMs() {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      },
      runtime: runtime.version,
    });
  } catch (error) {
    if (error instanceof UsageError) return { usage: error.message };
    throw error;
  }
}

/** Why no report can be written to `path`. */
function outputProblem(path: string): string | undefined {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return "it is a folder";
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The first SIGINT or SIGTERM ends the load, the second also the reading back; the third ends the program. */
function onInterrupt(handler: () => void): () => void {
  let asked = 0;
  const take = (): void => {
    if (++asked > 2) process.exit(interruptedExit);
    handler();
  };
  process.on("SIGINT", take);
  process.on("SIGTERM", take);
  return () => {
    process.off("SIGINT", take);
    process.off("SIGTERM", take);
  };
}

/** What is piped or redirected into the program; undefined for a terminal, for /dev/null, and for silence. */
async function readStdin(): Promise<Uint8Array | undefined> {
  try {
    const stat = fstatSync(0);
    if (stat.isFile()) return readFileSync(0);
    if (!stat.isFIFO() && !stat.isSocket()) return undefined;
  } catch {
    return undefined;
  }
  const chunks: Uint8Array[] = [];
  return await new Promise((resolve) => {
    const finish = (bytes: Uint8Array | undefined): void => {
      clearTimeout(silence);
      process.stdin.removeAllListeners();
      process.stdin.pause();
      resolve(bytes);
    };
    const silence = setTimeout(() => finish(undefined), stdinSilenceMs);
    process.stdin.on("data", (chunk: Uint8Array) => {
      clearTimeout(silence);
      chunks.push(chunk);
    });
    process.stdin.on("end", () => finish(concat(chunks)));
    process.stdin.on("error", () => finish(undefined));
  });
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
