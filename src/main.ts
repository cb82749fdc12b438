/**
 * Entry point of the program: gives the command line the parts that need threads, sockets and the kernel.
 *
 * What only one command needs is loaded when that command is run: a forwarder starts sooner for it.
 *
 * It lies directly in src, beside src/worker.ts, because a compiled binary finds a worker only beside its entry.
 *
 * @module
 */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { checkAdminAccess } from "./admin/access.ts";
import { runCli } from "./cli/cli.ts";
import type { FromLoadThread, LoadThread } from "./clobber/worker/protocol.ts";
import { diskFiles } from "./config/files.ts";
import { formatFault } from "./core/errors.ts";
import { LogLevels } from "./observe/log_levels.ts";
import { createProcessLogger } from "./observe/log_process.ts";
import { dieOnUncaught } from "./pipeline/crash.ts";
import type { FromWorker } from "./pipeline/protocol.ts";
import { runForwarder } from "./pipeline/run.ts";
import { checkRuleSet } from "./pipeline/try_rules.ts";
import { ownCommand, passOn } from "./pipeline/upgrade.ts";
import type { WorkerThread } from "./pipeline/worker_parts.ts";
import { handoverOf } from "./runtime/inherited.ts";
import { version } from "./version.ts";

/** The call must stand in this file, see above. */
function beginWorker(): WorkerThread {
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  let error: Error | undefined;
  let tell: ((reason: string) => void) | undefined;
  let reason: string | undefined;
  worker.on("error", (thrown: Error) => error = thrown);
  worker.on("exit", (code) => {
    reason = error?.stack ?? `exit code ${code}`;
    tell?.(reason);
  });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.on("message", (message: FromWorker) => handler(message)),
    onExit: (handler) => {
      tell = handler;
      if (reason !== undefined) handler(reason);
    },
    terminate: () => worker.terminate(),
  };
}

/** A thread that was begun before anybody wanted it. */
let spare: WorkerThread | undefined;

function spawnWorker(): WorkerThread {
  const worker = spare ?? beginWorker();
  spare = undefined;
  return worker;
}

/** As above, for a thread of the load generator. */
function spawnLoadThread(): LoadThread {
  const worker = new Worker(new URL("./load_worker.ts", import.meta.url));
  let error: Error | undefined;
  worker.on("error", (thrown: Error) => error = thrown);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (handler) => worker.on("message", (message: FromLoadThread) => handler(message)),
    onExit: (handler) => worker.on("exit", (code) => handler(error?.stack ?? `exit code ${code}`)),
    terminate: () => worker.terminate(),
  };
}

/** Writes a result. Who reads only the first lines (`| head`) closes the pipe: that ends the program, without a word. */
function writeResult(text: string): void {
  try {
    process.stdout.write(text, endOnClosedPipe);
  } catch (error) {
    endOnClosedPipe(error);
  }
}

function endOnClosedPipe(error: unknown): void {
  if ((error as { code?: unknown } | null | undefined)?.code === "EPIPE") process.exit(0);
  if (error instanceof Error) throw error;
}

dieOnUncaught("main");
const command = ownCommand();
const exitCode = await runCli(process.argv.slice(2), {
  // A thread needs as long for its code as this one for the configuration.
  prepareRun: () => void (spare ??= beginWorker()),
  async run(config, { warnings, readConfig }) {
    const handover = handoverOf(process.env, process.ppid);
    if (handover?.passOn === true && command !== undefined) return await passOn(handover, command);
    const levels = new LogLevels(config.log);
    const log = createProcessLogger(config.log.format, levels);
    for (const warning of warnings) log.warn("config_warning", { warning: formatFault(warning) });
    return await runForwarder({
      config,
      log,
      levels,
      spawn: spawnWorker,
      command,
      readConfig: (edited) =>
        readConfig(
          edited &&
            { ...diskFiles, read: (path) => path === edited.path ? edited.text : diskFiles.read(path) },
        ),
    });
  },
  async demo(config, { durationMs }) {
    const { demoOutput, runDemo } = await import("./demo/demo.ts");
    return await runDemo({ config, durationMs, spawn: spawnWorker, ...demoOutput });
  },
  async clobber(given) {
    const { clobber } = await import("./clobber/clobber.ts");
    const readAccess = async (path: string) =>
      (await import("./cli/verify_access.ts")).readVerifyAccess(path);
    return await clobber(given, spawnLoadThread, writeResult, readAccess);
  },
  checkRules(rules, config) {
    const faults = checkRuleSet(rules, version, config.kafka.topic);
    const access = config.admin &&
      checkAdminAccess(config.admin, config.file ?? "embedded default", config.dialect);
    return access === undefined ? faults : [...faults, access];
  },
  listLetters: async (...given) => (await import("./deadletter/dead_letters.ts")).listLetters(...given),
  replayLetters: async (...given) => (await import("./deadletter/dead_letters.ts")).replayLetters(...given),
  async testRules(config, options) {
    const { testRules } = await import("./pipeline/test_rules.ts");
    return await testRules(config, {
      ...options,
      write: writeResult,
      terminal: process.stdout.isTTY === true,
    });
  },
});
process.exit(exitCode);
