/**
 * The private modules of kafkajs that are used, with types. This is the one file that imports them.
 *
 * The package is frozen and pinned to an exact version; what is declared here is what its source does, and no
 * more of it than is used.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
// @ts-ignore: the package has no types for its private modules
import connectionModule from "kafkajs/src/network/connection.js";
// @ts-ignore: as above
import apiKeysModule from "kafkajs/src/protocol/requests/apiKeys.js";
// @ts-ignore: as above
import requestsModule from "kafkajs/src/protocol/requests/index.js";
// @ts-ignore: as above
import encoderModule from "kafkajs/src/protocol/encoder.js";

/** Writes protocol fields; each method returns the encoder. */
export interface KafkajsEncoder {
  writeInt32(value: number): KafkajsEncoder;
  writeString(value: string): KafkajsEncoder;
  writeBoolean(value: boolean): KafkajsEncoder;
}

/** A request with its answer's decoder, as the protocol modules make them. */
export interface KafkajsExchange<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<unknown>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<Answer>;
    parse(answer: Answer): Promise<Answer>;
  };
}

/** All versions of one API. */
export interface KafkajsApi<Options, Answer> {
  readonly versions: readonly string[];
  protocol(choice: { version: number }): (options: Options) => KafkajsExchange<Answer>;
}

/** What a broker supports, by API key. */
export type ApiRanges = Record<number, { readonly minVersion: number; readonly maxVersion: number }>;

/** Answer to ApiVersions. */
export interface ApiVersionsAnswer {
  readonly apiVersions: readonly { apiKey: number; minVersion: number; maxVersion: number }[];
}

/** Answer to Metadata, as far as it is used. */
export interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly { partitionErrorCode: number; partitionId: number; leader: number }[];
  }[];
}

/** Answer to InitProducerId. */
export interface InitProducerIdAnswer {
  readonly errorCode: number;
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** Answer to DescribeConfigs, as far as it is used. */
export interface DescribeConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly resourceName: string;
    readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
  }[];
}

/** The requests that are used. */
export interface KafkajsRequests {
  readonly ApiVersions: KafkajsApi<void, ApiVersionsAnswer>;
  readonly Metadata: KafkajsApi<
    { topics: readonly string[]; allowAutoTopicCreation: boolean },
    MetadataAnswer
  >;
  readonly InitProducerId: KafkajsApi<
    { transactionalId: null; transactionTimeout: number },
    InitProducerIdAnswer
  >;
  readonly DescribeConfigs: KafkajsApi<
    {
      resources: readonly { type: number; name: string; configNames: readonly string[] }[];
      includeSynonyms: boolean;
    },
    DescribeConfigsAnswer
  >;
  readonly SaslAuthenticate: KafkajsApi<unknown, unknown>;
}

/** Requests without an answer, by correlation id in the order of sending. */
export interface KafkajsRequestQueue {
  readonly inflight: Map<number, unknown>;
  readonly pending: readonly unknown[];
  push(request: {
    entry: {
      apiKey: number;
      apiName: string;
      apiVersion: number;
      correlationId: number;
      resolve(answer: { payload: Buffer }): void;
      reject(cause: unknown): void;
    };
    expectResponse: boolean;
    requestTimeout: number | null;
    sendRequest(): void;
  }): void;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
  rejectAll(cause: Error): void;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

/** Writes a log line. */
type LogMethod = (message: string, extra?: unknown) => void;

/** The logger that everything in kafkajs is given. */
export interface KafkajsLogger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  namespace(): KafkajsLogger;
}

/** One exchange of SASL bytes, with their length before them in both directions. */
export type KafkajsSaslExchange = <Answer>(exchange: {
  readonly request: { encode(): Promise<Buffer> };
  readonly response: { decode(bytes: Buffer): Promise<Answer>; parse(answer: Answer): Promise<Answer> };
}) => Promise<Answer>;

/** A login of one's own; called for each connection, and again when its session nears its end. */
export type KafkajsAuthenticator = (connection: {
  readonly host: string;
  readonly port: number;
  readonly saslAuthenticate: KafkajsSaslExchange;
}) => { authenticate(): Promise<void> };

/** How a connection logs in. */
export interface KafkajsSasl {
  readonly mechanism: string;
  readonly username?: string;
  readonly password?: string;
  readonly authenticationProvider?: KafkajsAuthenticator;
}

/** Options of a connection. */
export interface KafkajsConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly logger: KafkajsLogger;
  readonly socketFactory: (options: {
    host: string;
    port: number;
    ssl: Record<string, unknown> | null;
    onConnect: () => void;
  }) => Socket;
  readonly clientId: string;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly connectionTimeout: number;
  readonly maxInFlightRequests: null;
  readonly ssl: Record<string, unknown> | null;
  readonly sasl: KafkajsSasl | null;
}

/** A connection. */
export interface KafkajsNetworkConnection {
  readonly requestQueue: KafkajsRequestQueue;
  connectionStatus: string;
  /** Life of the session in milliseconds, 0 for ever (KIP-368). */
  readonly sessionLifetime: { toString(): string };
  /** Milliseconds before the session's end from which on `isAuthenticated` says false. */
  reauthenticationThreshold: number;
  connect(): Promise<unknown>;
  setVersions(versions: ApiRanges): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  nextCorrelationId(): number;
  processData(data: Buffer): void;
  send<Answer>(exchange: KafkajsExchange<Answer> & { logResponseError?: boolean }): Promise<Answer>;
}

/** `network/connection.js`. */
export const KafkajsConnectionClass = connectionModule as unknown as new (
  options: KafkajsConnectionOptions,
) => KafkajsNetworkConnection;

/** `protocol/requests/apiKeys.js`. */
export const apiKeys = apiKeysModule as unknown as Readonly<Record<string, number>>;

/** `protocol/requests/index.js`. */
export const { requests, lookup } = requestsModule as unknown as {
  readonly requests: KafkajsRequests;
  lookup(ranges: ApiRanges): <Options, Answer>(
    apiKey: number,
    api: KafkajsApi<Options, Answer>,
  ) => (options: Options) => KafkajsExchange<Answer>;
};

/** `protocol/encoder.js`. */
export const KafkajsEncoderClass = encoderModule as unknown as new () => KafkajsEncoder;
