/**
 * Finds out why a broker closed a connection that was only being made: the commonest reason is TLS on one side alone,
 * and then neither side says so. Asked only after such a failure; one more connection, which ends at once.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { ForwarderError } from "../core/errors.ts";
import type { KafkaClock } from "./clock.ts";

/** A broker that does not answer the probe by then has its secret. */
const probeMs = 2000;
/** Answers to a small question are small. */
const answerBytesMax = 1024 * 1024;

/** Where to ask, and which way of talking failed. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  readonly hasTls: boolean;
  readonly clock: KafkaClock;
}

/** A better word for `cause`, if the broker turns out to speak TLS where plain text was tried, or the other way round. */
export async function explainRefusal(
  target: ProbeTarget,
  broker: string,
  cause: ForwarderError,
): Promise<ForwarderError> {
  const isOther = target.hasTls ? await speaksKafka(target) : await speaksTls(target);
  if (!isOther) return cause;
  const message = target.hasTls
    ? `Broker "${broker}" speaks plain text, kafka.tls is on`
    : `Broker "${broker}" speaks TLS, kafka.tls is off`;
  return new ForwarderError("kafka_protocol", message, { cause, retryable: true });
}

/** True if a TLS handshake gets an answer in TLS: success, or a complaint about certificates. */
function speaksTls({ host, port, clock }: ProbeTarget): Promise<boolean> {
  const socket = net.connect({ host, port });
  return probe(socket, clock, (done) => {
    // The client hello is made by node:tls, and the answer read here: whatever it says, its first byte tells.
    const secured = tls.connect({ socket, rejectUnauthorized: false });
    secured.on("error", () => {});
    secured.once("secureConnect", () => done(true));
  });
}

/** True if the broker answers ApiVersions v0 without TLS. */
function speaksKafka({ host, port, clock }: ProbeTarget): Promise<boolean> {
  const socket = net.connect({ host, port });
  return probe(socket, clock, (done) => {
    // size, api key 18, version 0, correlation id 1, empty client id
    socket.once("connect", () => socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0, 0])));
    socket.once("data", (data: Buffer) => {
      const size = data.length >= 8 ? data.readInt32BE(0) : 0;
      done(size >= 4 && size <= answerBytesMax && data.readInt32BE(4) === 1);
    });
  });
}

function probe(
  socket: net.Socket,
  clock: KafkaClock,
  ask: (done: (answer: boolean) => void) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (answer: boolean): void => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = clock.after(probeMs, () => done(false));
    socket.on("error", () => done(false));
    socket.once("close", () => done(false));
    ask(done);
  });
}
