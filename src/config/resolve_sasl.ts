/**
 * The login at the brokers, in force: every secret there, and no key that belongs to another mechanism.
 *
 * @module
 */
import { isLoopback } from "../core/loopback.ts";
import type { KafkaSasl } from "./config.ts";
import { checkTls, type Findings, type ResolveContext } from "./findings.ts";
import { tryRead } from "./files.ts";
import type { WrittenConfig } from "./schema.ts";
import { type ResolvedSecret, resolveSecret } from "./secrets.ts";
import type { Path } from "./yaml.ts";

type Written = NonNullable<WrittenConfig["kafka"]["sasl"]>;
type Mechanism = Written["mechanism"];

const at: Path = ["kafka", "sasl"];

/** Which mechanisms a key is for. */
const keyHomes: readonly (readonly [key: RegExp, mechanisms: readonly Mechanism[], words: string])[] = [
  [/^(username|password)(_env|_file)?$/, ["plain", "scram-sha-256", "scram-sha-512"], "plain and scram"],
  [
    /^(token_endpoint|token_file|client_(id|secret)(_env|_file)?|scope|audience|ca|extensions)$/,
    ["oauthbearer"],
    "oauthbearer",
  ],
  [/^(region|profile|credentials_file)$/, ["aws-msk-iam"], "aws-msk-iam"],
];

/** Names of brokers of Amazon MSK end so. */
const mskName = /\.kafka(?:-serverless)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?:\d+$/;

/** Reads the login. */
export function resolveSasl(
  written: Written,
  brokers: readonly string[],
  hasTls: boolean,
  context: ResolveContext,
  findings: Findings,
): KafkaSasl {
  const { mechanism } = written;
  for (const [key, value] of Object.entries(written)) {
    const home = keyHomes.find(([pattern]) => pattern.test(key));
    if (value === undefined || home === undefined || home[1].includes(mechanism)) continue;
    findings.fault([...at, key], `belongs to the mechanism ${home[2]}, not to ${mechanism}; remove it`);
  }
  if (!hasTls && (mechanism === "plain" || mechanism === "oauthbearer" || mechanism === "aws-msk-iam")) {
    const what = mechanism === "plain" ? "the password" : "a token that others can use";
    findings.warn(
      [...at, "mechanism"],
      `${mechanism} without TLS sends ${what} readable over the network; write tls: true`,
    );
  }
  switch (mechanism) {
    case "oauthbearer":
      return oauthbearer(written, context, findings);
    case "aws-msk-iam":
      return awsMskIam(written, brokers, context, findings);
    default: {
      const username = resolveSecret(written, "username", at, context, findings.faults);
      const password = resolveSecret(written, "password", at, context, findings.faults);
      return {
        mechanism,
        username: username.value,
        ...fileOf("usernameFile", username),
        password: password.value,
        ...fileOf("passwordFile", password),
      };
    }
  }
}

function oauthbearer(written: Written, context: ResolveContext, findings: Findings): KafkaSasl {
  const { extensions, token_file: tokenFile, token_endpoint: endpoint } = written;
  const own = extensions === undefined ? {} : { extensions };
  if (tokenFile !== undefined) {
    const other = Object.keys(written).find((key) =>
      /^(token_endpoint|client_(id|secret)(_env|_file)?|scope|audience|ca)$/.test(key) &&
      written[key as keyof Written] !== undefined
    );
    if (other !== undefined) {
      findings.fault(
        [...at, other],
        "is for token_endpoint, and token_file is written too; keep one of them",
      );
    }
    const path = context.absolute(tokenFile);
    const read = tryRead(context.files, path);
    if (!read.ok) findings.fault([...at, "token_file"], `${path} ${read.problem}`);
    return { mechanism: "oauthbearer", source: { kind: "file", path }, ...own };
  }
  if (endpoint === undefined) {
    findings.fault([...at, "token_endpoint"], "this key is missing; write token_endpoint or token_file");
  } else if (endpoint.startsWith("http:") && !isLoopback(new URL(endpoint).hostname)) {
    findings.warn(
      [...at, "token_endpoint"],
      "sends the client secret readable over the network; write https://",
    );
  }
  const id = resolveSecret(written, "client_id", at, context, findings.faults);
  const secret = resolveSecret(written, "client_secret", at, context, findings.faults);
  const caFile = written.ca === undefined ? undefined : context.absolute(written.ca);
  checkTls({ ca: caFile }, at, context, findings);
  return {
    mechanism: "oauthbearer",
    source: {
      kind: "endpoint",
      url: endpoint ?? "https://missing.invalid/",
      clientId: id.value,
      clientSecret: secret.value,
      ...fileOf("clientSecretFile", secret),
      ...(written.scope === undefined ? {} : { scope: written.scope }),
      ...(written.audience === undefined ? {} : { audience: written.audience }),
      ...(caFile === undefined ? {} : { caFile }),
    },
    ...own,
  };
}

function awsMskIam(
  written: Written,
  brokers: readonly string[],
  context: ResolveContext,
  findings: Findings,
): KafkaSasl {
  const { env } = context;
  const fromNames = brokers.map((broker) => mskName.exec(broker)?.[1]).find((region) => region !== undefined);
  const region = written.region ?? fromNames ?? (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || undefined);
  if (region === undefined) {
    findings.fault(
      [...at, "region"],
      "this key is missing; write the region of the cluster or set AWS_REGION",
    );
  } else if (!/^[a-z0-9-]{1,40}$/.test(region)) {
    findings.fault([...at, "region"], "is not a region; write one such as eu-central-1");
  }
  const file = written.credentials_file;
  const credentialsFile = file === undefined ? undefined : context.absolute(file);
  if (credentialsFile !== undefined) {
    const read = tryRead(context.files, credentialsFile);
    if (!read.ok) findings.fault([...at, "credentials_file"], `${credentialsFile} ${read.problem}`);
  }
  return {
    mechanism: "aws-msk-iam",
    region: region ?? "",
    ...(written.profile === undefined ? {} : { profile: written.profile }),
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
  };
}

function fileOf<Key extends string>(key: Key, { file }: ResolvedSecret): { readonly [K in Key]?: string } {
  return (file === undefined ? {} : { [key]: file }) as { readonly [K in Key]?: string };
}
