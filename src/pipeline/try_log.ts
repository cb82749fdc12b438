/**
 * `corndog test LOG`: what the rules do with each line of a log.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import process from "node:process";
import type { Config } from "../config/config.ts";
import { type Fault, ForwarderError, messageOf } from "../core/errors.ts";
import { locateInRule } from "../config/rule_files.ts";
import { compileRules } from "../rules/compile.ts";
import { explainLine } from "../rules/explain.ts";
import { version } from "../version.ts";
import { lineText, traceText } from "./line_text.ts";
import { LineTracer } from "./line_tracer.ts";
import { TopicVerdicts } from "./topic_verdicts.ts";
import { LineReader } from "./try_rules.ts";

/** How a log is tried. */
export interface LogRequest {
  /** A file, or `-` for stdin. */
  readonly log: string;
  readonly json: boolean;
  /** Each rule that was tried, and not only those that match. */
  readonly explain: boolean;
  readonly write: (text: string) => void;
}

/** What is written about one line. */
type Say = (number: number, bytes: Uint8Array) => string;

/** Returns all that is wrong with the rules; then nothing was tried. @throws ForwarderError for a log that cannot be read */
export async function tryLog(config: Config, request: LogRequest): Promise<readonly Fault[]> {
  const prepared = request.explain ? explainer(config, request.json) : verdict(config, request.json);
  if (!prepared.ok) return prepared.faults;
  let number = 0;
  try {
    for await (const bytes of linesOf(request.log)) request.write(prepared.say(++number, bytes));
  } catch (error) {
    throw new ForwarderError("disk_failed", `Cannot read log "${request.log}": ${messageOf(error)}`);
  }
  return [];
}

type Prepared = { readonly ok: true; readonly say: Say } | {
  readonly ok: false;
  readonly faults: readonly Fault[];
};

function verdict(config: Config, json: boolean): Prepared {
  const compiled = compileRules(config.rules, { version, defaultTopic: config.kafka.topic });
  if (!compiled.ok) return { ok: false, faults: compiled.faults.map(locateInRule) };
  const reader = new LineReader();
  const verdicts = new TopicVerdicts(config);
  const say: Say = (number, bytes) => {
    const { result, ...explanation } = explainLine(compiled.program, reader.read(bytes));
    const judged = verdicts.result(result);
    return json
      ? `${JSON.stringify({ line: number, ...explanation, result: judged })}\n`
      : lineText(number, explanation.matched, judged);
  };
  return { ok: true, say };
}

function explainer(config: Config, json: boolean): Prepared {
  const compiled = LineTracer.compile(config.rules, version, config);
  if (!compiled.ok) return compiled;
  const say: Say = (number, bytes) => {
    const trace = compiled.tracer.trace(bytes);
    return json ? `${JSON.stringify({ line: number, ...trace })}\n` : traceText(`Line ${number}`, trace);
  };
  return { ok: true, say };
}

async function* linesOf(log: string): AsyncGenerator<Uint8Array> {
  const input = log === "-" ? process.stdin : createReadStream(log);
  let failure: unknown;
  input.on("error", (error) => failure = error);
  // "latin1" keeps every byte, so that what is not UTF-8 is tried as it is.
  input.setEncoding("latin1");
  // Loaded here: the bundler would load it at the start of every command.
  const { createInterface } = await import("node:readline");
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    yield Uint8Array.from(text, (character) => character.charCodeAt(0));
  }
  if (failure !== undefined) throw failure;
}
