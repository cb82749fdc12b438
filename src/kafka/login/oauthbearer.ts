/**
 * The messages of SASL OAUTHBEARER (RFC 7628, KIP-255) and its extensions (KIP-342).
 *
 *     client   "n,," SOH "auth=Bearer " token *( SOH name "=" value ) SOH SOH
 *     broker   nothing: logged in; or JSON {"status":…}: refused, to which the client says SOH and hears the error
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ForwarderError } from "../../core/errors.ts";
import type { KafkajsAuthenticator } from "../kafkajs_modules.ts";

const soh = "\u0001";

/** What a broker says about a token that it refuses is cut here. */
const reasonCharsMax = 300;

/** The client's first message. */
export function bearerMessage(token: string, extensions: Readonly<Record<string, string>> = {}): Buffer {
  const parts = Object.entries(extensions).map(([name, value]) => `${soh}${name}=${value}`);
  return Buffer.from(`n,,${soh}auth=Bearer ${token}${parts.join("")}${soh}${soh}`);
}

/** What the authenticator of a connection needs. */
export interface BearerOptions {
  /** A token that is good now. */
  token(): Promise<string>;
  /** The broker refused this token. */
  refused(token: string): void;
  readonly extensions?: Readonly<Record<string, string>> | undefined;
}

/** Logs a connection in, and again when its session nears its end. */
export function bearerAuthenticator(options: BearerOptions): KafkajsAuthenticator {
  return ({ host, port, saslAuthenticate }) => ({
    async authenticate() {
      const token = await options.token();
      const say = (message: Buffer): Promise<Buffer> =>
        saslAuthenticate({
          request: { encode: () => Promise.resolve(withLength(message)) },
          response: {
            decode: (bytes) => Promise.resolve(withoutLength(bytes)),
            parse: (bytes) => Promise.resolve(bytes),
          },
        });
      try {
        const answer = await say(bearerMessage(token, options.extensions));
        if (answer.length === 0) return;
        // The broker ends with an error of its own after this; its JSON says more.
        await say(Buffer.from(soh)).catch(() => {});
        throw new ForwarderError(
          "kafka_authentication_failed",
          `Broker "${host}:${port}" refused the token: ${reasonOf(answer)}`,
          { retryable: true },
        );
      } catch (cause) {
        if (isRefusal(cause)) options.refused(token);
        throw cause;
      }
    },
  });
}

/** A connection that broke says nothing about the token. */
function isRefusal(cause: unknown): boolean {
  const { code, type } = cause as { code?: unknown; type?: unknown };
  return code === "kafka_authentication_failed" || type === "SASL_AUTHENTICATION_FAILED";
}

/** `status` of the broker's JSON and what else it says, or the text itself. */
function reasonOf(answer: Buffer): string {
  const text = answer.toString("utf8").slice(0, reasonCharsMax);
  try {
    const { status } = JSON.parse(text) as { status?: unknown };
    return typeof status === "string" ? status : text;
  } catch {
    return text;
  }
}

/** kafkajs hands over and takes SASL bytes with their length before them, as before KIP-152. */
function withLength(bytes: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

function withoutLength(bytes: Buffer): Buffer {
  if (bytes.length < 4) return Buffer.alloc(0);
  return bytes.subarray(4, 4 + Math.max(0, bytes.readInt32BE(0)));
}
