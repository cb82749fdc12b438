/**
 * The configuration in force for people: the keys of `corndog.yml` with every default, secrets as `***`.
 *
 * What `check --print` writes is itself a corndog.yml; only the secrets must be put in again.
 *
 * @module
 */
import {
  type Config,
  defaultFrameBytesMax,
  type HttpListen,
  type KafkaConfig,
  type Listen,
  type SpoolConfig,
  type TlsServer,
} from "./config.ts";
import { formatDuration, formatSize } from "./fields.ts";
import { writtenSasl } from "./print_sasl.ts";
import { formatHostPort } from "./units.ts";
import { formatYaml } from "./yaml.ts";

/** The configuration as an object in the words of `corndog.yml`, without secrets. */
export function redactConfig(config: Config): Record<string, unknown> {
  return {
    listen: config.listen.map(writtenListen),
    ...(config.admin === undefined ? {} : {
      admin: {
        listen: formatHostPort(config.admin),
        ...(config.admin.tokenFile === undefined ? {} : { token_file: config.admin.tokenFile }),
      },
    }),
    sink: config.sink,
    file: {
      dir: config.fileSink.dir,
      rotate: formatSize(config.fileSink.rotateBytes),
      keep: config.fileSink.keep,
    },
    kafka: writtenKafka(config.kafka),
    ...(config.spool === undefined ? {} : { spool: writtenSpool(config.spool) }),
    dead_letter: {
      ...(config.deadLetter.topic === undefined ? {} : { topic: config.deadLetter.topic }),
      file: config.deadLetter.file,
      bytes_max: formatSize(config.deadLetter.bytesMax),
    },
    limits: {
      memory: formatSize(config.limits.memoryBytes),
      connections: config.limits.connections,
      connections_per_peer: config.limits.connectionsPerPeer,
      handshake: formatDuration(config.limits.handshakeMs),
      partial: formatDuration(config.limits.partialMs),
      idle: formatDuration(config.limits.idleMs),
    },
    workers: config.workers,
    io: config.io,
    ...(config.statsd === undefined ? {} : { metrics: { statsd: formatHostPort(config.statsd) } }),
    log: config.log,
    drain_timeout: formatDuration(config.drainTimeoutMs),
    rules: config.rules.rules.map((rule) => rule.value),
    ...(config.rules.tests.length === 0 ? {} : { tests: config.rules.tests.map((test) => test.value) }),
  };
}

/** The configuration in force as YAML, without secrets. */
export function printConfig(config: Config): string {
  const from = config.file ?? "the embedded default";
  const { rules, tests, ...own } = redactConfig(config);
  const written = {
    ...escaped(own) as Record<string, unknown>,
    rules,
    ...(tests === undefined ? {} : { tests }),
  };
  return `# Configuration in force, from ${from}${config.dialect === "hotdog" ? " (hotdog)" : ""}\n${
    formatYaml(written)
  }`;
}

/** Texts with `${` in them are values here; a reader of the YAML would take them for references. */
function escaped(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

function writtenListen(listen: Listen): Record<string, unknown> {
  const { transport, path, tls, join } = listen;
  const address = path === "" ? formatHostPort(listen) : path;
  const scheme = listen.kind !== "http" ? transport : transport === "tls" ? "https" : "http";
  return {
    [listen.kind]: transport === "stdin" ? "stdin:" : `${scheme}://${address}`,
    ...(listen.kind === "relp"
      ? { ack: listen.ack }
      : listen.kind === "http"
      ? writtenHttp(listen)
      : transport === "udp" || transport === "unixgram"
      ? {}
      : { framing: listen.framing }),
    frame_max: formatSize(listen.frameBytesMax ?? defaultFrameBytesMax),
    ...(listen.kind === "relp" ? {} : { oversize: listen.oversize ?? "truncate" }),
    unparsed: listen.unparsed ?? "forward",
    timezone: listen.timezone ?? "local",
    ...(join === undefined ? {} : {
      join: { by: join.by, wait: formatDuration(join.waitMs), max: formatSize(join.bytesMax) },
    }),
    ...(listen.allowFrom === undefined ? {} : { allow_from: listen.allowFrom }),
    ...(listen.proxyFrom === undefined ? {} : { proxy_from: listen.proxyFrom }),
    ...(listen.bytesPerSecond === undefined ? {} : { rate: formatSize(listen.bytesPerSecond) }),
    ...(tls === undefined ? {} : { tls: writtenTls(tls) }),
  };
}

function writtenHttp(listen: HttpListen): Record<string, unknown> {
  return {
    ack: listen.ack,
    ack_timeout: formatDuration(listen.answerMs),
    body_max: formatSize(listen.bodyBytesMax),
    ...(listen.tokensFile === undefined ? {} : { tokens_file: listen.tokensFile }),
    ...(listen.origins.length === 0 ? {} : { cors: listen.origins }),
  };
}

function writtenTls(tls: TlsServer): Record<string, unknown> {
  return {
    cert: tls.certFile,
    key: tls.keyFile,
    ...(tls.caFile === undefined ? {} : { ca: tls.caFile }),
    client: tls.client,
    ...(tls.permittedPeers === undefined ? {} : { permitted_peers: tls.permittedPeers }),
    ...(tls.crlFile === undefined ? {} : { crl: tls.crlFile }),
    min_version: tls.minVersion,
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    ...(tls.alpn === undefined ? {} : { alpn: tls.alpn }),
    ...(tls.certificates === undefined ? {} : {
      certificates: tls.certificates.map(({ certFile, keyFile }) => ({ cert: certFile, key: keyFile })),
    }),
  };
}

function writtenSpool(spool: SpoolConfig): Record<string, unknown> {
  return {
    dir: spool.dir,
    durability: spool.durability,
    bytes_max: formatSize(spool.bytesMax),
    free_min: formatSize(spool.freeBytesMin),
    replay: spool.replay,
    replay_rate: formatSize(spool.replayBytesPerS),
    parked_max: formatSize(spool.parkedBytesMax),
  };
}

function writtenKafka(kafka: KafkaConfig): Record<string, unknown> {
  const { codec, level } = kafka.compression;
  return {
    ...(kafka.brokers.length === 0 ? {} : { brokers: kafka.brokers }),
    topic: kafka.topic,
    client_id: kafka.clientId,
    acks: "all",
    compression: level === undefined ? codec : `${codec}:${level}`,
    linger: formatDuration(kafka.lingerMs),
    batch_max: formatSize(kafka.batchBytesMax),
    request_timeout: formatDuration(kafka.requestTimeoutMs),
    topic_wait: formatDuration(kafka.topicWaitMs),
    topic_fault: kafka.topicFault,
    parked_max: formatSize(kafka.parkedBytesMax),
    timestamp: kafka.timestamp,
    topics: { allow: kafka.topicsAllow, max: kafka.topicsMax },
    ...(kafka.tls === undefined ? {} : {
      tls: {
        ...(kafka.tls.caFile === undefined ? {} : { ca: kafka.tls.caFile }),
        ...(kafka.tls.certFile === undefined ? {} : { cert: kafka.tls.certFile }),
        ...(kafka.tls.keyFile === undefined ? {} : { key: kafka.tls.keyFile }),
        verify: kafka.tls.verify,
      },
    }),
    ...(kafka.sasl === undefined ? {} : { sasl: writtenSasl(kafka.sasl) }),
  };
}
