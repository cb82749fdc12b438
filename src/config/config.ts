/**
 * The configuration in force: every default applied, every path absolute, every size in bytes, every time in
 * milliseconds. Plain data, so that it can be posted to workers. `load.ts` makes it, `schema.ts` describes what
 * people write.
 *
 * @module
 */

import type { LogSettings } from "../core/log_names.ts";

/** `frame_max` where nothing else is written; the schema has the same. */
export const defaultFrameBytesMax = 64 * 1024;

/** What carries the bytes of a listener. */
export type Transport = "tcp" | "tls" | "udp" | "unix" | "unixgram" | "stdin";

/** What every `listen` entry has. */
export interface ListenBase {
  readonly transport: Transport;
  /** Address for tcp, tls, udp. */
  readonly hostname: string;
  readonly port: number;
  /** Path for unix and unixgram. */
  readonly path: string;
  readonly tls?: TlsServer;
  /** Networks that may send; everybody where it is missing. */
  readonly allowFrom?: readonly string[];
  /** Networks of load balancers, whose connections begin with a PROXY header. */
  readonly proxyFrom?: readonly string[];
  /** Bytes per second of each sender. */
  readonly bytesPerSecond?: number;
  /** Longest line, where it is not `defaultFrameBytesMax`. */
  readonly frameBytesMax?: number;
  /** What becomes of a longer line, where it is not cut. */
  readonly oversize?: "split" | "dead_letter";
  /** What becomes of a line without a syslog header, where it is not forwarded. */
  readonly unparsed?: "dead_letter";
  /** Lines that continue others become a part of them. */
  readonly join?: { readonly by: "pri" | "indent"; readonly waitMs: number; readonly bytesMax: number };
  /** Zone of timestamps that name none, where it is not this machine's: a name of the tz database or `+02:00`. */
  readonly timezone?: string;
}

/** A `listen` entry for syslog. */
export interface SyslogListen extends ListenBase {
  readonly kind: "syslog";
  readonly framing: "auto" | "newline" | "octet" | "nul";
}

/** A `listen` entry for RELP. */
export interface RelpListen extends ListenBase {
  readonly kind: "relp";
  /** When a line is answered with 200. */
  readonly ack: "memory" | "disk" | "kafka";
}

/** A `listen` entry for HTTP; with transport `tls` it is HTTPS. */
export interface HttpListen extends ListenBase {
  readonly kind: "http";
  /** How far events have come when they are answered, where neither request nor token says it. */
  readonly ack: "none" | "memory" | "disk" | "kafka";
  /** An answer comes by then. */
  readonly answerMs: number;
  /** Bytes of a body, compressed and not. */
  readonly bodyBytesMax: number;
  readonly tokensFile?: string;
  /** Origins of pages that may send. */
  readonly origins: readonly string[];
}

/** A `listen` entry. */
export type Listen = SyslogListen | RelpListen | HttpListen;

/** Certificate files of a TLS listener. */
export interface TlsServer {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
  readonly client: "none" | "request" | "require";
  /** Names and fingerprints of clients; every trusted client where it is missing. */
  readonly permittedPeers?: readonly string[];
  readonly crlFile?: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names; all that the runtime has where it is missing. */
  readonly ciphers?: readonly string[];
  readonly alpn?: readonly string[];
  /** Certificates for other names (SNI). */
  readonly certificates?: readonly { readonly certFile: string; readonly keyFile: string }[];
}

/** How to reach Kafka. */
export interface KafkaConfig {
  /** `host:port`. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Topic of lines that no rule forwards. */
  readonly topic: string;
  readonly compression: {
    /** `auto`: zstd by need. */
    readonly codec: "none" | "auto" | "zstd" | "gzip" | "lz4" | "snappy";
    readonly level?: number;
  };
  readonly lingerMs: number;
  /** Records of one batch, bytes. */
  readonly batchBytesMax: number;
  /** How long a topic may be unknown to the cluster before its lines go to the dead letter. */
  readonly topicWaitMs: number;
  readonly requestTimeoutMs: number;
  /** What becomes of lines for a topic that is unknown for long or may not be written to. */
  readonly topicFault: "dead_letter" | "park";
  /** Bytes of batches per topic and worker that wait for a parked topic; what is more goes to the dead letter. */
  readonly parkedBytesMax: number;
  /** The time of a record: that of the message itself where it is sane, or that of its receipt. */
  readonly timestamp: "event" | "receive";
  /** Topics that a log line may choose; patterns with `*`. */
  readonly topicsAllow: readonly string[];
  /** Different topics at most. */
  readonly topicsMax: number;
  readonly tls?: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly verify: boolean;
  };
  readonly sasl?: KafkaSasl;
}

/** How to log in at brokers. A file beside a secret is read again at each login. */
export type KafkaSasl =
  | {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly usernameFile?: string;
    readonly password: string;
    readonly passwordFile?: string;
  }
  | {
    readonly mechanism: "oauthbearer";
    readonly source: OauthSource;
    /** SASL extensions (KIP-342). */
    readonly extensions?: Readonly<Record<string, string>>;
  }
  | {
    readonly mechanism: "aws-msk-iam";
    readonly region: string;
    /** Both missing: environment, shared file, metadata services, in AWS's order. */
    readonly profile?: string;
    readonly credentialsFile?: string;
  };

/** Where tokens come from. */
export type OauthSource =
  | { readonly kind: "file"; readonly path: string }
  | {
    readonly kind: "endpoint";
    readonly url: string;
    readonly clientId: string;
    readonly clientSecret: string;
    readonly clientSecretFile?: string;
    readonly scope?: string;
    readonly audience?: string;
    /** Certificates that sign the endpoint's one. */
    readonly caFile?: string;
  };

/** Where batches for Kafka lie on the disk, until they are acknowledged. */
export interface SpoolConfig {
  /** Absolute. */
  readonly dir: string;
  readonly durability: "none" | "os" | "fsync";
  /** All files of all workers. */
  readonly bytesMax: number;
  readonly freeBytesMin: number;
  readonly replay: "live_first" | "ordered";
  /** Over all workers. */
  readonly replayBytesPerS: number;
  /** Per topic, over all workers. */
  readonly parkedBytesMax: number;
}

/** One rule or test as it was written, with where it stands. */
export interface RuleSource {
  /** Parsed YAML, valid against the rule schema. */
  readonly value: unknown;
  readonly file: string;
  /** Path of the rule in its file (`rules.3`). */
  readonly path: string;
  readonly line: number;
  /**
   * Line and column of every value in the rule, by its path inside (`actions.0.topic`); `""` is the rule. The third
   * number is how far behind that the text itself begins, where it stands in the file as it is.
   */
  readonly places: Readonly<Record<string, readonly [line: number, column: number, textAt?: number]>>;
}

/** All rules and tests, in order, from all files. Plain data. */
export interface RuleSet {
  readonly dialect: "corndog" | "hotdog";
  readonly rules: readonly RuleSource[];
  readonly tests: readonly RuleSource[];
  /** The files they came from with their text as read, secrets as `***`; an edited text goes back through `mergeRuleText`. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The text of rules that stand in no file. */
  readonly text?: string;
  /** Where the files were looked for: what is to be watched beside `files`. */
  readonly origins?: readonly RuleOrigin[];
}

/** A file, folder or pattern that rules come from. */
export interface RuleOrigin {
  /** Absolute. */
  readonly path: string;
  /** The files it stands for, sorted; of a folder or pattern those that were there. */
  readonly matches: readonly string[];
}

/** The whole configuration. */
export interface Config {
  /** The file it came from; undefined for the embedded default. */
  readonly file: string | undefined;
  readonly dialect: "corndog" | "hotdog";
  readonly listen: readonly Listen[];
  /** The longest `frame_max` of all listeners. */
  readonly frameBytesMax: number;
  readonly admin:
    | { readonly hostname: string; readonly port: number; readonly tokenFile?: string }
    | undefined;
  readonly sink: "kafka" | "file" | "stdout" | "blackhole";
  readonly fileSink: { readonly dir: string; readonly rotateBytes: number; readonly keep: number };
  readonly kafka: KafkaConfig;
  /** Undefined where the sink is not Kafka. */
  readonly spool: SpoolConfig | undefined;
  readonly deadLetter: {
    readonly file: string;
    readonly bytesMax: number;
    /** Kafka topic for what can be written to Kafka; without it everything goes to the file. */
    readonly topic?: string;
  };
  readonly limits: {
    readonly memoryBytes: number;
    readonly connections: number;
    readonly connectionsPerPeer: number;
    readonly idleMs: number;
    /** For a TLS handshake, and a PROXY header. */
    readonly handshakeMs: number;
    /** How old an unfinished line of a connection may be; 0 for ever. */
    readonly partialMs: number;
  };
  readonly workers: number;
  /** How plain TCP of syslog is read. */
  readonly io: "auto" | "native" | "uring";
  readonly statsd: { readonly hostname: string; readonly port: number } | undefined;
  readonly log: LogSettings;
  readonly drainTimeoutMs: number;
  readonly rules: RuleSet;
}
