/**
 * The load generator reads its lines back from a real Kafka, behind a running corndog: with every compression, over
 * several brokers, over TLS with every login, and where lines are missing. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { clobberInline, resultOf } from "../unit/clobber/inline.ts";
import { type Kafka, needs, saslUser, sharedKafka, uniqueTopic } from "./harness/kafka.ts";

const config = (bootstrap: string, topic: string, compression: string): string => `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: [${bootstrap}], topic: "${topic}", compression: ${compression} }
dead_letter: { file: dead_letter.ndjson }
workers: 1
`;

describe("corndog clobber --verify kafka://", { skip: needs.broker }, () => {
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    it(`finds each line once when batches are compressed with ${compression}`, async () => {
      const kafka = await sharedKafka(3);
      const topic = await kafka.createTopic("clobber", { partitions: 6 });
      const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, compression))).started();
      try {
        const { endToEnd } = await resultOf([
          `tcp://127.0.0.1:${corndog.port("tcp")}`,
          "-l",
          "5000",
          "-c",
          "4",
          "--size",
          "100-2000",
          "--verify",
          `kafka://${kafka.bootstrap.split(",")[0]}/${topic}`,
        ]);
        const { arrived, duplicates, lost, problem, strange } = endToEnd!;
        assert.deepEqual(
          { arrived, duplicates, lost, problem, strange },
          { arrived: 5000, duplicates: 0, lost: 0, problem: null, strange: 0 },
        );
        assert.ok(endToEnd!.latency!.p50 > 0);
      } finally {
        await corndog.dispose();
      }
    });
  }

  it("counts as lost what goes elsewhere, and says when there is no such topic", async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("clobber-here");
    const other = await kafka.createTopic("clobber-there");
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "none"))).started();
    const absent = uniqueTopic("absent");
    try {
      for (const [verified, problem] of [[other, null], [absent, `there is no topic ${absent}`]] as const) {
        const { code, endToEnd, gates } = await resultOf([
          `tcp://127.0.0.1:${corndog.port("tcp")}`,
          "-l",
          "100",
          "--verify",
          `kafka://${kafka.bootstrap}/${verified}`,
          "--verify-timeout",
          "1s",
          "--fail",
          "loss==0",
        ]);
        assert.equal(code, 99);
        assert.deepEqual([endToEnd!.sent, endToEnd!.lost, endToEnd!.problem], [100, 100, problem]);
        assert.equal(gates[0]!.passed, false);
      }
    } finally {
      await corndog.dispose();
    }
  });
});

describe("corndog clobber --verify-config", { skip: needs.ownRealBroker }, () => {
  const dir = mkdtempSync(join(tmpdir(), "corndog-verify-config-"));
  let kafka: Kafka;
  let topic: string;
  let corndog: Corndog;
  before(async () => {
    kafka = await sharedKafka();
    topic = await kafka.createTopic("clobber-secure", { partitions: 2 });
    corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "none"))).started();
    writeFileSync(join(dir, "password"), `${saslUser.password}\n`);
    writeFileSync(join(dir, "wrong"), "another-secret\n");
  });
  after(async () => {
    await corndog?.dispose();
    rmSync(dir, { recursive: true });
  });

  /** Writes a file with such a `kafka` section. */
  function configFile(listener: "tls" | "mtls" | "sasl" | "sasl_tls", more: readonly string[]): string {
    const path = join(dir, `${listener}-${more.length}.yml`);
    const lines = [`brokers: ["${kafka.bootstrapOf(listener)}"]`, ...more].map((line) => `  ${line}\n`);
    writeFileSync(path, `kafka:\n${lines.join("")}`);
    return path;
  }

  const login = (mechanism: string, password = "password"): string =>
    `sasl: { mechanism: ${mechanism}, username: ${saslUser.username}, password_file: ${password} }`;
  const flags = (url: string): string[] => [
    `tcp://127.0.0.1:${corndog.port("tcp")}`,
    ...["-l", "500", "-c", "2", "--verify", url, "--verify-timeout", "20s"],
  ];

  it("finds each line once over TLS, with certificates, and with each login", async () => {
    const { caFile, clientCertFile, clientKeyFile } = kafka.certificates!;
    const tls = `tls: { ca: "${caFile}" }`;
    const files = [
      configFile("tls", [tls]),
      configFile("mtls", [`tls: { ca: "${caFile}", cert: "${clientCertFile}", key: "${clientKeyFile}" }`]),
      configFile("sasl", [login("plain")]),
      configFile("sasl_tls", [tls, login("scram-sha-256")]),
      configFile("sasl_tls", [tls, "", login("scram-sha-512")]),
    ];
    for (const file of files) {
      const ran = await resultOf([...flags(`kafka:///${topic}`), "--verify-config", file]);
      const { arrived, duplicates, lost, problem } = ran.endToEnd!;
      assert.deepEqual({ arrived, duplicates, lost, problem }, {
        arrived: 500,
        duplicates: 0,
        lost: 0,
        problem: null,
      });
      assert.ok(!JSON.stringify(ran).includes(saslUser.password), "no secret is in a report");
    }
  });

  it("says why when the login is refused, and when there is none where one is wanted", async () => {
    const refused = configFile("sasl", [login("scram-sha-256", "wrong")]);
    await assert.rejects(
      clobberInline([...flags(`kafka:///${topic}`), "--verify-config", refused]),
      (error) => {
        assert.match(
          String(error),
          /refused the login: .*kafka\.sasl in the file that --verify-config names/,
        );
        assert.doesNotMatch(String(error), /another-secret/);
        return true;
      },
    );
    for (const listener of ["tls", "sasl", "sasl_tls"] as const) {
      const url = `kafka://${kafka.bootstrapOf(listener)}/${topic}`;
      await assert.rejects(clobberInline(flags(url)), /--verify-config FILE/, listener);
    }
  });
});
