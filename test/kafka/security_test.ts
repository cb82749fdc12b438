/**
 * Logins and certificates against real brokers: tokens that the broker checks against a key, sessions that end, and
 * certificates that are swapped while corndog runs.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { readVerifyAccess } from "../../src/cli/verify_access.ts";
import { openKafkaSource } from "../../src/clobber/verify/kafka_source.ts";
import { Tally } from "../../src/clobber/verify/tally.ts";
import type { KafkaConfig, OauthSource } from "../../src/config/config.ts";
import type { KafkaCarrier } from "../../src/kafka/carrier.ts";
import { systemClock } from "../../src/kafka/clock.ts";
import { createKafkajsCarrier } from "../../src/kafka/kafkajs_carrier.ts";
import { HttpBench } from "../unit/kafka/login_bench.ts";
import { checkTopic, eventually, Feed } from "./feed.ts";
import { type Kafka, needs, saslUser, sharedKafka, startKafka } from "./harness/kafka.ts";

const slow = { timeout: 240_000 };

/** Issuer, audience and key that the broker was told of. */
class Issuer {
  readonly dir = mkdtempSync(join(tmpdir(), "corndog-issuer-"));
  readonly #key: KeyObject;
  /** Key set of the issuer. */
  readonly jwks: string;
  tokens = 0;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#key = privateKey;
    this.jwks = join(this.dir, "jwks.json");
    const key = { ...publicKey.export({ format: "jwk" }), kid: "test", alg: "RS256", use: "sig" };
    writeFileSync(this.jwks, JSON.stringify({ keys: [key] }));
  }

  /** A signed token. */
  token(lifeSeconds: number, more: object = {}): string {
    const now = Math.floor(Date.now() / 1000);
    // Whole seconds, and none too few.
    const exp = Math.ceil(Date.now() / 1000 + lifeSeconds);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = {
      iss: "corndog-test",
      aud: "kafka",
      sub: "edge",
      scope: "produce",
      iat: now,
      exp,
      jti: String(this.tokens++),
      ...more,
    };
    const text = `${part({ alg: "RS256", kid: "test", typ: "JWT" })}.${part(claims)}`;
    return `${text}.${createSign("RSA-SHA256").update(text).sign(this.#key).toString("base64url")}`;
  }

  /** Brokers that take its tokens on their SASL listeners, beside SCRAM. */
  start(): Promise<Kafka> {
    const jwks = pathToFileURL(this.jwks).href;
    const properties: Record<string, string> = {
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
    };
    for (const listener of ["sasl", "sasl_tls"]) {
      const prefix = `listener.name.${listener}.oauthbearer`;
      properties[`${prefix}.sasl.jaas.config`] =
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
      properties[`${prefix}.sasl.server.callback.handler.class`] =
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
      properties[`${prefix}.connections.max.reauth.ms`] = "3600000";
      properties[`listener.name.${listener}.scram-sha-256.connections.max.reauth.ms`] = "3000";
    }
    return startKafka({
      listeners: ["sasl", "sasl_tls"],
      properties: {
        ...properties,
        "sasl.oauthbearer.jwks.endpoint.url": jwks,
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.expected.issuer": "corndog-test",
      },
      jvm: { "org.apache.kafka.sasl.oauthbearer.allowed.urls": jwks },
    });
  }
}

/** Counts the connections of a sink, but for the one that asks for metadata. */
class Connections {
  #count = 0;

  readonly carrierOf = (config: KafkaConfig): KafkaCarrier => {
    const carrier = createKafkajsCarrier(config, systemClock);
    const connect: KafkaCarrier["connect"] = (...args) => {
      this.#count++;
      return carrier.connect(...args);
    };
    return new Proxy(carrier, {
      get: (target, name) => {
        if (name === "connect") return connect;
        const value = Reflect.get(target, name) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };

  /** Three sessions would have taken three more; a machine that stands still for a moment may lose one. */
  stayed(): void {
    assert.ok(this.#count <= 2, `${this.#count} connections`);
  }
}

/** A token endpoint that gives tokens as `make` says. */
function endpoint(make: () => { status?: number; body: string }): Promise<HttpBench> {
  return HttpBench.start(make);
}

const give = (token: string, seconds: number) => ({
  body: JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: seconds }),
});

function source(url: string): OauthSource {
  return { kind: "endpoint", url, clientId: "edge", clientSecret: "edge-secret" };
}

describe("KafkaSink at a broker that checks tokens", { skip: needs.ownRealBroker }, () => {
  let issuer: Issuer;
  let kafka: Kafka;
  before(async () => {
    issuer = new Issuer();
    kafka = await issuer.start();
  }, slow);
  after(async () => {
    await kafka?.stop();
    if (issuer !== undefined) rmSync(issuer.dir, { recursive: true });
  }, slow);

  it("delivers over OAUTHBEARER and TLS with a token of the client credentials grant", slow, async () => {
    await using server = await endpoint(() => give(issuer.token(300), 300));
    const topic = await kafka.createTopic("tokens", { partitions: 2 });
    await using feed = new Feed(kafka.bootstrapOf("sasl_tls"), topic, {
      tls: { verify: true, caFile: kafka.certificates!.caFile },
      sasl: { mechanism: "oauthbearer", source: source(server.url), extensions: { traceId: "abc" } },
    });
    await feed.send(topic, 1000);
    await feed.settled();
    await checkTopic(kafka, topic, 1000);
    assert.equal(server.asked.length, 1, "all connections share a token");
  });

  it("logs in again on the open connection, with new tokens, when tokens end", slow, async () => {
    await using server = await endpoint(() => give(issuer.token(3), 3));
    const topic = await kafka.createTopic("short-tokens", { partitions: 2 });
    const connections = new Connections();
    const sasl = { mechanism: "oauthbearer", source: source(server.url) } as const;
    await using feed = new Feed(kafka.bootstrapOf("sasl"), topic, { sasl }, connections.carrierOf);
    await sendFor(feed, topic, 9000);
    connections.stayed();
    assert.ok(server.asked.length >= 3, `${server.asked.length} tokens in 9 s`);
    await checkTopic(kafka, topic, feed.given);
  });

  it(
    "logs in again on the open connection when sessions of SCRAM end after three seconds",
    slow,
    async () => {
      const topic = await kafka.createTopic("short-sessions", { partitions: 2 });
      const connections = new Connections();
      const sasl = { mechanism: "scram-sha-256", ...saslUser } as const;
      await using feed = new Feed(kafka.bootstrapOf("sasl"), topic, { sasl }, connections.carrierOf);
      await sendFor(feed, topic, 9000);
      connections.stayed();
      await checkTopic(kafka, topic, feed.given);
    },
  );

  it("says why and goes on when tokens are refused at first and right later", slow, async () => {
    let answer: () => { status?: number; body: string } = () => ({ status: 503, body: "" });
    await using server = await endpoint(() => answer());
    const topic = await kafka.createTopic("refused-tokens");
    await using feed = new Feed(kafka.bootstrapOf("sasl"), topic, {
      sasl: { mechanism: "oauthbearer", source: source(server.url) },
    });
    await feed.send(topic, 10);
    const says = (want: RegExp) =>
      eventually(String(want), () => want.test(feed.sink.status().problem ?? ""), 30_000);
    await says(/^Cannot get a token from "http:.*": it answered 503$/);
    answer = () => give(issuer.token(300, { aud: "another" }), 300);
    await says(/^Broker "127\.0\.0\.1:\d+" refused the token: invalid_token$/);
    assert.equal(feed.sink.status().ready, false);
    answer = () => give(issuer.token(300), 300);
    await feed.settled();
    await checkTopic(kafka, topic, 10);
    assert.ok(!JSON.stringify(feed.events).includes("edge-secret"));
  });

  it("lets the load generator read lines back, with a token of the same configuration", slow, async () => {
    const topic = await kafka.createTopic("read-with-tokens");
    writeFileSync(join(issuer.dir, "reader"), issuer.token(300));
    const path = join(issuer.dir, "reader.yml");
    writeFileSync(
      path,
      `kafka:
  brokers: ["${kafka.bootstrapOf("sasl_tls")}"]
  tls: { ca: "${kafka.certificates!.caFile}" }
  sasl: { mechanism: oauthbearer, token_file: reader }
`,
    );
    const open = () => {
      const access = readVerifyAccess(path);
      return openKafkaSource({ access, brokers: access.brokers, topics: [topic] }, "abcd", new Tally());
    };
    const source = await open();
    await source.close();
    assert.equal(source.problem, null);
    writeFileSync(join(issuer.dir, "reader"), issuer.token(300, { aud: "another" }));
    await assert.rejects(open(), /refused the token: invalid_token/);
  });

  it("takes the token of a file, and the next one when somebody has renewed it", slow, async () => {
    const path = join(issuer.dir, "token");
    writeFileSync(path, issuer.token(3));
    const topic = await kafka.createTopic("token-file");
    await using feed = new Feed(kafka.bootstrapOf("sasl"), topic, {
      sasl: { mechanism: "oauthbearer", source: { kind: "file", path } },
    });
    await feed.send(topic, 10);
    await feed.settled();
    writeFileSync(path, issuer.token(300));
    await sendFor(feed, topic, 4000);
    await checkTopic(kafka, topic, feed.given);
  });
});

describe("KafkaSink with certificates that are swapped", { skip: needs.ownRealBroker }, () => {
  it("connects with the right pair once it is written, without a restart", slow, async () => {
    const kafka = await sharedKafka();
    const { certificates } = kafka;
    if (certificates === undefined) return;
    const dir = mkdtempSync(join(tmpdir(), "corndog-swap-"));
    const [certFile, keyFile] = [join(dir, "client.crt"), join(dir, "client.key")];
    // A pair that fits and that the broker refuses: nobody that it trusts has signed it.
    const { execFileSync } = await import("node:child_process");
    execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"],
      ...["-subj", "/CN=stranger", "-keyout", keyFile, "-out", certFile],
    ], { stdio: "pipe" });
    try {
      const topic = await kafka.createTopic("swapped");
      await using feed = new Feed(kafka.bootstrapOf("mtls"), topic, {
        tls: { verify: true, caFile: certificates.caFile, certFile, keyFile },
      });
      await feed.send(topic, 10);
      await eventually("a problem", () => feed.events.includes("kafka_unreachable"), 20_000);
      assert.equal(feed.delivered, 0);
      copyFileSync(certificates.clientCertFile, certFile);
      await eventually(
        "half of a pair is named",
        () => feed.events.includes("kafka_certificate_refused"),
        20_000,
      );
      copyFileSync(certificates.clientKeyFile, keyFile);
      await feed.settled();
      await checkTopic(kafka, topic, 10);
      assert.ok(feed.events.includes("kafka_certificate_changed"));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

/** A little load for `durationMs`, all of it delivered. */
async function sendFor(feed: Feed, topic: string, durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  while (performance.now() < untilMs) {
    await feed.send(topic, 50, 10);
    await feed.settled();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
