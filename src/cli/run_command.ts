/**
 * `corndog run` and `corndog demo`.
 *
 * @module
 */
import { loadConfig } from "../config/load.ts";
import { readDuration } from "../config/units.ts";
import type { Fault } from "../core/errors.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { allFaults, configOptions, loader } from "./loading.ts";
import { counted, reportError, reportFaults, reportWarnings } from "./report.ts";

/** A demo ends by itself after this long at most. */
const demoMsMax = 24 * 3_600_000;

/** `corndog run`. */
export const runCommand: Command = {
  name: "run",
  usage: "[-c FILE] [--rules PATH]... [--set KEY=VALUE]...",
  summary: "the forwarder",
  details: `Takes syslog lines, applies the rules, and sends them to Kafka until it is told to stop.
Without a configuration it listens on 127.0.0.1:1514 (TCP and UDP), shows its dashboard
on http://127.0.0.1:8585, and writes to ./corndog-data, or to Kafka if KAFKA_BROKER is set.

SIGTERM and SIGINT stop it: it delivers what it took, then ends; a second one ends it at once.
SIGHUP reads the configuration and the rules again; changed rule files are read again by themselves.
SIGUSR1 starts the program anew, which takes over the listening sockets (corndog upgrade).

CORNDOG_<KEY> in the environment overrides a key (CORNDOG_KAFKA_TOPIC=logs for kafka.topic), and
KAFKA_BROKER, SASL_SCRAM_USERNAME, SASL_SCRAM_PASSWORD do what they did for hotdog.`,
  options: configOptions,
  examples: [
    ["corndog run -c /etc/corndog/corndog.yml", "with a configuration"],
    ["KAFKA_BROKER=kafka-1:9092 corndog run", "without one, to Kafka"],
    ["corndog run -c hotdog.yml", "a configuration of hotdog, unchanged"],
  ],
  restMax: 0,
  async act({ given, io, commands }: Call): Promise<number> {
    commands.prepareRun?.();
    const readConfig = loader(given, io);
    const loaded = readConfig();
    const faults = await allFaults(loaded, commands);
    if (!loaded.ok || faults.length > 0) {
      reportWarnings(io, loaded.warnings);
      return refuse(io, faults);
    }
    return await commands.run(loaded.config, { warnings: loaded.warnings, readConfig });
  },
};

/** `corndog demo`. */
export const demoCommand: Command = {
  name: "demo",
  usage: "[--duration TIME] [--set KEY=VALUE]...",
  summary: "the forwarder with traffic against itself",
  details:
    `Starts with the built-in configuration, sends itself realistic syslog traffic, and shows what comes out:
the dashboard's address, a live line of counters, and at the end a summary with the ledger.
Nothing leaves this machine; lines land in ./corndog-data.`,
  options: [
    { name: "duration", value: "TIME", description: "how long, such as 30s or 5m; default: 30s" },
    ...configOptions.filter((option) => option.name === "set"),
  ],
  examples: [["corndog demo --duration 5m", "long enough to look around"]],
  restMax: 0,
  async act({ given, io, commands }: Call): Promise<number> {
    const duration = readDuration(given.values.get("duration")?.[0] ?? "30s");
    if (!duration.ok || duration.value <= 0 || duration.value > demoMsMax) {
      reportError(
        io,
        duration.ok ? "--duration: write a time from 1ms to 24h" : `--duration: ${duration.message}`,
      );
      return exitCode.usage;
    }
    // A demo shows what is built in: neither a file nor the environment's Kafka may take part.
    const loaded = loadConfig({ search: false, sets: given.values.get("set") ?? [], env: {}, cwd: io.cwd });
    reportWarnings(io, loaded.warnings);
    if (!loaded.ok) return refuse(io, loaded.faults);
    return await commands.demo(loaded.config, { durationMs: duration.value });
  },
};

function refuse(io: Call["io"], faults: readonly Fault[]): number {
  reportFaults(io, faults);
  reportError(io, `${counted(faults.length, "fault")} in the configuration; nothing was started`);
  return exitCode.config;
}
