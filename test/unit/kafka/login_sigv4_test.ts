import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { mskToken } from "../../../src/kafka/login/msk_token.ts";
import { presign, signingKey } from "../../../src/kafka/login/sigv4.ts";

/** One case of AWS's suite. */
interface Vector {
  readonly name: string;
  readonly context: {
    readonly credentials: {
      readonly access_key_id: string;
      readonly secret_access_key: string;
      readonly token?: string;
    };
    readonly expiration_in_seconds: number;
    readonly region: string;
    readonly service: string;
    readonly timestamp: string;
  };
  readonly request: string;
  readonly canonical_request: string;
  readonly string_to_sign: string;
  readonly signature: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../vendor/aws-sigv4/query.json", import.meta.url), "utf8"),
) as Vector[];

function sign({ context, request }: Vector) {
  const [head, ...headers] = request.split("\n");
  const [method, target] = head!.split(" ");
  const [path, query = ""] = target!.split("?");
  const { credentials } = context;
  return presign({
    method: method!,
    host: headers.find((header) => header.startsWith("Host:"))!.slice(5),
    path: path!,
    query: query.split("&").filter((pair) => pair !== "").map((pair) => {
      const [name, value = ""] = pair.split("=");
      return [decodeURIComponent(name!), decodeURIComponent(value)] as const;
    }),
    region: context.region,
    service: context.service,
    credentials: {
      accessKeyId: credentials.access_key_id,
      secretAccessKey: credentials.secret_access_key,
      sessionToken: credentials.token,
    },
    nowMs: Date.parse(context.timestamp),
    expiresSeconds: context.expiration_in_seconds,
  });
}

for (const vector of vectors) {
  test(`presign() gives AWS's signature when the request is ${vector.name}`, () => {
    const signed = sign(vector);
    assert.equal(signed.canonicalRequest, vector.canonical_request);
    assert.equal(signed.stringToSign, vector.string_to_sign);
    assert.equal(signed.signature, vector.signature);
  });
}

test("signingKey() gives the key of AWS's documentation", () => {
  const key = signingKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam");
  assert.equal(
    Buffer.from(key).toString("hex"),
    "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
  );
});

test("mskToken() is the presigned connect request as base64url", () => {
  const token = mskToken(
    "eu-central-1",
    { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "se/ss+ion==" },
    Date.parse("2026-01-02T03:04:05Z"),
    "corndog/1.0.0",
  );
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  const url = new URL(Buffer.from(token, "base64url").toString());
  assert.equal(url.origin + url.pathname, "https://kafka.eu-central-1.amazonaws.com/");
  const { "X-Amz-Signature": signature, ...query } = Object.fromEntries(url.searchParams);
  assert.deepEqual(query, {
    "Action": "kafka-cluster:Connect",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIDEXAMPLE/20260102/eu-central-1/kafka-cluster/aws4_request",
    "X-Amz-Date": "20260102T030405Z",
    "X-Amz-Expires": "900",
    "X-Amz-Security-Token": "se/ss+ion==",
    "X-Amz-SignedHeaders": "host",
    "User-Agent": "corndog/1.0.0",
  });
  assert.match(signature!, /^[0-9a-f]{64}$/);
  assert.ok(!Buffer.from(token, "base64url").toString().includes("secret"));
});
