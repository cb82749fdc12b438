/**
 * `corndog run`: joins control plane, admin API, statsd, file watch, service manager and signals, and waits for the
 * end.
 *
 * Signals: SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads the configuration again; SIGUSR1 starts
 * the program anew, which takes over; SIGUSR2 writes the flight recorder.
 *
 * @module
 */
import process from "node:process";
import { checkAdminAccess } from "../admin/access.ts";
import { createAdminApp } from "../admin/app.ts";
import type { Config } from "../config/config.ts";
import { formatFault, ForwarderError, messageOf } from "../core/errors.ts";
import { systemLimits, systemProblems } from "../io/descriptors.ts";
import { probeAddress } from "../io/probe.ts";
import type { Logger } from "../observe/log.ts";
import type { LogLevels } from "../observe/log_levels.ts";
import { periodMs } from "../observe/log_quota.ts";
import { RecentEvents } from "../observe/recent_events.ts";
import { startStatsd } from "../observe/statsd.ts";
import { formatAddress } from "../runtime/address.ts";
import { runtime } from "../runtime/current.ts";
import {
  handedOverSockets,
  type Handover,
  handoverOf,
  handoverVariable,
  inheritedSockets,
  tellServing,
} from "../runtime/inherited.ts";
import { openLibc } from "../runtime/libc.ts";
import { openNotifySocket } from "../runtime/notify_socket.ts";
import { backlogMax } from "../runtime/globals.ts";
import { receiveBufferBytes } from "../runtime/limits.ts";
import { version } from "../version.ts";
import type { HttpServer } from "../runtime/runtime.ts";
import { type Activation, assignHandedOver, assignSockets } from "./activation.ts";
import { ControlPlane } from "./control_plane.ts";
import { watchFiles } from "./file_watch.ts";
import type { ReadConfig } from "./rules_desk.ts";
import { ServiceManager, watchdogMsOf } from "./service_manager.ts";
import { startReport } from "./start_report.ts";
import type { SpawnWorker } from "./worker_parts.ts";

/** What a run needs. */
export interface RunParts {
  readonly config: Config;
  readonly log: Logger;
  /** The levels that `log` goes by, which a reload changes; without them nothing changes. */
  readonly levels?: LogLevels;
  readonly spawn: SpawnWorker;
  /** Reads the configuration again, as it was read at the start. */
  readonly readConfig: ReadConfig;
  /** What starts this program again (`ownCommand`); undefined where it does not hand over. */
  readonly command?: readonly string[] | undefined;
  /** Called before a drain begins. */
  readonly beforeDrain?: () => Promise<void>;
  /** Called when all listeners are bound, with the address of the admin API. */
  readonly started?: (plane: ControlPlane, adminUrl: string | undefined) => void;
}

/** Exit code of a process that a second signal ended. */
const abortedExitCode = 1;

/**
 * Runs a forwarder until it is told to end.
 *
 * @returns the exit code
 * @throws ForwarderError when it cannot start (a busy port, an unusable certificate)
 */
export async function runForwarder(parts: RunParts): Promise<number> {
  const { config } = parts;
  const recent = new RecentEvents(Date.now);
  const log = recent.watch(parts.log);
  const handover = handoverOf(process.env, process.ppid);
  delete process.env[handoverVariable];
  const activation = await activate(config, log, handover);
  const plane = new ControlPlane({
    config,
    version,
    runtime: runtime.version,
    log,
    ...(parts.levels === undefined ? {} : { levels: parts.levels }),
    recent,
    spawn: parts.spawn,
    inherited: activation.sockets,
    succeeds: handover !== undefined,
    command: parts.command,
    handedOver: (pid) => {
      manager?.handedOver(pid);
      stopWatching();
      admin?.retire();
    },
    upgradeFailed: (problem) => manager?.upgradeFailed(problem),
    readConfig: parts.readConfig,
    beforeDrain: async () => {
      manager?.stopping();
      await parts.beforeDrain?.();
    },
  });
  const manager = await serviceManager(plane, log);
  const reload = () => plane.reload();
  const stopSignals = onSignals(
    plane,
    log,
    () => void (manager === undefined ? reload() : manager.reloading(reload)),
  );
  // The admin API is up before the listeners, so that a start that hangs can be looked at.
  let admin: HttpServer | undefined;
  try {
    admin = await startAdmin(plane, config, log, handover !== undefined);
    tellSystemLimits(config, log);
    await probeListeners(config, activation);
    await plane.start();
    await closeOriginals(activation, handover !== undefined);
  } catch (error) {
    plane.abort(1);
    await admin?.stop();
    stopSignals();
    throw error;
  }
  for (const listener of plane.listeners) {
    log.info("listening", { transport: listener.transport, address: listener.address });
  }
  const adminUrl = admin === undefined ? undefined : `http://${admin.address}`;
  log.info(
    "started",
    startReport({
      config,
      version,
      runtime: runtime.version,
      listeners: plane.listeners,
      io: plane.io,
      rules: plane.rules(),
      adminUrl,
    }),
  );
  const statsd = config.statsd === undefined
    ? undefined
    : startStatsd(config.statsd, () => plane.stats(), log);
  const stopWatching = watchFiles(() => plane.watched, () => void plane.reloadRules());
  // A flood that has ended is told of too.
  const flushing = setInterval(() => log.flush(), periodMs);
  if (handover !== undefined) await tellServing(handover, process.pid);
  manager?.ready();
  parts.started?.(plane, adminUrl);

  const exitCode = await plane.ended;
  clearInterval(flushing);
  manager?.stop();
  stopWatching();
  stopSignals();
  await statsd?.stop();
  await admin?.stop();
  log.flush();
  return exitCode;
}

/** Takes the sockets that this process was started with, and tells of each what becomes of it. */
async function activate(config: Config, log: Logger, handover: Handover | undefined): Promise<Activation> {
  const { sockets, problems } = handover === undefined
    ? await inheritedSockets(process.env, process.pid)
    : await handedOverSockets(handover);
  const activation = handover === undefined
    ? assignSockets(config.listen, sockets)
    : assignHandedOver(config.listen, sockets);
  for (const { address, fd, name } of activation.sockets.flat()) {
    log.info("socket_inherited", { address, fd, name });
  }
  if (handover !== undefined) {
    for (const { address } of activation.unused) {
      log.info("socket_left", { address, predecessor: handover.from });
    }
    return activation;
  }
  for (const problem of problems) log.warn("socket_unused", { problem });
  for (const { address, fd, type } of activation.unused) {
    const problem = "no listener of the configuration has this address; nothing reads it";
    log.warn("socket_unused", { address, fd, type, problem });
  }
  return activation;
}

/** Says what the system allows, and what of it is too little. */
function tellSystemLimits(config: Config, log: Logger): void {
  const limits = systemLimits();
  const { openFiles, somaxconn, receiveBufferMax, portRange } = limits;
  log.info("system_limits", {
    open_files: openFiles,
    somaxconn,
    rmem_max: receiveBufferMax,
    port_range: portRange?.join("-"),
  });
  const wants = {
    connections: config.limits.connections,
    backlog: backlogMax,
    receiveBuffer: config.listen.some(({ transport }) => transport === "udp") ? receiveBufferBytes : 0,
    ports: config.listen.map(({ port }) => port),
  };
  for (const problem of systemProblems(limits, wants)) log.warn("system_limit_low", { problem });
}

/** Workers share their ports, and a shared port would let a second corndog in silently: look before. */
async function probeListeners(config: Config, { sockets, unused }: Activation): Promise<void> {
  for (const [index, { transport, hostname, port }] of config.listen.entries()) {
    if (sockets[index]!.length > 0) continue;
    // The predecessor has the port at another address, and will leave it.
    if (unused.some((socket) => socket.port === port && port > 0)) continue;
    if (transport === "tcp" || transport === "tls" || transport === "udp") {
      await probeAddress({ transport: transport === "udp" ? "udp" : "tcp", hostname, port });
    }
  }
}

/**
 * Every worker has a descriptor of its own by now. One more would keep a socket open, with nobody who accepts, when a
 * reload closes its listener. Those of the service manager that no listener wants stay as they are.
 */
async function closeOriginals({ sockets, unused }: Activation, isHandover: boolean): Promise<void> {
  const libc = await openLibc();
  for (const { fd } of [...sockets.flat(), ...isHandover ? unused : []]) libc?.close(fd);
}

async function startAdmin(plane: ControlPlane, config: Config, log: Logger, succeeds: boolean) {
  if (config.admin === undefined) return undefined;
  const { hostname, port, tokenFile } = config.admin;
  const fault = checkAdminAccess(config.admin, config.file ?? "embedded default", config.dialect);
  if (fault !== undefined) throw new ForwarderError("config_invalid", formatFault(fault));
  const address = formatAddress(hostname, port);
  // A shared port would let a second corndog in silently.
  if (!succeeds) await probeAddress({ transport: "tcp", hostname, port });
  const app = createAdminApp({
    control: plane,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    address,
    version,
    log,
  });
  return await runtime.serveHttp({ hostname, port, reusePort: true }, (request) => app.fetch(request));
}

/** The line to systemd, where it started this process with `Type=notify`. */
async function serviceManager(plane: ControlPlane, log: Logger): Promise<ServiceManager | undefined> {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined || path === "") return undefined;
  try {
    return new ServiceManager({
      socket: await openNotifySocket(path),
      watchdogMs: watchdogMsOf(process.env, process.pid),
      service: plane,
    });
  } catch (error) {
    log.warn("notify_unavailable", { problem: messageOf(error) });
    return undefined;
  }
}

function onSignals(plane: ControlPlane, log: Logger, reload: () => void): () => void {
  let asked = false;
  const end = (signal: string) => {
    log.info("signal", { signal });
    if (asked) plane.abort(abortedExitCode);
    asked = true;
    plane.drain();
  };
  const handlers = {
    SIGTERM: () => end("SIGTERM"),
    SIGINT: () => end("SIGINT"),
    SIGHUP: reload,
    SIGUSR1: () => void plane.upgrade(),
    SIGUSR2: () => plane.dumpFlight("signal"),
  } as const;
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal as "SIGTERM", handler);
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) process.off(signal as "SIGTERM", handler);
  };
}
