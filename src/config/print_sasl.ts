/**
 * The login at the brokers for people: secrets as `***`, or as the file that they are in.
 *
 * @module
 */
import type { KafkaSasl } from "./config.ts";
import { redacted } from "./rule_text.ts";

/** `kafka.sasl` in the words of `corndog.yml`, without secrets. */
export function writtenSasl(sasl: KafkaSasl): Record<string, unknown> {
  const { mechanism } = sasl;
  switch (mechanism) {
    case "plain":
    case "scram-sha-256":
    case "scram-sha-512":
      return {
        mechanism,
        ...(sasl.usernameFile === undefined
          ? { username: sasl.username }
          : { username_file: sasl.usernameFile }),
        ...(sasl.passwordFile === undefined ? { password: redacted } : { password_file: sasl.passwordFile }),
      };
    case "oauthbearer": {
      const { source, extensions } = sasl;
      const own = extensions === undefined
        ? {}
        : { extensions: Object.entries(extensions).map(([name, value]) => `${name}=${value}`).join(",") };
      if (source.kind === "file") return { mechanism, token_file: source.path, ...own };
      return {
        mechanism,
        token_endpoint: source.url,
        client_id: source.clientId,
        ...(source.clientSecretFile === undefined
          ? { client_secret: redacted }
          : { client_secret_file: source.clientSecretFile }),
        ...(source.scope === undefined ? {} : { scope: source.scope }),
        ...(source.audience === undefined ? {} : { audience: source.audience }),
        ...(source.caFile === undefined ? {} : { ca: source.caFile }),
        ...own,
      };
    }
    case "aws-msk-iam":
      return {
        mechanism,
        region: sasl.region,
        ...(sasl.profile === undefined ? {} : { profile: sasl.profile }),
        ...(sasl.credentialsFile === undefined ? {} : { credentials_file: sasl.credentialsFile }),
      };
  }
}
