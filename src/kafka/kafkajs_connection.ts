/**
 * One connection of kafkajs, made safe to carry batches that lie in memory which is written again later.
 *
 * kafkajs gives the socket with TLS, the SASL exchanges and the queue of requests. What it does not give is put
 * right here, from outside:
 *   - when a connection ends it rejects the requests first and then flushes the socket: here the socket is
 *     destroyed before anything is rejected, so nothing reads a batch after its request failed;
 *   - its frame reader throws inside a socket event on a bad length, or loops: an own one checks lengths and that
 *     answers come in the order of the requests (Kafka guarantees that);
 *   - its queue re-arms a timer for ever, four percent of a core: here it is armed only when something waits;
 *   - batches go to the socket one after the other, from where they lie, instead of joined in a new buffer;
 *   - its timeouts and retries are off; the deadlines are ours and end with the connection destroyed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { ForwarderError } from "../core/errors.ts";
import type { BrokerConnection, ConnectionEvents } from "./carrier.ts";
import type { CancelTimer, KafkaClock } from "./clock.ts";
import { explainRefusal } from "./broker_probe.ts";
import { brokerName, toForwarderError } from "./kafkajs_errors.ts";
import {
  apiKeys,
  type ApiRanges,
  type KafkajsApi,
  KafkajsConnectionClass,
  type KafkajsConnectionOptions,
  type KafkajsExchange,
  type KafkajsLogger,
  type KafkajsNetworkConnection,
  type KafkajsSasl,
  lookup,
  requests,
} from "./kafkajs_modules.ts";
import { produceApi } from "./produce_request.ts";

/** Metadata of ten thousand topics is a few MiB; what claims more is not a Kafka answer. */
const answerBytesMax = 64 * 1024 * 1024;
/** Connect, TLS, versions and SASL together. */
const openTimeoutMs = 5000;
/** Part of a session's life that may be left when it is authenticated again, as the Java client does; spread by chance. */
const sessionRestMin = 0.05;
const sessionRestSpread = 0.1;
/** First version of Metadata that says whether a topic may be created (Kafka 0.11). */
const metadataVersionMin = 4;

/** Where and how to connect. */
export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly clock: KafkaClock;
  /** `tls.connect` options; null is a plain connection. */
  readonly tls: Record<string, unknown> | null;
  readonly sasl: KafkajsSasl | null;
}

const silent = (): void => {};
const silentLogger: KafkajsLogger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  namespace: () => silentLogger,
};

/** An open connection. */
export class KafkajsConnection implements BrokerConnection {
  readonly name: string;
  readonly #clock: KafkaClock;
  readonly #events: ConnectionEvents;
  readonly #hasSasl: boolean;
  readonly #connection: KafkajsNetworkConnection;
  #socket: net.Socket | undefined;
  #ranges: ApiRanges = {};
  #produceVersion: number = produceApi.versionMin;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Why it is gone. */
  #ended: ForwarderError | undefined;
  #isOpen = false;
  /** The other side ended the connection before it had said anything. */
  #wasRefused = false;
  #answers = 0;
  #isAuthenticating = false;
  readonly #whenEnded: Promise<never>;
  #rejectEnded: (cause: ForwarderError) => void = silent;

  /** Connects and authenticates. Rejects with a `ForwarderError`. */
  static async open(options: ConnectionOptions, events: ConnectionEvents): Promise<KafkajsConnection> {
    const connection = new KafkajsConnection(options, events);
    try {
      await connection.#within(openTimeoutMs, "connect", () => connection.#open());
    } catch (cause) {
      if (!connection.#wasRefused || !(cause instanceof ForwarderError)) throw cause;
      const { host, port, tls, clock } = options;
      const target = { host: host.replace(/^\[(.*)\]$/, "$1"), port, hasTls: tls !== null, clock };
      throw await explainRefusal(target, connection.name, cause);
    }
    connection.#isOpen = true;
    return connection;
  }

  private constructor(options: ConnectionOptions, events: ConnectionEvents) {
    const { host, port, clientId, sasl } = options;
    this.name = brokerName(host, port);
    this.#clock = options.clock;
    this.#events = events;
    this.#hasSasl = sasl !== null;
    this.#whenEnded = new Promise((_, reject) => this.#rejectEnded = reject);
    this.#whenEnded.catch(silent);
    this.#connection = new KafkajsConnectionClass({
      host: host.replace(/^\[(.*)\]$/, "$1"),
      port,
      clientId,
      logger: silentLogger,
      socketFactory: (target) => this.#socketTo(target),
      requestTimeout: openTimeoutMs,
      enforceRequestTimeout: false,
      connectionTimeout: openTimeoutMs * 2,
      maxInFlightRequests: null,
      ssl: options.tls,
      sasl: sasl === null ? null : { ...sasl },
    });
    this.#harden();
  }

  /** @inheritdoc */
  get usable(): boolean {
    if (this.#ended !== undefined || this.#isAuthenticating) return false;
    if (!this.#hasSasl || this.#connection.isAuthenticated()) return true;
    this.#authenticateAgain();
    return false;
  }

  /** @inheritdoc */
  get produceVersion(): number {
    return this.#produceVersion;
  }

  /** @inheritdoc */
  nextCorrelationId(): number {
    return this.#connection.nextCorrelationId();
  }

  /** @inheritdoc */
  send(correlationId: number, views: readonly Uint8Array[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      if (this.#ended !== undefined || socket === undefined) {
        reject(this.#ended);
        return;
      }
      const entry = {
        apiKey: produceApi.key,
        apiName: "Produce",
        apiVersion: this.#produceVersion,
        correlationId,
        resolve: (answer: { payload: Buffer }) => resolve(answer.payload),
        reject,
      };
      const sendRequest = (): void => {
        for (let index = 0; index < views.length; index++) socket.write(views[index]);
      };
      try {
        this.#connection.requestQueue.push({
          entry,
          expectResponse: true,
          requestTimeout: null,
          sendRequest,
        });
      } catch (cause) {
        this.destroy(toForwarderError(cause, this.name));
        reject(this.#ended);
      }
    });
  }

  /** Sends a small request through kafkajs and reads its answer; the connection is destroyed when that takes too long. */
  request<Answer>(what: string, timeoutMs: number, exchange: KafkajsExchange<Answer>): Promise<Answer> {
    return this.#within(timeoutMs, what, () => this.#connection.send(exchange));
  }

  /** The exchange in the highest version that both sides know. */
  exchange<Options, Answer>(
    api: KafkajsApi<Options, Answer>,
    key: number,
    options: Options,
  ): KafkajsExchange<Answer> {
    return lookup(this.#ranges)(key, api)(options);
  }

  /** @inheritdoc */
  destroy(cause: ForwarderError): void {
    if (this.#ended !== undefined) return;
    this.#ended = cause;
    this.#socket?.destroy();
    this.#connection.connectionStatus = "disconnected";
    const { requestQueue } = this.#connection;
    requestQueue.rejectAll(cause);
    requestQueue.destroy();
    this.#chunks = [];
    this.#rejectEnded(cause);
    if (this.#isOpen) this.#events.closed(cause);
  }

  async #open(): Promise<void> {
    await this.#connection.connect();
    this.#ranges = await this.#apiRanges();
    this.#connection.setVersions(this.#ranges);
    this.#connection.setSupportAuthenticationProtocol(apiKeys.SaslAuthenticate in this.#ranges);
    const produce = this.#ranges[produceApi.key];
    const metadata = this.#ranges[apiKeys.Metadata];
    if (
      produce === undefined || produce.maxVersion < produceApi.versionMin ||
      produce.minVersion > produceApi.versionMax ||
      metadata === undefined || metadata.maxVersion < metadataVersionMin
    ) {
      throw new ForwarderError(
        "kafka_protocol",
        `Broker "${this.name}" does not speak Produce v${produceApi.versionMin} and Metadata v${metadataVersionMin}: ` +
          "Kafka 2.1 or later is needed",
      );
    }
    this.#produceVersion = Math.min(produce.maxVersion, produceApi.versionMax);
    await this.#authenticate();
  }

  /** Logs in, and notes when the session wants it again: kafkajs' fixed ten seconds are too long for a short session. */
  async #authenticate(): Promise<void> {
    await this.#connection.authenticate();
    const lifeMs = Number(this.#connection.sessionLifetime.toString());
    const rest = sessionRestMin + this.#clock.random() * sessionRestSpread;
    this.#connection.reauthenticationThreshold = Math.floor(lifeMs * rest);
  }

  async #apiRanges(): Promise<ApiRanges> {
    for (const version of [2, 1, 0]) {
      try {
        const { apiVersions } = await this.#connection.send({
          ...requests.ApiVersions.protocol({ version })(),
          logResponseError: false,
        });
        return Object.fromEntries(apiVersions.map((range) => [range.apiKey, range]));
      } catch (cause) {
        if ((cause as { type?: string }).type !== "UNSUPPORTED_VERSION" || version === 0) throw cause;
      }
    }
    return {};
  }

  /** Runs `task` until it ends, the connection ends or the time is over; a failure destroys the connection. */
  async #within<Result>(timeoutMs: number, what: string, task: () => Promise<Result>): Promise<Result> {
    let cancel: CancelTimer = silent;
    const running = task();
    running.catch(silent);
    const tooLate = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(timeoutMs, () => {
        const message = `Broker "${this.name}" did not answer within ${timeoutMs} ms (${what})`;
        reject(new ForwarderError("deadline_exceeded", message, { retryable: true }));
      });
    });
    try {
      return await Promise.race([running, this.#whenEnded, tooLate]);
    } catch (cause) {
      this.destroy(toForwarderError(cause, this.name));
      throw this.#ended;
    } finally {
      cancel();
    }
  }

  /** A session of limited life (KIP-368) is authenticated anew between two requests. */
  #authenticateAgain(): void {
    this.#isAuthenticating = true;
    this.#within(openTimeoutMs, "authenticate again", () => this.#authenticate()).then(() => {
      this.#isAuthenticating = false;
      this.#events.usable();
    }, silent);
  }

  #socketTo(
    { host, port, ssl, onConnect }: Parameters<KafkajsConnectionOptions["socketFactory"]>[0],
  ): net.Socket {
    const socket = ssl === null
      ? net.connect({ host, port }, onConnect)
      : tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
    this.#socket = socket;
    writeOneByOne(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    // Before kafkajs' own listeners: the socket is destroyed before they reject requests.
    socket.on("error", (cause: Error & { code?: string }) => {
      if (!this.#isOpen) return this.destroy(toForwarderError(cause, this.name));
      const message = `Connection to broker "${this.name}" broke: ${cause.code ?? cause.message}`;
      this.destroy(new ForwarderError("kafka_unreachable", message, { cause, retryable: true }));
    });
    const ended = (): void => {
      if (this.#ended !== undefined) return;
      const said = Buffer.concat(this.#chunks);
      // An alert has seven bytes, one too few for the head of an answer.
      if (isTlsRecord(said)) return this.destroy(this.#notKafka(said));
      this.#wasRefused = this.#answers === 0 && this.#buffered === 0;
      // Its answer to ApiVersions was the only one: a listener with SASL takes nothing else without a login.
      const wantsLogin = !this.#hasSasl && this.#answers === 1 &&
        this.#connection.requestQueue.inflight.size > 0;
      const hint = wantsLogin ? ": does this port want a login (kafka.sasl)?" : "";
      const message = `Broker "${this.name}" closed the connection${hint}`;
      this.destroy(new ForwarderError("kafka_unreachable", message, { retryable: true }));
    };
    socket.on("end", ended);
    socket.on("close", ended);
    return socket;
  }

  #harden(): void {
    const connection = this.#connection;
    const queue = connection.requestQueue;
    const schedule = queue.scheduleCheckPendingRequests;
    queue.scheduleCheckPendingRequests = () => {
      if (queue.pending.length > 0) schedule.call(queue);
    };
    connection.processData = (data) => {
      if (this.#ended !== undefined) return;
      try {
        this.#read(data);
      } catch (cause) {
        this.destroy(toForwarderError(cause, this.name));
      }
    };
  }

  /** `size:i32 correlation_id:i32 payload`, one after the other. */
  #read(data: Buffer): void {
    this.#chunks.push(data);
    this.#buffered += data.length;
    while (this.#buffered >= 8 && this.#ended === undefined) {
      if (this.#chunks[0].length < 8) this.#chunks = [Buffer.concat(this.#chunks)];
      const size = this.#chunks[0].readInt32BE(0);
      if (size < 4 || size > answerBytesMax) throw this.#notKafka(this.#chunks[0]);
      if (this.#buffered < 4 + size) return;
      const whole = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
      const rest = whole.subarray(4 + size);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#buffered = rest.length;
      this.#answered(whole.readInt32BE(4), whole.subarray(8, 4 + size), size);
    }
  }

  #answered(correlationId: number, payload: Buffer, size: number): void {
    const { requestQueue } = this.#connection;
    const expected = requestQueue.inflight.keys().next().value;
    if (correlationId !== expected) {
      throw new ForwarderError(
        "kafka_protocol",
        `Broker "${this.name}" answered request ${correlationId} where ${expected ?? "none"} was next`,
      );
    }
    this.#answers++;
    requestQueue.fulfillRequest({ correlationId, payload, size });
  }

  #notKafka(chunk: Buffer): ForwarderError {
    const message = isTlsRecord(chunk)
      ? `Broker "${this.name}" speaks TLS, kafka.tls is off`
      : `Broker "${this.name}" does not answer in the Kafka protocol`;
    return new ForwarderError("kafka_protocol", message);
  }
}

/**
 * Both runtimes join all that waits in a stream into one buffer (`_writev`), of which Bun copies once more what the
 * socket does not take: of requests with eight megabytes of batches three times as much memory. Without that method a
 * stream writes one view after the other, from where it lies.
 */
function writeOneByOne(socket: net.Socket): void {
  (socket as { _writev?: unknown })._writev = undefined;
}

/** A TLS record: alert or handshake, version 3.x (RFC 8446 5.1). */
function isTlsRecord(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3;
}
