/**
 * Credentials of AWS, looked for where AWS's own tools look, in their order:
 *
 *     a profile or file that the configuration names, and nothing else then
 *     environment            AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *     web identity           AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN (EKS service accounts): asks STS
 *     shared file            AWS_SHARED_CREDENTIALS_FILE, ~/.aws/credentials; AWS_PROFILE
 *     container              AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity)
 *     instance metadata      IMDSv2, unless AWS_EC2_METADATA_DISABLED
 *
 * Every request has a deadline. Errors name where was looked, never what was found.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import { isLoopback } from "../../core/loopback.ts";
import { httpCall } from "./http_call.ts";
import type { AwsCredentials } from "./sigv4.ts";

/** Metadata services answer in milliseconds, or the machine has none. */
const metadataTimeoutMs = 2000;
const stsTimeoutMs = 10_000;
/** How long the session of IMDSv2 holds; one look needs seconds. */
const metadataSessionSeconds = "60";
const metadataAddress = "http://169.254.169.254";
const containerAddress = "http://169.254.170.2";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where to look. */
export interface AwsCredentialsOptions {
  readonly region: string;
  readonly profile?: string | undefined;
  readonly credentialsFile?: string | undefined;
  readonly env: Environment;
}

/** Looks for credentials. @throws ForwarderError `kafka_authentication_failed` or `kafka_unreachable` */
export async function findAwsCredentials(options: AwsCredentialsOptions): Promise<AwsCredentials> {
  const { env, profile, credentialsFile } = options;
  if (profile !== undefined || credentialsFile !== undefined) {
    const file = credentialsFile ?? sharedFile(env);
    return await fromFile(file, profile ?? "default") ??
      fail(`no profile "${profile ?? "default"}" in "${file}"`);
  }
  return fromEnvironment(env) ??
    await fromWebIdentity(options) ??
    await fromFile(sharedFile(env), env["AWS_PROFILE"] ?? "default") ??
    await fromContainer(env) ??
    await fromInstance(env) ??
    fail("none in the environment, in the shared file, or from a metadata service");
}

function fromEnvironment(env: Environment): AwsCredentials | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (!id || !secret) return undefined;
  return { accessKeyId: id, secretAccessKey: secret, sessionToken: token || undefined };
}

function sharedFile(env: Environment): string {
  return env["AWS_SHARED_CREDENTIALS_FILE"] || join(env["HOME"] || homedir(), ".aws/credentials");
}

async function fromFile(path: string, profile: string): Promise<AwsCredentials | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return undefined;
    return fail(`"${path}" cannot be read (${messageOf(cause)})`);
  }
  const section = readProfile(text, profile);
  if (section === undefined) return undefined;
  const [id, secret] = [section.get("aws_access_key_id"), section.get("aws_secret_access_key")];
  if (!id || !secret) {
    return fail(`profile "${profile}" in "${path}" has no aws_access_key_id and aws_secret_access_key`);
  }
  return {
    accessKeyId: id,
    secretAccessKey: secret,
    sessionToken: section.get("aws_session_token") || undefined,
  };
}

/** Keys of `[profile]` in a shared credentials file; undefined where it has no such section. */
export function readProfile(text: string, profile: string): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  let current: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?(.*?)\s*\]/.exec(line);
    if (section !== null) {
      current = section[1] === profile ? found ??= new Map() : undefined;
      continue;
    }
    const pair = /^\s*([a-z0-9_]+)\s*=\s*(.*?)\s*$/i.exec(line);
    if (pair !== null) current?.set(pair[1]!.toLowerCase(), pair[2]!);
  }
  return found;
}

async function fromWebIdentity({ env, region }: AwsCredentialsOptions): Promise<AwsCredentials | undefined> {
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role } = env;
  if (!file || !role) return undefined;
  let token: string;
  try {
    token = (await readFile(file, "utf8")).trim();
  } catch (cause) {
    return fail(`AWS_WEB_IDENTITY_TOKEN_FILE "${file}" cannot be read (${messageOf(cause)})`);
  }
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: role,
    RoleSessionName: env["AWS_ROLE_SESSION_NAME"] || "corndog",
    WebIdentityToken: token,
  });
  const url = env["AWS_ENDPOINT_URL_STS"] || `https://sts.${region}.amazonaws.com/`;
  const { status, body } = await httpCall({
    url,
    method: "POST",
    headers: { "accept": "application/json", "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
    timeoutMs: stsTimeoutMs,
  });
  const answer = parse(body) as {
    AssumeRoleWithWebIdentityResponse?: { AssumeRoleWithWebIdentityResult?: { Credentials?: unknown } };
    Error?: { Code?: unknown };
  } | undefined;
  if (status !== 200) {
    const code = typeof answer?.Error?.Code === "string" ? `: ${answer.Error.Code.slice(0, 100)}` : "";
    return fail(`STS answered ${status}${code} for role "${role}"`, status >= 500);
  }
  return readAnswer(
    answer?.AssumeRoleWithWebIdentityResponse?.AssumeRoleWithWebIdentityResult?.Credentials,
    "STS",
  );
}

async function fromContainer(env: Environment): Promise<AwsCredentials | undefined> {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = env;
  const url = relative ? `${containerAddress}${relative}` : full;
  if (!url) return undefined;
  if (!isTrusted(url)) {
    return fail("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine");
  }
  const tokenFile = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
  const token = tokenFile
    ? (await readFile(tokenFile, "utf8").catch(() => fail(`"${tokenFile}" cannot be read`))).trim()
    : env["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  const headers: Record<string, string> = token ? { authorization: token } : {};
  const { status, body } = await httpCall({ url, method: "GET", headers, timeoutMs: metadataTimeoutMs });
  if (status !== 200) return fail(`the container's metadata service answered ${status}`, status >= 500);
  return readAnswer(parse(body), "the container's metadata service");
}

/** Containers of ECS and EKS have their own link-local addresses; elsewhere only https may carry a secret. */
function isTrusted(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return protocol === "https:" || isLoopback(host) || /^169\.254\.170\.(2|23)$/.test(host) ||
    host === "fd00:ec2::23";
}

async function fromInstance(env: Environment): Promise<AwsCredentials | undefined> {
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") return undefined;
  const base = (env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || metadataAddress).replace(/\/$/, "");
  const ask = (path: string, method: "GET" | "PUT", headers: Record<string, string>) =>
    httpCall({ url: `${base}/latest/${path}`, method, headers, timeoutMs: metadataTimeoutMs });
  const session = await ask("api/token", "PUT", {
    "x-aws-ec2-metadata-token-ttl-seconds": metadataSessionSeconds,
  });
  if (session.status !== 200) return fail(`the instance metadata service answered ${session.status}`, true);
  const headers = { "x-aws-ec2-metadata-token": session.body.trim() };
  const roles = await ask("meta-data/iam/security-credentials/", "GET", headers);
  const role = roles.body.split("\n")[0]!.trim();
  if (roles.status === 404 || role === "") return fail("this instance has no role (instance profile)");
  if (roles.status !== 200) return fail(`the instance metadata service answered ${roles.status}`, true);
  const path = `meta-data/iam/security-credentials/${encodeURIComponent(role)}`;
  const { status, body } = await ask(path, "GET", headers);
  if (status !== 200) return fail(`the instance metadata service answered ${status}`, true);
  return readAnswer(parse(body), "the instance metadata service");
}

/** The fields that all services use; `Token` and `SessionToken` are the same. */
function readAnswer(answer: unknown, who: string): AwsCredentials {
  const { AccessKeyId: id, SecretAccessKey: secret, Token, SessionToken, Expiration } =
    (answer ?? {}) as Record<string, unknown>;
  const token = Token ?? SessionToken;
  if (typeof id !== "string" || typeof secret !== "string" || typeof token !== "string") {
    return fail(`${who} gave no credentials`);
  }
  const endsAtMs = typeof Expiration === "number" ? Expiration * 1000 : Date.parse(String(Expiration));
  return {
    accessKeyId: id,
    secretAccessKey: secret,
    sessionToken: token,
    endsAtMs: Number.isNaN(endsAtMs) ? undefined : endsAtMs,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fail(reason: string, mayPass = false): never {
  const code = mayPass ? "kafka_unreachable" : "kafka_authentication_failed";
  throw new ForwarderError(code, `Cannot get AWS credentials: ${reason}`, { retryable: true });
}
