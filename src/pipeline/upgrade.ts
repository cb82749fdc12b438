/**
 * Starts the process that takes this one's place: the same command line, the binary that lies there now, with the
 * listening sockets. Both have them until it serves; nobody who connects meanwhile is refused or forgotten.
 *
 *     this process                          its successor
 *      | spawn with the sockets ------------> |  reads its configuration, opens the sink, begins a spool of its own,
 *      |                                      |  accepts on the sockets
 *      | <---------------------------- serves |
 *      |  accepts no more, reads its          |
 *      |  connections to their end, delivers, |
 *      |  ends                                |  takes over what the spool still holds
 *
 * A successor that fails (a faulty configuration, a broken binary) changes nothing here.
 *
 * Under systemd another process stands between the two, and ends when the new one serves: the service manager is then
 * its parent. At a stop it waits for its own children alone, and kills a main process that is none at once.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Listen } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import {
  type Handover,
  handoverVariable,
  type InheritedSocket,
  ownSockets,
  tellServing,
} from "../runtime/inherited.ts";
import { firstInheritedFd, startSuccessor, type Successor } from "../runtime/successor.ts";
import { belongs, listenerNames } from "./activation.ts";

/** Opening the spool and the listeners; a large spool on a slow disk is scanned in this time. */
const servingMsMax = 60_000;
const pollMs = 20;
/** Of a process between two, where the new one was ended by a signal. */
const failedExitCode = 1;

/** What a service manager told this process and is not about its successor. */
const ownVariables: ReadonlySet<string> = new Set([
  "LISTEN_PID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "WATCHDOG_PID",
  handoverVariable,
]);

/** A listener and where it is bound. */
export interface BoundListener {
  readonly listen: Listen;
  readonly address: string;
}

/** What starts a successor. */
export interface UpgradeParts {
  readonly command: readonly string[];
  readonly listeners: readonly BoundListener[];
  /** The upgrade is not wanted any more. */
  readonly cancelled: () => boolean;
}

/**
 * The command line of this process, to be asked at its beginning.
 *
 * @returns undefined where the system does not tell it
 */
export function ownCommand(): readonly string[] | undefined {
  try {
    const words = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
    return words.length > 0 ? words : undefined;
  } catch {
    return undefined;
  }
}

/** The sockets of each listener of this process, in the order of the listeners. */
export async function socketsOf(listeners: readonly BoundListener[]): Promise<InheritedSocket[][]> {
  const sockets = await ownSockets();
  return listeners.map(({ listen, address }) => sockets.filter((socket) => belongs(listen, address, socket)));
}

/**
 * Starts a successor and waits until it serves.
 *
 * @returns its process number
 * @throws ForwarderError `upgrade_failed`, `not_supported`
 */
export async function startNext({ command, listeners, cancelled }: UpgradeParts): Promise<number> {
  if (listeners.some(({ listen }) => listen.transport === "stdin")) {
    throw new ForwarderError(
      "not_supported",
      "Cannot hand over: standard input has one reader; restart instead",
    );
  }
  // The end of process 1 is the end of its container.
  if (process.pid === 1) {
    throw new ForwarderError(
      "not_supported",
      "Cannot hand over as process 1: replace the container, or put an init in front (docker run --init)",
    );
  }
  const names = listenerNames(listeners.map(({ listen }) => listen));
  const sockets = (await socketsOf(listeners)).flatMap((own, index) =>
    own.map(({ fd }) => ({ fd, name: names[index]! }))
  );
  const passOn = (process.env.NOTIFY_SOCKET ?? "") !== "";
  const descriptors = sockets.map(({ fd }) => fd);
  const successor = await start(command, descriptors, { names: sockets.map(({ name }) => name), passOn });
  try {
    await served(successor, cancelled);
    if (passOn) await endOf(successor);
  } finally {
    successor.close();
  }
  return successor.pid;
}

/**
 * This process stands between the one that hands over and the one that is to serve: starts that, and waits until it
 * serves, or does not.
 *
 * @returns the exit code: 0, or that of the new process
 */
export async function passOn(handover: Handover, command: readonly string[]): Promise<number> {
  let isCancelled = false;
  process.on("SIGTERM", () => isCancelled = true);
  const { names } = handover;
  const successor = await start(command, names.map((_, index) => firstInheritedFd + index), { names });
  try {
    await served(successor, () => isCancelled);
    await tellServing(handover, successor.pid);
    return 0;
  } catch {
    // Its log says why.
    return Number(/^exit code (\d+)$/.exec(await endOf(successor))?.[1] ?? failedExitCode);
  }
}

function start(
  command: readonly string[],
  descriptors: readonly number[],
  handover: Omit<Handover, "from">,
): Promise<Successor> {
  return startSuccessor(command, descriptors, () => ({
    ...environmentOf(process.env),
    [handoverVariable]: JSON.stringify({ from: process.pid, ...handover }),
  }));
}

async function served(successor: Successor, cancelled: () => boolean): Promise<void> {
  const deadline = performance.now() + servingMsMax;
  for (;;) {
    switch (successor.state()) {
      case "serving":
        return;
      case "ended":
        throw new ForwarderError(
          "upgrade_failed",
          `The new process did not come to serve: ${await endOf(
            successor,
          )}; its log says why, this one goes on`,
        );
      case "starting":
        break;
    }
    const isLate = performance.now() > deadline;
    if (isLate || cancelled()) {
      process.kill(successor.pid, "SIGTERM");
      const reason = isLate ? `it does not serve after ${servingMsMax / 1000} s` : "this one was told to end";
      throw new ForwarderError("upgrade_failed", `The new process was stopped: ${reason}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Its end of the pipe is closed a moment before it has ended, and so is that of one between two. */
async function endOf(successor: Successor): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const end = successor.end();
    if (end !== undefined) return end;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return "it gave up";
}

function environmentOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !ownVariables.has(name)) kept[name] = value;
  }
  return kept;
}
