/**
 * How to reach Kafka, in force: TLS files that fit, a login that is whole.
 *
 * @module
 */
import type { TlsFiles } from "./certificates.ts";
import type { KafkaConfig } from "./config.ts";
import { checkTls, type Findings, type ResolveContext } from "./findings.ts";
import { resolveSasl } from "./resolve_sasl.ts";
import type { WrittenConfig } from "./schema.ts";

import type { Path } from "./yaml.ts";

/** The Kafka part of the configuration in force. */
export function resolveKafka(
  written: WrittenConfig,
  context: ResolveContext,
  findings: Findings,
): KafkaConfig {
  const { kafka } = written;
  const tls = resolveTls(kafka.tls, context, findings);
  const sasl = kafka.sasl === undefined
    ? undefined
    : resolveSasl(kafka.sasl, kafka.brokers ?? [], tls !== undefined, context, findings);
  return {
    brokers: kafka.brokers ?? [],
    clientId: kafka.client_id,
    topic: kafka.topic,
    compression: kafka.compression,
    lingerMs: kafka.linger,
    batchBytesMax: kafka.batch_max,
    topicWaitMs: kafka.topic_wait,
    requestTimeoutMs: kafka.request_timeout,
    topicFault: kafka.topic_fault,
    parkedBytesMax: kafka.parked_max,
    timestamp: kafka.timestamp,
    topicsAllow: kafka.topics.allow ?? [...new Set(["logs-*", kafka.topic])],
    topicsMax: kafka.topics.max,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function resolveTls(
  written: WrittenConfig["kafka"]["tls"],
  context: ResolveContext,
  findings: Findings,
): KafkaConfig["tls"] {
  if (written === false) return undefined;
  if (written === true) return { verify: true };
  const at: Path = ["kafka", "tls"];
  const { absolute } = context;
  const { ca, cert, key, verify } = written;
  if ((cert === undefined) !== (key === undefined)) {
    const [has, lacks] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    findings.fault([...at, lacks!], `this key is missing; ${has} needs ${lacks} beside it`);
  }
  if (!verify) {
    findings.warn([...at, "verify"], "any broker is trusted, whoever it is; use it for tests only");
  }
  const files: TlsFiles = {
    ca: ca === undefined ? undefined : absolute(ca),
    cert: cert === undefined ? undefined : absolute(cert),
    key: key === undefined ? undefined : absolute(key),
  };
  checkTls(files, at, context, findings);
  return {
    ...(files.ca === undefined ? {} : { caFile: files.ca }),
    ...(files.cert === undefined ? {} : { certFile: files.cert }),
    ...(files.key === undefined ? {} : { keyFile: files.key }),
    verify,
  };
}
