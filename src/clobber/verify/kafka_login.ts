/**
 * Logs a connection in at a broker: SaslHandshake 1 and SaslAuthenticate 0 (KIP-43, KIP-152), which every broker from
 * 1.0 to 4.x knows.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import type { Credentials } from "./access.ts";
import { api, RequestWriter, type ResponseReader } from "./kafka_wire.ts";
import { scram, ScramError } from "./scram.ts";

/** What a broker says of a refused login is cut here. */
const reasonCharsMax = 300;

/** One request and its answer, on the connection that logs in. */
export type Ask = (request: (correlation: number) => Buffer) => Promise<ResponseReader>;

/** Logs in. @throws ForwarderError `kafka_authentication_failed` where the broker refuses it */
export async function logIn(
  host: string,
  port: number,
  credentials: Credentials,
  ask: Ask,
): Promise<void> {
  const broker = `${host}:${port}`;
  await handshake(broker, credentials.mechanism.toUpperCase(), ask);
  const say = (message: Buffer): Promise<Buffer> => authenticate(broker, message, ask);
  switch (credentials.mechanism) {
    case "plain": {
      const { username, password } = credentials;
      await say(Buffer.from(`\0${username}\0${password}`));
      return;
    }
    case "oauthbearer":
      await credentials.authenticate(host, port, say);
      return;
    default: {
      const { mechanism, username, password } = credentials;
      try {
        await scram(mechanism === "scram-sha-256" ? "sha256" : "sha512", username, password, say);
      } catch (error) {
        throw error instanceof ScramError ? refused(broker, messageOf(error)) : error;
      }
    }
  }
}

async function handshake(broker: string, mechanism: string, ask: Ask): Promise<void> {
  const reader = await ask((id) => new RequestWriter().string(mechanism).frame(api.saslHandshake, id));
  if (reader.int16() === 0) return;
  const known = reader.array(() => reader.string());
  const others = known.length === 0 ? "this port has no login" : `this port knows ${known.join(", ")}`;
  throw refused(broker, `it does not know ${mechanism}; ${others}`);
}

async function authenticate(broker: string, message: Buffer, ask: Ask): Promise<Buffer> {
  const reader = await ask((id) => new RequestWriter().bytes(message).frame(api.saslAuthenticate, id));
  const error = reader.int16();
  const reason = reader.string();
  if (error !== 0) throw refused(broker, reason === "" ? `error ${error}` : reason.slice(0, reasonCharsMax));
  return reader.bytes();
}

function refused(broker: string, reason: string): ForwarderError {
  return new ForwarderError(
    "kafka_authentication_failed",
    `Broker "${broker}" refused the login: ${reason}; look at kafka.sasl in the file that --verify-config names`,
  );
}
