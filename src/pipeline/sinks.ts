/**
 * Which sink the configuration asks for.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { createKafkaSink } from "../kafka/kafka_sink.ts";
import { createBlackholeSink } from "../sink/blackhole.ts";
import { createFileSink } from "../sink/file.ts";
import type { Sink, SinkEvents } from "../sink/sink.ts";
import { createStdoutSink } from "../sink/stdout.ts";

/** Makes the sink of one worker. */
export function createSink(config: Config, worker: number, kernel: Kernel, events: SinkEvents): Sink {
  switch (config.sink) {
    case "kafka":
      return createKafkaSink({ kernel, config: config.kafka, events });
    case "file":
      return createFileSink({ kernel, events, worker, ...config.fileSink });
    case "stdout":
      return createStdoutSink({ kernel, events });
    case "blackhole":
      return createBlackholeSink({ events });
  }
}
