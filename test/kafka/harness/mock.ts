/**
 * librdkafka's mock cluster, for machines where Java or Maven cannot be had.
 *
 * It serves producing, reading back, topics, and brokers that go down and come up. It has no disk, no TLS, no
 * SASL, no server.properties, no replication to wait for: tests of those say `real` in their `needs` and are
 * counted as skipped.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run, spawnGuarded } from "./processes.ts";

/** A running mock cluster. */
export interface MockCluster {
  readonly addresses: readonly string[];
  createTopic(name: string, partitions: number, replicas: number): Promise<void>;
  down(index: number): Promise<void>;
  up(index: number): Promise<void>;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
const source = join(root, "test/kafka/harness/mock_cluster.c");

/** Compiles the program once; needs a C compiler and librdkafka's headers (Debian: gcc libc6-dev librdkafka-dev). */
export async function mockProgram(): Promise<string> {
  const program = join(root, ".tools/mock_cluster");
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return program;
  mkdirSync(join(root, ".tools"), { recursive: true });
  const fresh = `${program}.${process.pid}`;
  await run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", fresh, source, "-lrdkafka"]);
  renameSync(fresh, program);
  return program;
}

/** Starts a mock cluster on free ports. */
export async function startMock(brokers: number): Promise<MockCluster> {
  const program = await mockProgram();
  const directory = mkdtempSync(join(tmpdir(), "corndog-mock-"));
  const child = await spawnGuarded({
    argv: [program, String(brokers)],
    logFile: join(directory, "mock.log"),
    directory,
    talks: true,
  });
  const bootstrap = (await child.line())?.match(/^bootstrap (\S+)$/)?.[1];
  if (bootstrap === undefined) throw new Error("Cannot start the mock cluster: it named no address");
  const tell = async (text: string): Promise<void> => {
    child.say(text);
    const answer = await child.line();
    if (answer !== "ok") throw new Error(`The mock cluster refused "${text}": ${answer ?? "it ended"}`);
  };
  return {
    addresses: bootstrap.split(",").map((address) => address.replace("localhost", "127.0.0.1")),
    createTopic: (name, partitions, replicas) => tell(`topic ${name} ${partitions} ${replicas}`),
    down: (index) => tell(`down ${index + 1}`),
    up: (index) => tell(`up ${index + 1}`),
    async stop() {
      child.signal("SIGKILL");
      await child.ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

if (import.meta.main) console.log(await mockProgram());
