import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { KafkaSasl } from "../../../src/config/config.ts";
import { ForwarderError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/kafka/clock.ts";
import type { KafkajsSasl, KafkajsSaslExchange } from "../../../src/kafka/kafkajs_modules.ts";
import { createLogin } from "../../../src/kafka/login/login.ts";
import { bearerMessage } from "../../../src/kafka/login/oauthbearer.ts";
import { CertificateBench, HttpBench } from "./login_bench.ts";

/** A broker's side of the exchange: what it was told, and what it answers. */
async function logIn(
  { authenticationProvider }: KafkajsSasl,
  answer: (said: string) => string | Error,
): Promise<string[]> {
  const said: string[] = [];
  const saslAuthenticate: KafkajsSaslExchange = async ({ request, response }) => {
    const bytes = await request.encode();
    assert.equal(bytes.readInt32BE(0), bytes.length - 4, "the length stands in front");
    const text = bytes.toString("utf8", 4);
    said.push(text);
    const answered = answer(text);
    if (answered instanceof Error) throw answered;
    const body = Buffer.from(answered);
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    return await response.parse(await response.decode(Buffer.concat([head, body])));
  };
  try {
    await authenticationProvider!({ host: "kafka-1", port: 9092, saslAuthenticate }).authenticate();
  } catch (cause) {
    throw Object.assign(cause as Error, { said });
  }
  return said;
}

const oauth = (url: string): KafkaSasl => ({
  mechanism: "oauthbearer",
  source: { kind: "endpoint", url, clientId: "c", clientSecret: "s" },
  extensions: { logicalCluster: "lkc-1", identityPoolId: "pool-1" },
});

test("bearerMessage() is that of RFC 7628 with the extensions of KIP-342", () => {
  assert.equal(bearerMessage("abc").toString(), "n,,\u0001auth=Bearer abc\u0001\u0001");
  assert.equal(
    bearerMessage("abc", { a: "1", b: "2" }).toString(),
    "n,,\u0001auth=Bearer abc\u0001a=1\u0001b=2\u0001\u0001",
  );
});

test("createLogin() logs in with a token that all connections share, until a broker refuses it", async () => {
  let tokens = 0;
  await using server = await HttpBench.start(() => ({
    body: `{"access_token":"t${++tokens}","expires_in":600}`,
  }));
  const login = createLogin(oauth(server.url), { clock: systemClock });
  const sasl = await login.sasl();
  assert.equal(sasl.mechanism, "oauthbearer");
  const first = "n,,\u0001auth=Bearer t1\u0001logicalCluster=lkc-1\u0001identityPoolId=pool-1\u0001\u0001";
  assert.deepEqual(await logIn(sasl, () => ""), [first]);
  assert.deepEqual(await logIn(await login.sasl(), () => ""), [first]);
  const refusal = logIn(
    sasl,
    (said) => said === "\u0001" ? new Error("SASL ended") : '{"status":"invalid_token"}',
  );
  const cause = await refusal.then(() => assert.fail("it was refused"), (thrown) => thrown);
  assert.ok(cause instanceof ForwarderError);
  assert.equal(cause.message, 'Broker "kafka-1:9092" refused the token: invalid_token');
  assert.deepEqual(
    (cause as unknown as { said: string[] }).said,
    [first, "\u0001"],
    "RFC 7628 section 3.2.3",
  );
  const [second] = await logIn(sasl, () => "");
  assert.ok(second!.includes("Bearer t2\u0001"));
  const broken = logIn(sasl, () => Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  await assert.rejects(broken, /reset/);
  assert.ok(
    (await logIn(sasl, () => ""))[0]!.includes("Bearer t2\u0001"),
    "a connection that broke says nothing of the token",
  );
  login.close();
});

test("createLogin() presents a signed request for MSK, with credentials that are looked for anew", async () => {
  using files = new CertificateBench();
  const env: Record<string, string> = {
    HOME: files.dir,
    AWS_ACCESS_KEY_ID: "AKONE",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "session",
  };
  const login = createLogin({ mechanism: "aws-msk-iam", region: "eu-central-1" }, {
    clock: systemClock,
    env,
  });
  const [said] = await logIn(await login.sasl(), () => "");
  const token = said!.slice("n,,\u0001auth=Bearer ".length, -2);
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  const url = new URL(Buffer.from(token, "base64url").toString());
  assert.equal(url.hostname, "kafka.eu-central-1.amazonaws.com");
  assert.match(
    url.searchParams.get("X-Amz-Credential")!,
    /^AKONE\/\d{8}\/eu-central-1\/kafka-cluster\/aws4_request$/,
  );
  assert.equal(url.searchParams.get("X-Amz-Security-Token"), "session");
  assert.match(url.searchParams.get("User-Agent")!, /^corndog\//);
  assert.ok(!url.href.includes("secret"));
  login.close();
  delete env["AWS_ACCESS_KEY_ID"];
  env["AWS_EC2_METADATA_DISABLED"] = "true";
  const none = createLogin({ mechanism: "aws-msk-iam", region: "r" }, { clock: systemClock, env });
  await assert.rejects(none.sasl(), /^ForwarderError: Cannot get AWS credentials: none in the environment/);
});

test("createLogin() reads the files of user and password anew for each connection", async () => {
  using files = new CertificateBench();
  const sasl: KafkaSasl = {
    mechanism: "scram-sha-512",
    username: "u",
    password: "at the start",
    passwordFile: files.write("password", "first\n"),
  };
  const login = createLogin(sasl, { clock: systemClock });
  const passwords = [(await login.sasl()).password];
  files.write("password", "second");
  passwords.push((await login.sasl()).password);
  files.write("password", "");
  passwords.push((await login.sasl()).password);
  assert.deepEqual(passwords, ["first", "second", "at the start"]);
});
