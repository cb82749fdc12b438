import assert from "node:assert/strict";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { findAwsCredentials, readProfile } from "../../../src/kafka/login/aws_credentials.ts";
import { type Answerer, CertificateBench, HttpBench } from "./login_bench.ts";

const secret = "aws-very-secret";
const shared = `# a comment
[default]
aws_access_key_id = AKDEFAULT
aws_secret_access_key=${secret}

[edge]
aws_access_key_id=AKEDGE
aws_secret_access_key = ${secret}/edge==
aws_session_token = session=1
[broken]
aws_access_key_id=AKBROKEN
`;

/** An answer as metadata services give it. */
const credentials = (id: string, more: object = {}) =>
  JSON.stringify({
    AccessKeyId: id,
    SecretAccessKey: secret,
    Token: "tok",
    Expiration: "2026-01-02T03:04:05Z",
    ...more,
  });

/** IMDSv2 with a role. */
const instance: Answerer = ({ method, url, headers }) => {
  if (url === "/latest/api/token" && method === "PUT") return { body: "session-1" };
  if (headers["x-aws-ec2-metadata-token"] !== "session-1") return { status: 401, body: "" };
  if (url === "/latest/meta-data/iam/security-credentials/") return { body: "edge-role\n" };
  if (url === "/latest/meta-data/iam/security-credentials/edge-role") {
    return { body: credentials("AKINSTANCE") };
  }
  return { status: 404, body: "" };
};

async function failure(promise: Promise<unknown>): Promise<ForwarderError> {
  const cause = await promise.then(() => assert.fail("expected a failure"), (thrown) => thrown);
  assert.ok(cause instanceof ForwarderError, String(cause));
  assert.ok(!`${cause.message} ${cause.stack}`.includes(secret), "no secret in an error");
  return cause;
}

/** An environment in which nothing is found. */
function nowhere(dir: string): Record<string, string> {
  return { HOME: dir, AWS_EC2_METADATA_DISABLED: "true" };
}

test("findAwsCredentials() looks in AWS's order: environment, web identity, file, container, instance", async () => {
  using files = new CertificateBench();
  await using metadata = await HttpBench.start(instance);
  await using container = await HttpBench.start(() => ({ body: credentials("AKCONTAINER") }));
  await using sts = await HttpBench.start(() => ({
    body: JSON.stringify({
      AssumeRoleWithWebIdentityResponse: {
        AssumeRoleWithWebIdentityResult: {
          Credentials: {
            AccessKeyId: "AKWEB",
            SecretAccessKey: secret,
            SessionToken: "tok",
            Expiration: 1_767_323_045,
          },
        },
      },
    }),
  }));
  const env: Record<string, string> = {
    HOME: files.dir,
    AWS_ACCESS_KEY_ID: "AKENV",
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_WEB_IDENTITY_TOKEN_FILE: files.write("web-token", "jwt\n"),
    AWS_ROLE_ARN: "arn:aws:iam::1:role/edge",
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_SHARED_CREDENTIALS_FILE: files.write("shared", shared),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container.url}/creds`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: "container-token",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
  };
  const find = () => findAwsCredentials({ region: "eu-central-1", env });
  assert.deepEqual(await find(), { accessKeyId: "AKENV", secretAccessKey: secret, sessionToken: undefined });
  delete env["AWS_ACCESS_KEY_ID"];
  assert.deepEqual(await find(), {
    accessKeyId: "AKWEB",
    secretAccessKey: secret,
    sessionToken: "tok",
    endsAtMs: 1_767_323_045_000,
  });
  const form = new URLSearchParams(sts.asked[0]!.body);
  assert.equal(form.get("WebIdentityToken"), "jwt");
  assert.equal(form.get("RoleArn"), "arn:aws:iam::1:role/edge");
  delete env["AWS_ROLE_ARN"];
  assert.equal((await find()).accessKeyId, "AKDEFAULT");
  env["AWS_PROFILE"] = "edge";
  assert.deepEqual(await find(), {
    accessKeyId: "AKEDGE",
    secretAccessKey: `${secret}/edge==`,
    sessionToken: "session=1",
  });
  delete env["AWS_SHARED_CREDENTIALS_FILE"];
  assert.equal((await find()).accessKeyId, "AKCONTAINER");
  assert.equal(container.asked[0]!.headers["authorization"], "container-token");
  delete env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
  assert.deepEqual(await find(), {
    accessKeyId: "AKINSTANCE",
    secretAccessKey: secret,
    sessionToken: "tok",
    endsAtMs: Date.parse("2026-01-02T03:04:05Z"),
  });
  env["AWS_EC2_METADATA_DISABLED"] = "true";
  assert.match((await failure(find())).message, /^Cannot get AWS credentials: none in the environment/);
});

test("findAwsCredentials() looks nowhere else when the configuration names a profile or a file", async () => {
  using files = new CertificateBench();
  const env = {
    ...nowhere(files.dir),
    AWS_ACCESS_KEY_ID: "AKENV",
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_SHARED_CREDENTIALS_FILE: files.write("shared", shared),
  };
  const other = files.write("other", "[default]\naws_access_key_id=AKOTHER\naws_secret_access_key=x\n");
  const find = (more: object) => findAwsCredentials({ region: "r", env, ...more });
  assert.equal((await find({ profile: "edge" })).accessKeyId, "AKEDGE");
  assert.equal((await find({ credentialsFile: other })).accessKeyId, "AKOTHER");
  assert.match((await failure(find({ profile: "gone" }))).message, /no profile "gone" in ".*shared"$/);
  assert.match((await failure(find({ profile: "broken" }))).message, /has no aws_access_key_id and/);
  assert.match((await failure(find({ credentialsFile: "/nowhere" }))).message, /no profile "default"/);
});

const refusals: readonly {
  name: string;
  answer: Answerer;
  env: (url: string, files: CertificateBench) => Record<string, string>;
  code: ForwarderError["code"];
  want: RegExp;
}[] = [
  {
    name: "the instance has no role",
    answer: (asked) => asked.url.endsWith("/token") ? instance(asked) : { status: 404, body: "" },
    env: (url) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url }),
    code: "kafka_authentication_failed",
    want: /this instance has no role/,
  },
  {
    name: "the metadata service never answers",
    answer: () => undefined,
    env: (url) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url }),
    code: "deadline_exceeded",
    want: /did not answer within 2000 ms/,
  },
  {
    name: "the container's service has a fault",
    answer: () => ({ status: 500, body: secret }),
    env: (url) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url }),
    code: "kafka_unreachable",
    want: /the container's metadata service answered 500$/,
  },
  {
    name: "the container's service gives something else",
    answer: () => ({ body: JSON.stringify({ SecretAccessKey: secret }) }),
    env: (url) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url }),
    code: "kafka_authentication_failed",
    want: /gave no credentials$/,
  },
  {
    name: "the container's address is another machine's, in plain text",
    answer: () => ({ body: credentials("AKEVIL") }),
    env: () => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://198.51.100.7/creds" }),
    code: "kafka_authentication_failed",
    want: /is neither https nor an address of this machine$/,
  },
  {
    name: "STS refuses the role",
    answer: () => ({
      status: 403,
      body: JSON.stringify({ Error: { Code: "AccessDenied", Message: secret } }),
    }),
    env: (url, files) => ({
      AWS_ENDPOINT_URL_STS: url,
      AWS_ROLE_ARN: "arn:r",
      AWS_WEB_IDENTITY_TOKEN_FILE: files.write("web", "jwt"),
    }),
    code: "kafka_authentication_failed",
    want: /STS answered 403: AccessDenied for role "arn:r"$/,
  },
];
for (const { name, answer, env, code, want } of refusals) {
  test(`findAwsCredentials() says why, without secrets, when ${name}`, async () => {
    using files = new CertificateBench();
    await using server = await HttpBench.start(answer);
    const found = findAwsCredentials({ region: "r", env: { HOME: files.dir, ...env(server.url, files) } });
    const cause = await failure(found);
    assert.equal(cause.code, code);
    assert.match(cause.message, want);
  });
}

test("readProfile() finds sections as AWS's tools write them", () => {
  assert.equal(readProfile("[profile a]\nx=1\n", "a")?.get("x"), "1");
  assert.equal(readProfile("[ a ]\r\nX = 1 \r\n", "a")?.get("x"), "1");
  assert.equal(readProfile("[ab]\nx=1\n", "a"), undefined);
  assert.equal(readProfile("[a]\nx=1\n[b]\nx=2\n", "a")?.get("x"), "1");
});
