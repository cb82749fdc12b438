import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { loadConfig } from "../../../src/config/load.ts";
import { loadText, memoryFiles, shown, warned } from "./memory_files.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/config/${name}`, import.meta.url), "utf8");

test("loadConfig() gives the embedded default when there is no file", () => {
  const result = loadConfig({ cwd: "/w", env: {}, files: memoryFiles({}), cores: 3 });
  assert.ok(result.ok);
  assert.deepEqual(result.warnings, []);
  assert.deepEqual(result.config, {
    file: undefined,
    dialect: "corndog",
    listen: [
      { kind: "syslog", transport: "tcp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
      { kind: "syslog", transport: "udp", hostname: "127.0.0.1", port: 1514, path: "", framing: "auto" },
      {
        kind: "http",
        transport: "tcp",
        hostname: "127.0.0.1",
        port: 8080,
        path: "",
        ack: "kafka",
        answerMs: 10_000,
        bodyBytesMax: 8 * 1024 * 1024,
        origins: [],
      },
    ],
    frameBytesMax: 65_536,
    admin: { hostname: "127.0.0.1", port: 8585 },
    sink: "file",
    fileSink: { dir: "/w/corndog-data", rotateBytes: 67_108_864, keep: 0 },
    kafka: {
      brokers: [],
      clientId: "corndog",
      topic: "logs",
      compression: { codec: "auto" },
      lingerMs: 5,
      batchBytesMax: 524_288,
      topicWaitMs: 30_000,
      requestTimeoutMs: 30_000,
      topicFault: "dead_letter",
      parkedBytesMax: 4_194_304,
      timestamp: "receive",
      topicsAllow: ["logs-*", "logs"],
      topicsMax: 1000,
    },
    spool: undefined,
    deadLetter: { file: "/w/corndog-data/dead_letter.ndjson", bytesMax: 1_073_741_824 },
    limits: {
      memoryBytes: 268_435_456,
      connections: 10_000,
      connectionsPerPeer: 1000,
      idleMs: 600_000,
      handshakeMs: 10_000,
      partialMs: 60_000,
    },
    workers: 3,
    io: "auto",
    statsd: undefined,
    log: { level: "info", levels: {}, format: "auto" },
    drainTimeoutMs: 30_000,
    rules: { dialect: "corndog", rules: [], tests: [], files: [], origins: [] },
  });
});

test("loadConfig() carries every key when all are written", () => {
  const result = loadText(fixture("corndog.yml"), {
    env: { KAFKA_USER: "edge" },
    others: { "/c/secrets/password": "hunter2\n", "/c/rules/10-web.yml": fixture("rules/10-web.yml") },
  });
  assert.deepEqual(shown(result), []);
  assert.ok(result.ok);
  const { rules, ...config } = result.config;
  const plain = { kind: "syslog", hostname: "", port: 0, path: "", frameBytesMax: 32_768 };
  assert.deepEqual(config, {
    file: "/c/corndog.yml",
    dialect: "corndog",
    listen: [
      {
        kind: "syslog",
        transport: "tcp",
        hostname: "0.0.0.0",
        port: 1514,
        path: "",
        frameBytesMax: 32_768,
        oversize: "split",
        unparsed: "dead_letter",
        timezone: "Europe/Berlin",
        join: { by: "indent", waitMs: 1000, bytesMax: 16_384 },
        framing: "auto",
      },
      { ...plain, transport: "udp", hostname: "::1", port: 514, framing: "auto" },
      { ...plain, transport: "unix", path: "/run/corndog.sock", framing: "nul" },
      {
        ...plain,
        kind: "relp",
        transport: "tcp",
        hostname: "0.0.0.0",
        port: 2514,
        allowFrom: ["10.0.0.0/8", "2001:db8::/32"],
        proxyFrom: ["10.0.0.1"],
        bytesPerSecond: 1_048_576,
        ack: "kafka",
      },
      { ...plain, transport: "unixgram", path: "/dev/log", framing: "auto" },
      { ...plain, transport: "stdin", framing: "auto" },
    ],
    frameBytesMax: 32_768,
    admin: { hostname: "127.0.0.1", port: 9000 },
    sink: "kafka",
    fileSink: { dir: "/c/lines", rotateBytes: 10_000_000, keep: 7 },
    kafka: {
      brokers: ["kafka-1:9092", "[2001:db8::1]:9093", "kafka-3:9092"],
      clientId: "edge-7",
      topic: "edge",
      compression: { codec: "zstd", level: 3 },
      lingerMs: 10,
      batchBytesMax: 1_048_576,
      topicWaitMs: 60_000,
      requestTimeoutMs: 20_000,
      topicFault: "dead_letter",
      parkedBytesMax: 4_194_304,
      timestamp: "receive",
      topicsAllow: ["logs-*", "audit"],
      topicsMax: 50,
      tls: { verify: true },
      sasl: {
        mechanism: "scram-sha-512",
        username: "edge",
        password: "hunter2",
        passwordFile: "/c/secrets/password",
      },
    },
    spool: {
      dir: "/c/spool",
      durability: "fsync",
      bytesMax: 21_474_836_480,
      freeBytesMin: 1_073_741_824,
      replay: "ordered",
      replayBytesPerS: 10_000_000,
      parkedBytesMax: 268_435_456,
    },
    deadLetter: { file: "/c/letters.ndjson", bytesMax: 2_147_483_648 },
    limits: {
      memoryBytes: 536_870_912,
      connections: 500,
      connectionsPerPeer: 50,
      idleMs: 300_000,
      handshakeMs: 5000,
      partialMs: 30_000,
    },
    workers: 3,
    io: "native",
    statsd: { hostname: "127.0.0.1", port: 8125 },
    log: { level: "warn", levels: { kafka: "debug", dead_letter: "error" }, format: "json" },
    drainTimeoutMs: 10_000,
  });
  assert.deepEqual(rules.rules.map(({ file, path, line }) => [file, path, line]), [
    ["/c/rules/10-web.yml", "rules.0", 2],
    ["/c/corndog.yml", "rules.1", 50],
  ]);
  assert.deepEqual(rules.tests.map(({ file, path, line }) => [file, path, line]), [
    ["/c/rules/10-web.yml", "tests.0", 9],
    ["/c/corndog.yml", "tests.0", 53],
  ]);
});

test("loadConfig() names all faults at once, in reading order, each with its cure", () => {
  assert.deepEqual(shown(loadText(fixture("bad.yml"))), [
    'corndog.yml:2:13: listen.0.syslog: "tcp//0.0.0.0:1514" has no transport; write tcp://0.0.0.0:1514',
    'corndog.yml:3:5: listen.0.framig: unknown key "framig"; did you mean "framing"?',
    'corndog.yml:4:16: listen.0.frame_max: "64 kx" is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB',
    'corndog.yml:5:11: listen.1.relp: "udp" cannot carry RELP; write tcp or tls',
    'corndog.yml:6:13: listen.2.syslog: "::1:99" is an IPv6 address without brackets; write [::1]:514',
    'corndog.yml:7:5: listen.3: wants a map (key: value), but the text "tcp://0.0.0.0:1" is written here',
    "corndog.yml:8:8: admin: wants a map (key: value), but a list is written here",
    'corndog.yml:9:7: sink: "kafak" is not one of: kafka, file, stdout, blackhole; did you mean "kafka"?',
    'corndog.yml:11:12: kafka.brokers.1: "kafka:2:3" is not an address; write host:port, such as kafka-1:9092',
    'corndog.yml:12:10: kafka.topic: "a b" is not a topic name; Kafka takes letters, digits, ".", "_" and "-", at most 249',
    "corndog.yml:13:9: kafka.acks: 1 would lose lines when a broker fails; write all (it is the default) or remove the key",
    "corndog.yml:14:16: kafka.compression: zstd has no level 99; write zstd:1 to zstd:19",
    "corndog.yml:15:11: kafka.linger: 5 has no unit; write 5ms, 5s or 5m",
    "corndog.yml:16:14: kafka.batch_max: wants a size such as 64KiB, 10MB or 1GiB, but true is written here",
    "corndog.yml:17:14: kafka.tls.ca: wants text, but the number 1 is written here; put it in quotes",
    'corndog.yml:17:17: kafka.tls.foo: unknown key "foo"; the keys here are ca, cert, key, verify',
    'corndog.yml:18:22: kafka.sasl.mechanism: "scram" is not one of: plain, scram-sha-256, scram-sha-512, oauthbearer, aws-msk-iam',
    "corndog.yml:18:39: kafka.sasl.username: wants text, but the number 123 is written here; put it in quotes",
    'corndog.yml:19:22: spool.durability: "disk" is not one of: none, os, fsync',
    'corndog.yml:20:11: limits.memori: unknown key "memori"; did you mean "memory"?',
    "corndog.yml:20:38: limits.connections: -1 is too small; the least is 1",
    "corndog.yml:20:42: limits.idle: has no value; write a time such as 5ms, 10s, 10m or 1h or remove the key",
    "corndog.yml:21:10: workers: 0 is not a number of workers; write auto or 1 to 256",
    'corndog.yml:22:5: io: "uringg" is not one of: auto, native, uring; did you mean "uring"?',
    'corndog.yml:23:20: metrics.statsd: "foo" has no port; write 127.0.0.1:8125',
    "corndog.yml:24:16: drain_timeout: the environment variable NOPE is not set; set it or write ${NOPE:-default}",
    "corndog.yml:25:9: rules.0: the rule file nope.yml does not exist",
    'corndog.yml:25:37: rules.1.actions.0.type: unknown action "forwrd"; did you mean "forward"?',
    'corndog.yml:26:1: sinkk: unknown key "sinkk"; did you mean "sink"?',
    'corndog.yml:27:1: linsten: unknown key "linsten"; did you mean "listen"?',
  ]);
});

const bad: { name: string; input: string; want: string[] }[] = [
  {
    name: "the document is a list",
    input: "- a\n",
    want: ["corndog.yml:1:1: wants a map (key: value), but a list is written here"],
  },
  {
    name: "the document is a text",
    input: "hello\n",
    want: ['corndog.yml:1:1: wants a map (key: value), but the text "hello" is written here'],
  },
  {
    name: "rules are misspelt",
    input: "rulez: []\n",
    want: ['corndog.yml:1:1: rulez: unknown key "rulez"; did you mean "rules"?'],
  },
  {
    name: "YAML is broken",
    input: "a: [1\nb: 2\n",
    want: [
      "corndog.yml:2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
  },
  {
    name: "a listener has no address",
    input: "listen:\n  - framing: auto\n",
    want: ["corndog.yml:2:5: listen.0: has no address; write syslog: tcp://0.0.0.0:1514"],
  },
  {
    name: "there are no listeners",
    input: "listen: []\n",
    want: [
      "corndog.yml:1:9: listen: has no listener; write at least one or remove the key for syslog on 127.0.0.1:1514",
    ],
  },
  {
    name: "two listeners have one address",
    input:
      "listen:\n  - syslog: tcp://127.0.0.1:5\n  - syslog: udp://127.0.0.1:5\n  - syslog: tls://127.0.0.1:5\n    tls: { cert: c, key: k }\n",
    want: [
      "corndog.yml:4:13: listen.2.syslog: the listener before (listen.0) has this address; remove one of them",
      "corndog.yml:5:18: listen.2.tls.cert: c does not exist",
      "corndog.yml:5:26: listen.2.tls.key: k does not exist",
    ],
  },
  {
    name: "a transport is unknown",
    input: "listen: [{ syslog: tcps://h:1 }]\n",
    want: [
      'corndog.yml:1:20: listen.0.syslog: "tcps" is not a transport; write tcp, tls, udp, unix, unixgram or stdin; did you mean "tcp"?',
    ],
  },
  {
    name: "a unix path is relative",
    input: "listen: [{ syslog: unix://run/x }]\n",
    want: [
      'corndog.yml:1:20: listen.0.syslog: "unix://run/x" is not an absolute path; write three slashes: unix:///run/corndog.sock',
    ],
  },
  {
    name: "a unix path is too long",
    input: `listen: [{ syslog: "unix:///${"x".repeat(107)}" }]\n`,
    want: [
      "corndog.yml:1:20: listen.0.syslog: the path of a unix socket may have 107 bytes; choose a shorter one",
    ],
  },
  {
    name: "a unix datagram path is relative",
    input: "listen: [{ syslog: 'unixgram://x' }]\n",
    want: [
      'corndog.yml:1:20: listen.0.syslog: "unixgram://x" is not an absolute path; write three slashes: unixgram:///run/corndog.sock',
    ],
  },
  {
    name: "stdin has a name behind it",
    input: "listen: [{ syslog: 'stdin:x' }]\n",
    want: ['corndog.yml:1:20: listen.0.syslog: "stdin:x" names something behind stdin:; write stdin:'],
  },
  {
    name: "keys do not fit the transport",
    input: `listen:
  - { syslog: 'stdin:', allow_from: [10.0.0.0/8] }
  - { syslog: 'udp://h:1', proxy_from: [10.0.0.0/8] }
  - { syslog: 'tcp://h:2', ack: disk }
  - { relp: 'tcp://h:3', framing: octet }
  - { relp: 'tcp://h:4', syslog: 'tcp://h:5' }
`,
    want: [
      "corndog.yml:2:37: listen.0.allow_from: stdin has no networks; remove the key",
      "corndog.yml:3:40: listen.1.proxy_from: datagrams have no PROXY header; remove the key",
      "corndog.yml:4:33: listen.2.ack: syslog has no answers; remove the key, or listen for relp: instead",
      "corndog.yml:5:35: listen.3.framing: RELP has its own frames; remove the key",
      "corndog.yml:6:13: listen.4.relp: a listener is for syslog or for RELP; write two listeners",
    ],
  },
  {
    name: "a network is none, or has bits behind its prefix",
    input: "listen: [{ syslog: 'tcp://h:1', allow_from: [10.1.2.3/8, everybody] }]\n",
    want: [
      'corndog.yml:1:46: listen.0.allow_from.0: "10.1.2.3/8" has bits behind its prefix; write 10.0.0.0/8',
      'corndog.yml:1:58: listen.0.allow_from.1: "everybody" is not a network; write an address with its prefix, such as 10.0.0.0/8 or 2001:db8::/32',
    ],
  },
  {
    name: "a datagram is to be framed",
    input: "listen: [{ syslog: 'udp://h:1', framing: octet }]\n",
    want: ["corndog.yml:1:42: listen.0.framing: a datagram is one line; remove the key"],
  },
  {
    name: "tls has no certificate",
    input: "listen: [{ syslog: 'tls://h:1' }]\n",
    want: [
      "corndog.yml:1:10: listen.0.tls: this key is missing; a tls:// listener needs tls: { cert: FILE, key: FILE }",
    ],
  },
  {
    name: "tcp has a certificate",
    input: "listen: [{ syslog: 'tcp://h:1', tls: { cert: a, key: b } }]\n",
    want: [
      "corndog.yml:1:38: listen.0.tls: certificates are for tls:// listeners; write syslog: tls://h:1 or remove it",
    ],
  },
  {
    name: "client certificates have no ca",
    input: "listen:\n  - syslog: tls://h:1\n    tls: { cert: a, key: b, client: require }\n",
    want: [
      "corndog.yml:3:18: listen.0.tls.cert: a does not exist",
      "corndog.yml:3:26: listen.0.tls.key: b does not exist",
      "corndog.yml:3:37: listen.0.tls.client: client: require needs ca, the certificates that may sign client certificates",
    ],
  },
  {
    name: "keys of lines do not fit the listener",
    input: `listen:
  - { syslog: "udp://h:1", join: {} }
  - { syslog: "tcp://h:2", framing: nul, join: {} }
  - { relp: "tcp://h:3", oversize: split, join: {} }
`,
    want: [
      "corndog.yml:2:34: listen.0.join: a datagram is one line, with all line ends in it; remove the key",
      "corndog.yml:3:48: listen.1.join: framing: nul has no line ends to join at; remove one of the keys",
      "corndog.yml:4:36: listen.2.oversize: RELP and HTTP take a line whole or refuse it; remove the key",
      "corndog.yml:4:49: listen.2.join: RELP and HTTP have their own frames; remove the key",
    ],
  },
  {
    name: "keys of lines are wrong",
    input: `listen:
  - { syslog: "tcp://h:1" }
  - { syslog: "tcp://h:2" }
  - { syslog: "tcp://h:3" }
  - { syslog: "tcp://h:4", oversize: cut, unparsed: drop, timezone: Berlin, join: { by: brace, wait: 1h } }
`,
    want: [
      'corndog.yml:5:38: listen.3.oversize: "cut" is not one of: truncate, split, dead_letter',
      'corndog.yml:5:53: listen.3.unparsed: "drop" is not one of: forward, dead_letter',
      'corndog.yml:5:69: listen.3.timezone: "Berlin" is not a time zone; write local, Europe/Berlin or +02:00',
      'corndog.yml:5:89: listen.3.join.by: "brace" is not one of: pri, indent',
      'corndog.yml:5:102: listen.3.join.wait: "1h" is too large; the most is 1m',
    ],
  },
  {
    name: "a batch cannot hold a line",
    input: "kafka: { batch_max: 32KiB }\nlisten: [{ syslog: 'tcp://h:1' }]\n",
    want: [
      "corndog.yml:1:21: kafka.batch_max: 32KiB cannot hold a line of frame_max (64KiB); raise it or lower frame_max",
    ],
  },
  {
    name: "a batch cannot hold a line of the default",
    input: "kafka: { batch_max: 32KiB }\n",
    want: [
      "corndog.yml:1:21: kafka.batch_max: 32KiB cannot hold a line of frame_max (64KiB); raise it or lower frame_max",
    ],
  },
  {
    name: "frame_max is below its bound",
    input: "listen: [{ syslog: 'tcp://h:1', frame_max: 255 }]\n",
    want: ["corndog.yml:1:44: listen.0.frame_max: 255 is too small; the least is 256B"],
  },
  {
    name: "frame_max is above its bound",
    input: "listen: [{ syslog: 'tcp://h:1', frame_max: 17MiB }]\n",
    want: ['corndog.yml:1:44: listen.0.frame_max: "17MiB" is too large; the most is 16MiB'],
  },
  {
    name: "kafka has no brokers",
    input: "sink: kafka\nkafka: { topic: x }\n",
    want: [
      "corndog.yml:2:8: kafka.brokers: no broker is named; write brokers: [kafka-1:9092] or set KAFKA_BROKER",
    ],
  },
  {
    name: "kafka is not there at all",
    input: "sink: kafka\n",
    want: [
      "corndog.yml:1:1: kafka.brokers: no broker is named; write brokers: [kafka-1:9092] or set KAFKA_BROKER",
    ],
  },
  {
    name: "a broker is a URL",
    input: "kafka: { brokers: ['SSL://k:1'] }\n",
    want: [
      'corndog.yml:1:20: kafka.brokers.0: "SSL://k:1" is a URL; write k:1 (TLS and SASL have keys of their own)',
    ],
  },
  {
    name: "a login has no password",
    input: "kafka: { brokers: k, sasl: { mechanism: plain, username: u } }\n",
    want: [
      "corndog.yml:1:28: kafka.sasl.password: this key is missing; write password_env, password_file or password",
    ],
  },
  {
    name: "a password is given twice",
    input: "kafka:\n  brokers: k\n  sasl: { mechanism: plain, username: u, password: p, password_env: P }\n",
    want: [
      "corndog.yml:3:69: kafka.sasl.password_env: the password is given twice, by password and password_env; keep one",
    ],
  },
  {
    name: "a password's variable is not set",
    input: "kafka:\n  brokers: k\n  sasl: { mechanism: plain, username: u, password_env: P }\n",
    want: ["corndog.yml:3:56: kafka.sasl.password_env: the environment variable P is not set"],
  },
  {
    name: "a client certificate has no key",
    input: "kafka: { brokers: k, tls: { cert: c } }\n",
    want: [
      "corndog.yml:1:27: kafka.tls.key: this key is missing; cert needs key beside it",
      "corndog.yml:1:35: kafka.tls.cert: c does not exist",
    ],
  },
  {
    name: "a codec is none of Kafka's",
    input: "kafka: { compression: brotli }\n",
    want: [
      'corndog.yml:1:23: kafka.compression: "brotli" is not a compression; write auto, zstd, gzip, lz4, snappy or none',
    ],
  },
  {
    name: "a codec without levels has one",
    input: "kafka: { compression: 'lz4:3' }\n",
    want: ["corndog.yml:1:23: kafka.compression: lz4 has no levels; write lz4"],
  },
  {
    name: "the admin API is open to all",
    input: "admin: { listen: 0.0.0.0:8585 }\n",
    want: [
      "corndog.yml:1:18: admin.listen: 0.0.0.0:8585 is reached from other machines; write token_file beside it or listen on 127.0.0.1:8585",
    ],
  },
  {
    name: "the token file is absent",
    input: "admin: { listen: 0.0.0.0:8585, token_file: t }\n",
    want: [
      "corndog.yml:1:44: admin.token_file: t does not exist; make it: (umask 077; openssl rand -hex 32 > t)",
    ],
  },
  {
    name: "one worker cannot have the memory",
    input: "limits: { memory: 4GiB }\nworkers: 1\n",
    want: ["corndog.yml:1:19: limits.memory: 1 worker(s) can hold 3GiB at most; write less or raise workers"],
  },
  {
    name: "a reference names no variable",
    input: "kafka: { topic: 'a-${1}' }\n",
    want: [
      "corndog.yml:1:17: kafka.topic: ${1} names no environment variable; write ${NAME}, or $${1} for these characters themselves",
    ],
  },
];

for (const { name, input, want } of bad) {
  test(`loadConfig() names place and cure when ${name}`, () =>
    assert.deepEqual(shown(loadText(input)), want));
}

test("loadConfig() refuses every documented key of a later version by its name, not as unknown", () => {
  const text = `kafka: { partition_by: sticky }
`;
  const faults = shown(loadText(text));
  assert.equal(faults.length, 1);
  for (const fault of faults) assert.match(fault, /this version/, fault);
});

const deadLetterTopics: { name: string; text: string; want: string }[] = [
  {
    name: "it is where delivered lines go",
    text: "kafka: { brokers: [a], topic: logs }\ndead_letter: { topic: logs }\n",
    want:
      "corndog.yml:2:23: dead_letter.topic: is kafka.topic, where delivered lines go; write a topic of its own",
  },
  {
    name: "it is no topic name",
    text: "kafka: { brokers: [a] }\ndead_letter: { topic: 'a b' }\n",
    want:
      'corndog.yml:2:23: dead_letter.topic: "a b" is not a topic name; Kafka takes letters, digits, ".", "_" and "-", at most 249',
  },
  {
    name: "a rule forwards to it",
    text:
      "kafka: { brokers: [a] }\ndead_letter: { topic: dead }\nrules: [{ regex: x, actions: [{ type: forward, topic: dead }] }]\n",
    want:
      "corndog.yml:3:55: rules.0.actions.0.topic: is dead_letter.topic, which takes refused lines only; forward to another topic or use type: dead_letter",
  },
];
for (const { name, text, want } of deadLetterTopics) {
  test(`loadConfig() refuses a dead-letter topic when ${name}`, () => {
    assert.deepEqual(shown(loadText(text)), [want]);
  });
}

test("loadConfig() takes a dead-letter topic, and warns when nothing goes to Kafka", () => {
  const kafka = loadText("kafka: { brokers: [a] }\ndead_letter: { topic: dead }\n");
  assert.ok(kafka.ok, shown(kafka).join());
  assert.equal(kafka.config.deadLetter.topic, "dead");
  const file = loadText("dead_letter: { topic: dead }\n");
  assert.ok(file.ok, shown(file).join());
  assert.match(file.warnings[0]!.message, /^the sink is file, so dead letters go to the file alone/);
});

test("loadConfig() reads ${NAME} after parsing, so that no value breaks the YAML", () => {
  const text =
    "kafka:\n  topic: ${TOPIC}\n  client_id: 'a-$${TOPIC}-${ID:-none}'\nlimits:\n  connections: ${N}\n";
  const result = loadText(text, { env: { TOPIC: "x", ID: "", N: "7" } });
  assert.ok(result.ok, shown(result).join());
  assert.equal(result.config.kafka.topic, "x");
  assert.equal(result.config.kafka.clientId, "a-${TOPIC}-none");
  assert.equal(result.config.limits.connections, 7);
  const hostile = loadText("kafka: { client_id: '${ID}' }\n", { env: { ID: 'x"}\nsink: blackhole' } });
  assert.ok(hostile.ok);
  assert.equal(hostile.config.kafka.clientId, 'x"}\nsink: blackhole');
  assert.equal(hostile.config.sink, "file");
});

test("loadConfig() leaves ${NAME} in rules alone, which the admin API can write", () => {
  const text = "rules: [{ regex: x, actions: [{ type: replace, template: '${SECRET}' }] }]\n";
  const result = loadText(text, { env: { SECRET: "hunter2" } });
  assert.ok(result.ok);
  assert.ok(!JSON.stringify(result.config).includes("hunter2"));
});

const overrides: {
  name: string;
  text?: string;
  env?: Record<string, string>;
  sets?: string[];
  pick: (c: never) => unknown;
  want: unknown;
}[] = [
  {
    name: "KAFKA_BROKER",
    env: { KAFKA_BROKER: "a:1,b" },
    pick: (c: { kafka: { brokers: unknown }; sink: unknown }) => [c.kafka.brokers, c.sink],
    want: [["a:1", "b:9092"], "kafka"],
  },
  {
    name: "KAFKA_BROKER beside sink: file",
    text: "sink: file\n",
    env: { KAFKA_BROKER: "a:1" },
    pick: (c: { sink: unknown }) => c.sink,
    want: "file",
  },
  {
    name: "an empty KAFKA_BROKER",
    env: { KAFKA_BROKER: "" },
    pick: (c: { sink: unknown }) => c.sink,
    want: "file",
  },
  {
    name: "SASL_SCRAM_* over password_env",
    text: "kafka: { brokers: k, sasl: { mechanism: scram-sha-256, username: u, password_env: P } }\n",
    env: { SASL_SCRAM_USERNAME: "v", SASL_SCRAM_PASSWORD: "q" },
    pick: (c: { kafka: { sasl: unknown } }) => c.kafka.sasl,
    want: { mechanism: "scram-sha-256", username: "v", password: "q" },
  },
  {
    name: "SASL_SCRAM_* alone",
    text: "kafka: { brokers: k }\n",
    env: { SASL_SCRAM_USERNAME: "0123", SASL_SCRAM_PASSWORD: "{q" },
    pick: (c: { kafka: { sasl: unknown } }) => c.kafka.sasl,
    want: { mechanism: "scram-sha-512", username: "0123", password: "{q" },
  },
  {
    name: "CORNDOG_KAFKA_TOPIC",
    text: "kafka: { topic: a }\n",
    env: { CORNDOG_KAFKA_TOPIC: "b" },
    pick: (c: { kafka: { topic: unknown } }) => c.kafka.topic,
    want: "b",
  },
  {
    name: "CORNDOG_KAFKA_TOPIC_WAIT",
    env: { CORNDOG_KAFKA_TOPIC_WAIT: "1m" },
    pick: (c: { kafka: { topicWaitMs: unknown } }) => c.kafka.topicWaitMs,
    want: 60_000,
  },
  {
    name: "CORNDOG_KAFKA_TOPICS_MAX",
    env: { CORNDOG_KAFKA_TOPICS_MAX: "9" },
    pick: (c: { kafka: { topicsMax: unknown } }) => c.kafka.topicsMax,
    want: 9,
  },
  {
    name: "CORNDOG_KAFKA_TLS",
    env: { CORNDOG_KAFKA_TLS: "true" },
    pick: (c: { kafka: { tls: unknown } }) => c.kafka.tls,
    want: { verify: true },
  },
  {
    name: "CORNDOG_LIMITS_MEMORY",
    env: { CORNDOG_LIMITS_MEMORY: "1GiB" },
    pick: (c: { limits: { memoryBytes: unknown } }) => c.limits.memoryBytes,
    want: 1_073_741_824,
  },
  {
    name: "CORNDOG_LISTEN",
    env: { CORNDOG_LISTEN: "[{syslog: 'udp://[::]:5'}]" },
    pick: (c: { listen: { hostname: unknown }[] }) => c.listen.map((l) => l.hostname),
    want: ["::"],
  },
  {
    name: "--set over the environment",
    env: { CORNDOG_WORKERS: "2" },
    sets: ["workers=5"],
    pick: (c: { workers: unknown }) => c.workers,
    want: 5,
  },
  {
    name: "the later --set",
    sets: ["kafka.topic=a", "kafka.topic=b=c".replace("=c", "-c")],
    pick: (c: { kafka: { topic: unknown } }) => c.kafka.topic,
    want: "b-c",
  },
  {
    name: "--set into a list",
    text: "listen: [{ syslog: 'tcp://h:1' }]\n",
    sets: ["listen.0.framing=octet", "listen.1.syslog=udp://h:2"],
    pick: (c: { listen: { framing: unknown; transport: unknown }[] }) =>
      c.listen.map((l) => [l.transport, l.framing]),
    want: [["tcp", "octet"], ["udp", "auto"]],
  },
  {
    name: "--set of a map",
    sets: ["kafka.sasl={mechanism: plain, username: u, password: p}"],
    pick: (c: { kafka: { sasl: { username: unknown } } }) => c.kafka.sasl.username,
    want: "u",
  },
];

for (const { name, text, env, sets, pick, want } of overrides) {
  test(`loadConfig() obeys ${name}`, () => {
    const result = loadText(text ?? "", { env: env ?? {}, sets: sets ?? [] });
    assert.deepEqual(shown(result), []);
    assert.ok(result.ok);
    assert.deepEqual(pick(result.config as never), want);
  });
}

const badOverrides: { name: string; env?: Record<string, string>; sets?: string[]; want: string[] }[] = [
  {
    name: "--set has no value",
    sets: ["kafka.topic"],
    want: ["--set kafka.topic: wants key=value, such as --set kafka.topic=logs"],
  },
  {
    name: "--set has no key",
    sets: ["=x"],
    want: ["--set : wants key=value, such as --set kafka.topic=logs"],
  },
  {
    name: "--set names a key that is not",
    sets: ["kafka.topik=x"],
    want: ['--set kafka.topik: kafka.topik: unknown key "topik"; did you mean "topic"?'],
  },
  {
    name: "--set reaches for the prototype",
    sets: ["__proto__.x=1"],
    want: [
      "--set __proto__.x: is not a key; write its parts with dots between them, such as kafka.topic or listen.0.framing",
    ],
  },
  {
    name: "--set has an endless index",
    sets: ["listen.9999.syslog=tcp://h:1"],
    want: [
      "--set listen.9999.syslog: is not a key; write its parts with dots between them, such as kafka.topic or listen.0.framing",
    ],
  },
  {
    name: "--set has a broken map",
    sets: ["kafka.sasl={"],
    want: [
      "--set kafka.sasl:1:2: not valid YAML: Flow map must end with a }",
    ],
  },
  {
    name: "a variable has a bad value",
    env: { CORNDOG_LIMITS_IDLE: "5" },
    want: ['environment CORNDOG_LIMITS_IDLE: limits.idle: "5" has no unit; write 5ms, 5s or 5m'],
  },
  {
    name: "KAFKA_BROKER is no address",
    env: { KAFKA_BROKER: "a:b:c" },
    want: [
      'environment KAFKA_BROKER: kafka.brokers.0: "a:b:c" is not an address; write host:port, such as kafka-1:9092',
    ],
  },
];

for (const { name, env, sets, want } of badOverrides) {
  test(`loadConfig() points at the override and not into the file when ${name}`, () => {
    assert.deepEqual(
      shown(loadText("kafka: { topic: fine }\n", { env: env ?? {}, sets: sets ?? [] })).slice(0, 1),
      want,
    );
  });
}

const overrideFaults: { name: string; text?: string; sets: string[]; want: string[] }[] = [
  {
    name: "it names a rule",
    sets: ["rules.0=x", "tests=[]"],
    want: [
      "--set rules.0: rules cannot be set one by one; name rule files with --rules PATH, or change the file",
      "--set tests: tests cannot be set one by one; name rule files with --rules PATH, or change the file",
    ],
  },
  {
    name: "it reaches past the end of a list",
    sets: ["listen.99.syslog=tcp://127.0.0.1:1"],
    want: ["--set listen.99.syslog: listen has 0 entries before this; the next one is listen.0"],
  },
  {
    name: "it leaves one entry out",
    text: "listen: [{ syslog: 'tcp://127.0.0.1:1' }]\n",
    sets: ["listen.2.syslog=tcp://127.0.0.1:2"],
    want: ["--set listen.2.syslog: listen has 1 entry before this; the next one is listen.1"],
  },
];

for (const { name, text = "", sets, want } of overrideFaults) {
  test(`loadConfig() has one fault for a --set when ${name}`, () => {
    assert.deepEqual(shown(loadText(text, { sets })), want);
  });
}

test("loadConfig() takes several entries that --set adds one after the other", () => {
  const sets = ["listen.0.syslog=tcp://127.0.0.1:1", "listen.1.syslog=udp://127.0.0.1:2"];
  const result = loadText("", { sets });
  assert.ok(result.ok, shown(result).join("\n"));
  assert.deepEqual(result.config.listen.map(({ port }) => port), [1, 2]);
});

test("loadConfig() suggests no variable for one that is like it in the prefix alone", () => {
  assert.deepEqual(warned(loadText("", { env: { CORNDOG_NOPE: "x" } })), [
    "environment CORNDOG_NOPE: this variable names no key of the configuration and is ignored",
  ]);
});

test("loadConfig() warns of variables that name no key, and not of those that others read", () => {
  const result = loadText("", {
    env: { CORNDOG_KAFKA_TOPIK: "x", CORNDOG_INSTALL: "/x", CORNDOG_LOG: "json", HOME: "/" },
  });
  assert.deepEqual(warned(result), [
    'environment CORNDOG_KAFKA_TOPIK: this variable names no key of the configuration and is ignored; did you mean "CORNDOG_KAFKA_TOPIC"?',
  ]);
});

const logCases: {
  name: string;
  text?: string;
  env?: Record<string, string>;
  sets?: string[];
  want: { level?: string; levels?: Record<string, string>; format?: string };
}[] = [
  { name: "nothing is written", want: {} },
  {
    name: "the environment has the names of before",
    env: { CORNDOG_LOG: "human", CORNDOG_LOG_LEVEL: "debug" },
    want: { format: "human", level: "debug" },
  },
  { name: "the variables are empty", env: { CORNDOG_LOG: "", CORNDOG_LOG_LEVEL: "" }, want: {} },
  {
    name: "a component has a variable",
    env: { CORNDOG_LOG_LEVELS_DEAD_LETTER: "warn" },
    want: { levels: { dead_letter: "warn" } },
  },
  {
    name: "all components have one variable",
    env: { CORNDOG_LOG_LEVELS: "{ kafka: debug, http: error }" },
    want: { levels: { kafka: "debug", http: "error" } },
  },
  {
    name: "--set and the file name two components",
    text: "log: { levels: { spool: error } }\n",
    sets: ["log.levels.kafka=debug"],
    want: { levels: { spool: "error", kafka: "debug" } },
  },
  { name: "RUST_LOG is set for another program", env: { RUST_LOG: "debug" }, want: {} },
];
for (const { name, text = "", env = {}, sets = [], want } of logCases) {
  test(`loadConfig() says what is logged when ${name}`, () => {
    const result = loadText(text, { env, sets });
    assert.ok(result.ok, shown(result).join("\n"));
    assert.deepEqual(result.config.log, { level: "info", levels: {}, format: "auto", ...want });
  });
}

const rustLog: [text: string, level: string][] = [
  ["debug", "debug"],
  ["WARN", "warn"],
  ["rdkafka=trace,hotdog=info", "info"],
  ["error,hotdog=trace", "debug"],
  ["off", "error"],
  ["hotdog", "info"],
  ["nonsense", "info"],
];
for (const [text, level] of rustLog) {
  test(`loadConfig() logs ${level} when a hotdog.yml runs with RUST_LOG=${text}`, () => {
    const hotdog = fixture("hotdog.yml").replace(/ {4}tls:\n.*\n.*\n/, "");
    const result = loadText(hotdog, { env: { RUST_LOG: text } });
    assert.ok(result.ok, shown(result).join("\n"));
    assert.equal(result.config.log.level, level);
    const over = loadText(hotdog, { env: { RUST_LOG: text, CORNDOG_LOG_LEVEL: "error" } });
    assert.equal(over.ok && over.config.log.level, "error");
  });
}

test("loadConfig() names levels and components of the log that there are not", () => {
  assert.deepEqual(shown(loadText("log: { level: loud, levels: { kafak: debug, http: verbose } }\n")), [
    'corndog.yml:1:15: log.level: "loud" is not one of: error, warn, info, debug',
    'corndog.yml:1:31: log.levels.kafak: unknown key "kafak"; did you mean "kafka"?',
    'corndog.yml:1:51: log.levels.http: "verbose" is not one of: error, warn, info, debug',
  ]);
  assert.deepEqual(shown(loadText("", { env: { CORNDOG_LOG: "xml" } })), [
    'environment CORNDOG_LOG: log.format: "xml" is not one of: auto, json, human',
  ]);
});

test("loadConfig() warns when something works and is unwise", () => {
  const text = `sink: kafka
kafka: { brokers: k, tls: { verify: false }, sasl: { mechanism: plain, username: u, password: p } }
rules:
  - { regex: x, actions: [{ type: forward, topic: "{{value}}" }] }
`;
  assert.deepEqual(warned(loadText(text)), [
    "corndog.yml:2:37: kafka.tls.verify: any broker is trusted, whoever it is; use it for tests only",
    "corndog.yml:4:51: rules.0.actions.0.topic: lines choose this topic, and only logs-* and logs are allowed; others go to the dead letter until kafka.topics.allow names them",
  ]);
  const plain = "kafka: { brokers: k, sasl: { mechanism: plain, username: u, password: p } }\n";
  assert.deepEqual(warned(loadText(plain)), [
    "corndog.yml:1:41: kafka.sasl.mechanism: plain without TLS sends the password readable over the network; write tls: true",
  ]);
  assert.deepEqual(warned(loadText("sink: file\nkafka: { brokers: [k] }\n")), [
    "corndog.yml:2:19: kafka.brokers: the sink is file, so nothing is sent to Kafka",
  ]);
});

test("loadConfig() looks for corndog.yml, then hotdog.yml", () => {
  const texts = {
    "/w/corndog.yml": "workers: 5\n",
    "/w/hotdog.yml": fixture("hotdog.yml").replace(/ {4}tls:\n.*\n.*\n/, ""),
  };
  const both = loadConfig({ cwd: "/w", env: {}, files: memoryFiles(texts) });
  assert.ok(both.ok);
  assert.equal(both.config.file, "/w/corndog.yml");
  const one = loadConfig({
    cwd: "/w",
    env: {},
    files: memoryFiles({ "/w/hotdog.yml": texts["/w/hotdog.yml"] }),
  });
  assert.ok(one.ok, shown(one).join("\n"));
  assert.equal(one.config.dialect, "hotdog");
  const none = loadConfig({ search: false, cwd: "/w", env: {}, files: memoryFiles(texts) });
  assert.ok(none.ok);
  assert.equal(none.config.file, undefined);
});

test("loadConfig() says so when the file that was named is absent", () => {
  const result = loadConfig({ path: "x.yml", cwd: "/w", env: {}, files: memoryFiles({}) });
  assert.deepEqual(shown(result), ["/w/x.yml: the configuration file does not exist"]);
});

test("loadConfig() keeps data where systemd says", () => {
  const result = loadText("", { env: { STATE_DIRECTORY: "/var/lib/corndog" } });
  assert.ok(result.ok);
  assert.equal(result.config.fileSink.dir, "/var/lib/corndog");
  assert.equal(result.config.deadLetter.file, "/var/lib/corndog/dead_letter.ndjson");
});

test("loadConfig() never throws and never fails without a fault when the text is arbitrary", () => {
  const key = fc.constantFrom(
    "listen",
    "admin",
    "sink",
    "file",
    "kafka",
    "dead_letter",
    "limits",
    "workers",
    "io",
    "metrics",
    "rules",
    "tests",
    "global",
    "spool",
    "syslog",
    "tls",
    "sasl",
    "brokers",
    "topics",
    "conf",
    "x",
  );
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom("tcp://h:1", "64KiB", "5ms", "${X}", "constructor"),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 5 }),
    ),
  }));
  const text = fc.oneof(
    fc.dictionary(key, value, { maxKeys: 6 }).map((map) => JSON.stringify(map)),
    fc.string(),
  );
  fc.assert(
    fc.property(text, fc.array(fc.string(), { maxLength: 2 }), (input, sets) => {
      const result = loadText(input, { sets });
      if (!result.ok) assert.ok(result.faults.length > 0);
    }),
    { numRuns: 1500 },
  );
});
