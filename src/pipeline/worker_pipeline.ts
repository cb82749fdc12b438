/**
 * One worker's pipeline: builds every stage in the order of the way of a line and joins them.
 *
 *     connections -> intake -> batcher -> [compressor] -> [spool] -> sink
 *                      |                                               |
 *                      +--> letters (topic or file) <------------------+ rejected
 *
 * A settled batch gives its memory back, which wakes the streams that wait (batch_ends.ts). A drain walks the same way:
 * stop accepting, read what connections have sent, close the batches, wait for sink and dead letter. What the sink
 * cannot take stays in the spool.
 *
 * @module
 */
import process from "node:process";
import { Batcher } from "../batch/batcher.ts";
import { createKernel } from "../kernel/instance.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { activityOf, Pulse } from "../observe/activity.ts";
import { BlindFlight, BlindLatencyRows, BlindStageTable } from "../observe/blind.ts";
import { FlightRecorder } from "../observe/flight.ts";
import { counter, CounterRow, endRow } from "../observe/row.ts";
import { LatencyRows } from "../observe/stage_latency.ts";
import { stage, StageTable } from "../observe/stage_table.ts";
import { countGarbagePauses } from "../runtime/garbage_pauses.ts";
import { noteThread } from "../observe/thread_facts.ts";
import { DeadLetter } from "../sink/dead_letter.ts";
import type { Sink } from "../sink/sink.ts";
import { BatchEnds } from "./batch_ends.ts";
import { BatchWaits, watchedSink } from "./batch_waits.ts";
import { type Chaos, chaosOf } from "./chaos.ts";
import type { Compression } from "./compression.ts";
import { connectionRows } from "./connection_rows.ts";
import { openHeapWatch } from "./heap_watch.ts";
import { HeldOnPurpose } from "./held_on_purpose.ts";
import { HttpListeners } from "./http_listener.ts";
import { Intake } from "./intake.ts";
import { LetterTopic } from "./letter_topic.ts";
import { Letters } from "./letters.ts";
import { Listeners, type ListenersParts } from "./listeners.ts";
import { Orphans } from "./orphans.ts";
import type { SpawnPacker } from "./packer_protocol.ts";
import type { Look, Seen, StartMessage, WorkerLog, WorkerReport } from "./protocol.ts";
import type { ReadPacing } from "./read_pacing.ts";
import { RecordLanes } from "./record_lanes.ts";
import { RelpListeners } from "./relp_listener.ts";
import { createSink, troublesOf } from "./sinks.ts";
import type { SpoolStage } from "./spool_stage.ts";
import { Submissions } from "./submissions.ts";
import { type SendTapped, Taps } from "./tap.ts";
import { openTcpSource, receiveBuffersOf } from "./tcp_source.ts";
import { TopicCounts } from "./topic_counts.ts";
import { TopicGate } from "./topic_gate.ts";
import { arenaBytesOf, halfBytesMaxOf, lanesMaxOf, waitingBytesMaxOf } from "./worker_memory.ts";
import { createPacing } from "./worker_pacing.ts";
import { WorkerRules } from "./worker_rules.ts";
import { createCompression, createSpoolStage, joinSpool, type StageParts } from "./worker_stages.ts";
import { WorkerTick } from "./worker_tick.ts";

/** The spool has this long to write what is left, however late a drain is. */
const spoolCloseMsMin = 2_000;

/** How often a drain looks whether it is done. */
const drainPollMs = 5;

/** Everything of one worker. */
export class WorkerPipeline {
  /** Compiles rules, and keeps them until they are adopted. */
  readonly rules: WorkerRules;
  /** Who looks at lines as they pass. */
  readonly taps: Taps;
  /** What is done without being asked. */
  readonly ticks: WorkerTick;
  readonly #start: StartMessage;
  readonly #kernel: Kernel;
  readonly #counters: CounterRow;
  readonly #latency: LatencyRows;
  readonly #waits: StageTable;
  readonly #flight: FlightRecorder;
  readonly #batches: BatchWaits;
  readonly #orphans: Orphans;
  readonly #ends: BatchEnds;
  readonly #chaos: Chaos | undefined;
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
    this.rules = new WorkerRules(start, log);
    this.#counters = new CounterRow(start.counters, worker);
    this.#chaos = chaosOf(process.env.CORNDOG_CHAOS);
    if (this.#chaos !== undefined && worker === 0) {
      log("faults_on_purpose", { variable: "CORNDOG_CHAOS", value: process.env.CORNDOG_CHAOS });
    }
    const blind = this.#chaos?.blind === true;
    this.#latency = new (blind ? BlindLatencyRows : LatencyRows)(start.latency, worker, config.workers);
    this.#waits = new (blind ? BlindStageTable : StageTable)(
      start.stages,
      worker,
      undefined,
      this.#latency.waitEnded,
    );
    const activity = activityOf(start.activity, worker);
    const notePauses = noteThread(activity, countGarbagePauses());
    const pulse = new Pulse(activity, () => this.ticks.woken(), notePauses);
    this.#ends = new BatchEnds(this.#counters, this.#topics, this.#latency);
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
        this.#ends.settled(batch, outcome);
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
    const parts: StageParts = {
      start,
      kernel: this.#kernel,
      sink: this.#sink,
      counters: this.#counters,
      batches: this.#batches,
      topics: this.#topics,
      ends: this.#ends,
      batcher: () => this.#batcher,
      log,
    };
    this.#stage = createSpoolStage(parts);
    this.#compression = createCompression(parts, this.#stage, spawnPacker);
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
      lanesMax: lanesMaxOf(config),
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
        room: () => this.#ends.wakeSoon(),
      }),
      topic: letterTopic === undefined || config.sink !== "kafka" ? undefined : {
        lane: new LetterTopic(letterTopic, this.#kernel, this.#batcher),
        ready: () => this.#sink.status().ready,
        log,
        nowMs: () => performance.now(),
      },
      counters: this.#counters,
      topics: this.#topics,
      release: (batch) => this.#ends.release(batch),
      done: (batch) => this.#stage?.settled(batch, "dead_lettered"),
    });
    const gate = new TopicGate(config.kafka.topicsAllow, config.kafka.topicsMax, letterTopic);
    this.#submissions = new Submissions({
      kernel: this.#kernel,
      batcher: this.#batcher,
      gate,
      timers,
      waitingBytesMax: waitingBytesMaxOf(config),
      bytesDone: () => this.#ends.bytesDone,
      blocked: () => this.#stage?.blocked === true ? "spool_full" : undefined,
    });
    this.#intake = new Intake({
      kernel: this.#kernel,
      batcher: this.#batcher,
      letters: this.#letters,
      gate,
      counters: this.#counters,
      program: this.rules.compile(config.rules),
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
      activity,
      pulse,
      taps: this.taps,
      flight: this.#flight,
      work: this.#latency.work,
      halfBytesMax: halfBytesMaxOf(config),
      log,
      adopt: (version) => this.rules.adopt(version),
      besideThin: (nowMs) => this.#listeners.besideThin(nowMs),
      spoolFull: () => this.#stage?.full === true,
      submissionEnded: this.#submissions.submissionEnded,
    });
    this.#submissions.join(this.#intake);
    this.#ends.join({
      batches: this.#batches,
      batcher: this.#batcher,
      letters: this.#letters,
      intake: this.#intake,
      spool: this.#stage,
    });
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
        log,
      }),
      counters: this.#counters,
      log,
      // One worker tells for all: they run on one machine.
      openTcp: () => openTcpSource(config, this.#kernel, worker === 0 ? log : () => {}),
    });
    const names = () => this.#intake.program.names;
    this.ticks = new WorkerTick({
      pulse,
      counters: this.#counters,
      orphans: this.#orphans,
      held: this.#chaos === undefined || worker !== 0
        ? undefined
        : new HeldOnPurpose(this.#chaos, activity, names),
      http: this.#http,
      listeners: this.#listeners,
      submissions: this.#submissions,
      spool: this.#stage,
      intake: this.#intake,
      letters: this.#letters,
      ends: this.#ends,
      sink: this.#sink,
    });
  }

  /** Connects the sink and binds the listeners. @throws ForwarderError */
  async start(): Promise<void> {
    await joinSpool(this.#stage, this.#start, this.#kernel, this.#chaos?.diskMs ?? 0);
    this.ticks.watchHeap(await openHeapWatch(this.#counters, this.#flight));
    this.#sink.start();
    this.#letters.start();
    await this.#listeners.start();
    this.ticks.start();
  }

  /** The listeners, for those who change them. */
  get listeners(): Listeners {
    return this.#listeners;
  }

  /** Whether folders of the spool may be taken over; resolves when none is being taken over against that. */
  async adoptFolders(isOn: boolean): Promise<void> {
    await this.#stage?.adoptFolders(isOn);
  }

  /** Adopts the version in force without waiting for a line. */
  adopt(): void {
    this.#intake.checkRules();
    this.ticks.tick();
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
      sinkTroubles: troublesOf(this.#sink),
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

  /** What waits and who is connected, for people who ask. */
  look({ waits = [], connections }: Look): Seen {
    const { rows, census } = connectionRows(
      this.#start.worker,
      this.#listeners.list(),
      this.#intake.streams,
      connections ?? { limit: 0 },
      performance.now(),
      connections === undefined ? undefined : this.#waits.owedSinceMs(),
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
    this.ticks.stop();
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
}
