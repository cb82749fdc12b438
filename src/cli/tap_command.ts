/**
 * `corndog tap`: lines of a running corndog as they pass.
 *
 * @module
 */
import type { LineTraceView, TapEvent } from "../admin/tap_view.ts";
import { messageOf } from "../core/errors.ts";
import { adminOptions, openAdmin } from "./admin_client.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";

const filters = ["topic", "rule", "peer", "connection", "field", "sample"] as const;

/** Lines that were left out are told this often. */
const leftOutMs = 2_000;

/** `corndog tap`. */
export const tapCommand: Command = {
  name: "tap",
  usage: "[--topic TOPIC] [--rule NAME] [--field NAME=VALUE] [--payload] [--trace] [--limit N]",
  summary: "lines of a running corndog as they pass",
  details:
    `One line for each that passes: when, from whom, which rule decided, where it goes. At most 100 a second per
worker are shown; what is left out is counted. The text of lines is shown only with --payload, and never that of a line
that a rule has redacted. With --trace some lines are followed, at most 16 at a time per worker, and shown when they are
at their end, with each stage's time. Ends with --limit, or Ctrl-C.`,
  options: [
    { name: "topic", value: "TOPIC", description: "only lines that go to this topic" },
    { name: "rule", value: "NAME", description: "only lines that this rule decided" },
    { name: "peer", value: "TEXT", description: "only senders whose address has this in it" },
    { name: "connection", value: "ID", description: "only this connection, as corndog connections names it" },
    { name: "field", value: "NAME=VALUE", description: "only lines with this, such as hostname=web-1" },
    { name: "sample", value: "PART", description: "look at this part of the lines only, such as 0.01" },
    { name: "payload", description: "show the text of lines" },
    { name: "trace", description: "follow lines to their acknowledgement, and show what each stage took" },
    { name: "limit", value: "N", description: "end after so many lines" },
    ...adminOptions.map((option) =>
      option.name === "json" ? { ...option, description: "one JSON object per line" } : option
    ),
  ],
  examples: [["corndog tap --rule by-topic --payload --limit 5", "what a rule does to five lines"], [
    "corndog tap --trace --peer 10.0.0.7 --limit 1",
    "where the time of a line goes",
  ]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const { given, io } = call;
    const query = new URLSearchParams();
    for (const name of filters) {
      const value = given.values.get(name)?.[0];
      if (value !== undefined) query.set(name, value);
    }
    for (const name of ["payload", "trace"]) if (given.switches.has(name)) query.set(name, "1");
    const written = given.values.get("limit")?.[0];
    const limit = written === undefined ? Infinity : Number(written);
    if (!(limit >= 1)) {
      reportError(io, `--limit: expected a number from 1, got "${written}"`);
      return exitCode.usage;
    }
    const response = await openAdmin(call, `/admin/tap?${query}`);
    if (response === undefined) return exitCode.faults;
    const write = given.switches.has("json") ? (event: TapEvent) => JSON.stringify(event) : eventText;
    let shown = 0;
    let left = 0;
    let toldAtMs = 0;
    try {
      for await (const { name, data } of events(response)) {
        if (name === "left_out") {
          left += Number(data);
          if (performance.now() < toldAtMs + leftOutMs) continue;
          io.err(`${left} lines were left out\n`);
          toldAtMs = performance.now();
          left = 0;
          continue;
        }
        io.out(`${write(JSON.parse(data) as TapEvent)}\n`);
        if (++shown >= limit) return exitCode.fine;
      }
    } catch (error) {
      reportError(io, `the tap broke off: ${messageOf(error)}`);
      return exitCode.faults;
    }
    return exitCode.fine;
  },
};

/** Server-sent events of a response, comments left out. */
async function* events(response: Response): AsyncGenerator<{ name: string; data: string }> {
  let half = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    half += decoder.decode(chunk, { stream: true });
    const blocks = half.split("\n\n");
    half = blocks.pop()!;
    for (const block of blocks) {
      const lines = block.split("\n");
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data !== undefined) yield { name: field("event") ?? "message", data };
    }
  }
}

function eventText(event: TapEvent): string {
  const where = event.topics.length > 0 ? `-> ${event.topics.join(", ")}` : event.outcome;
  const by = event.rule === undefined ? "" : ` by ${event.rule}`;
  const reason = event.reason === undefined ? "" : ` (${event.reason})`;
  const from = [event.hostname, event.appname].filter((part) => part !== "").join(" ");
  const text = event.text === undefined ? "" : `  ${printable(event.text)}`;
  const time = event.at.slice(11, 23);
  const trace = event.trace === undefined ? "" : `\n${traceText(event.trace)}`;
  return printable(
    `${time}  ${event.peer}  ${event.severity || "-"}  ${
      from || "-"
    }  ${event.bytes} B  ${where}${by}${reason}`,
  ) +
    text + trace;
}

/** `    intake 0.02 ms, rules 0.01 ms, batch 4.9 ms, kafka 2.3 ms (orders 3 at kafka-1:9092): delivered after 7.2 ms`. */
function traceText({ steps, end, ms }: LineTraceView): string {
  const topics = new Set(steps.flatMap(({ topic }) => topic === undefined ? [] : [topic]));
  const parts = steps.map(({ stage, ms, topic, partition, broker, unfinished }) => {
    // Where there are no copies, the topic is in the line above.
    const where = [
      topics.size > 1 ? topic : undefined,
      partition === undefined || broker === undefined ? undefined : `partition ${partition} at ${broker}`,
      unfinished ? "still there" : undefined,
    ].filter((one) => one !== undefined);
    return `${stage} ${ms} ms${where.length === 0 ? "" : ` (${where.join(", ")})`}`;
  });
  return `    ${printable(parts.join(", "))}: ${end} after ${ms} ms`;
}

/** Control characters of a log line do nothing to the terminal. */
function printable(text: string): string {
  return text.replace(controls, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

// deno-lint-ignore no-control-regex
const controls = /[\x00-\x1f\x7f-\x9f]/g;
