/**
 * `corndog clobber`: the load generator's flags and its help.
 *
 * @module
 */
import type { Option } from "./arguments.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";

/** Flags in the groups in which the help shows them. */
const groups: readonly (readonly [title: string, options: readonly Option[]])[] = [
  ["How much", [
    {
      name: "rate",
      value: "N",
      description: "messages per second on a fixed schedule (open loop): 500, 50k, 1.5M",
    },
    { name: "stages", value: "T:N,...", description: "rates over time, evenly between them: 0:1k,60s:50k" },
    { name: "max", description: "as many as the target answers, with the connections that do best (AIMD)" },
    {
      name: "find-max",
      value: "GATES",
      description: "search the highest rate that holds: 'p99<50ms,errors<0.01%'",
    },
    { name: "find-from", value: "N", description: "rate at which the search begins; default: 1k" },
    { name: "find-step", value: "TIME", description: "how long each step of the search is; default: 3s" },
    {
      name: "confirm",
      value: "TIME",
      description: "how long the rate that was found must hold; default: 20s",
    },
    { name: "duration", short: "d", value: "TIME", description: "how long: 30s, 1m30s; default: 10s" },
    { name: "limit", short: "l", value: "N", description: "messages in all" },
  ]],
  ["Connections", [
    { name: "connections", short: "c", value: "N", description: "default: 50, for lines and RELP 8" },
    { name: "concurrency", value: "auto", description: "find the number (PID), up to --connections" },
    {
      name: "pipeline",
      value: "N",
      description: "requests under way on one connection; default: 1, RELP 128",
    },
    { name: "bundle", value: "N", description: "lines in one write; 1 is a write for each" },
    {
      name: "repeat",
      short: "r",
      value: "N",
      description: "messages until a connection is closed and opened anew",
    },
    { name: "lifetime", value: "T..T", description: "time until then: 30s, or between 10s..60s" },
    { name: "conn-rate", value: "N", description: "new connections per second at the start" },
    { name: "idle-connections", value: "N", description: "connections more that stay silent" },
    { name: "slow-readers", value: "N", description: "connections more that send and never read" },
    { name: "connect-timeout", value: "TIME", description: "default: 5s (a number alone is milliseconds)" },
    {
      name: "read-timeout",
      value: "TIME",
      description: "for an answer; default: 10s (a number alone is milliseconds)",
    },
    {
      name: "deadline",
      value: "TIME",
      description: "answers later than this after their due time are not good",
    },
    { name: "drain", value: "TIME", description: "how long the end waits for answers; default: 5s" },
    { name: "threads", value: "N", description: "default: one per processor" },
    { name: "precise", description: "never sleep: lateness of microseconds, a processor per thread" },
  ]],
  ["What is sent", [
    { name: "syslog", value: "5424|3164", description: "syslog lines; the default for everything but http" },
    { name: "message", value: "text|json", description: "what the lines say; default: text" },
    { name: "size", value: "BYTES", description: "200, 100-400 or logn(300,0.5); default: 256" },
    { name: "framing", value: "HOW", description: "newline, octet, nul or none; default: newline" },
    { name: "no-marks", description: "lines without sender, number and time" },
    {
      name: "template",
      value: "TEXT",
      description: "a line with fields: '{{time}} user={{int(1,99)}} {{mark}}'",
    },
    { name: "template-file", value: "FILE", description: "one template per line" },
    { name: "field", value: "NAME=TEMPLATE", many: true, description: "a field of your own" },
    { name: "lines", value: "FILE", description: "the lines of a file, over and over" },
    { name: "payload", value: "TEXT", description: "these bytes (\\n, \\r, \\xNN); - is standard input" },
    { name: "payload-file", value: "FILE", description: "the bytes of a file" },
    {
      name: "fuzz",
      short: "f",
      value: "KINDS",
      description: "wrong messages: all, or some of flips truncate bad-count huge utf8 slowloris nul",
    },
    { name: "seed", value: "N", description: "the same seed sends the same messages" },
  ]],
  ["HTTP and answers", [
    { name: "method", value: "NAME", description: "default: GET, with a body POST" },
    { name: "header", short: "H", value: "NAME: VALUE", many: true, description: "a header more" },
    { name: "batch", value: "N", description: "lines in the body of one request; default: 1" },
    { name: "answer", value: "HOW", description: "raw connections: none, any, line, bytes:N or close" },
    { name: "ca", value: "FILE", description: "certificates to trust, PEM" },
    { name: "cert", value: "FILE", description: "own certificate, PEM; with --key" },
    { name: "key", value: "FILE", description: "its key, PEM" },
    { name: "insecure", short: "k", description: "do not verify the target's certificate" },
  ]],
  ["What comes out", [
    { name: "quiet", short: "q", description: "no live view and no summary" },
    { name: "json", value: "FILE", description: "everything that was measured; - is standard output" },
    { name: "html", value: "FILE", description: "a page with plots, in one file" },
    { name: "hdr", value: "FILE", description: "the latency distribution, .hgrm" },
    { name: "series", value: "FILE", description: "a line of JSON for each second" },
    { name: "compare", value: "FILE", description: "beside an earlier --json" },
    {
      name: "fail",
      value: "GATE",
      many: true,
      description: "exit 99 unless it holds: 'p99<20ms' 'achieved>=0.99'",
    },
    {
      name: "verify",
      value: "URL",
      description: "read the lines back: kafka://BROKER:PORT/TOPIC or file:DIR",
    },
    {
      name: "verify-config",
      value: "FILE",
      description: "configuration whose kafka section has TLS and login for it",
    },
    {
      name: "verify-timeout",
      value: "TIME",
      description: "how long the last of them are awaited; default: 30s",
    },
    { name: "admin", value: "URL", description: "ask the corndog behind the target where time is spent" },
    { name: "token-file", value: "FILE", description: "file with the token that its API wants" },
  ]],
  ["As in clobber", [
    { name: "target", short: "t", value: "TARGET", description: "the target, instead of the argument" },
  ]],
];

/** `corndog clobber`. */
export const clobberCommand: Command = {
  name: "clobber",
  usage: "TARGET [OPTION]...",
  summary: "load generator that tells the truth",
  details: `TARGET is tcp://HOST:PORT, tls:// udp:// relp://HOST:PORT, http:// https://HOST[:PORT]/PATH or
unix:///PATH; without a scheme it is TCP. Names and IPv6 addresses ([::1]:514) work.

Without --rate the load is a closed loop: each connection sends its next message when the last one was
answered, or taken where nothing answers. That tells how much fits through, and not how long it takes at
a given rate. With --rate or --stages messages have times, and latency counts from the time at which a
message was due, so a target that stalls cannot hide. If the generator could not keep up, it says
GENERATOR-LIMITED instead of passing its own limit off as the target's.

Exit codes: 0 fine, 1 it could not run (or --fuzz broke the target), 2 wrong usage, 97 the target refused,
98 generator-limited, 99 a --fail did not hold, or --find-max found no rate.`,
  options: groups.flatMap(([, options]) => options),
  optionGroups: groups,
  examples: [
    ["corndog clobber tcp://127.0.0.1:1514", "how many syslog lines fit through"],
    ["corndog clobber tcp://127.0.0.1:1514 --rate 50k -d 1m", "a minute of 50,000 lines per second"],
    ["corndog clobber http://127.0.0.1:8080/ -c 100", "how many requests it answers"],
    ["corndog clobber http://127.0.0.1:8080/ --rate 5k --fail 'p99<20ms'", "a gate for CI"],
    ["corndog clobber http://127.0.0.1:8080/ --find-max 'p99<50ms'", "the highest rate that holds"],
    [
      "corndog clobber tcp://127.0.0.1:1514 --verify kafka://127.0.0.1:9092/logs",
      "through corndog to Kafka",
    ],
    ["echo 'ping' | corndog clobber -t 127.0.0.1:7 -c 10 -l 1000", "as in clobber"],
  ],
  restMax: 1,
  async act({ given, io, commands }: Call): Promise<number> {
    const done = await commands.clobber(given);
    if (typeof done === "number") return done;
    reportError(io, done.usage);
    io.err("corndog clobber --help tells more\n");
    return exitCode.usage;
  },
};
