import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/kafka/clock.ts";
import { fetchToken, jwtLifeMs, type OauthConfig } from "../../../src/kafka/login/client_credentials.ts";
import { httpCall } from "../../../src/kafka/login/http_call.ts";
import { type Answerer, CertificateBench, HttpBench } from "./login_bench.ts";

const secret = "s3cr&t +/=%";

type Endpoint = Extract<OauthConfig["source"], { kind: "endpoint" }>;

function configOf(url: string, more: Partial<Endpoint> = {}): OauthConfig {
  return {
    mechanism: "oauthbearer",
    source: { kind: "endpoint", url, clientId: "corn:dog", clientSecret: secret, ...more },
  };
}

const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

async function failure(promise: Promise<unknown>): Promise<ForwarderError> {
  const cause = await promise.then(() => assert.fail("expected a failure"), (thrown) => thrown);
  assert.ok(cause instanceof ForwarderError, String(cause));
  assert.ok(!`${cause.message} ${cause.stack}`.includes(secret), "no secret in an error");
  return cause;
}

test("fetchToken() asks by the client credentials grant as RFC 6749 has it", async () => {
  await using server = await HttpBench.start(() => ({
    body: JSON.stringify({ access_token: "abc.def-_~+/=", token_type: "Bearer", expires_in: 120 }),
  }));
  const before = systemClock.nowMs();
  const token = await fetchToken(
    configOf(`${server.url}/token?x=1`, { scope: "a b", audience: "kafka" }),
    systemClock,
  );
  assert.equal(token.value, "abc.def-_~+/=");
  assert.ok(token.endsAtMs >= before + 119_000 && token.endsAtMs <= systemClock.nowMs() + 120_000);
  const [asked] = server.asked;
  assert.equal(asked!.method, "POST");
  assert.equal(asked!.url, "/token?x=1");
  assert.equal(asked!.headers["content-type"], "application/x-www-form-urlencoded");
  assert.deepEqual(Object.fromEntries(new URLSearchParams(asked!.body)), {
    grant_type: "client_credentials",
    scope: "a b",
    audience: "kafka",
  });
  const basic = Buffer.from(String(asked!.headers["authorization"]).replace("Basic ", ""), "base64")
    .toString();
  assert.equal(basic, "corn%3Adog:s3cr%26t+%2B%2F%3D%25");
});

test("fetchToken() reads the secret's file anew for each token", async () => {
  using certificates = new CertificateBench();
  await using server = await HttpBench.start(() => ({ body: '{"access_token":"a","expires_in":1}' }));
  const file = certificates.write("secret", "first\n");
  const config = configOf(server.url, { clientSecretFile: file });
  await fetchToken(config, systemClock);
  certificates.write("secret", "second\n");
  await fetchToken(config, systemClock);
  const sent = server.asked.map(({ headers }) =>
    Buffer.from(String(headers["authorization"]).slice(6), "base64").toString().split(":")[1]
  );
  assert.deepEqual(sent, ["first", "second"]);
});

test("fetchToken() takes the end from the token when the endpoint does not tell it", async () => {
  const token = jwt({ exp: Math.floor(Date.now() / 1000) + 600 });
  await using server = await HttpBench.start(() => ({ body: JSON.stringify({ access_token: token }) }));
  const { endsAtMs } = await fetchToken(configOf(server.url), systemClock);
  assert.ok(Math.abs(endsAtMs - systemClock.nowMs() - 600_000) < 5000);
});

test("fetchToken() trusts the CA of its own and no other when the endpoint has TLS", async () => {
  using certificates = new CertificateBench();
  certificates.authority("ca");
  certificates.authority("other");
  certificates.certificate("login", "ca", "IP:127.0.0.1");
  const tls = {
    cert: readFileSync(certificates.at("login.crt"), "utf8"),
    key: readFileSync(certificates.at("login.key"), "utf8"),
  };
  await using server = await HttpBench.start(() => ({ body: '{"access_token":"a","expires_in":60}' }), tls);
  const ca = (name: string) => configOf(server.url, { caFile: certificates.at(name) });
  assert.equal((await fetchToken(ca("ca.crt"), systemClock)).value, "a");
  for (const config of [ca("other.crt"), configOf(server.url)]) {
    const cause = await failure(fetchToken(config, systemClock));
    assert.equal(cause.code, "kafka_unreachable");
  }
  assert.equal(server.asked.length, 1, "the secret went nowhere else");
});

const refusals: readonly { name: string; answer: Answerer; code: ForwarderError["code"]; want: RegExp }[] = [
  {
    name: "the endpoint does not know the client",
    answer: () => ({
      status: 401,
      body: '{"error":"invalid_client","error_description":"who\\u0000is that"}',
    }),
    code: "kafka_authentication_failed",
    want:
      /^Cannot get a token from "http:\/\/127\.0\.0\.1:\d+\/": it answered 401: invalid_client, who is that$/,
  },
  {
    name: "the endpoint repeats the secret",
    answer: () => ({
      status: 400,
      body: JSON.stringify({ error: "bad", error_description: `${secret} is wrong` }),
    }),
    code: "kafka_authentication_failed",
    want: /bad, \*\*\* is wrong$/,
  },
  {
    name: "the endpoint has a fault of its own",
    answer: () => ({ status: 503, body: "<html>" }),
    code: "kafka_unreachable",
    want: /it answered 503$/,
  },
  {
    name: "the answer has no token",
    answer: () => ({ body: "{}" }),
    code: "kafka_authentication_failed",
    want: /its answer has no access_token$/,
  },
  {
    name: "the token could change the message around it",
    answer: () => ({ body: '{"access_token":"a\\u0001auth=x"}' }),
    code: "kafka_authentication_failed",
    want: /its answer has no access_token$/,
  },
  {
    name: "the answer is a redirect",
    answer: () => ({ status: 302, body: "" }),
    code: "kafka_unreachable",
    want: /it answered 302$/,
  },
];
for (const { name, answer, code, want } of refusals) {
  test(`fetchToken() says what is wrong, without the secret, when ${name}`, async () => {
    await using server = await HttpBench.start(answer);
    const cause = await failure(fetchToken(configOf(`${server.url}/?secret=in-the-url`), systemClock));
    assert.equal(cause.code, code);
    assert.match(cause.message, want);
    assert.ok(!cause.message.includes("in-the-url"));
    assert.equal(cause.retryable, true);
  });
}

test("fetchToken() reads a token's file anew, and says when it has ended", async () => {
  using certificates = new CertificateBench();
  const now = Math.floor(Date.now() / 1000);
  const first = jwt({ exp: now + 3600 });
  const path = certificates.write("token", `${first}\n`);
  const config: OauthConfig = { mechanism: "oauthbearer", source: { kind: "file", path } };
  const token = await fetchToken(config, systemClock);
  assert.equal(token.value, first);
  assert.ok(token.endsAtMs <= systemClock.nowMs() + 60_000, "the file is looked at soon");
  const second = jwt({ exp: now + 7200 });
  certificates.write("token", second);
  assert.equal((await fetchToken(config, systemClock)).value, second);
  certificates.write("token", jwt({ exp: now - 1 }));
  assert.match(
    (await failure(fetchToken(config, systemClock))).message,
    /^Cannot use token ".*": it has ended$/,
  );
  certificates.write("token", "");
  assert.match((await failure(fetchToken(config, systemClock))).message, /it holds no token$/);
  const missing: OauthConfig = { mechanism: "oauthbearer", source: { kind: "file", path: "/nowhere/token" } };
  assert.match(
    (await failure(fetchToken(missing, systemClock))).message,
    /^Cannot read token "\/nowhere\/token"/,
  );
});

test("jwtLifeMs() is undefined for what is no JWT or has no end", () => {
  for (const token of ["opaque", "a.b.c", jwt({}), jwt({ exp: "soon" }), ""]) {
    assert.equal(jwtLifeMs(token), undefined, token);
  }
  assert.equal(jwtLifeMs(jwt({ exp: 10 }), 4000), 6000);
});

test("httpCall() ends with its deadline when the server never answers, and when it answers too much", async () => {
  await using silent = await HttpBench.start(() => undefined);
  const started = performance.now();
  const late = await failure(httpCall({ url: silent.url, method: "GET", timeoutMs: 100 }));
  assert.equal(late.code, "deadline_exceeded");
  assert.match(late.message, /did not answer within 100 ms$/);
  assert.ok(performance.now() - started < 5000);
  await using endless = await HttpBench.start(() => ({ body: "x".repeat(300 * 1024) }));
  const large = await failure(httpCall({ url: endless.url, method: "GET", timeoutMs: 5000 }));
  assert.match(large.message, /answered more than 262144 bytes$/);
  const refused = await failure(
    httpCall({ url: "http://127.0.0.1:1/x?y=z", method: "GET", timeoutMs: 5000 }),
  );
  assert.match(refused.message, /^Cannot reach "http:\/\/127\.0\.0\.1:1\/x": /);
});
