/**
 * A worker's side of the conversation in protocol.ts.
 *
 * A message that cannot be served (a broken invariant) ends the thread: the control plane drains the others and the
 * process exits with an error, rather than looking healthy with half its workers.
 *
 * @module
 */
import { ForwarderError, messageOf } from "../core/errors.ts";
import { InvariantError } from "../core/invariant.ts";
import type { LogSettings } from "../core/log_names.ts";
import { LogLevels } from "../observe/log_levels.ts";
import { LogQuota, periodMs } from "../observe/log_quota.ts";
import { setFaultReporter } from "../runtime/fault.ts";
import type { SpawnPacker } from "./packer_protocol.ts";
import type { FromWorker, StartMessage, ToWorker, WorkerLog } from "./protocol.ts";
import { StallProfiler } from "./stall_profile.ts";
import { WorkerPipeline } from "./worker_pipeline.ts";

/** What stages tell is mostly trouble; these events are its end. */
const goodNews = new Set([
  "certificate_reloaded",
  "stdin_ended",
  "kafka_broker_connected",
  "kafka_certificate_changed",
  "kafka_topic_recovered",
]);

/**
 * What a worker has to tell, less what nobody wants to read: `debug` is for few, and must not flood the main thread.
 * Warnings and errors go there whatever the levels are, since the admin API shows the last of them.
 */
class WorkerVoice {
  readonly #post: (message: FromWorker) => void;
  readonly #quota = new LogQuota();
  #levels = new LogLevels({ level: "info", levels: {} });
  #flushing: ReturnType<typeof setTimeout> | undefined;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  /** Puts the levels in force. */
  set(settings: LogSettings): void {
    this.#levels = new LogLevels(settings);
  }

  /** Tells an event. */
  readonly log: WorkerLog = (event, fields, level = goodNews.has(event) ? "info" : "warn") => {
    if ((level === "debug" || level === "info") && !this.#levels.allows(level, event)) return;
    let told = fields;
    if (level === "debug") {
      const leftOut = this.#quota.admit(level, event, performance.now());
      if (leftOut < 0) {
        // A flood that ends is told of too; where there is none, nothing wakes this thread.
        this.#flushing ??= setTimeout(() => this.#flush(), periodMs);
        return;
      }
      if (leftOut > 0) told = { ...fields, left_out: leftOut };
    }
    this.#post({ type: "log", level, event, fields: told });
  };

  #flush(): void {
    this.#flushing = undefined;
    for (const [event, count] of this.#quota.takeLeftOut()) {
      this.#post({ type: "log_left_out", event, count });
    }
  }
}

/** Serves one worker. Returns the function that takes the control plane's messages. */
export function runWorker(
  post: (message: FromWorker) => void,
  spawnPacker: SpawnPacker,
): (message: ToWorker) => void {
  setFaultReporter((where, error) => {
    // Not from here: the caller of a reporter survives everything, and a broken invariant must not be survived.
    if (error instanceof InvariantError) {
      queueMicrotask(() => {
        throw error;
      });
    }
    post({ type: "log", level: "error", event: "io_fault", fields: { where, problem: messageOf(error) } });
  });
  let pipeline: WorkerPipeline | undefined;
  const voice = new WorkerVoice(post);
  const profiler = new StallProfiler((profile) => post({ type: "profiled", profile }));
  const start = async (message: StartMessage) => {
    try {
      pipeline = new WorkerPipeline(
        message,
        voice.log,
        (id, events, leftOut) => post({ type: "tapped", id, events, leftOut }),
        () => post({ type: "stdin_ended" }),
        spawnPacker,
        (worker, scope, fd) => post({ type: "give", worker, scope, fd }),
      );
      await pipeline.start();
      const started = pipeline;
      const { listeners, io } = started.report();
      post({ type: "listening", listeners, io });
      started.ticks.tellChanges(
        () => post({ type: "report", id: 0, report: started.report() }),
        () => post({ type: "awake" }),
      );
    } catch (error) {
      const code = error instanceof ForwarderError ? error.code : "worker_failed";
      post({ type: "failed", code, message: messageOf(error) });
    }
  };
  return (message) => {
    if (message.type === "start") {
      voice.set(message.config.log);
      return void start(message);
    }
    if (pipeline === undefined) return;
    switch (message.type) {
      case "prepare": {
        const { version } = message;
        const faults = pipeline.rules.prepare(version, message.rules);
        post(faults.length === 0 ? { type: "prepared", version } : { type: "refused", version, faults });
        return;
      }
      case "discard":
        return pipeline.rules.discard(message.version);
      case "adopt":
        return pipeline.adopt();
      case "ask":
        return post({ type: "report", id: message.id, report: pipeline.report() });
      case "look":
        return post({ type: "seen", id: message.id, seen: pipeline.look(message.look) });
      case "arm":
        return profiler.arm(performance.now());
      case "tap":
        return pipeline.taps.set(message.id, message.filter);
      case "end_connection": {
        const found = pipeline.endConnection(message.connection);
        return post({ type: "connection_ended", id: message.id, found });
      }
      case "prepare_listeners": {
        const { id } = message;
        void pipeline.listeners.prepare(message.plans).then(
          (listeners) => post({ type: "listeners_prepared", id, listeners }),
          (error) => post({ type: "listeners_refused", id, message: messageOf(error) }),
        );
        return;
      }
      case "commit_listeners": {
        const { id, goMs } = message;
        return void pipeline.listeners.commit(goMs).then(() => post({ type: "listeners_committed", id }));
      }
      case "log_levels":
        return voice.set(message.log);
      case "look_at_certificates":
        return void pipeline.listeners.lookAtCertificates();
      case "discard_listeners":
        return void pipeline.listeners.discard();
      case "spool_adoption": {
        const { id } = message;
        return void pipeline.adoptFolders(message.isOn).then(() => post({ type: "spool_adoption_set", id }));
      }
      case "take":
        return pipeline.listeners.take(message.scope, message.fd);
      case "drain":
        profiler.stop();
        void pipeline.drain(message.deadlineMs, message.handedOver).then(() => post({ type: "drained" }));
        return;
    }
  };
}
