/**
 * Turns what kafkajs, sockets and TLS throw into a `ForwarderError` with words for an operator.
 *
 * @module
 */
import { ForwarderError, messageOf } from "../core/errors.ts";
import { InvariantError } from "../core/invariant.ts";

/** `host:port`, an IPv6 address in brackets. */
export function brokerName(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What a failure looks like from outside: kafkajs and the system add these to an Error. */
interface FailureShape {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string | number;
}

/** Protocol errors that mean "not you". */
const denials = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
]);

/** The login is fine, and rights are missing: a producer id is for whoever may write to some topic (KIP-679). */
const unauthorized = new Set(["CLUSTER_AUTHORIZATION_FAILED", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"]);

/** Why a broker's certificate is not taken, in the words of OpenSSL, of Bun and of Deno (rustls). */
const distrusts: readonly { readonly pattern: RegExp; readonly text: string }[] = [
  {
    pattern: /ERR_TLS_CERT_ALTNAME_INVALID|NotValidForName|not valid for name/,
    text: "shows a certificate for other names than the one it is reached by",
  },
  {
    pattern: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate: (Expired|NotValidYet)/,
    text: "shows a certificate that is not valid now",
  },
  {
    pattern:
      /UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)|SELF_SIGNED_CERT|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED|certificate: (UnknownIssuer|BadSignature)/,
    text: "shows a certificate of an authority that kafka.tls.ca does not name",
  },
];

/** The typed error for anything that went wrong while talking to `broker`. An `InvariantError` is passed on. */
export function toForwarderError(cause: unknown, broker: string): ForwarderError {
  if (cause instanceof ForwarderError) return cause;
  if (cause instanceof InvariantError) throw cause;
  const { name, type, code } = cause as FailureShape;
  const message = messageOf(cause);
  if (/current SASL state/.test(message)) {
    return new ForwarderError(
      "kafka_authentication_failed",
      `Broker "${broker}" takes no login on this port: remove kafka.sasl, or name the port that wants one`,
      { cause, retryable: true },
    );
  }
  if (type !== undefined && unauthorized.has(type)) {
    return new ForwarderError(
      "kafka_authentication_failed",
      `Broker "${broker}" lets this client write to no topic: ${type}`,
      { cause, retryable: true },
    );
  }
  if (name === "KafkaJSSASLAuthenticationError" || (type !== undefined && denials.has(type))) {
    return new ForwarderError(
      "kafka_authentication_failed",
      `Cannot authenticate at broker "${broker}": ${message}`,
      {
        cause,
        retryable: true,
      },
    );
  }
  if (type !== undefined) {
    return new ForwarderError("kafka_protocol", `Broker "${broker}" refused a request: ${type}`, {
      cause,
      retryable: true,
    });
  }
  const isProgramming = cause instanceof RangeError || cause instanceof TypeError;
  if (isProgramming && typeof code !== "string" || code === "ERR_OUT_OF_RANGE") {
    return new ForwarderError("kafka_protocol", `Answer of broker "${broker}" is not readable: ${message}`, {
      cause,
    });
  }
  // Deno and Bun have words of their own for the alerts of RFC 8446 6.2 that tell of a missing client certificate.
  if (
    /ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED)|alert: (BadCertificate|CertificateRequired)/.test(message)
  ) {
    return new ForwarderError(
      "certificate_unusable",
      `Broker "${broker}" refuses the client certificate, or wants one (kafka.tls.cert): ${message}`,
      { cause, retryable: true },
    );
  }
  const distrust = distrusts.find(({ pattern }) => pattern.test(`${code ?? ""} ${message}`));
  if (distrust !== undefined) {
    const detail = message.replace(/^Connection error: /, "");
    return new ForwarderError("certificate_unusable", `Broker "${broker}" ${distrust.text}: ${detail}`, {
      cause,
      retryable: true,
    });
  }
  const reason = typeof code === "string" && /^E[A-Z]/.test(code) && !code.startsWith("ERR_")
    ? code
    : message.replace(/^Connection error: /, "");
  return new ForwarderError("kafka_unreachable", `Cannot reach broker "${broker}": ${reason}`, {
    cause,
    retryable: true,
  });
}
