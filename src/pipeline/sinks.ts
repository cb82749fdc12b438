/**
 * Which sink the configuration asks for, and what ails it.
 *
 * @module
 */
import type { Kernel } from "../kernel/kernel.ts";
import { controlWord, type StartMessage, type WorkerLog } from "./protocol.ts";
import type { BatchMemory } from "../kafka/divider.ts";
import { createKafkaSink, type KafkaSinkEvents } from "../kafka/kafka_sink.ts";
import { createBlackholeSink } from "../sink/blackhole.ts";
import { createFileSink } from "../sink/file.ts";
import type { Sink, SinkTroubles } from "../sink/sink.ts";
import { createStdoutSink } from "../sink/stdout.ts";

/** Makes the sink of one worker. */
export function createSink(
  start: StartMessage,
  kernel: Kernel,
  events: KafkaSinkEvents,
  memory: BatchMemory,
  log: WorkerLog,
): Sink {
  const { config, worker } = start;
  switch (config.sink) {
    case "kafka":
      return createKafkaSink({ kernel, config: config.kafka, events, memory, log });
    case "file":
      return createFileSink({ kernel, events, worker, ...config.fileSink });
    case "stdout":
      return createStdoutSink({
        kernel,
        events,
        turn: new Int32Array(start.control, 4 * controlWord.stdoutTurn, 1),
      });
    case "blackhole":
      return createBlackholeSink({ events });
  }
}

/** Of sinks that are ready as a whole or not at all. */
const noTroubles: SinkTroubles = { texts: [], stalled: false };

/** What ails parts of a sink. */
export function troublesOf(sink: Sink): SinkTroubles {
  return sink.troubles?.() ?? noTroubles;
}
