import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Config } from "../../../src/config/config.ts";
import { loadConfig, type LoadResult } from "../../../src/config/load.ts";
import { memoryFiles, shown, warned } from "./memory_files.ts";

const example = readFileSync(new URL("../../fixtures/config/hotdog.yml", import.meta.url), "utf8");
/** hotdog's own example without the certificates, which a test of the translation does not need. */
const plainExample = example.replace(/ {4}tls:\n.*\n.*\n/, "");

function load(
  text: string,
  env: Record<string, string> = {},
  others: Record<string, string> = {},
): LoadResult {
  return loadConfig({
    path: "/c/hotdog.yml",
    cwd: "/c",
    env,
    cores: 2,
    files: memoryFiles({ "/c/hotdog.yml": text, ...others }),
  });
}

/** A hotdog.yml with these lines in `conf`. */
function withConf(...lines: string[]): string {
  const conf = ["bootstrap.servers: 'k:1'", ...lines].map((line) => `      ${line}\n`).join("");
  return `global:\n  listen: { address: h, port: 1 }\n  metrics: { statsd: 'h:1' }\n  kafka:\n    topic: t\n    conf:\n${conf}rules: []\n`;
}

const anyTopic =
  "hotdog.yml:4:3: global.kafka: lines may choose any topic, as in hotdog; a corndog.yml bounds that with kafka.topics.allow";

test("loadConfig() reads hotdog's own example unchanged", () => {
  const result = load(plainExample);
  assert.deepEqual(shown(result), []);
  assert.ok(result.ok);
  const { rules, ...config } = result.config;
  assert.equal(config.dialect, "hotdog");
  assert.deepEqual(config.listen, [{
    kind: "syslog",
    transport: "tcp",
    hostname: "127.0.0.1",
    port: 6514,
    path: "",
    framing: "auto",
  }]);
  assert.deepEqual(config.admin, { hostname: "127.0.0.1", port: 8585 });
  assert.equal(config.sink, "kafka");
  assert.deepEqual(config.kafka.brokers, ["127.0.0.1:9092"]);
  assert.equal(config.kafka.topic, "test");
  assert.deepEqual(config.kafka.topicsAllow, ["*"]);
  assert.deepEqual(config.statsd, { hostname: "localhost", port: 8125 });
  assert.equal(rules.dialect, "hotdog");
  assert.deepEqual(rules.rules.map((rule) => [rule.path, rule.line]), [["rules.0", 20], ["rules.1", 35], [
    "rules.2",
    51,
  ]]);
  assert.deepEqual(rules.rules[2]!.value, {
    regex: ".*",
    field: "msg",
    actions: [{ type: "forward", topic: "logs-unknown" }, { type: "stop" }],
  });
  assert.deepEqual(warned(result), [
    "hotdog.yml:10:3: global.kafka: lines may choose any topic, as in hotdog; a corndog.yml bounds that with kafka.topics.allow",
    "hotdog.yml:11:13: global.kafka.buffer: counts messages; corndog bounds its memory in bytes (limits.memory) and stops reading when it is full, it does not discard; ignored",
  ]);
});

test("loadConfig() names hotdog's keys and lines when the certificates are absent", () => {
  assert.deepEqual(shown(load(example)), [
    "hotdog.yml:8:13: global.listen.tls.cert: contrib/cert.pem does not exist",
    "hotdog.yml:9:12: global.listen.tls.key: contrib/cert-key.pem does not exist",
  ]);
});

test("loadConfig() listens in plain text when tls is left blank, and has no admin API without status", () => {
  const result = load(
    "global:\n  listen:\n    address: '::'\n    port: '1514'\n    tls:\n  kafka: { conf: { bootstrap.servers: k }, topic: t }\n  metrics: { statsd: nowhere }\nrules: []\n",
  );
  assert.ok(result.ok, shown(result).join("\n"));
  assert.deepEqual(result.config.listen.map((listen) => [listen.transport, listen.hostname, listen.port]), [[
    "tcp",
    "::",
    1514,
  ]]);
  assert.equal(result.config.admin, undefined);
  assert.equal(result.config.statsd, undefined);
});

const translated: {
  conf: string[];
  pick: (kafka: Config["kafka"]) => unknown;
  want: unknown;
  warnings?: string[];
  env?: Record<string, string>;
}[] = [
  {
    conf: [],
    pick: (kafka) => [kafka.tls, kafka.sasl, kafka.compression, kafka.lingerMs],
    want: [undefined, undefined, { codec: "none" }, 5],
  },
  { conf: ["client.id: edge"], pick: (kafka) => kafka.clientId, want: "edge" },
  { conf: ["queue.buffering.max.ms: '50'"], pick: (kafka) => kafka.lingerMs, want: 50 },
  { conf: ["linger.ms: 7"], pick: (kafka) => kafka.lingerMs, want: 7 },
  { conf: ["request.timeout.ms: '5000'"], pick: (kafka) => kafka.requestTimeoutMs, want: 5000 },
  { conf: ["batch.size: '1000000'"], pick: (kafka) => kafka.batchBytesMax, want: 1_000_000 },
  { conf: ["message.max.bytes: '300000'"], pick: (kafka) => kafka.batchBytesMax, want: 300_000 },
  { conf: ["message.max.bytes: '9000000'"], pick: (kafka) => kafka.batchBytesMax, want: 524_288 },
  {
    conf: ["batch.size: '16384'"],
    pick: (kafka) => kafka.batchBytesMax,
    want: 131_072,
    warnings: [
      "hotdog.yml:8:7: global.kafka.conf.batch.size: 16384 bytes are less than a batch may have here; 131072 is used",
    ],
  },
  { conf: ["compression.codec: zstd"], pick: (kafka) => kafka.compression, want: { codec: "zstd" } },
  {
    conf: ["compression.type: gzip", "compression.level: '6'"],
    pick: (kafka) => kafka.compression,
    want: { codec: "gzip", level: 6 },
  },
  {
    conf: ["compression.codec: gzip", "compression.level: '-1'"],
    pick: (kafka) => kafka.compression,
    want: { codec: "gzip" },
  },
  {
    conf: ["compression.codec: snappy"],
    pick: (kafka) => kafka.compression,
    want: { codec: "snappy" },
  },
  {
    conf: ["compression.codec: lz4", "compression.level: '3'"],
    pick: (kafka) => kafka.compression,
    want: { codec: "lz4" },
    warnings: [
      "hotdog.yml:9:7: global.kafka.conf.compression.level: lz4 has no levels here; 3 is ignored",
    ],
  },
  { conf: ["security.protocol: SSL"], pick: (kafka) => kafka.tls, want: { verify: true } },
  {
    conf: ["security.protocol: ssl", "enable.ssl.certificate.verification: 'false'"],
    pick: (kafka) => kafka.tls?.verify,
    want: false,
    warnings: [
      "hotdog.yml:9:44: global.kafka.conf.enable.ssl.certificate.verification: any broker is trusted, whoever it is; use it for tests only",
    ],
  },
  {
    conf: [
      "security.protocol: sasl_ssl",
      "sasl.mechanisms: SCRAM-SHA-512",
      "sasl.username: u",
      "sasl.password: p",
    ],
    pick: (kafka) => [kafka.tls, kafka.sasl],
    want: [{ verify: true }, { mechanism: "scram-sha-512", username: "u", password: "p" }],
  },
  {
    conf: ["security.protocol: sasl_ssl", "sasl.mechanism: PLAIN"],
    env: { SASL_SCRAM_USERNAME: "u", SASL_SCRAM_PASSWORD: "p" },
    pick: (kafka) => kafka.sasl,
    want: { mechanism: "plain", username: "u", password: "p" },
  },
  {
    conf: ["sasl.username: u", "sasl.password: p"],
    env: { SASL_SCRAM_PASSWORD: "q" },
    pick: (kafka) => kafka.sasl,
    want: undefined,
  },
  { conf: [], env: { KAFKA_BROKER: "x:1,y:2" }, pick: (kafka) => kafka.brokers, want: ["x:1", "y:2"] },
  { conf: ["acks: all"], pick: () => 0, want: 0 },
  { conf: ["request.required.acks: -1"], pick: () => 0, want: 0 },
  {
    conf: ["acks: '1'"],
    pick: () => 0,
    want: 0,
    warnings: [
      "hotdog.yml:8:7: global.kafka.conf.acks: 1 would lose lines when a broker fails; corndog waits for all in-sync replicas",
    ],
  },
  {
    conf: ["socket.keepalive.enable: 'true'"],
    pick: () => 0,
    want: 0,
    warnings: [
      "hotdog.yml:8:7: global.kafka.conf.socket.keepalive.enable: this librdkafka setting has no meaning here; ignored",
    ],
  },
  {
    conf: ["message.timeout.ms: '300000'"],
    pick: () => 0,
    want: 0,
    warnings: [
      "hotdog.yml:8:7: global.kafka.conf.message.timeout.ms: corndog keeps trying until a line is delivered; ignored",
    ],
  },
];

for (const { conf, pick, want, warnings, env } of translated) {
  test(`translateHotdog() gives corndog's words for { ${conf.join(", ")} } ${JSON.stringify(env ?? {})}`, () => {
    const result = load(withConf(...conf), env);
    assert.deepEqual(shown(result), []);
    assert.ok(result.ok);
    assert.deepEqual(pick(result.config.kafka), want);
    assert.deepEqual(warned(result), [anyTopic, ...warnings ?? []]);
  });
}

const refused: { name: string; text: string; want: string[] }[] = [
  {
    name: "the login is Kerberos",
    text: withConf("security.protocol: sasl_plaintext", "sasl.mechanisms: GSSAPI"),
    want: [
      "hotdog.yml:9:24: global.kafka.conf.sasl.mechanisms: GSSAPI is not a login that corndog has; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER with OIDC",
    ],
  },
  {
    name: "the login is not named",
    text: withConf("security.protocol: sasl_plaintext"),
    want: [
      "hotdog.yml:7:7: global.kafka.conf.sasl.mechanisms: GSSAPI, librdkafka's default, is not a login that corndog has; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER with OIDC",
    ],
  },
  {
    name: "the protocol is unknown",
    text: withConf("security.protocol: tls"),
    want: [
      'hotdog.yml:8:26: global.kafka.conf.security.protocol: "tls" is not one of: plaintext, ssl, sasl_plaintext, sasl_ssl',
    ],
  },
  {
    name: "a number is none",
    text: withConf("linger.ms: soon"),
    want: [
      'hotdog.yml:8:18: global.kafka.conf.linger.ms: "soonms" is not a time; write a number and a unit, such as 5ms, 10s, 10m or 1h',
    ],
  },
  {
    name: "a value is a list",
    text: withConf("client.id: [a]"),
    want: ["hotdog.yml:8:18: global.kafka.conf.client.id: wants text, but a list is written here"],
  },
  {
    name: "sections are missing",
    text: "global: {}\n",
    want: [
      "hotdog.yml:1:9: global.kafka: this key is missing",
      "hotdog.yml:1:9: global.listen: this key is missing",
    ],
  },
  {
    name: "keys are missing",
    text: "global:\n  listen: {}\n  kafka: { conf: {} }\n",
    want: [
      "hotdog.yml:2:11: global.listen.address: this key is missing: the address to listen on",
      "hotdog.yml:2:11: global.listen.port: this key is missing: the port to listen on",
      "hotdog.yml:3:10: global.kafka.topic: this key is missing: the topic of lines that no rule forwards",
      "hotdog.yml:3:18: global.kafka.conf.bootstrap.servers: no broker is named; write bootstrap.servers or set KAFKA_BROKER",
    ],
  },
  { name: "global is empty", text: "global:\n", want: ["hotdog.yml:1:1: global: this key is missing"] },
  {
    name: "the port is no port",
    text:
      "global:\n  listen: { address: h, port: 99999 }\n  kafka: { conf: { bootstrap.servers: k }, topic: t }\n",
    want: [
      "hotdog.yml:2:31: global.listen.port: wants a port from 0 to 65535, but the number 99999 is written here",
    ],
  },
];

for (const { name, text, want } of refused) {
  test(`loadConfig() refuses a hotdog.yml when ${name}`, () => {
    assert.deepEqual(shown(load(text)).sort(), want);
  });
}

test("loadConfig() warns of keys that hotdog does not know either, also in rules", () => {
  const text = `${withConf().replace("rules: []\n", "")}extra: 1
rules:
  - regex: x
    field: msg
    comment: old
    actions: [{ type: stop, why: because }]
`;
  const result = load(text);
  assert.ok(result.ok, shown(result).join("\n"));
  assert.deepEqual(result.config.rules.rules[0]!.value, {
    regex: "x",
    field: "msg",
    actions: [{ type: "stop" }],
  });
  assert.deepEqual(warned(result).slice(1), [
    "hotdog.yml:8:1: extra: hotdog knows no such key; ignored",
    'hotdog.yml:12:5: rules.0.comment: unknown key "comment"; did you mean "contains"?; ignored, as in hotdog'
      .replace('; did you mean "contains"?', ""),
    'hotdog.yml:13:29: rules.0.actions.0.why: unknown key "why"; ignored, as in hotdog',
  ]);
});

test("loadConfig() takes certificates from where hotdog was started, else from beside the file", () => {
  const text = plainExample.replace("port: 6514\n", "port: 6514\n    tls: { cert: a.pem, key: b.pem }\n");
  const result = loadConfig({
    path: "/c/hotdog.yml",
    cwd: "/w",
    env: {},
    files: memoryFiles({ "/c/hotdog.yml": text, "/w/a.pem": "x" }),
  });
  assert.deepEqual(shown(result).map((fault) => fault.replace(/^.*?: global/, "global")), [
    "global.listen.tls.cert: /w/a.pem is not a PEM certificate (-----BEGIN CERTIFICATE-----)",
    "global.listen.tls.key: b.pem does not exist, and neither does /w/b.pem",
  ]);
});
