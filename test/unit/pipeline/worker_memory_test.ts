import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../../src/config/config.ts";
import {
  arenaBytesOf,
  halfBytesMaxOf,
  lanesMaxOf,
  sinkBytesMaxOf,
  waitingBytesMaxOf,
} from "../../../src/pipeline/worker_memory.ts";
import { loadText } from "../config/memory_files.ts";

function configOf(more: string): Config {
  const loaded = loadText(`listen: [{ syslog: "tcp://127.0.0.1:0" }]\nsink: blackhole\n${more}`);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

describe("the memory of a worker", () => {
  const MiB = 1024 * 1024;
  const shares = (config: Config) => [
    arenaBytesOf(config),
    halfBytesMaxOf(config),
    waitingBytesMaxOf(config),
    sinkBytesMaxOf(config, MiB),
  ];

  it("is divided by the workers when it is large", () => {
    const one = shares(configOf("workers: 1\nlimits: { memory: 2048MiB }"));
    assert.deepEqual(one, [128 * MiB, 256 * MiB, 128 * MiB, 127 * MiB * 5 / 8]);
    const four = shares(configOf("workers: 4\nlimits: { memory: 2048MiB }"));
    assert.deepEqual(four, [32 * MiB, 64 * MiB, 32 * MiB, 31 * MiB * 5 / 8]);
  });

  it("holds batches and the largest records twice when the limit is small", () => {
    const config = configOf("workers: 2\nlimits: { memory: 64MiB }");
    assert.ok(
      arenaBytesOf(config) >= Math.max(8 * MiB, 4 * config.kafka.batchBytesMax),
      `${arenaBytesOf(config)}`,
    );
    assert.equal(halfBytesMaxOf(config), 8 * MiB);
  });

  it("has a lane for each topic that lines may choose, and two more", () => {
    const config = configOf("");
    const many = { ...config, kafka: { ...config.kafka, topicsMax: 10_000 } };
    assert.equal(lanesMaxOf(many), 10_002);
  });
});
