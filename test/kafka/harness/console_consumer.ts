/**
 * Reads topics back with Kafka's own console consumer, that is the Java client: slow to start, and the one whose
 * word counts.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { classpath, javaProgram } from "./classpath.ts";
import { run } from "./processes.ts";

/** How long it waits for the next record before it gives up. */
const recordDeadlineMs = 30_000;

/** Values of the first `count` records of these topics, in the order of each. They hold no newline. */
export async function consoleRead(
  bootstrap: string,
  topics: readonly string[],
  count: number,
): Promise<Buffer[]> {
  const out = Buffer.from(
    await run([
      ...[javaProgram(), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
      ...["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", await classpath("4")],
      ...["org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", bootstrap],
      ...["--include", topics.join("|"), "--from-beginning"],
      ...["--max-messages", String(count), "--timeout-ms", String(recordDeadlineMs)],
    ]),
  );
  const values: Buffer[] = [];
  for (let at = 0; at < out.length;) {
    const end = out.indexOf(10, at);
    values.push(out.subarray(at, end));
    at = end + 1;
  }
  return values;
}
