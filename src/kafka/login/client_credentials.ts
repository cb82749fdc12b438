/**
 * Tokens for OAUTHBEARER: from a token endpoint by the client credentials grant (RFC 6749 section 4.4), or from a file
 * that somebody else keeps fresh (a projected service account of Kubernetes).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import type { KafkaConfig } from "../../config/config.ts";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import type { KafkaClock } from "../clock.ts";
import { httpCall, nameOf } from "./http_call.ts";
import { readSecret } from "./secret_file.ts";
import type { Token } from "./token_keeper.ts";

/** A token endpoint that takes longer is asked again. */
export const tokenTimeoutMs = 10_000;
/** Life of a token that does not say when it ends. */
const lifeMsDefault = 300_000;
/** A file is looked at again after this time at most, whatever its token says. */
const fileLifeMsMax = 60_000;
/** What the endpoint says about an error is cut here. */
const reasonCharsMax = 300;

type Sasl = NonNullable<KafkaConfig["sasl"]>;
/** OAUTHBEARER as configured. */
export type OauthConfig = Extract<Sasl, { mechanism: "oauthbearer" }>;

/** Gets a token. @throws ForwarderError whose message has neither token nor secret in it */
export function fetchToken(config: OauthConfig, clock: KafkaClock): Promise<Token> {
  return config.source.kind === "file"
    ? fromFile(config.source.path, clock)
    : fromEndpoint(config.source, clock);
}

async function fromEndpoint(
  source: Extract<OauthConfig["source"], { kind: "endpoint" }>,
  clock: KafkaClock,
): Promise<Token> {
  const { url, clientId, scope, audience, caFile } = source;
  const secret = await readSecret(source.clientSecret, source.clientSecretFile);
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  if (audience !== undefined) form.set("audience", audience);
  const startedAtMs = clock.nowMs();
  const { status, body } = await httpCall({
    url,
    method: "POST",
    headers: {
      "accept": "application/json",
      "content-type": "application/x-www-form-urlencoded",
      "authorization": `Basic ${basic(clientId, secret)}`,
    },
    body: form.toString(),
    ca: caFile === undefined ? undefined : await readCa(caFile),
    timeoutMs: tokenTimeoutMs,
  });
  const answer = parseObject(body);
  const name = nameOf(url);
  if (status < 200 || status > 299) {
    const reason = withoutSecret(errorOf(answer), secret);
    // 4xx: the endpoint knows this client and refuses it, or does not know it; anything else may pass.
    const isDenied = status >= 400 && status < 500 && status !== 408 && status !== 429;
    throw new ForwarderError(
      isDenied ? "kafka_authentication_failed" : "kafka_unreachable",
      `Cannot get a token from "${name}": it answered ${status}${reason === "" ? "" : `: ${reason}`}`,
      { retryable: true },
    );
  }
  const value = answer?.["access_token"];
  if (typeof value !== "string" || !isToken(value)) {
    throw new ForwarderError(
      "kafka_authentication_failed",
      `Cannot get a token from "${name}": its answer has no access_token`,
      { retryable: true },
    );
  }
  const seconds = Number(answer?.["expires_in"]);
  const lifeMs = seconds > 0 ? seconds * 1000 : jwtLifeMs(value) ?? lifeMsDefault;
  return { value, endsAtMs: startedAtMs + lifeMs };
}

async function fromFile(path: string, clock: KafkaClock): Promise<Token> {
  let value: string;
  try {
    value = (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new ForwarderError(
      "kafka_authentication_failed",
      `Cannot read token "${path}": ${messageOf(cause)}`,
      {
        cause,
        retryable: true,
      },
    );
  }
  if (!isToken(value)) {
    throw new ForwarderError("kafka_authentication_failed", `Cannot use token "${path}": it holds no token`, {
      retryable: true,
    });
  }
  const lifeMs = jwtLifeMs(value);
  if (lifeMs !== undefined && lifeMs <= 0) {
    throw new ForwarderError("kafka_authentication_failed", `Cannot use token "${path}": it has ended`, {
      retryable: true,
    });
  }
  return { value, endsAtMs: clock.nowMs() + Math.min(lifeMs ?? lifeMsDefault, fileLifeMsMax) };
}

/** Time until a JWT's `exp` (RFC 7519 section 4.1.4); undefined where the token is none or has none. */
export function jwtLifeMs(token: string, nowMs: number = Date.now()): number | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  const exp = parseObject(Buffer.from(payload, "base64url").toString("utf8"))?.["exp"];
  return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 - nowMs : undefined;
}

/** Only what a token may hold (RFC 6750 section 2.1): anything else would change the message around it. */
function isToken(value: string): boolean {
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(value);
}

/** Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1). */
function basic(id: string, secret: string): string {
  const encode = (text: string): string => encodeURIComponent(text).replaceAll("%20", "+");
  return Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64");
}

/** `error` and `error_description` (RFC 6749 section 5.2) as one line. */
function errorOf(answer: Record<string, unknown> | undefined): string {
  const parts = [answer?.["error"], answer?.["error_description"]].filter((part) => typeof part === "string");
  // deno-lint-ignore no-control-regex
  return parts.join(", ").replaceAll(/[\u0000-\u001f]+/g, " ").slice(0, reasonCharsMax);
}

/** An endpoint may repeat what it was sent. */
function withoutSecret(text: string, secret: string): string {
  return text.replaceAll(secret, "***").replaceAll(encodeURIComponent(secret), "***");
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot read certificate "${path}": ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}
