/**
 * Keeps a single broker and a three-broker cluster up for a whole test run.
 *
 *     serve.ts STATE_FILE        writes the addresses as JSON (TEST_KAFKA of kafka.ts) once both are up,
 *                                and ends them when its standard input ends
 *
 * `test/run.sh` holds the other end of that input, so the brokers end with it, however it ends.
 *
 * @module
 */
import { renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { ListenerName } from "./apache.ts";
import { type Kafka, type ServedCluster, type ServedKafka, sharedOptions, startKafka } from "./kafka.ts";

const stateFile = process.argv[2];
if (stateFile === undefined) {
  console.error("usage: serve.ts STATE_FILE");
  process.exit(2);
}

const released = new Promise<void>((resolve) => {
  process.stdin.on("end", resolve).on("close", resolve).resume();
  process.on("SIGTERM", resolve).on("SIGINT", resolve);
});

await using single = await startKafka(sharedOptions(1));
await using cluster = await startKafka(sharedOptions(3));
const state: ServedKafka = {
  kind: single.kind === "mock" ? "mock" : "apache",
  single: served(single, sharedOptions(1).listeners ?? []),
  cluster: served(cluster, []),
};
writeFileSync(`${stateFile}.new`, JSON.stringify(state) + "\n");
renameSync(`${stateFile}.new`, stateFile);
await released;

function served(kafka: Kafka, listeners: readonly ListenerName[]): ServedCluster {
  return {
    addresses: kafka.addresses,
    listeners: Object.fromEntries(listeners.map((name) => [name, kafka.bootstrapOf(name)])),
    certificates: kafka.certificates,
  };
}
