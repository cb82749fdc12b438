/**
 * The main thread: it holds the configuration and the rules in force, owns the workers, and answers the admin API.
 * No line ever passes through it, so that it answers while a worker is held.
 *
 * Life: starting -> running -> draining -> ended. `ended` resolves with the process's exit code.
 *
 * @module
 */
import process from "node:process";
import type {
  ConnectionFilter,
  ConnectionList,
  Control,
  RollbackResult,
  RulesConflict,
  RulesView,
  StallFields,
  StallList,
  Stats,
  SwapResult,
  TapFilter,
  TapSink,
  TopicStats,
  TraceRequest,
  TraceResult,
  UpgradeResult,
} from "../admin/control.ts";
import type { Config } from "../config/config.ts";
import { redactConfig } from "../config/print.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { createPeerTable } from "../io/peer_table.ts";
import { probeAddress } from "../io/probe.ts";
import { createDealTable } from "./dealer.ts";
import { createActivity } from "../observe/activity.ts";
import { HeartbeatWatch } from "../observe/heartbeat.ts";
import { createFlight, flightKind, FlightRecorder, flightTrace } from "../observe/flight.ts";
import type { Inflight } from "../observe/inflight.ts";
import { LabelCap } from "../observe/label_cap.ts";
import { LatencyReaders } from "../observe/latency.ts";
import { brokerTotals } from "./broker_totals.ts";
import { spoolProblems, spoolTotals } from "./spool_totals.ts";
import { deadLetterStats } from "./letter_stats.ts";
import { ledgerOf, sumRows, totalsOf, workerStatsOf } from "../observe/ledger.ts";
import type { Logger } from "../observe/log.ts";
import type { EventList, RecentEvents } from "../observe/recent_events.ts";
import { counter, CounterRow, CounterRowReader, createCounterRows, endRow } from "../observe/row.ts";
import { Sentinel, type Stall } from "../observe/sentinel.ts";
import { readFacts } from "../observe/thread_facts.ts";
import { createLatencyRows } from "../observe/stage_latency.ts";
import { createStageTables } from "../observe/stage_table.ts";
import { FlightDumps } from "./flight_dumps.ts";
import { LookDesk } from "./look_desk.ts";
import { createHttpShared, createListenerRates } from "./http_listener.ts";
import type { CompressionReport } from "./compression.ts";
import type { ListenerReport, WorkerReport } from "./protocol.ts";
import { peersMax, sumTroubles } from "./peer_troubles.ts";
import { canListen, type ListenChange, listenChanges, namesOf, restartNeeded, samePort } from "./reload.ts";
import { type Beside, type ReadConfig, RulesDesk } from "./rules_desk.ts";
import { TraceDesk } from "./trace_desk.ts";
import type { InheritedSocket } from "../runtime/inherited.ts";
import { type BoundListener, socketsOf, startNext } from "./upgrade.ts";
import { type SharedRows, type SpawnWorker, Workers } from "./workers.ts";

/** A worker whose heartbeat stands still for this long is held by something. */
const heartbeatAgeMax = 10_000;
/** Latencies are looked at this often, so that the last seconds are told whenever somebody asks. */
const latencyReadMs = 1_000;
/** What a dump of the flight recorder holds. */
const dumpSeconds = 60;
/** Taps at a time: each costs the workers some text per line that it shows. */
const tapsMax = 4;

/** What the control plane needs from outside. */
export interface ControlPlaneParts {
  readonly config: Config;
  /** `corndog`'s version; also the `version` variable of rules. */
  readonly version: string;
  readonly runtime: string;
  readonly log: Logger;
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
  readonly #desk: RulesDesk;
  readonly #taps = new Map<number, TapSink>();
  #lastTap = 0;
  readonly #flight: FlightRecorder;
  readonly #dumps: FlightDumps;
  readonly #sentinel: Sentinel;
  readonly #looks: LookDesk;
  readonly #traces: TraceDesk;
  readonly #rows: SharedRows;
  readonly #readers: CounterRowReader[];
  readonly #heartbeats: HeartbeatWatch;
  readonly #latency: LatencyReaders;
  /** Senders that are named in statistics; they stay so, or counts of others would fall. */
  readonly #senders = new LabelCap(peersMax);
  #latencyTimer: ReturnType<typeof setInterval> | undefined;
  readonly #startedAtMs = performance.now();
  /** In force. */
  #config: Config;
  /** Of the next listener that a reload brings. */
  #nextScope: number;
  #upgrading: Promise<UpgradeResult> | undefined;
  #isHandedOver = false;
  #state: Stats["state"] = "starting";
  #failures: string[] = [];
  #toldProblems = "";
  #finishing = false;
  #end!: (exitCode: number) => void;

  constructor(parts: ControlPlaneParts) {
    const { config, log } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#nextScope = config.listen.length;
    this.#rows = {
      counters: createCounterRows(config.workers),
      latency: createLatencyRows(config.workers),
      peers: createPeerTable(config.limits.connections),
      deals: config.listen.map(() => createDealTable(config.workers)),
      inherited: parts.inherited ?? [],
      succeeds: parts.succeeds ?? false,
      http: createHttpShared(config),
      stages: createStageTables(config.workers),
      activity: createActivity(config.workers),
      flight: createFlight(1 + config.workers),
    };
    this.#readers = Array.from(
      { length: config.workers },
      (_, worker) => new CounterRowReader(this.#rows.counters, worker),
    );
    this.#heartbeats = new HeartbeatWatch(config.workers, performance.now());
    this.#latency = new LatencyReaders(this.#rows.latency, config.workers, performance.now());
    this.#workers = new Workers({
      log: (worker, level, event, fields) => log[level](event, { ...fields, worker }),
      reported: () => this.#tellProblems(),
      stdinEnded: () => this.drain(),
      tapped: (id, events, leftOut) => this.#taps.get(id)?.(events, leftOut),
      profiled: (worker, { heldMs, samples, stacks }) => {
        this.#sentinel.profiled(worker, { samples, stacks });
        log.warn("stall_profile", { worker, held_ms: heldMs, samples, stacks });
      },
      failed: (worker, reason) => this.#workerFailed(worker, reason),
    });
    this.#flight = new FlightRecorder(this.#rows.flight, 0);
    this.#dumps = new FlightDumps(() => this.flight(dumpSeconds), log);
    this.#sentinel = new Sentinel({
      activity: this.#rows.activity,
      workers: config.workers,
      facts: readFacts,
      ruleName: (index) => this.#desk.view().names[index],
      held: (stall, level) => {
        log[level]("worker_held", { ...stallFields(stall) });
        this.#flight.record(
          flightKind["worker held"],
          performance.now() - stall.ms,
          stall.ms,
          stall.worker,
          0,
        );
        if (level === "error") this.#dumps.write("stall");
      },
      released: (stall) => {
        log.info("worker_released", { ...stallFields(stall) });
        this.#workers.arm(stall.worker);
      },
    }, performance.now());
    this.#looks = new LookDesk({
      config,
      workers: this.#workers,
      stages: this.#rows.stages,
      held: (worker) => this.#sentinel.held(worker),
      spoolBlocked: () => this.#workers.reports.some(({ spool }) => spool?.state === "failing"),
      orphans: () => this.#workers.reports.reduce((total, { orphans }) => total + orphans, 0),
    });
    this.#traces = new TraceDesk(config, parts.version);
    this.#desk = new RulesDesk(
      config,
      parts.version,
      (edited) => parts.readConfig(edited),
      (version, rules) => this.#workers.swap(version, rules),
      {
        swapped: (version, source, rules) => log.info("rules_swapped", { version, source, rules }),
        refused: (source, faults) => log.error("rules_refused", { source, faults: faults.slice(0, 10) }),
      },
    );
    this.ended = new Promise((resolve) => this.#end = resolve);
  }

  /** Starts the workers. Resolves when all listeners are bound. @throws ForwarderError */
  async start(): Promise<void> {
    const { config, spawn, version } = this.#parts;
    await this.#workers.start(config, spawn, this.#rows, this.#desk.version, version);
    this.#state = "running";
    this.#sentinel.start();
    this.#latencyTimer = setInterval(() => this.#latency.read(performance.now()), latencyReadMs);
  }

  /** Listeners in force. */
  get listeners(): readonly { transport: string; address: string; port: number }[] {
    return this.#workers.listeners;
  }

  /** Files, folders and patterns whose change should reload the rules. */
  get watched(): readonly string[] {
    return this.#desk.watched;
  }

  healthy(): { ok: boolean; problems: readonly string[] } {
    const problems = [...this.#failures];
    this.#heartbeatAges().forEach((ageMs, worker) => {
      if (ageMs > heartbeatAgeMax) {
        problems.push(`Worker ${worker} has not moved for ${Math.round(ageMs / 1000)} s`);
      }
    });
    return { ok: problems.length === 0, problems };
  }

  ready(): { ok: boolean; problems: readonly string[]; warnings?: readonly string[] } {
    const { reports } = this.#workers;
    const problems = [...this.healthy().problems, ...this.#readinessProblems(reports)];
    if (this.#state !== "running") problems.push(`corndog is ${this.#state}`);
    const warnings = this.#sinkProblems(reports).filter((problem) => !problems.includes(problem));
    return { ok: problems.length === 0, problems, ...(warnings.length === 0 ? {} : { warnings }) };
  }

  async stats(): Promise<Stats> {
    const reports = await this.#workers.ask();
    const ages = this.#heartbeatAges();
    const rows = this.#readers.map((reader) => reader.read());
    const sum = sumRows(rows);
    const view = this.#desk.view();
    const problems = this.#sinkProblems(reports);
    const hits = view.names.map((rule, index) => ruleStats(reports, view.version, rule, index));
    return {
      ledger: ledgerOf(sum),
      totals: totalsOf(sum),
      latency_ms: this.#latency.read(performance.now()),
      rules: {
        version: view.version,
        loaded_at: view.loaded_at,
        source: view.source,
        hits,
        never_hit: hits.flatMap(({ rule, hits }) => hits === 0 ? [rule] : []),
        ...(view.last_error === undefined ? {} : { last_error: view.last_error }),
      },
      workers: rows.map((row, worker) => ({
        ...workerStatsOf(worker, row, ages[worker]!),
        ...workerDetails(reports.find((report) => report.worker === worker)),
      })),
      listeners: this.#workers.listeners.map((listener, index) => ({
        kind: this.#config.listen[index]!.kind,
        transport: listener.transport,
        address: listener.address,
        ...certificateEnd(reports[0]?.listeners[index] ?? listener),
        connections: reports.reduce(
          (total, report) => total + (report.listeners[index]?.connections ?? 0),
          0,
        ),
        lines: reports.reduce((total, report) => total + (report.listeners[index]?.lines ?? 0), 0),
      })),
      io: { wanted: this.#parts.config.io, ...reports[0]?.io },
      sink: { name: this.#parts.config.sink, ready: problems.length === 0, problems },
      kafka: { brokers: brokerTotals(reports.map(({ sink }) => sink)), topics: topicsOf(reports) },
      senders: sumTroubles(reports.map(({ troubles }) => troubles), this.#senders),
      watch: {
        stalls: this.#sentinel.total,
        orphans: reports.reduce((total, { orphans }) => total + orphans, 0),
      },
      process: processStats(),
      dead_letter: deadLetterStats(reports.map(({ deadLetter }) => deadLetter), sum),
      spool: spoolTotals(reports.map(({ spool }) => spool)),
      uptime_s: Math.round((performance.now() - this.#startedAtMs) / 100) / 10,
      version: this.#parts.version,
      runtime: this.#parts.runtime,
      state: this.#state,
    };
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
    if (this.#taps.size >= tapsMax) return undefined;
    const id = ++this.#lastTap;
    this.#taps.set(id, sink);
    this.#workers.tap(id, filter);
    return () => {
      if (this.#taps.delete(id)) this.#workers.tap(id, undefined);
    };
  }

  /** What all threads did in the last seconds, as a Chrome trace. */
  flight(seconds: number): ReturnType<typeof flightTrace> {
    const names = ["control plane", ...this.#readers.map((_, worker) => `worker ${worker}`)];
    return flightTrace(this.#rows.flight, names, process.pid, Date.now() - seconds * 1000);
  }

  /** Writes that to a file: SIGUSR2. */
  dumpFlight(why: string): void {
    this.#dumps.write(why);
  }

  stalls(): StallList {
    return {
      total: this.#sentinel.total,
      stalls: this.#sentinel.stalls.map((stall) => ({
        at: new Date(stall.sinceMs).toISOString(),
        over: stall.over,
        ...stallFields(stall),
      })),
    };
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
    return redactConfig({ ...this.#config, rules: this.#desk.ruleSet });
  }

  reload(): Promise<SwapResult> {
    return this.#desk.reload((config) => this.#prepareReload(config));
  }

  /** A rule file changed: rules alone are read anew. */
  reloadRules(): Promise<SwapResult> {
    return this.#desk.reload((config) => {
      this.#tellRestart(config);
      if (listenChanges(this.#config.listen, config.listen) !== undefined) {
        const problem = "listeners change at a reload: SIGHUP, or POST /admin/reload";
        this.#parts.log.warn("reload_needed", { sections: ["listen"], problem });
      }
      return Promise.resolve({ commit: () => {}, discard: () => {}, told: {} });
    });
  }

  upgrade(): Promise<UpgradeResult> {
    return this.#upgrading ??= this.#upgrade().finally(() => this.#upgrading = undefined);
  }

  drain(): void {
    if (this.#state === "draining") return;
    this.#state = "draining";
    void this.#drain();
  }

  /** Ends at once; what is in memory alone is lost, and said. */
  abort(exitCode: number): void {
    void this.#finish(exitCode);
  }

  #tellRestart(config: Config): string[] {
    const sections = restartNeeded(this.#config, config);
    if (sections.length > 0) {
      const problem = "these change only with a new process: corndog upgrade, or a restart";
      this.#parts.log.warn("restart_needed", { sections, problem });
    }
    return sections;
  }

  /** Prepares everything of a configuration that can change, beside the rules. @throws ForwarderError */
  async #prepareReload(config: Config): Promise<Beside> {
    if (this.#state !== "running") throw new ForwarderError("stopped", `corndog is ${this.#state}`);
    if (this.#upgrading !== undefined) {
      throw new ForwarderError("stopped", "an upgrade is under way; the new process reads the configuration");
    }
    const sections = this.#tellRestart(config);
    const told = sections.length === 0 ? {} : { restart_needed: sections };
    const before = this.#config;
    const { drainTimeoutMs } = config;
    const changes = canListen(before, config) ? listenChanges(before.listen, config.listen) : undefined;
    if (changes === undefined) {
      const commit = () => {
        this.#config = { ...this.#config, drainTimeoutMs };
        this.#workers.lookAtCertificates();
      };
      return { commit, discard: () => {}, told };
    }
    const prepared = await this.#prepareListeners(changes);
    const listeners = namesOf(before.listen, changes);
    return {
      commit: () => {
        this.#config = { ...this.#config, drainTimeoutMs, listen: config.listen };
        prepared.commit(drainTimeoutMs);
        this.#workers.lookAtCertificates();
        this.#parts.log.info("listeners_changed", { ...listeners });
      },
      discard: () => prepared.discard(),
      told: { listeners, ...told },
    };
  }

  async #prepareListeners(changes: readonly ListenChange[]) {
    for (const { listen, former } of changes) {
      const { transport, hostname, port } = listen;
      if (former !== undefined || listen.path !== "" || transport === "stdin") continue;
      if (this.#config.listen.some((own) => samePort(own, listen))) continue;
      await probeAddress({ transport: transport === "udp" ? "udp" : "tcp", hostname, port });
    }
    const sockets = await socketsOf(this.#boundListeners());
    return await this.#workers.prepareListeners(changes.map(({ listen: entry, former, isSame }) => ({
      listen: entry,
      ...(isSame ? { keep: former! } : {}),
      scope: this.#nextScope++,
      sockets: former === undefined || isSame ? [] : sockets[former]!,
      rates: createListenerRates(entry),
      deals: createDealTable(this.#config.workers),
    })));
  }

  #boundListeners(): BoundListener[] {
    const { listeners } = this.#workers;
    return this.#config.listen.map((listen, index) => ({ listen, address: listeners[index]?.address ?? "" }));
  }

  async #upgrade(): Promise<UpgradeResult> {
    const { command, log, handedOver } = this.#parts;
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
        listeners: this.#boundListeners(),
        cancelled: () => this.#state !== "running",
      });
      this.#state = "draining";
      this.#isHandedOver = true;
      log.info("upgraded", {
        successor: pid,
        note: "it serves; this process reads its connections to the end",
      });
      handedOver?.(pid);
      void this.#drainHandedOver();
      return { ok: true, pid };
    } catch (error) {
      const problem = messageOf(error);
      log.error("upgrade_failed", { problem });
      void this.#workers.adoptFolders(true).catch(() => {});
      return { ok: false, problem };
    }
  }

  async #drainHandedOver(): Promise<void> {
    await this.#workers.drain(this.#config.drainTimeoutMs, true);
    await this.#finish(this.#failures.length > 0 ? 1 : 0);
  }

  async #drain(): Promise<void> {
    const { log, beforeDrain } = this.#parts;
    const { drainTimeoutMs } = this.#config;
    log.info("draining", { timeout_ms: drainTimeoutMs });
    await beforeDrain?.();
    await this.#workers.drain(drainTimeoutMs);
    await this.#finish(this.#failures.length > 0 ? 1 : 0);
  }

  /** Ends the threads, brings the ledger to its end, and tells what was lost. Exit code 1 at least if anything was. */
  async #finish(exitCode: number): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#sentinel.stop();
    clearInterval(this.#latencyTimer);
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
    this.#failures.push(`Worker ${worker} ended: ${reason}`);
    this.#parts.log.error("worker_failed", {
      worker,
      reason,
      consequence: "draining the others, then exit 1",
    });
    if (this.#state === "running") this.drain();
  }

  /** Logs that delivery stopped, why, and that it goes on: once per change, not once per report. */
  #tellProblems(): void {
    // What a worker that is done says of its sink is no trouble.
    if (this.#isHandedOver) return;
    const { reports } = this.#workers;
    const problems = this.#readinessProblems(reports);
    const delivery = this.#sinkProblems(reports);
    const told = [...problems, "", ...delivery].join("; ");
    if (told === this.#toldProblems) return;
    this.#toldProblems = told;
    const { log, config } = this.#parts;
    if (problems.length > 0) log.warn("not_ready", { problems: [...new Set([...problems, ...delivery])] });
    else if (delivery.length > 0) {
      log.warn("spooling", { problems: delivery, note: "lines are taken and kept in the spool" });
    } else log.info("ready", { sink: config.sink });
  }

  /** Why lines that come now can be neither delivered nor kept, or that the spool is not what it should be. */
  #readinessProblems(reports: readonly WorkerReport[]): string[] {
    const spool = spoolProblems(reports.map(({ spool }) => spool));
    const kept = spool.length === 0 && reports.every(({ spool }) => spool !== undefined);
    return [...spool, ...this.#sinkProblems(kept ? reports.map(withReadySink) : reports)];
  }

  #heartbeatAges(): number[] {
    const now = performance.now();
    return this.#readers.map((reader, worker) =>
      this.#heartbeats.look(worker, reader.read()[counter.heartbeat]!, now)
    );
  }

  #sinkProblems(reports: readonly WorkerReport[]): string[] {
    const problems = new Set<string>();
    for (const { sink, deadLetterProblem } of reports) {
      if (!sink.ready) problems.add(sink.problem ?? `Sink ${sink.name} is not ready`);
      if (deadLetterProblem !== undefined) problems.add(deadLetterProblem);
    }
    return [...problems];
  }
}

/** The spool takes what the sink cannot. */
function withReadySink(report: WorkerReport): WorkerReport {
  return { ...report, sink: { ...report.sink, ready: true } };
}

function stallFields(stall: Stall): StallFields {
  const { worker, ms, cause, rule, connection, bytes, evidence, profile } = stall;
  return { worker, ms: Math.round(ms), cause, rule, connection, bytes, evidence, profile };
}

/** Hits of a rule, and what a try of it takes on average; no average before a line was sampled. */
function ruleStats(
  reports: readonly WorkerReport[],
  version: number,
  rule: string,
  index: number,
): Stats["rules"]["hits"][number] {
  let [hits, tries, ms] = [0, 0, 0];
  for (const report of reports) {
    if (report.rulesVersion !== version) continue;
    hits += report.hits[index] ?? 0;
    tries += report.times.tries[index] ?? 0;
    ms += report.times.ms[index] ?? 0;
  }
  return tries === 0 ? { rule, hits } : { rule, hits, mean_ns: Math.round(ms / tries * 1e6) };
}

/** What the operating system gives this process. */
function processStats(): Stats["process"] {
  const { user, system } = process.cpuUsage();
  return { resident_bytes: process.memoryUsage.rss(), cpu_s: (user + system) / 1e6 };
}

function workerDetails(report: WorkerReport | undefined): Record<string, unknown> {
  if (report === undefined) return {};
  const compression = report.compression === undefined
    ? {}
    : { compression: compressionStats(report.compression) };
  return { arena: report.arena, ...compression, waiting: report.waiting, sink: report.sink };
}

function compressionStats(report: CompressionReport): Record<string, unknown> {
  const { codec, need } = report;
  return {
    codec,
    ...(need === undefined
      ? {}
      : { on: need.on, reason: need.reason, cpu_busy: Number(need.busyShare.toFixed(2)) }),
    batches_packed: report.batchesPacked,
    batches_left_raw: report.batchesLeftRaw,
    batches_passed: report.batchesPassed,
    bytes_in: report.bytesIn,
    bytes_out: report.bytesOut,
  };
}

function certificateEnd({ certificateEndsAtMs: endsAtMs }: ListenerReport): Record<string, unknown> {
  return endsAtMs === undefined ? {} : { certificate_ends_at: new Date(endsAtMs).toISOString() };
}

function topicsOf(reports: readonly WorkerReport[]): Record<string, TopicStats> {
  // A map, because log lines choose the names: "__proto__" is a legal topic.
  const topics = new Map<string, { submitted: number; delivered: number; dead_lettered: number }>();
  for (const report of reports) {
    for (const { topic, submitted, delivered, deadLettered } of report.topics) {
      const sum = topics.get(topic) ?? { submitted: 0, delivered: 0, dead_lettered: 0 };
      sum.submitted += submitted;
      sum.delivered += delivered;
      sum.dead_lettered += deadLettered;
      topics.set(topic, sum);
    }
  }
  return Object.fromEntries(topics);
}
