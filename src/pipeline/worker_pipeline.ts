/**
 * One worker's pipeline: builds every stage in the order of the way of a line and joins them.
 *
 *     connections -> intake -> batcher -> [compressor] -> [spool] -> sink
 *                      |                                               |
 *                      +--> letters (topic or file) <------------------+ rejected
 *
 * A settled batch gives its memory back, which wakes the streams that wait. A drain walks the same way: stop
 * accepting, read what connections have sent, close the batches, wait for sink and dead letter. What the sink cannot
 * take stays in the spool.
 *
 * Rules are compiled beside the program in force and adopted, between two lines, when the shared version says so.
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { Batcher } from "../batch/batcher.ts";
import { settleReceipts } from "../batch/receipt.ts";
import type { CompressorSink } from "../batch/compress.ts";
import type { BatchOutcome, ClosedBatch } from "../batch/record_batch.ts";
import type { Config, RuleSet } from "../config/config.ts";
import { locateInRule } from "../config/rule_files.ts";
import { type Fault, ForwarderError } from "../core/errors.ts";
import { invariant } from "../core/invariant.ts";
import { createKernel, defaultKernelSizes } from "../kernel/instance.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { activityOf, activityWord, Pulse } from "../observe/activity.ts";
import { BlindFlight, BlindLatencyRows, BlindStageTable } from "../observe/blind.ts";
import { flightKind, FlightRecorder } from "../observe/flight.ts";
import { counter, CounterRow, endRow } from "../observe/row.ts";
import { LatencyRows } from "../observe/stage_latency.ts";
import { stage, StageTable } from "../observe/stage_table.ts";
import { noteThread } from "../observe/thread_facts.ts";
import { compileRules } from "../rules/compile.ts";
import type { Program } from "../rules/program.ts";
import { DeadLetter } from "../sink/dead_letter.ts";
import type { Sink, SinkTroubles } from "../sink/sink.ts";
import { BatchWaits, watchedSink } from "./batch_waits.ts";
import { type Chaos, chaosOf, holdLoop, keepGarbage, slowDisk } from "./chaos.ts";
import { Compression } from "./compression.ts";
import { connectionRows } from "./connection_rows.ts";
import { Intake } from "./intake.ts";
import { LetterTopic } from "./letter_topic.ts";
import { Letters } from "./letters.ts";
import { HttpListeners } from "./http_listener.ts";
import { Listeners, type ListenersParts } from "./listeners.ts";
import type { SpawnPacker } from "./packer_protocol.ts";
import {
  controlWord,
  type Look,
  type Seen,
  type StartMessage,
  type WorkerLog,
  type WorkerReport,
} from "./protocol.ts";
import { Orphans } from "./orphans.ts";
import type { ReadPacing } from "./read_pacing.ts";
import { RecordLanes } from "./record_lanes.ts";
import { RelpListeners } from "./relp_listener.ts";
import { createSink } from "./sinks.ts";
import { openSpool } from "../spool/open_spool.ts";
import { promptDisk } from "../spool/prompt_disk.ts";
import { openTcpSource, receiveBuffersOf } from "./tcp_source.ts";
import { SpoolStage } from "./spool_stage.ts";
import { Submissions } from "./submissions.ts";
import { type SendTapped, Taps } from "./tap.ts";
import { TopicCounts } from "./topic_counts.ts";
import { TopicGate } from "./topic_gate.ts";
import { createPacing } from "./worker_pacing.ts";

/**
 * The part of the memory limit that holds batches, over all workers. The rest is the runtime itself, chunks and
 * text on their way, half frames, and what sockets have not sent.
 */
const arenaShare = 1 / 16;
/** The part that half lines may hold, over all workers, before the oldest of them is ended. */
const halfLinesShare = 1 / 8;
/** The part of it that requests may hold while they wait for room, over all workers. */
const submissionsShare = 1 / 16;
/** Five requests of a few full batches in flight, and as much growing behind them. */
const arenaBytesMin = 8 * 1024 * 1024;
/** Addresses in a kernel's memory are 31 bits, and the arena is not all of it. */
const arenaBytesMax = 1024 * 1024 * 1024;

/** The part of the arena that batches may hold which the sink has, where there is a spool; the rest is for what comes. */
const sinkShare = 5 / 8;
/** The spool has this long to write what is left, however late a drain is. */
const spoolCloseMsMin = 2_000;

/** Keys and rules may choose partitions, each of which has a lane. */
const lanesMin = 4096;

/** Idle connections, counters and heartbeat are looked after this often. */
const tickMs = 250;
/** While one of them is not 0 there is something to look after. */
const restingGauges = [counter.in_flight, counter.spooled] as const;
/** So many ticks, a second, lie between two looks at what the control plane has to know without asking. */
const ticksPerLook = 4;
/** It is told at every look that finds a change, and after so many looks in any case. */
const looksPerReport = 10;
/** Of sinks that are ready as a whole or not at all. */
const noTroubles: SinkTroubles = { texts: [], stalled: false };
/** How often a drain looks whether it is done. */
const drainPollMs = 5;

/** Everything of one worker. */
export class WorkerPipeline {
  readonly #config: Config;
  readonly #start: StartMessage;
  readonly #kernel: Kernel;
  readonly #counters: CounterRow;
  readonly #latency: LatencyRows;
  readonly #waits: StageTable;
  readonly #activity: Int32Array;
  readonly #flight: FlightRecorder;
  readonly #batches: BatchWaits;
  readonly #orphans: Orphans;
  readonly #chaos: Chaos | undefined;
  #heldAtMs = 0;
  /** Who looks at lines as they pass. */
  readonly taps: Taps;
  readonly #topics = new TopicCounts();
  readonly #sink: Sink;
  readonly #stage: SpoolStage | undefined;
  readonly #compression: Compression | undefined;
  readonly #batcher: Batcher;
  readonly #letters: Letters;
  readonly #intake: Intake;
  readonly #submissions: Submissions;
  readonly #http: HttpListeners;
  readonly #listeners: Listeners;
  readonly #pacing: ReadPacing;
  #isDraining = false;
  readonly #control: Int32Array;
  readonly #prepared = new Map<number, Program>();
  #ticker: ReturnType<typeof setInterval> | undefined;
  readonly #pulse: Pulse;
  #wakePending = false;
  #ticks = 0;
  /** What has come, at the last tick. */
  #come = -1;
  #looksSinceTold = looksPerReport;
  /** What was told, and how. */
  #told = "";
  #tell: (() => void) | undefined;
  /** Bytes of batches that are done with. */
  #bytesDone = 0;

  /** @throws ForwarderError when memory or rules cannot be had */
  constructor(
    start: StartMessage,
    log: WorkerLog,
    tapped: SendTapped,
    stdinEnded: () => void,
    spawnPacker: SpawnPacker,
    give: ListenersParts["give"],
  ) {
    const { config, worker } = start;
    this.#start = start;
    this.#config = config;
    this.#control = new Int32Array(start.control);
    this.#counters = new CounterRow(start.counters, worker);
    this.#chaos = chaosOf(process.env.CORNDOG_CHAOS);
    const blind = this.#chaos?.blind === true;
    this.#latency = new (blind ? BlindLatencyRows : LatencyRows)(start.latency, worker, config.workers);
    this.#waits = new (blind ? BlindStageTable : StageTable)(
      start.stages,
      worker,
      undefined,
      this.#latency.waitEnded,
    );
    this.#activity = activityOf(start.activity, worker);
    noteThread(this.#activity);
    this.#pulse = new Pulse(this.#activity);
    this.taps = new Taps(worker, tapped);
    this.#kernel = createKernel({
      frameBytesMax: config.frameBytesMax,
      arenaBytes: arenaBytesOf(config),
      receiveBuffers: receiveBuffersOf(config),
    });
    this.#flight = new (blind ? BlindFlight : FlightRecorder)(start.flight, 1 + worker);
    const sink = createSink(start, this.#kernel, {
      settled: (batch, outcome) => {
        if (this.#chaos?.forgets(performance.now()) === true) return;
        this.#settled(batch, outcome);
      },
      wants: () => {
        if (this.#stage === undefined) return this.#batcher.wants();
        this.#stage.sinkWants();
        this.#batcher.closeHurried();
      },
      refused: (part, refusal, watch) => this.#letters.takePart(part, refusal, watch),
      parked: (topic, isParked) => this.#stage?.parked(topic, isParked),
    }, {
      reserve: (recordBytes) => this.#batcher.reserve(recordBytes),
      free: (at) => this.#batcher.free(at),
    }, log);
    this.#batches = new BatchWaits({
      waits: this.#waits,
      flight: this.#flight,
      sink,
      filled: this.#latency.batch,
    });
    this.#sink = watchedSink(sink, this.#batches, config.sink === "kafka" ? stage.kafka : stage.sink);
    this.#orphans = new Orphans({
      waits: this.#waits,
      batches: this.#batches,
      flight: this.#flight,
      log,
      resend: (batch) => this.#sink.send(batch),
      endConnection: (id) => this.#listeners.endConnection(id),
    });
    this.#stage = this.#createStage(log);
    this.#compression = this.#createCompression(spawnPacker, log);
    const front = this.#compression?.compressor ?? this.#stage ?? this.#sink;
    const frontStage = this.#compression === undefined ? stage.spool : stage.compress;
    const timers = {
      nowMs: () => performance.now(),
      set: setTimeout,
      clear: (timer: unknown) => clearTimeout(timer as number),
    };
    this.#batcher = new Batcher({
      kernel: this.#kernel,
      batchBytesMax: config.kafka.batchBytesMax,
      lingerMs: config.kafka.lingerMs,
      // The default topic and that of the dead letters beside those that lines choose.
      lanesMax: Math.max(lanesMin, config.kafka.topicsMax + 2),
      sink: front,
      timers,
      emit: (batch) => {
        this.#topics.submitted(batch.topic, batch.count);
        this.#batches.closed(batch);
        if (front !== this.#sink) this.#batches.begin(batch, frontStage);
        front.send(batch);
      },
      hurried: () => this.#submissions.closeSoon(),
      gathers: () => this.#submissions.gathers(),
      endHungry: () => this.#sink.hungry,
    });
    const { topic: letterTopic } = config.deadLetter;
    this.#letters = new Letters({
      deadLetter: new DeadLetter({
        path: config.deadLetter.file,
        bytesMax: config.deadLetter.bytesMax,
        memory: this.#kernel.bytes,
        room: () => this.#wakeSoon(),
      }),
      topic: letterTopic === undefined || config.sink !== "kafka" ? undefined : {
        lane: new LetterTopic(letterTopic, this.#kernel, this.#batcher),
        ready: () => this.#sink.status().ready,
        log,
        nowMs: () => performance.now(),
      },
      counters: this.#counters,
      topics: this.#topics,
      release: (batch) => this.#release(batch),
      done: (batch) => this.#stage?.settled(batch, "dead_lettered"),
    });
    const gate = new TopicGate(config.kafka.topicsAllow, config.kafka.topicsMax, letterTopic);
    this.#submissions = new Submissions({
      kernel: this.#kernel,
      batcher: this.#batcher,
      gate,
      timers,
      waitingBytesMax: Math.floor(config.limits.memoryBytes * submissionsShare / config.workers),
      bytesDone: () => this.#bytesDone,
      blocked: () => this.#stage?.blocked === true ? "spool_full" : undefined,
    });
    this.#intake = new Intake({
      kernel: this.#kernel,
      batcher: this.#batcher,
      letters: this.#letters,
      gate,
      counters: this.#counters,
      program: this.#compile(config.rules),
      lanes: new RecordLanes(
        this.#batcher,
        this.#kernel.bytes,
        this.#sink,
        config.kafka.compression.codec !== "none",
      ),
      eventTime: config.kafka.timestamp === "event",
      rulesVersion: start.version,
      waits: this.#waits,
      worker,
      activity: this.#activity,
      pulse: this.#pulse,
      taps: this.taps,
      flight: this.#flight,
      work: this.#latency.work,
      halfBytesMax: Math.max(
        arenaBytesMin,
        Math.floor(config.limits.memoryBytes * halfLinesShare / config.workers),
      ),
      log,
      adopt: (version) => this.#adopt(version),
      besideThin: (nowMs) => this.#listeners.besideThin(nowMs),
      spoolFull: () => this.#stage?.full === true,
      submissionEnded: this.#submissions.submissionEnded,
    });
    this.#submissions.join(this.#intake);
    this.#pacing = createPacing(
      {
        isDraining: () => this.#isDraining,
        batches: this.#batches,
        spool: this.#stage,
        sink: this.#sink,
        submissions: this.#submissions,
        intake: this.#intake,
      },
      this.#batcher,
      config.kafka.lingerMs,
    );
    this.#http = new HttpListeners({
      config,
      kernel: this.#kernel,
      submissions: this.#submissions,
      counters: this.#counters,
      waits: this.#waits,
      shared: start.http,
      programVersion: start.programVersion,
      log,
    });
    this.#listeners = new Listeners({
      config,
      worker,
      ports: start.ports,
      inherited: start.inherited,
      rates: start.http.rates,
      stdinEnded,
      peers: start.peers,
      deals: start.deals,
      give,
      intake: this.#intake,
      pacing: this.#pacing,
      http: this.#http,
      relp: new RelpListeners({
        submissions: this.#submissions,
        counters: this.#counters,
        waits: this.#waits,
        programVersion: start.programVersion,
      }),
      counters: this.#counters,
      log,
      // One worker tells for all: they run on one machine.
      openTcp: () => openTcpSource(config, this.#kernel, worker === 0 ? log : () => {}),
    });
  }
  /** Connects the sink and binds the listeners. @throws ForwarderError */
  async start(): Promise<void> {
    await this.#openSpool();
    this.#sink.start();
    this.#letters.start();
    await this.#listeners.start();
    this.#ticker = setInterval(() => this.#tick(), tickMs);
    this.#tick();
  }

  /** The listeners, for those who change them. */
  get listeners(): Listeners {
    return this.#listeners;
  }

  /** Whether folders of the spool may be taken over; resolves when none is being taken over against that. */
  async adoptFolders(isOn: boolean): Promise<void> {
    await this.#stage?.adoptFolders(isOn);
  }

  /** Compiles `rules` beside the program in force, to be adopted as `version`. */
  prepare(version: number, rules: RuleSet): readonly Fault[] {
    const compiled = compileRules(rules, this.#compileOptions);
    if (!compiled.ok) return compiled.faults.map(locateInRule);
    this.#prepared.set(version, compiled.program);
    return [];
  }

  /** Forgets a prepared version that was not committed. */
  discard(version: number): void {
    this.#prepared.delete(version);
  }

  /** Adopts the version in force without waiting for a line. */
  adopt(): void {
    this.#intake.checkRules();
    this.#tick();
  }

  /** Where sources that answer hand over their requests. */
  get submissions(): Submissions {
    return this.#submissions;
  }

  /** What this worker knows of itself. Its counters in shared memory are those of now, not of the last tick. */
  report(): WorkerReport {
    const { arenaBytes, arenaBytesUsed, arenaBytesHighWater } = this.#batcher.stats();
    this.#http.count();
    this.#listeners.count();
    this.#counters.publish();
    return {
      worker: this.#start.worker,
      rulesVersion: this.#intake.rulesVersion,
      hits: [...this.#intake.program.hits],
      times: { tries: [...this.#intake.program.times.tries], ms: [...this.#intake.program.times.ms] },
      listeners: this.#listeners.report(),
      io: this.#listeners.io,
      sink: this.#sink.status(),
      sinkTroubles: this.#sink.troubles?.() ?? noTroubles,
      deadLetterProblem: this.#letters.problem,
      deadLetter: this.#letters.report(),
      topics: this.#topics.report(),
      troubles: this.#intake.troubles.report(),
      arena: { bytes: arenaBytes, bytesInUse: arenaBytesUsed, bytesHighest: arenaBytesHighWater },
      compression: this.#compression?.report(),
      waiting: this.#intake.waiting,
      pacing: this.#pacing.stats,
      orphans: this.#orphans.total,
      lost: this.#orphans.lost,
      spool: this.#stage?.report(),
    };
  }

  /** `tell` is called when readiness or anything else changed that the control plane acts on without asking. */
  tellChanges(tell: () => void): void {
    this.#tell = tell;
  }

  /** What waits and who is connected, for people who ask. */
  look({ waits = [], connections }: Look): Seen {
    const { rows, census } = connectionRows(
      this.#start.worker,
      this.#listeners.list(),
      this.#intake.streams,
      connections ?? { limit: 0 },
      performance.now(),
    );
    return {
      waits: waits.map(([slot, word]) => this.#waits.describe(slot, word)),
      connections: rows,
      census,
    };
  }

  /** Ends one connection; false when there is none with this number. */
  endConnection(id: number): boolean {
    return this.#listeners.endConnection(id);
  }

  /**
   * Delivers everything that was read, then ends. What the sink did not take by the deadline stays in the spool; where
   * there is none, or the disk does not take it, it moves from in flight to dropped (`shutdown`). With `handedOver` a
   * successor has the sockets, and connections are read to their end first, for as long.
   *
   * @returns lines that were not delivered
   */
  async drain(deadlineMs: number, handedOver = false): Promise<number> {
    this.#isDraining = true;
    await this.#listeners.stopAccepting(handedOver);
    if (handedOver) await this.#listeners.readUntilGone(deadlineMs);
    const deadline = performance.now() + deadlineMs;
    this.#submissions.stop();
    this.#stage?.stopReading();
    await this.#listeners.readToTheEnd();
    while (!this.#idle() && performance.now() < deadline) {
      this.#batcher.closeAll();
      this.#intake.wake();
      await new Promise((resolve) => setTimeout(resolve, drainPollMs));
    }
    clearInterval(this.#ticker);
    this.#pulse.stop();
    const waiting = this.#intake.abandon();
    this.#submissions.close();
    await this.#listeners.close();
    // Closing may settle what was written a moment ago; only then is it known what was not.
    await Promise.all([this.#sink.close(), this.#letters.close()]);
    await this.#stage?.close(Math.max(spoolCloseMsMin, deadline - performance.now()));
    this.#compression?.close();
    const lost = endRow(this.#counters);
    return lost + waiting;
  }

  get #compileOptions() {
    return {
      version: this.#start.programVersion,
      defaultTopic: this.#config.kafka.topic,
      workers: this.#config.workers,
      seed: this.#start.worker,
    };
  }

  #compile(rules: RuleSet): Program {
    const compiled = compileRules(rules, this.#compileOptions);
    if (!compiled.ok) {
      throw new ForwarderError(
        "rules_invalid",
        compiled.faults.map((fault) => fault.message).join("; "),
      );
    }
    return compiled.program;
  }

  #createStage(log: WorkerLog): SpoolStage | undefined {
    const { spool } = this.#config;
    if (spool === undefined) return undefined;
    return new SpoolStage({
      durability: spool.durability,
      sink: this.#sink,
      memory: {
        reserve: (recordBytes) => this.#batcher.reserve(recordBytes),
        free: (at) => this.#batcher.free(at),
        bytesOf: (at) => this.#batcher.bytesOf(at),
        roomy: () => this.#batcher.roomy,
      },
      counters: this.#counters,
      sinkBytesMax: () => Math.floor((arenaBytesOf(this.#config) - this.#batcher.recordBytesMax) * sinkShare),
      recordBytesMax: () => this.#batcher.recordBytesMax,
      wants: () => this.#batcher.wants(),
      gaveUp: (batch) => this.#batches.end(batch, flightKind["batch committed"]),
      freed: (bytes) => this.#freed(bytes),
      replayed: (batch) => this.#topics.submitted(batch.topic, batch.count),
      nowMs: () => performance.now(),
      log,
    });
  }

  /** Takes the spool's folder, with what an earlier process left in it. @throws ForwarderError */
  async #openSpool(): Promise<void> {
    const { spool: settings, workers } = this.#config;
    if (this.#stage === undefined || settings === undefined) return;
    const { worker } = this.#start;
    const { events } = this.#stage;
    const { succeeds } = this.#start;
    const disk = slowDisk(promptDisk(), this.#chaos?.diskMs ?? 0);
    const options = { settings, worker, workers, memory: this.#kernel, events, succeeds, disk };
    this.#stage.join(await openSpool(options));
  }

  #createCompression(spawn: SpawnPacker, log: WorkerLog): Compression | undefined {
    const { codec } = this.#config.kafka.compression;
    if (codec === "none" || this.#config.sink !== "kafka") return undefined;
    return new Compression({
      config: this.#config,
      kernel: this.#kernel,
      sink: this.#stage === undefined ? this.#sink : spooling(this.#stage, this.#batches),
      spawn,
      log,
      batchBytesMaxOf: (topic) => this.#sink.batchBytesMaxOf?.(topic) ?? Infinity,
      wants: () => this.#batcher.wants(),
      trim: (batch) => this.#batcher.trim(batch),
    }, codec);
  }

  #settled(batch: ClosedBatch, outcome: BatchOutcome): void {
    this.#batches.end(batch, flightKind[outcome.kind === "delivered" ? "batch delivered" : "batch rejected"]);
    if (this.#letters.settled(batch, outcome)) return;
    const delivered = batch.count - (outcome.kind === "delivered" ? outcome.refused ?? 0 : 0);
    this.#counters.add(counter.delivered, delivered);
    this.#counters.add(counter.in_flight, -delivered);
    this.#topics.delivered(batch.topic, delivered);
    if (this.#stage?.isReplayed(batch) !== true) {
      this.#latency.receiveToAck.record(performance.now() - batch.openedAtMs, delivered);
    }
    settleReceipts(batch, outcome);
    this.#stage?.settled(batch, "delivered");
    this.#counters.publish();
    this.#release(batch);
  }

  #release(batch: ClosedBatch): void {
    if (this.#stage !== undefined) {
      this.#stage.released(batch);
      return;
    }
    const bytes = batch.end - batch.at;
    this.#batcher.release(batch);
    this.#freed(bytes);
  }

  #freed(bytes: number): void {
    this.#bytesDone += bytes;
    this.#letters.wake();
    this.#wakeSoon();
  }

  /** Not at once: a sink may settle several batches in one go, or from inside `send`. */
  #wakeSoon(): void {
    if (this.#wakePending || this.#intake.waiting.connections === 0) return;
    this.#wakePending = true;
    setImmediate(() => {
      this.#wakePending = false;
      this.#intake.wake();
    });
  }

  #adopt(version: number): { program: Program; version: number } | undefined {
    const inForce = Atomics.load(this.#control, controlWord.rulesVersion);
    if (inForce === version) return undefined;
    const program = this.#prepared.get(inForce);
    invariant(program !== undefined, "a version in force was prepared by every worker");
    this.#prepared.clear();
    return { program, version: inForce };
  }

  /** @see chaosOf */
  #holdOnPurpose(): void {
    const chaos = this.#chaos;
    if (chaos === undefined || chaos.holdEveryMs === 0 || this.#start.worker !== 0) return;
    const { holdEveryMs, holdRule } = chaos;
    const nowMs = performance.now();
    if (!keepGarbage(chaos) || nowMs < this.#heldAtMs + holdEveryMs) return;
    this.#heldAtMs = nowMs;
    const rule = holdRule === undefined ? -1 : this.#intake.program.names.indexOf(holdRule);
    Atomics.store(this.#activity, activityWord.rule, rule + 1);
    holdLoop(chaos);
    Atomics.store(this.#activity, activityWord.rule, 0);
  }

  /** True when a drain has nothing left to wait for. */
  #idle(): boolean {
    if (this.#intake.waiting.connections > 0) return false;
    if (this.#counters.value(counter.in_flight) === 0) return true;
    if (
      this.#stage?.drained !== true || !this.#batcher.empty || this.#compression?.compressor.empty === false
    ) {
      return false;
    }
    return this.#letters.idle;
  }

  /** Few times a second in any case. What looks after lines and connections has a turn each second while there are none. */
  #tick(): void {
    this.#pulse.beat();
    this.#counters.set(counter.heartbeat, performance.now());
    if (this.#rests() && this.#ticks % ticksPerLook !== 0) this.#counters.publish();
    else this.#lookAfterAll();
    this.#ticks++;
  }

  /** True while nothing is held or under way, and nothing has come since it was asked last. */
  #rests(): boolean {
    const { waiting, rulesVersion } = this.#intake;
    const come = this.#counters.value(counter.received) + this.#counters.value(counter.datagrams) +
      rulesVersion;
    const isQuiet = come === this.#come;
    this.#come = come;
    return isQuiet && waiting.connections === 0 && this.#listeners.open === 0 &&
      restingGauges.every((gauge) => this.#counters.value(gauge) === 0);
  }

  #lookAfterAll(): void {
    this.#orphans.tick(performance.now());
    this.#holdOnPurpose();
    this.#http.tick();
    this.#listeners.tick();
    this.#submissions.tick();
    this.#stage?.tick();
    this.#counters.set(counter.rules_version, this.#intake.rulesVersion);
    this.#counters.publish();
    // A safety net: a wake that was missed costs a tick, never a hang.
    if (this.#intake.waiting.connections > 0) this.#wakeSoon();
    this.#letters.wake();
    if (this.#ticks % ticksPerLook === 0) this.#tellChange();
  }

  /** A report is some hundred objects; an idle worker has nothing new to tell in it. */
  #tellChange(): void {
    if (this.#tell === undefined) return;
    const { ready, problem } = this.#sink.status();
    const { texts, stalled } = this.#sink.troubles?.() ?? noTroubles;
    const condition = JSON.stringify([
      [ready, problem, stalled, ...texts],
      [this.#letters.problem, this.#stage?.problem, this.#orphans.total],
    ]);
    if (condition === this.#told && ++this.#looksSinceTold < looksPerReport) return;
    this.#told = condition;
    this.#looksSinceTold = 0;
    this.#tell();
  }
}

/** The spool behind the compressor: its batches wait for the disk from here on. */
function spooling(spool: SpoolStage, batches: BatchWaits): CompressorSink {
  return {
    get hungry() {
      return spool.hungry;
    },
    send(batch) {
      batches.begin(batch, stage.spool);
      spool.send(batch);
    },
    status: () => spool.status(),
  };
}

/** Bytes of one worker's arena. Batches and the largest records must fit twice, whatever the limit says. */
export function arenaBytesOf(config: Config): number {
  const share = Math.floor(config.limits.memoryBytes * arenaShare / config.workers);
  const recordBytes = config.frameBytesMax + defaultKernelSizes.scratchBytes;
  const least = Math.max(arenaBytesMin, 4 * config.kafka.batchBytesMax, 2 * recordBytes);
  return Math.max(least, Math.min(share, arenaBytesMax));
}
