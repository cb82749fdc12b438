/**
 * How `corndog clobber --verify kafka://` reaches a cluster that wants TLS or a login: by the `kafka` section of a
 * configuration, with the forwarder's own certificates and logins. Here, because the load generator itself imports
 * nothing of the forwarder.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import type { Credentials, KafkaAccess } from "../clobber/verify/access.ts";
import type { KafkaConfig } from "../config/config.ts";
import { loadConfig, type LoadOptions } from "../config/load.ts";
import { formatFault } from "../core/errors.ts";
import { ClientTls } from "../kafka/client_tls.ts";
import { systemClock } from "../kafka/clock.ts";
import type { KafkajsAuthenticator, KafkajsSasl } from "../kafka/kafkajs_modules.ts";
import { createLogin } from "../kafka/login/login.ts";

/** Bytes of a length in Kafka's protocol. */
const lengthBytes = 4;

/**
 * Reads the access from a configuration file, of which only the `kafka` section must be right: the rest may name
 * files of another machine.
 *
 * @throws Error that says what is wrong in the section
 */
export function readVerifyAccess(path: string, options: LoadOptions = {}): KafkaAccess {
  const loaded = loadConfig({ ...options, path });
  const config = loaded.ok ? loaded.config : loaded.partial;
  const faults = loaded.ok ? [] : loaded.faults.filter((fault) => concerns(fault.path));
  if (faults.length > 0 || config === undefined) {
    const said = faults.length > 0 || loaded.ok ? faults : loaded.faults;
    throw new Error(said.map(formatFault).join("\n"));
  }
  return accessOf(config.kafka);
}

/** Faults of the whole document and of its `kafka` section. */
function concerns(path: string): boolean {
  return path === "" || path === "kafka" || path.startsWith("kafka.");
}

function accessOf({ brokers, sasl, tls }: KafkaConfig): KafkaAccess {
  const clientTls = tls === undefined ? undefined : new ClientTls(tls, systemClock, undefined);
  const login = sasl === undefined ? undefined : createLogin(sasl, { clock: systemClock, env: process.env });
  return {
    brokers,
    hasLogin: login !== undefined,
    tls: async () => await clientTls?.options(),
    async credentials() {
      const given = await login?.sasl();
      return given === undefined ? undefined : credentialsOf(given);
    },
    close() {
      clientTls?.close();
      login?.close();
    },
  };
}

function credentialsOf({ authenticationProvider, mechanism, password, username }: KafkajsSasl): Credentials {
  if (authenticationProvider !== undefined) {
    return {
      mechanism: "oauthbearer",
      authenticate: (host, port, say) => authenticateWith(authenticationProvider, host, port, say),
    };
  }
  return {
    mechanism: mechanism as "plain" | "scram-sha-256" | "scram-sha-512",
    username: username ?? "",
    password: password ?? "",
  };
}

/** Has a login of the forwarder's say its messages; it puts their length before them, as Kafka had it before KIP-152. */
async function authenticateWith(
  authenticator: KafkajsAuthenticator,
  host: string,
  port: number,
  say: (message: Buffer) => Promise<Buffer>,
): Promise<void> {
  await authenticator({
    host,
    port,
    async saslAuthenticate({ request, response }) {
      const answer = await say((await request.encode()).subarray(lengthBytes));
      const framed = Buffer.alloc(lengthBytes + answer.length);
      framed.writeInt32BE(answer.length);
      answer.copy(framed, lengthBytes);
      return await response.parse(await response.decode(framed));
    },
  }).authenticate();
}
