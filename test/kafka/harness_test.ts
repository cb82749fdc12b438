/**
 * The harness keeps its word: what it starts is a Kafka that can be written, read back, killed and brought back,
 * and nothing of it is left when the test process is gone.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ClientSettings, describe as describeCluster } from "./harness/kcat.ts";
import { type Kafka, needs, saslUser, sharedKafka, startKafka, values } from "./harness/kafka.ts";
import { run, spawnGuarded, until } from "./harness/processes.ts";
import { freePorts } from "../support/free_port.ts";

/** A cluster of three JVMs on a busy machine with two cores. */
const slow = { timeout: 120_000 };

async function produce(
  kafka: Kafka,
  topic: string,
  lines: readonly string[],
  ...flags: string[]
): Promise<void> {
  const file = join(mkdtempSync(join(tmpdir(), "corndog-produce-")), "lines");
  writeFileSync(file, lines.map((line) => line + "\n").join(""));
  await run(["kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-l", ...flags, file]);
  rmSync(join(file, ".."), { recursive: true });
}

function isAlive(pid: number): boolean {
  try {
    // A zombie still takes signals; its state letter follows the command name.
    return readFileSync(`/proc/${pid}/stat`, "utf8").match(/\) (\w) /)?.[1] !== "Z";
  } catch {
    return false;
  }
}

test("readAll() gives back bytes, keys and headers when records hold newlines and invalid UTF-8", {
  ...slow,
  skip: needs.broker,
}, async () => {
  const kafka = await sharedKafka();
  const topic = await kafka.createTopic("harness", { partitions: 3 });
  const file = join(mkdtempSync(join(tmpdir(), "corndog-bytes-")), "value");
  const value = Uint8Array.of(0x61, 0x0a, 0x00, 0xff, 0xfe, 0x1e, 0x1e, 0x62);
  writeFileSync(file, value);
  await run([
    "kcat",
    "-P",
    "-b",
    kafka.bootstrap,
    "-t",
    topic,
    "-k",
    "a\nkey",
    "-H",
    "a=b",
    "-H",
    "c=d",
    file,
  ]);
  await produce(kafka, topic, ["second"]);
  const records = await kafka.readUntil(topic, 2);
  const first = records.find((record) => record.key !== undefined);
  assert.deepEqual([...first!.value!], [...value]);
  assert.equal(new TextDecoder().decode(first!.key), "a\nkey");
  assert.equal(first!.headers, "a=b,c=d");
  assert.deepEqual(values(records.filter((record) => record.key === undefined)), ["second"]);
  rmSync(join(file, ".."), { recursive: true });
});

test(
  "readUntil() names the count it found when records are missing",
  { ...slow, skip: needs.broker },
  async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("harness");
    await produce(kafka, topic, ["only one"]);
    await kafka.readUntil(topic, 1);
    await assert.rejects(kafka.readUntil(topic, 2, 300), /has 1 records after 300 ms, not 2/);
  },
);

test("sharedKafka() refuses to be harmed", { ...slow, skip: needs.broker }, async () => {
  const kafka = await sharedKafka(3);
  if (!process.env.TEST_KAFKA && !process.env.KAFKA_BROKERS) return; // then it is this process's own
  assert.throws(() => kafka.kill(0), /everybody's/);
  await kafka.stop();
  assert.ok((await kafka.describe()).brokers.length > 0);
});

const securedListeners: readonly {
  name: string;
  listener: "tls" | "mtls" | "sasl" | "sasl_tls";
  settings: (kafka: Kafka) => ClientSettings;
}[] = [
  {
    name: "TLS",
    listener: "tls",
    settings: (kafka) => ({ "security.protocol": "ssl", "ssl.ca.location": kafka.certificates!.caFile }),
  },
  {
    name: "TLS with a client certificate",
    listener: "mtls",
    settings: (kafka) => ({
      "security.protocol": "ssl",
      "ssl.ca.location": kafka.certificates!.caFile,
      "ssl.certificate.location": kafka.certificates!.clientCertFile,
      "ssl.key.location": kafka.certificates!.clientKeyFile,
    }),
  },
  { name: "SASL", listener: "sasl", settings: () => ({ "security.protocol": "sasl_plaintext", ...plain }) },
  {
    name: "SASL over TLS",
    listener: "sasl_tls",
    settings: (kafka) => ({
      "security.protocol": "sasl_ssl",
      "ssl.ca.location": kafka.certificates!.caFile,
      ...plain,
    }),
  },
];
const plain: ClientSettings = {
  "sasl.mechanism": "PLAIN",
  "sasl.username": saslUser.username,
  "sasl.password": saslUser.password,
};

for (const { name, listener, settings } of securedListeners) {
  test(`bootstrapOf() leads to a listener with ${name}`, { ...slow, skip: needs.ownRealBroker }, async () => {
    const kafka = await sharedKafka();
    if (kafka.kind === "existing") return;
    const view = await describeCluster(kafka.bootstrapOf(listener), undefined, settings(kafka));
    assert.deepEqual(view.brokers.map((broker) => broker.name), [kafka.bootstrapOf(listener)]);
  });
}

test("bootstrapOf() refuses a client without certificate when it asks for one", {
  ...slow,
  skip: needs.ownRealBroker,
}, async () => {
  const kafka = await sharedKafka();
  if (kafka.kind === "existing") return;
  const settings = { "security.protocol": "ssl", "ssl.ca.location": kafka.certificates!.caFile };
  await assert.rejects(describeCluster(kafka.bootstrapOf("mtls"), undefined, settings), /kcat ended with 1/);
});

test("startKafka() keeps records when its only broker is killed and restarted", {
  ...slow,
  skip: needs.ownRealBroker,
}, async () => {
  await using kafka = await startKafka();
  const topic = await kafka.createTopic("harness", { exactName: true });
  assert.equal(topic, "harness");
  await produce(kafka, topic, ["before"]);
  await kafka.readUntil(topic, 1);
  await kafka.kill(0);
  await assert.rejects(kafka.describe(topic));
  await kafka.restart(0);
  await produce(kafka, topic, ["after"]);
  assert.deepEqual(values(await kafka.readUntil(topic, 2)), ["before", "after"]);
  await kafka.growTopic(topic, 3);
  await until(
    "three partitions",
    10_000,
    async () => (await kafka.describe(topic)).topics[0]!.partitions.length === 3 || undefined,
  );
});

test(
  "startKafka() moves leaders away from a killed broker of three",
  { ...slow, skip: needs.ownRealBroker },
  async () => {
    await using kafka = await startKafka({ brokers: 3 });
    const topic = await kafka.createTopic("harness", { partitions: 3 });
    await kafka.kill(0);
    await until("no partition is led by broker 1", 20_000, async () => {
      const view = await kafka.describe(topic);
      return view.topics[0]!.partitions.every((partition) => partition.leader > 1) || undefined;
    });
    await produce(kafka, topic, ["with two brokers"], "-X", "acks=all");
    assert.deepEqual(values(await kafka.readUntil(topic, 1)), ["with two brokers"]);
  },
);

test("pause() holds answers back and keeps connections until continue()", {
  ...slow,
  skip: needs.ownRealBroker,
}, async () => {
  await using kafka = await startKafka();
  kafka.pause(0);
  await assert.rejects(describeCluster(kafka.bootstrap, undefined, { "socket.timeout.ms": "500" }));
  kafka.continue(0);
  await until(
    "the broker answers again",
    20_000,
    async () => (await kafka.describe()).brokers.length || undefined,
  );
});

test("startKafka() runs the last release line before 4.0 when told to", {
  ...slow,
  skip: needs.ownRealBroker,
}, async () => {
  await using kafka = await startKafka({ version: "3.9" });
  const topic = await kafka.createTopic("harness");
  await produce(kafka, topic, ["three nine"], "-z", "zstd");
  assert.deepEqual(values(await kafka.readUntil(topic, 1)), ["three nine"]);
});

test(
  "startKafka() says what the broker said when it does not start",
  { ...slow, skip: needs.ownRealBroker },
  async () => {
    const starting = startKafka({ properties: { "num.io.threads": "none" } });
    await assert.rejects(starting, /Cannot start Apache Kafka: .*num\.io\.threads/s);
  },
);

test("spawnGuarded() leaves nothing behind when the test process is killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "corndog-guard-"));
  const module = new URL("./harness/processes.ts", import.meta.url).href;
  const script = join(directory, "parent.ts");
  writeFileSync(
    script,
    `import { spawnGuarded } from ${JSON.stringify(module)};
const child = await spawnGuarded({ argv: ["sleep", "600"], logFile: "/dev/null", directory: ${
      JSON.stringify(directory)
    }, talks: false });
console.log(child.pid);
await new Promise((resolve) => setTimeout(resolve, 600_000));
`,
  );
  const runtime = process.versions.bun
    ? [process.execPath, "run"]
    : [process.execPath, "run", "-A", "--no-check"];
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const parent = spawn(runtime[0]!, [...runtime.slice(1), script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
  });
  const pid = Number(
    await new Promise((resolve) => parent.stdout.once("data", (chunk) => resolve(String(chunk)))),
  );
  assert.ok(isAlive(pid));
  process.kill(parent.pid!, "SIGKILL");
  await until("the child is gone", 5000, () => Promise.resolve(!isAlive(pid) || undefined));
  await until("its directory is gone", 5000, () => Promise.resolve(!existsSync(directory) || undefined));
});

test("spawnGuarded() passes lines both ways when the process talks", async () => {
  const directory = mkdtempSync(join(tmpdir(), "corndog-guard-"));
  const child = await spawnGuarded({ argv: ["cat"], logFile: "/dev/null", directory, talks: true });
  child.say("one");
  assert.equal(await child.line(), "one");
  child.signal("SIGKILL");
  await child.ended;
  assert.equal(await child.line(), undefined);
  assert.equal(child.alive, false);
  rmSync(directory, { recursive: true });
});

test("freePorts() gives ports that can be bound, outside the range of outgoing connections", async () => {
  for (const port of await freePorts(5)) {
    assert.ok(port >= 20_000 && port < 32_000);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    await new Promise((resolve) => server.close(resolve));
  }
});
