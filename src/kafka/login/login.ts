/**
 * How this client logs in at brokers: one per worker, for all of its connections. It has what kafkajs needs ready
 * before a connection is opened, so that the time for connecting is not spent on waiting for tokens.
 *
 * PLAIN and SCRAM are kafkajs' own. OAUTHBEARER and MSK IAM (which is OAUTHBEARER with another token) are ours:
 * kafkajs takes a refused token for an accepted one.
 *
 * @module
 */
import process from "node:process";
import type { KafkaConfig } from "../../config/config.ts";
import { version } from "../../version.ts";
import type { KafkaClock } from "../clock.ts";
import type { KafkajsSasl } from "../kafkajs_modules.ts";
import type { KafkaLog } from "../problem_log.ts";
import { findAwsCredentials } from "./aws_credentials.ts";
import { fetchToken } from "./client_credentials.ts";
import { mskToken, mskTokenSeconds } from "./msk_token.ts";
import { bearerAuthenticator } from "./oauthbearer.ts";
import { readSecret } from "./secret_file.ts";
import { type Token, TokenKeeper } from "./token_keeper.ts";

type Sasl = NonNullable<KafkaConfig["sasl"]>;

/** What a login works with. */
export interface LoginOptions {
  readonly clock: KafkaClock;
  readonly log?: KafkaLog | undefined;
  /** Where AWS credentials may be named. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A way to log in. */
export interface Login {
  /** What a new connection logs in with. Rejects with a `ForwarderError` where no token can be had. */
  sasl(): Promise<KafkajsSasl>;
  /** Renews tokens no more. */
  close(): void;
}

/** Makes the login that the configuration asks for. */
export function createLogin(sasl: Sasl, options: LoginOptions): Login {
  switch (sasl.mechanism) {
    case "plain":
    case "scram-sha-256":
    case "scram-sha-512":
      return passwordLogin(sasl);
    case "oauthbearer":
      return tokenLogin(() => fetchToken(sasl, options.clock), sasl.extensions, options);
    case "aws-msk-iam":
      return tokenLogin(() => fetchMskToken(sasl, options), undefined, options);
  }
}

function passwordLogin(sasl: Extract<Sasl, { password: string }>): Login {
  return {
    async sasl() {
      const [username, password] = await Promise.all([
        readSecret(sasl.username, sasl.usernameFile),
        readSecret(sasl.password, sasl.passwordFile),
      ]);
      return { mechanism: sasl.mechanism, username, password };
    },
    close: () => {},
  };
}

function tokenLogin(
  fetch: () => Promise<Token>,
  extensions: Readonly<Record<string, string>> | undefined,
  { clock, log }: LoginOptions,
): Login {
  const keeper = new TokenKeeper({
    fetch,
    clock,
    failed: (cause) => log?.("kafka_token_not_renewed", { message: cause.message }),
  });
  const authenticationProvider = bearerAuthenticator({
    token: () => keeper.token(),
    refused: (token) => keeper.refuse(token),
    extensions,
  });
  return {
    async sasl() {
      await keeper.token();
      return { mechanism: "oauthbearer", authenticationProvider };
    },
    close: () => keeper.close(),
  };
}

async function fetchMskToken(
  { region, profile, credentialsFile }: Extract<Sasl, { mechanism: "aws-msk-iam" }>,
  { clock, env = process.env }: LoginOptions,
): Promise<Token> {
  const credentials = await findAwsCredentials({ region, profile, credentialsFile, env });
  const nowMs = Date.now();
  const lifeMs = Math.min(mskTokenSeconds * 1000, (credentials.endsAtMs ?? Infinity) - nowMs);
  return {
    value: mskToken(region, credentials, nowMs, `corndog/${version}`),
    endsAtMs: clock.nowMs() + lifeMs,
  };
}
