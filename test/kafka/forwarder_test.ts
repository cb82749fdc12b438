/**
 * corndog as a process between real senders and a real Kafka; kcat reads back and checks every CRC.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Ledger } from "../../src/admin/stats_view.ts";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { freePort } from "../support/free_port.ts";
import { needs, sharedKafka, startKafka, uniqueTopic, values } from "./harness/kafka.ts";

/** All ports 0, everything into Kafka. */
function config(bootstrap: string, topic: string, more = ""): string {
  return `
listen: [{ syslog: "tcp://127.0.0.1:0" }, { syslog: "udp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", topics: { allow: ["*"] } }
dead_letter: { file: dead_letter.ndjson }
workers: 2
${more}`;
}

const line = (id: number | string) => `<13>1 2026-01-02T03:04:05Z web app 77 - - line ${id}`;

describe("corndog with a broker", { skip: needs.broker }, () => {
  it("forwards newline and octet-counted TCP and UDP byte for byte when no rule changes them", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("plain", { partitions: 3 });
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic))).started();
    try {
      const odd = Buffer.from([...Buffer.from("<13>1 - - - - - - caf"), 0xc3, 0x28, 0x00, 0xff]);
      const newline = await dial(corndog.port("tcp"));
      await write(newline, Buffer.concat([Buffer.from(`${line("newline")}\n`), odd, Buffer.from("\r\n")]));
      await finish(newline);
      const octets = await dial(corndog.port("tcp"));
      const withNewline = `${line("octet")}\nsecond row`;
      await write(octets, `${withNewline.length} ${withNewline}${line("octet 2").length} ${line("octet 2")}`);
      await finish(octets);
      const { createSocket } = await import("node:dgram");
      const udp = createSocket("udp4");
      await new Promise<void>((resolve) =>
        udp.send(line("udp"), corndog.port("udp"), "127.0.0.1", () => resolve())
      );
      udp.close();

      const records = await kafka.readUntil(topic, 5);
      const got = records.map((record) => Buffer.from(record.value!).toString("latin1")).sort();
      assert.deepEqual(
        got,
        [line("newline"), odd.toString("latin1"), withNewline, line("octet 2"), line("udp")].sort(),
      );
      const stats = await corndog.statsWhen("5 delivered", (s) => s.ledger.delivered === 5);
      assert.equal(stats.ledger.balanced, true);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("does what hotdog's example file says, unchanged but for addresses", async () => {
    const kafka = await sharedKafka();
    const [test, orders, unknown] = [uniqueTopic("test"), uniqueTopic("orders"), uniqueTopic("unknown")];
    for (const topic of [test, orders, unknown]) await kafka.createTopic(topic, { exactName: true });
    const corndog =
      await (await Corndog.start(hotdogExample(kafka.bootstrap, test, unknown), { file: "hotdog.yml" }))
        .started();
    try {
      const socket = await dial(corndog.port("tcp"));
      await write(
        socket,
        [
          "<13>1 2020-04-18T15:16:09.956153-07:00 coconut tyler - - - hello world",
          `<13>1 2020-04-18T15:16:09Z coconut tyler - - - {"meta":{"topic":"${orders}"},"path":"C:\\\\new","q":"\\"&<"}`,
          '<13>Apr 18 15:16:09 coconut tyler[7]: something <else> & "more"',
          "",
        ].join("\n"),
      );
      await finish(socket);
      assert.deepEqual(values(await kafka.readUntil(test, 1)), [
        "This is the total message: hello world\n\nAnd the name is: world\n",
      ]);
      const merged = JSON.parse(values(await kafka.readUntil(orders, 1))[0]!);
      assert.equal(merged.meta.topic, orders);
      assert.match(merged.meta.hotdog.version, /^\d+\.\d+\.\d+/);
      assert.match(merged.meta.hotdog.timestamp, /^\d{4}-\d\d-\d\dT/);
      assert.equal(merged.path, "C:\\new");
      assert.equal(merged.q, '"&<');
      assert.deepEqual(values(await kafka.readUntil(unknown, 1)), ['something <else> & "more"']);
      const hotdogStats = await (await fetch(`${corndog.admin}/stats`)).json() as {
        stats: Record<string, number>;
      };
      assert.equal(hotdogStats.stats.lines, 3);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("swaps rules 100 times under load: every line is handled by exactly one version, none is lost", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("swap", { partitions: 2 });
    const rules = (version: number) =>
      `rules:\n  - regex: "id (?P<id>\\\\d+)"\n    actions:\n      - { type: replace, template: "v${version} {{id}}" }\n      - { type: forward, topic: ${topic} }\n`;
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "rules: [rules.yml]"), {
      files: { "rules.yml": rules(0) },
    })).started();
    try {
      const sockets = await Promise.all([0, 1, 2, 3].map(() => dial(corndog.port("tcp"))));
      let sent = 0;
      let swapping = true;
      const sending = Promise.all(sockets.map(async (socket) => {
        while (swapping) {
          let text = "";
          for (let n = 0; n < 50; n++) text += `<13>1 - h a - - - id ${sent++}\n`;
          await write(socket, text);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }));
      for (let version = 1; version <= 100; version++) {
        const response = await fetch(`${corndog.admin}/admin/rules`, { method: "PUT", body: rules(version) });
        assert.equal(response.status, 200, await response.text());
      }
      swapping = false;
      await sending;
      await Promise.all(sockets.map(finish));
      const stats = await corndog.statsWhen("all delivered", (s) => s.ledger.delivered === sent);
      assert.equal(stats.ledger.balanced, true);
      assert.ok(stats.rules.version >= 101);
      const seen = new Map<string, Set<string>>();
      for (const value of values(await kafka.readUntil(topic, sent))) {
        const [version, id] = value.split(" ");
        (seen.get(id!) ?? seen.set(id!, new Set()).get(id!)!).add(version!);
      }
      assert.equal(seen.size, sent, "every line is there");
      assert.ok([...seen.values()].every((versions) => versions.size === 1), "by one version each");
      const versions = new Set([...seen.values()].map((set) => [...set][0]));
      assert.ok(versions.size > 20, `many versions were in force while lines came, saw ${versions.size}`);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("refuses a bad rule file with line and column and keeps the rules in force", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("refused");
    const good =
      `rules:\n  - name: good\n    regex: ".*"\n    actions: [{ type: forward, topic: ${topic} }]\n`;
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "rules: [rules.yml]"), {
      files: { "rules.yml": good },
    })).started();
    try {
      const path = join(corndog.dir, "rules.yml");
      await writeFile(
        path,
        `rules:\n  - name: bad\n    regex: "(?=x)"\n    actions: [{ type: forward, topic: ${topic} }]\n`,
      );
      const stats = await corndog.statsWhen("the refusal", (s) => s.rules.last_error !== undefined);
      const fault = stats.rules.last_error!.faults[0]!;
      assert.equal(fault.line, 3);
      assert.ok(fault.column > 0);
      assert.equal(stats.rules.version, 1);
      assert.deepEqual(stats.rules.hits.map((hit) => hit.rule), ["good"]);
      const failing =
        `${good}tests:\n  - name: never\n    input: hello\n    expect: [{ topic: elsewhere }]\n`;
      const put = await fetch(`${corndog.admin}/admin/rules`, { method: "PUT", body: failing });
      assert.equal(put.status, 422);
      assert.match(await put.text(), /never/);
      await writeFile(path, good.replace("name: good", "name: better"));
      const after = await corndog.statsWhen("the swap", (s) => s.rules.version === 2);
      assert.deepEqual(after.rules.hits.map((hit) => hit.rule), ["better"]);
      assert.equal(after.rules.last_error, undefined);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("delivers every line that was read when it is terminated under load", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("term", { partitions: 4 });
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic))).started();
    try {
      const sockets = await Promise.all([0, 1, 2, 3].map(() => dial(corndog.port("tcp"))));
      let next = 0;
      let sending = true;
      const senders = sockets.map(async (socket) => {
        socket.once("close", () => sending = false);
        while (sending && !socket.destroyed) {
          let text = "";
          for (let n = 0; n < 100; n++) text += `${line(String(next++).padStart(9, "0"))}\n`;
          await write(socket, text).catch(() => sending = false);
          // A pause for this process: it also has to ask how far corndog is.
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      });
      await corndog.statsWhen("20,000 lines", (s) => s.ledger.received > 20_000);
      corndog.signal("SIGTERM");
      assert.equal(await corndog.ended(), 0);
      sending = false;
      sockets.forEach((socket) => socket.destroy());
      await Promise.all(senders);
      const { ledger } = await corndog.event("drained") as unknown as {
        ledger: {
          balanced: boolean;
          received: number;
          delivered: number;
          in_flight: number;
          dropped: Record<string, number>;
        };
      };
      assert.equal(ledger.balanced, true);
      assert.equal(ledger.in_flight, 0);
      const dropped = Object.values(ledger.dropped).reduce((sum, lines) => sum + lines, 0);
      assert.equal(ledger.delivered + dropped, ledger.received);
      const records = await kafka.readAll(topic);
      assert.equal(records.length, ledger.delivered);
      // A connection that is ended in the middle of a line leaves the beginning of that line.
      const whole = values(records).filter((value) => /line \d{9}$/.test(value));
      assert.equal(new Set(whole).size, whole.length, "no line twice");
      assert.ok(records.length - whole.length <= sockets.length, "at most one cut line per connection");
    } finally {
      await corndog.dispose();
    }
  });

  it("sends lines to the dead letter when a line chooses an illegal or refused topic", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("gate");
    const more = `rules:\n  - jmespath: topic\n    actions: [{ type: forward, topic: "{{value}}" }]\n`;
    const text = config(kafka.bootstrap, topic, more).replace('allow: ["*"]', `allow: ["${topic}*"]`);
    const corndog = await (await Corndog.start(text)).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      for (const name of ["../../etc", "secrets", "", topic]) {
        await write(socket, `<13>1 - h a - - - {"topic":"${name}"}\n`);
      }
      await finish(socket);
      const stats = await corndog.statsWhen(
        "dead letters",
        (s) => s.ledger.dead_lettered === 3 && s.ledger.delivered === 1,
      );
      assert.equal(stats.ledger.balanced, true);
      const { readFile } = await import("node:fs/promises");
      const letters = (await readFile(join(corndog.dir, "dead_letter.ndjson"), "utf8")).trim().split("\n")
        .map((l) => JSON.parse(l));
      assert.deepEqual(letters.map((letter) => letter.reason).sort(), [
        "topic_not_allowed",
        "topic_not_legal",
        "topic_not_legal",
      ]);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});

describe("corndog with a broker of its own", { skip: needs.ownRealBroker }, () => {
  it("starts while Kafka is down, keeps lines, and delivers when it comes up", async () => {
    const kafka = await startKafka();
    const topic = await kafka.createTopic("later");
    await kafka.kill(0);
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic))).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      for (let id = 0; id < 1_000; id++) await write(socket, `${line(id)}\n`);
      const waiting = await corndog.statsWhen("1,000 in flight", (s) => s.ledger.in_flight === 1_000);
      assert.equal(waiting.ledger.balanced, true);
      const ready = await fetch(`${corndog.admin}/readyz`);
      assert.equal(ready.status, 200, "the spool keeps what comes");
      assert.match((await ready.json() as { warnings: string[] }).warnings.join(), /Cannot reach/);
      await kafka.restart(0);
      await corndog.statsWhen("1,000 delivered", (s) => s.ledger.delivered === 1_000, 60_000);
      await until("readiness", async () => (await fetch(`${corndog.admin}/readyz`)).ok || undefined);
      await finish(socket);
      assert.deepEqual(
        values(await kafka.readUntil(topic, 1_000)),
        Array.from({ length: 1_000 }, (_, id) => line(id)),
      );
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await kafka.stop();
    }
  });

  it("delivers to Kafka 3.9", async () => {
    const kafka = await startKafka({ version: "3.9" });
    const topic = await kafka.createTopic("older", { partitions: 2 });
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic))).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      for (let id = 0; id < 1_000; id++) await write(socket, `${line(id)}\n`);
      await finish(socket);
      const delivered = values(await kafka.readUntil(topic, 1_000));
      assert.equal(new Set(delivered).size, 1_000);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await kafka.stop();
    }
  });

  it("puts lines for a topic that does not exist into the dead letter, and the others flow", async () => {
    const kafka = await startKafka({ properties: { "auto.create.topics.enable": "false" } });
    const topic = await kafka.createTopic("there");
    const more = `rules:\n  - jmespath: topic\n    actions: [{ type: forward, topic: "{{value}}" }]\n`;
    const text = config(kafka.bootstrap, topic, more).replace("topics: {", "topic_wait: 2s, topics: {");
    const corndog = await (await Corndog.start(text)).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      for (let id = 0; id < 100; id++) {
        await write(
          socket,
          `<13>1 - h a - - - {"topic":"${id % 2 === 0 ? topic : "not-there"}","id":${id}}\n`,
        );
      }
      const stats = await corndog.statsWhen(
        "all settled",
        (s) => s.ledger.delivered === 50 && s.ledger.dead_lettered === 50,
      );
      assert.equal(stats.ledger.balanced, true);
      await finish(socket);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await kafka.stop();
    }
  });

  it("slows senders when the spool is full, and goes on by itself when Kafka is back", async () => {
    const kafka = await startKafka();
    const topic = await kafka.createTopic("away", { partitions: 2 });
    const small = "limits: { memory: 32MiB }\nspool: { bytes_max: 32MiB, free_min: 0B }";
    const corndog = await (await Corndog.start(
      config(kafka.bootstrap, topic, small).replace("topics:", "compression: none, topics:"),
    ))
      .started();
    try {
      const socket = await dial(corndog.port("tcp"));
      await kafka.kill(0);
      const lines = 120_000;
      const padding = "x".repeat(450);
      let written = 0;
      const sending = (async () => {
        for (let id = 0; id < lines; id += 100) {
          let text = "";
          for (let n = id; n < id + 100; n++) text += `<13>1 - h a - - - ${n} ${padding}\n`;
          await write(socket, text);
          written = id + 100;
        }
      })();
      const stuck = await corndog.statsWhen(
        "backpressure",
        (s) => s.totals.pauses > 0 && s.spool?.state === "full",
      );
      assert.ok(stuck.ledger.balanced);
      assert.ok(stuck.ledger.spooled > 0);
      assert.ok(written < lines, "the sender was held");
      const ready = await fetch(`${corndog.admin}/readyz`);
      assert.equal(ready.status, 503);
      assert.match(await ready.text(), /spool/);
      await kafka.restart(0);
      await sending;
      await finish(socket);
      // The spool's figures are a moment older than the ledger's.
      const end = await corndog.statsWhen(
        "all delivered",
        (s) => s.ledger.delivered === lines && s.spool?.lines === 0,
        90_000,
      );
      assert.deepEqual([end.ledger.balanced, end.ledger.spooled], [true, 0]);
      await until("readiness", async () => (await fetch(`${corndog.admin}/readyz`)).ok || undefined);
      const ids = values(await kafka.readUntil(topic, lines)).map((value) => value.split(" ")[7]);
      assert.equal(new Set(ids).size, lines);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
      await kafka.stop();
    }
  });
});

describe("corndog without a broker", () => {
  it("leaves what it could not deliver in the spool, and has it again at the next start, when Kafka never comes", async () => {
    const port = await freePort();
    const text = config(`127.0.0.1:${port}`, "logs", "drain_timeout: 30s");
    const corndog = await (await Corndog.start(text)).started();
    let next: Corndog | undefined;
    try {
      const socket = await dial(corndog.port("tcp"));
      await write(socket, `${line(1)}\n${line(2)}\n`);
      await corndog.statsWhen("2 in flight", (s) => s.ledger.in_flight === 2);
      const asked = performance.now();
      assert.equal(await corndog.stop(), 0);
      assert.ok(performance.now() - asked < 20_000, "it does not wait for a sink that is away");
      const drained = await corndog.event("drained") as unknown as { spooled: number; ledger: Ledger };
      assert.deepEqual([drained.spooled, drained.ledger.spooled, drained.ledger.balanced], [2, 2, true]);
      next = await (await Corndog.start(text, { dir: corndog.dir })).started();
      const { ledger } = await next.stats();
      assert.deepEqual([ledger.replayed, ledger.spooled + ledger.in_flight, ledger.balanced], [2, 2, true]);
      assert.equal(await next.stop(), 0);
    } finally {
      await next?.dispose();
      await corndog.dispose();
    }
  });
});

/** The three rules that hotdog's own example has, in a file of hotdog's shape. */
function hotdogExample(bootstrap: string, test: string, unknown: string): string {
  return `---
global:
  listen:
    address: '127.0.0.1'
    port: 0
    tls:
  status:
    address: '127.0.0.1'
    port: 0
  kafka:
    buffer: 1024
    conf:
      bootstrap.servers: '${bootstrap}'
    topic: 'test'
  metrics:
    statsd: 'localhost:8125'

rules:
  - regex: '^hello\\s+(?P<name>\\w+)?'
    field: msg
    actions:
      - type: replace
        template: |
          This is the total message: {{msg}}

          And the name is: {{name}}

      - type: forward
        topic: ${test}

      - type: stop

  - jmespath: 'meta.topic'
    field: msg
    actions:
      - type: merge
        json:
          meta:
            hotdog:
              version: '{{version}}'
              timestamp: '{{iso8601}}'

      - type: forward
        topic: '{{value}}'

      - type: stop

  - regex: '.*'
    field: msg
    actions:
      - type: forward
        topic: '${unknown}'

      - type: stop
`;
}
