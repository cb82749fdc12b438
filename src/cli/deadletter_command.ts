/**
 * `corndog deadletter`: what could not be delivered, and the way to send it again.
 *
 * @module
 */
import { readHostPort } from "../config/units.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import type { LetterCommand, ReplayCommand } from "./commands.ts";
import { configOptions, loader } from "./loading.ts";
import { reportError, reportFaults, reportWarnings } from "./report.ts";

/** Letters per second, if nobody says otherwise: a listener and its rules take far more beside their other work. */
const rateDefault = 5000;
const rateMax = 10_000_000;

/** What the first argument says. */
const actions = ["ls", "replay"] as const;

/** What is wrong with the arguments. */
class Usage {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** `corndog deadletter`. */
export const deadletterCommand: Command = {
  name: "deadletter",
  usage: "ls|replay [FILE] [-c FILE] [--from PLACE] [--reason NAME]...",
  summary: "lines that could not be delivered: list, send again",
  details: `ls counts dead letters by reason, in the file and in the topic of the configuration, or in FILE.

replay sends them again, each to where it fell out: a line to a listener, so that the rules run
again; a record that Kafka refused to the topic that was meant. It keeps in mind how far it came
(beside dead_letter.file), so that it can be stopped and started; nothing is deleted.

Exit code 1 if letters were left out or refused again.`,
  options: [
    configOptions[0]!,
    configOptions[2]!,
    { name: "from", value: "PLACE", description: "file or topic; default: both" },
    {
      name: "reason",
      value: "NAME",
      many: true,
      description: "only letters with this reason; may be repeated",
    },
    { name: "json", description: "ls: as JSON" },
    {
      name: "to",
      value: "WHERE",
      description:
        "replay: auto, listener, topic, or tcp://HOST:PORT, unix:PATH for all as lines; default: auto",
    },
    { name: "rate", value: "N", description: `replay: letters per second; default: ${rateDefault}` },
    { name: "limit", value: "N", description: "replay: at most so many letters" },
    { name: "dry-run", description: "replay: show what would be sent, send nothing" },
    { name: "again", description: "replay: also what was replayed before" },
  ],
  examples: [
    ["corndog deadletter ls -c corndog.yml", "what is there, and why"],
    ["corndog deadletter replay -c corndog.yml --reason unknown_topic", "after the topic was made"],
    ["corndog deadletter replay old.ndjson --dry-run", "a file that was moved away"],
  ],
  restMax: 2,
  async act(call: Call): Promise<number> {
    const { given, io, commands } = call;
    const action = actions.find((name) => name === given.rest[0]);
    if (action === undefined) {
      const written = given.rest[0] === undefined
        ? "say what to do"
        : `"${given.rest[0]}" is none of its actions`;
      reportError(io, `deadletter: ${written}: ls or replay`);
      return exitCode.usage;
    }
    const options = readOptions(call);
    if (options instanceof Usage) {
      reportError(io, options.message);
      return exitCode.usage;
    }
    const loaded = loader(given, io)();
    reportWarnings(io, loaded.warnings);
    if (!loaded.ok) {
      reportFaults(io, loaded.faults);
      return exitCode.config;
    }
    return action === "ls"
      ? await commands.listLetters(loaded.config, options)
      : await commands.replayLetters(loaded.config, options);
  },
};

function readOptions({ given, io }: Call): (LetterCommand & ReplayCommand) | Usage {
  const one = (name: string): string | undefined => given.values.get(name)?.[0];
  const from = one("from");
  if (from !== undefined && from !== "file" && from !== "topic") {
    return new Usage(`--from: "${from}" is not file or topic`);
  }
  const rate = readCount("rate", one("rate"), rateDefault);
  const limit = readCount("limit", one("limit"), Infinity);
  const to = readTarget(one("to") ?? "auto");
  for (const read of [rate, limit, to]) if (read instanceof Usage) return read;
  return {
    file: given.rest[1],
    from,
    reasons: given.values.get("reason"),
    json: given.switches.has("json"),
    ...to as Exclude<typeof to, Usage>,
    rate: rate as number,
    limit: limit as number,
    dryRun: given.switches.has("dry-run"),
    again: given.switches.has("again"),
    out: io.out,
    err: io.err,
  };
}

function readCount(name: string, text: string | undefined, otherwise: number): number | Usage {
  if (text === undefined) return otherwise;
  const count = /^\d{1,8}$/.test(text) ? Number(text) : NaN;
  return count >= 1 && count <= rateMax ? count : new Usage(`--${name}: "${text}" is not a number from 1 on`);
}

function readTarget(text: string): Pick<ReplayCommand, "route" | "listener"> | Usage {
  if (text === "auto" || text === "listener" || text === "topic") return { route: text, listener: undefined };
  if (text.startsWith("unix:")) {
    const path = text.replace(/^unix:(\/\/)?/, "");
    return { route: "listener", listener: { host: "", port: 0, path, framing: "auto" } };
  }
  const read = /^tcp:\/\//.test(text) ? readHostPort(text.slice(6), "127.0.0.1:1514") : undefined;
  if (read === undefined || !read.ok) {
    return new Usage(`--to: "${text}" is not auto, listener, topic, tcp://HOST:PORT or unix:PATH`);
  }
  const { hostname, port } = read.value;
  return { route: "listener", listener: { host: hostname, port, path: "", framing: "auto" } };
}
