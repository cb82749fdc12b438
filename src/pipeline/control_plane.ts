/**
 * The main thread: it holds the configuration and the rules in force, owns the workers, and answers the admin API.
 * No line ever passes through it, so that it answers while a worker is held.
 *
 * Life: starting -> running -> draining -> ended. `ended` resolves with the process's exit code.
 *
 * @module
 */
import type { Control, UpgradeResult } from "../admin/control.ts";
import type { ConnectionFilter, ConnectionList, StallList } from "../admin/looks_view.ts";
import type {
  RollbackResult,
  RulesConflict,
  RulesView,
  SwapResult,
  TraceRequest,
  TraceResult,
} from "../admin/rules_view.ts";
import type { Stats } from "../admin/stats_view.ts";
import type { TapFilter, TapSink } from "../admin/tap_view.ts";
import type { Config } from "../config/config.ts";
import { redactConfig } from "../config/print.ts";
import { everyBeat } from "../core/beat.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { createPeerTable } from "../io/peer_table.ts";
import { createActivity } from "../observe/activity.ts";
import { createFlight, type flightTrace } from "../observe/flight.ts";
import type { Inflight } from "../observe/inflight.ts";
import { LabelCap } from "../observe/label_cap.ts";
import { LatencyReaders } from "../observe/latency.ts";
import { ledgerOf, sumRows } from "../observe/ledger.ts";
import type { Logger } from "../observe/log.ts";
import type { LogLevels } from "../observe/log_levels.ts";
import type { EventList, RecentEvents } from "../observe/recent_events.ts";
import { CounterRow, CounterRowReader, createCounterRows, endRow } from "../observe/row.ts";
import { createLatencyRows } from "../observe/stage_latency.ts";
import { createStageTables } from "../observe/stage_table.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { ConfigDesk } from "./config_desk.ts";
import { createDealTable } from "./dealer.ts";
import { createHttpShared } from "./http_listener.ts";
import { LookDesk } from "./look_desk.ts";
import { peersMax } from "./peer_troubles.ts";
import { Health, sinkProblems } from "./plane_health.ts";
import { statsOf } from "./plane_stats.ts";
import type { IoReport } from "./tcp_source.ts";
import { type Beside, type ReadConfig, RulesDesk } from "./rules_desk.ts";
import { TapDesk } from "./tap_desk.ts";
import { TraceDesk } from "./trace_desk.ts";
import { startNext } from "./upgrade.ts";
import { WorkerWatch } from "./worker_watch.ts";
import type { SharedRows, SpawnWorker } from "./worker_parts.ts";
import { Workers } from "./workers.ts";

/** Latencies are looked at this often, so that the last seconds are told whenever somebody asks. */
const latencyReadMs = 1_000;

/** What the control plane needs from outside. */
export interface ControlPlaneParts {
  readonly config: Config;
  /** `corndog`'s version; also the `version` variable of rules. */
  readonly version: string;
  readonly runtime: string;
  readonly log: Logger;
  /** The levels that it goes by: a reload changes them. */
  readonly levels?: LogLevels;
  /** What the log has told of late. */
  readonly recent?: RecentEvents;
  readonly spawn: SpawnWorker;
  /** Sockets that were inherited, by listener index. */
  readonly inherited?: readonly (readonly InheritedSocket[])[];
  /** A predecessor has handed over and still uses the spool. */
  readonly succeeds?: boolean;
  /** What starts this program again, with its arguments; undefined where it cannot hand over. */
  readonly command?: readonly string[] | undefined;
  /** Another process, of this number, serves from now on. */
  readonly handedOver?: (pid: number) => void;
  /** No other process came to serve, and why. */
  readonly upgradeFailed?: (problem: string) => void;
  /** Reads configuration and rules again, as they were read at the start. */
  readonly readConfig: ReadConfig;
  /** Called before a drain begins: a demo stops its senders first. */
  readonly beforeDrain?: () => Promise<void>;
}

/** The control plane of one process. */
export class ControlPlane implements Control {
  /** Resolves with the exit code when everything is delivered and ended. */
  readonly ended: Promise<number>;
  readonly #parts: ControlPlaneParts;
  readonly #workers: Workers;
  readonly #configs: ConfigDesk;
  readonly #desk: RulesDesk;
  readonly #health: Health;
  readonly #watch: WorkerWatch;
  readonly #looks: LookDesk;
  readonly #traces: TraceDesk;
  readonly #taps = new TapDesk(() => this.#workers);
  readonly #rows: SharedRows;
  readonly #readers: CounterRowReader[];
  readonly #latency: LatencyReaders;
  /** Senders that are named in statistics; they stay so, or counts of others would fall. */
  readonly #senders = new LabelCap(peersMax);
  #stopLatency: (() => void) | undefined;
  readonly #startedAtMs = performance.now();
  #upgrading: Promise<UpgradeResult> | undefined;
  #state: Stats["state"] = "starting";
  #finishing = false;
  #end!: (exitCode: number) => void;

  constructor(parts: ControlPlaneParts) {
    const { config, log, levels, version } = parts;
    this.#parts = parts;
    this.#rows = sharedRows(parts);
    this.#readers = Array.from(
      { length: config.workers },
      (_, worker) => new CounterRowReader(this.#rows.counters, worker),
    );
    this.#latency = new LatencyReaders(this.#rows.latency, config.workers, performance.now());
    this.#workers = this.#createWorkers();
    this.#health = new Health({ config, log, readers: this.#readers, reports: () => this.#workers.reports });
    this.#watch = new WorkerWatch({
      workers: config.workers,
      activity: this.#rows.activity,
      flight: this.#rows.flight,
      log,
      ruleName: (index) => this.#desk.view().names[index],
      arm: (worker) => this.#workers.arm(worker),
    });
    this.#looks = new LookDesk({
      config,
      workers: this.#workers,
      stages: this.#rows.stages,
      held: (worker) => this.#watch.held(worker),
      spoolBlocked: () => this.#workers.reports.some(({ spool }) => spool?.state === "failing"),
      orphans: () => this.#workers.reports.reduce((total, { orphans }) => total + orphans, 0),
    });
    this.#traces = new TraceDesk(config, version);
    this.#configs = new ConfigDesk({ config, workers: this.#workers, log, levels });
    this.#desk = new RulesDesk(
      config,
      version,
      (edited) => parts.readConfig(edited),
      (version, rules) => this.#workers.swap(version, rules),
      {
        swapped: (version, source, rules, hash) =>
          log.info("rules_swapped", { version, source, rules, hash }),
        refused: (source, faults) => log.error("rules_refused", { source, faults: faults.slice(0, 10) }),
      },
    );
    this.ended = new Promise((resolve) => this.#end = resolve);
  }

  #createWorkers(): Workers {
    const { log } = this.#parts;
    return new Workers({
      log: (worker, level, event, fields) => log[level](event, { ...fields, worker }),
      logLeftOut: (event, count) => log.skipped(event, count),
      // What a worker that is done says of its sink is no trouble.
      reported: () => {
        if (this.#state !== "draining") this.#health.tell();
      },
      stdinEnded: () => this.drain(),
      tapped: (id, events, leftOut) => this.#taps.show(id, events, leftOut),
      profiled: (worker, profile) => this.#watch.profiled(worker, profile),
      awake: () => this.#watch.awake(),
      failed: (worker, reason) => this.#workerFailed(worker, reason),
    });
  }

  /** Starts the workers. Resolves when all listeners are bound. @throws ForwarderError */
  async start(): Promise<void> {
    const { config, spawn, version } = this.#parts;
    await this.#workers.start(config, spawn, this.#rows, this.#desk.version, version);
    this.#state = "running";
    this.#watch.start();
    this.#stopLatency = everyBeat(latencyReadMs, () => this.#latency.note(performance.now()));
  }

  /** Listeners in force. */
  get listeners(): readonly { transport: string; address: string; port: number }[] {
    return this.#workers.listeners;
  }

  /** Files, folders and patterns whose change should reload the rules. */
  get watched(): readonly string[] {
    return this.#desk.watched;
  }

  /** How plain TCP of syslog is read, and why; undefined before the listeners are bound. */
  get io(): IoReport | undefined {
    return this.#workers.io;
  }

  healthy(): ReturnType<Control["healthy"]> {
    return this.#health.healthy();
  }

  ready(): ReturnType<Control["ready"]> {
    return this.#health.ready(this.#state);
  }

  async stats(): Promise<Stats> {
    const reports = await this.#workers.ask();
    const { config } = this.#configs;
    return statsOf({
      config,
      reports,
      listeners: this.#workers.listeners,
      agesMs: this.#health.ages(),
      rows: this.#readers.map((reader) => reader.read()),
      latency: this.#latency.read(performance.now()),
      rules: this.#desk.view(),
      problems: sinkProblems(reports),
      senders: this.#senders,
      stalls: this.#watch.total,
      uptimeMs: performance.now() - this.#startedAtMs,
      version: this.#parts.version,
      runtime: this.#parts.runtime,
      state: this.#state,
    });
  }

  rules(): RulesView {
    return this.#desk.view();
  }

  putRules(text: string, file?: string, base?: string): Promise<SwapResult | RulesConflict> {
    return this.#desk.put(text, file, base);
  }

  checkRules(text: string, file?: string): Promise<SwapResult> {
    return this.#desk.check(text, file);
  }

  rollbackRules(file?: string): Promise<RollbackResult> {
    return this.#desk.rollback(file);
  }

  traceRules(request: TraceRequest): Promise<TraceResult> {
    return Promise.resolve(this.#traces.trace(request, this.#desk.ruleSet, this.#desk.version));
  }

  tap(filter: TapFilter, sink: TapSink): (() => void) | undefined {
    return this.#taps.open(filter, sink);
  }

  /** What all threads did in the last seconds, as a Chrome trace. */
  flight(seconds: number): ReturnType<typeof flightTrace> {
    return this.#watch.flight(seconds);
  }

  /** Writes that to a file: SIGUSR2. */
  dumpFlight(why: string): void {
    this.#watch.dump(why);
  }

  stalls(): StallList {
    return this.#watch.list();
  }

  events(): EventList {
    return this.#parts.recent?.list() ?? { total: 0, events: [] };
  }

  inflight(): Promise<Inflight> {
    return this.#looks.inflight();
  }

  connections(filter: ConnectionFilter): Promise<ConnectionList> {
    return this.#looks.connections(filter);
  }

  endConnection(id: string): Promise<boolean | undefined> {
    return this.#looks.endConnection(id);
  }

  config(): unknown {
    return redactConfig({ ...this.#configs.config, rules: this.#desk.ruleSet });
  }

  reload(): Promise<SwapResult> {
    return this.#desk.reload((config) => this.#prepareReload(config));
  }

  /** A rule file changed: rules alone are read anew. */
  reloadRules(): Promise<SwapResult> {
    return this.#desk.reload((config) => Promise.resolve(this.#configs.rulesAlone(config)));
  }

  upgrade(): Promise<UpgradeResult> {
    return this.#upgrading ??= this.#upgrade().finally(() => this.#upgrading = undefined);
  }

  drain(): void {
    if (this.#state === "draining") return;
    this.#state = "draining";
    void this.#drain(false);
  }

  /** Ends at once; what is in memory alone is lost, and said. */
  abort(exitCode: number): void {
    void this.#finish(exitCode);
  }

  async #prepareReload(config: Config): Promise<Beside> {
    if (this.#state !== "running") throw new ForwarderError("stopped", `corndog is ${this.#state}`);
    if (this.#upgrading !== undefined) {
      throw new ForwarderError("stopped", "an upgrade is under way; the new process reads the configuration");
    }
    return await this.#configs.prepare(config);
  }

  async #upgrade(): Promise<UpgradeResult> {
    const { command, log, handedOver, upgradeFailed } = this.#parts;
    try {
      if (this.#state !== "running") throw new ForwarderError("stopped", `corndog is ${this.#state}`);
      if (command === undefined) {
        throw new ForwarderError("not_supported", "The command line of this process is not known");
      }
      log.info("upgrading", { command: command.join(" ") });
      // Two processes that take over the same folder would be one too many.
      await this.#workers.adoptFolders(false);
      const pid = await startNext({
        command,
        listeners: this.#configs.boundListeners(),
        cancelled: () => this.#state !== "running",
      });
      this.#state = "draining";
      log.info("upgraded", {
        successor: pid,
        note: "it serves; this process reads its connections to the end",
      });
      handedOver?.(pid);
      void this.#drain(true);
      return { ok: true, pid };
    } catch (error) {
      const problem = messageOf(error);
      log.error("upgrade_failed", { problem });
      upgradeFailed?.(problem);
      void this.#workers.adoptFolders(true).catch(() => {});
      return { ok: false, problem };
    }
  }

  async #drain(handedOver: boolean): Promise<void> {
    const { log, beforeDrain } = this.#parts;
    const { drainTimeoutMs } = this.#configs.config;
    if (!handedOver) {
      log.info("draining", { timeout_ms: drainTimeoutMs });
      await beforeDrain?.();
    }
    await this.#workers.drain(drainTimeoutMs, handedOver);
    await this.#finish(this.#health.hasFailed ? 1 : 0);
  }

  /** Ends the threads, brings the ledger to its end, and tells what was lost. Exit code 1 at least if anything was. */
  async #finish(exitCode: number): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#watch.stop();
    this.#stopLatency?.();
    await this.#workers.terminate();
    // A worker that was held, or ended at once, could not do this itself.
    for (const worker of this.#readers.keys()) endRow(new CounterRow(this.#rows.counters, worker));
    const ledger = ledgerOf(sumRows(this.#readers.map((reader) => reader.read())));
    const lost = ledger.dropped.shutdown!;
    const { spooled } = ledger;
    const kept = spooled === 0 ? {} : { spooled, note: "the spool keeps these lines for the next start" };
    if (lost === 0) this.#parts.log.info("drained", { ...kept, ledger });
    else {
      const problem = "these lines were taken and not delivered when the process ended";
      this.#parts.log.error("drain_incomplete", { lost, problem, ...kept, ledger });
    }
    this.#end(lost > 0 ? Math.max(exitCode, 1) : exitCode);
  }

  #workerFailed(worker: number, reason: string): void {
    this.#health.failed(worker, reason);
    this.#parts.log.error("worker_failed", {
      worker,
      reason,
      consequence: "draining the others, then exit 1",
    });
    if (this.#state === "running") this.drain();
  }
}

/** Memory that all workers share with this thread. */
function sharedRows({ config, inherited, succeeds }: ControlPlaneParts): SharedRows {
  return {
    counters: createCounterRows(config.workers),
    latency: createLatencyRows(config.workers),
    peers: createPeerTable(config.limits.connections),
    deals: config.listen.map(() => createDealTable(config.workers)),
    inherited: inherited ?? [],
    succeeds: succeeds ?? false,
    http: createHttpShared(config),
    stages: createStageTables(config.workers),
    activity: createActivity(config.workers),
    flight: createFlight(1 + config.workers),
  };
}
