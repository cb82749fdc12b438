/**
 * Carries the producer's requests by the connections of kafkajs.
 *
 * Metadata and producer ids go over a connection of their own: a broker serves one request at a time per
 * connection, and behind a Produce request that waits for replicas a question for the new leader would wait too.
 * That connection goes to one broker of the bootstrap list or of the cluster, and to the next one when it fails.
 *
 * @module
 */
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import type {
  BrokerAddress,
  BrokerConnection,
  ClusterMetadata,
  ConnectionEvents,
  KafkaCarrier,
  ProducerId,
} from "./carrier.ts";
import { ClientTls } from "./client_tls.ts";
import type { CancelTimer, KafkaClock } from "./clock.ts";
import { KafkajsConnection } from "./kafkajs_connection.ts";
import { toForwarderError } from "./kafkajs_errors.ts";
import {
  apiKeys,
  type DescribeConfigsAnswer,
  KafkajsEncoderClass,
  type KafkajsExchange,
  type MetadataAnswer,
  requests,
} from "./kafkajs_modules.ts";
import { createLogin, type Login } from "./login/login.ts";
import type { KafkaLog } from "./problem_log.ts";

/** A broker that takes longer for metadata is left for the next one. */
const controlTimeoutMs = 5000;

/** While a broker says nothing for so long, the next one is asked beside it. */
const silentMs = 1000;

/** The number of topics among the resources that have a configuration. */
const topicResource = 2;
/** A batch is refused as MESSAGE_TOO_LARGE over the first, as RECORD_LIST_TOO_LARGE over the second. */
const sizeConfigs = ["max.message.bytes", "segment.bytes"];

/** A host and port to ask for metadata. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Makes a carrier for the cluster of `config`. Nothing is connected before the first call. */
export function createKafkajsCarrier(config: KafkaConfig, clock: KafkaClock, log?: KafkaLog): KafkaCarrier {
  return new KafkajsCarrier(config, clock, log);
}

class KafkajsCarrier implements KafkaCarrier {
  readonly #config: KafkaConfig;
  readonly #clock: KafkaClock;
  readonly #tls: ClientTls | undefined;
  readonly #login: Login | undefined;
  readonly #open = new Set<KafkajsConnection>();
  readonly #bootstrap: readonly Endpoint[];
  #endpoints: readonly Endpoint[];
  #turn = 0;
  #control: Promise<KafkajsConnection> | undefined;
  #isClosed = false;

  constructor(config: KafkaConfig, clock: KafkaClock, log: KafkaLog | undefined) {
    const { tls, sasl } = config;
    this.#config = config;
    this.#clock = clock;
    this.#tls = tls === undefined ? undefined : new ClientTls(tls, clock, log);
    this.#login = sasl === undefined ? undefined : createLogin(sasl, { clock, log });
    this.#bootstrap = config.brokers.map(parseEndpoint);
    this.#endpoints = this.#bootstrap;
    this.#turn = Math.floor(clock.random() * this.#bootstrap.length);
  }

  /** @inheritdoc */
  async metadata(topics: readonly string[], create: boolean): Promise<ClusterMetadata> {
    const answer = await this.#ask("metadata", (connection) => {
      const options = { topics, allowAutoTopicCreation: create };
      return metadataExchange(
        connection.exchange(requests.Metadata, apiKeys.Metadata, options),
        topics,
        create,
      );
    });
    const brokers = answer.brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port }));
    if (brokers.length > 0) this.#endpoints = mergeEndpoints(brokers, this.#bootstrap);
    return {
      brokers,
      topics: answer.topicMetadata.map(({ topic, topicErrorCode, partitionMetadata }) => ({
        name: topic,
        errorCode: topicErrorCode,
        partitions: partitionMetadata.map(({ partitionId, leader }) => ({ id: partitionId, leader })),
      })),
    };
  }

  /** @inheritdoc */
  async batchBytesMax(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const resources = topics.map((name) => ({ type: topicResource, name, configNames: sizeConfigs }));
    const answer = await this.#ask("topic limits", (connection) => {
      const options = { resources, includeSynonyms: false };
      const { request, response } = connection.exchange(
        requests.DescribeConfigs,
        apiKeys.DescribeConfigs,
        options,
      );
      // kafkajs throws on the first topic with an error.
      const parse = (answer: DescribeConfigsAnswer) => Promise.resolve(answer);
      return { request, response: { decode: (payload) => response.decode(payload), parse } };
    });
    const limits = new Map<string, number>();
    for (const { errorCode, resourceName, configEntries } of answer.resources) {
      const sizes = configEntries.map(({ configValue }) => Number(configValue)).filter((size) => size > 0);
      if (errorCode === 0 && sizes.length > 0) limits.set(resourceName, Math.min(...sizes));
    }
    return limits;
  }

  /** @inheritdoc */
  async initProducerId(): Promise<ProducerId> {
    const answer = await this.#ask(
      "producer id",
      (connection) =>
        connection.exchange(requests.InitProducerId, apiKeys.InitProducerId, {
          transactionalId: null,
          transactionTimeout: 60_000,
        }),
    );
    return { producerId: BigInt(answer.producerId), epoch: answer.producerEpoch };
  }

  /** @inheritdoc */
  connect(broker: BrokerAddress, events: ConnectionEvents): Promise<BrokerConnection> {
    return this.#connect(broker, events);
  }

  /** @inheritdoc */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#tls?.close();
    this.#login?.close();
    const cause = new ForwarderError("stopped", "Kafka client was closed");
    for (const connection of [...this.#open]) connection.destroy(cause);
    return Promise.resolve();
  }

  /** Asks over the control connection; one that fails is dropped, the next question goes to the next broker. */
  async #ask<Answer>(
    what: string,
    make: (connection: KafkajsConnection) => KafkajsExchange<Answer>,
  ): Promise<Answer> {
    const control = this.#control ??= this.#connectControl();
    try {
      const connection = await control;
      try {
        return await connection.request(what, controlTimeoutMs, make(connection));
      } catch (cause) {
        throw toForwarderError(cause, connection.name);
      }
    } catch (cause) {
      if (this.#control === control) this.#control = undefined;
      throw cause;
    }
  }

  #connectControl(): Promise<KafkajsConnection> {
    const control = this.#firstToAnswer(() => {
      if (this.#control === control) this.#control = undefined;
    });
    return control;
  }

  /**
   * Connects to the next endpoint, and while that one is silent to the one after it too: half a list may be cut off. The
   * first that answers is taken; `closed` is called when it is gone. Rejects when none of those that were tried is left.
   */
  #firstToAnswer(closed: () => void): Promise<KafkajsConnection> {
    const endpoints = [...this.#endpoints];
    return new Promise((resolve, reject) => {
      let taken: KafkajsConnection | undefined;
      let tried = 0;
      let open = 0;
      let isOver = false;
      let cancel: CancelTimer = () => {};
      const causes: unknown[] = [];
      const end = (): void => {
        isOver = true;
        cancel();
      };
      const next = (): void => {
        tried++;
        open++;
        if (tried < endpoints.length) cancel = this.#clock.after(silentMs, next);
        let own: KafkajsConnection | undefined;
        const events = { closed: () => own !== undefined && own === taken && closed(), usable: () => {} };
        this.#connect(endpoints[this.#turn++ % endpoints.length], events).then((connection) => {
          if (isOver) {
            connection.destroy(new ForwarderError("stopped", "Another broker answered first"));
            return;
          }
          end();
          resolve(taken = own = connection);
        }, (cause) => {
          causes.push(cause);
          if (--open > 0 || isOver) return;
          end();
          // Silence says less than any answer.
          reject(causes.find((one) => (one as ForwarderError).code !== "deadline_exceeded") ?? cause);
        });
      };
      next();
    });
  }

  async #connect({ host, port }: Endpoint, events: ConnectionEvents): Promise<KafkajsConnection> {
    const options = {
      host,
      port,
      clientId: this.#config.clientId,
      clock: this.#clock,
      tls: await this.#tls?.options() ?? null,
      sasl: await this.#login?.sasl() ?? null,
    };
    if (this.#isClosed) throw new ForwarderError("stopped", "Kafka client was closed");
    const connection: KafkajsConnection = await KafkajsConnection.open(options, {
      closed: (cause) => {
        this.#open.delete(connection);
        events.closed(cause);
      },
      usable: () => events.usable(),
    });
    this.#open.add(connection);
    if (this.#isClosed) connection.destroy(new ForwarderError("stopped", "Kafka client was closed"));
    return connection;
  }
}

/** kafkajs throws on the first topic with an error, and reads no topics as all topics: both are put right. */
function metadataExchange(
  exchange: KafkajsExchange<MetadataAnswer>,
  topics: readonly string[],
  create: boolean,
): KafkajsExchange<MetadataAnswer> {
  const { request, response } = exchange;
  return {
    request: {
      apiKey: request.apiKey,
      apiVersion: request.apiVersion,
      apiName: request.apiName,
      encode: () => {
        const encoder = new KafkajsEncoderClass().writeInt32(topics.length);
        for (const topic of topics) encoder.writeString(topic);
        return Promise.resolve(encoder.writeBoolean(create));
      },
    },
    response: { decode: (payload) => response.decode(payload), parse: (answer) => Promise.resolve(answer) },
  };
}

/** `host:port`, `[::1]:port`; without a port Kafka's own. */
function parseEndpoint(text: string): Endpoint {
  const match = /^(.*?)(?::(\d+))?$/.exec(text);
  return { host: match?.[1] ?? text, port: Number(match?.[2] ?? 9092) };
}

function mergeEndpoints(brokers: readonly BrokerAddress[], bootstrap: readonly Endpoint[]): Endpoint[] {
  const known = brokers.map(({ host, port }) => ({ host, port }));
  return [
    ...known,
    ...bootstrap.filter((one) => !known.some((two) => one.host === two.host && one.port === two.port)),
  ];
}
