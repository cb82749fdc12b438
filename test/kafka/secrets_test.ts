/**
 * A running corndog with secrets of every kind, all of them refused: what it says about that, wherever it says it, has
 * no secret in it.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { HttpBench } from "../unit/kafka/login_bench.ts";
import { needs, sharedKafka } from "./harness/kafka.ts";

const slow = { timeout: 120_000 };

/** Odd enough to be changed by any encoding, and to be found again after it. */
const secret = 'x7-Secret&"+/=%ü';
const forms = [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  Buffer.from(secret).toString("base64"),
  Buffer.from(`u:${secret}`).toString("base64"),
  "x7-Secret",
];

const routes = [
  "/readyz",
  "/metrics",
  "/stats",
  "/admin/stats",
  "/admin/config",
  "/admin/connections",
  "/admin/flight",
];

interface Way {
  readonly name: string;
  readonly sasl: string;
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly want: RegExp;
}

function waysOf(endpoint: string): Way[] {
  return [
    {
      name: "a password in the file",
      sasl: `mechanism: scram-sha-256, username: corndog, password: ${JSON.stringify(secret)}`,
      want: /Cannot authenticate at broker/,
    },
    {
      name: "a password in the environment",
      sasl: "mechanism: plain, username: corndog, password_env: KAFKA_PASSWORD_TEST",
      env: { KAFKA_PASSWORD_TEST: secret },
      want: /Cannot authenticate at broker/,
    },
    {
      name: "a password in a file of its own",
      sasl: "mechanism: scram-sha-512, username: corndog, password_file: password",
      files: { password: `${secret}\n` },
      want: /Cannot authenticate at broker/,
    },
    {
      name: "a client secret that the token endpoint repeats",
      sasl:
        `mechanism: oauthbearer, token_endpoint: "${endpoint}/refuse", client_id: u, client_secret_file: client`,
      files: { client: secret },
      want: /it answered 401: invalid_client, \*\*\* is wrong/,
    },
    {
      name: "a token that the broker refuses",
      sasl: `mechanism: oauthbearer, token_endpoint: "${endpoint}/give", client_id: u, client_secret: ${
        JSON.stringify(secret)
      }`,
      want: /The broker does not support the requested SASL mechanism/,
    },
    {
      name: "credentials of AWS",
      sasl: "mechanism: aws-msk-iam, region: eu-central-1",
      env: { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: secret },
      want: /The broker does not support the requested SASL mechanism/,
    },
  ];
}

function check(dir: string, env: Record<string, string>): Promise<string> {
  const [command, ...first] = corndogCommand();
  return new Promise((resolve) => {
    execFile(
      command!,
      [...first, "check", "--print", "-c", "corndog.yml"],
      { cwd: dir, env: { ...process.env, ...env } },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}

describe("corndog with secrets", { skip: needs.ownRealBroker }, () => {
  for (const index of waysOf("").keys()) {
    it(`repeats none of them when it has ${waysOf("")[index]!.name}`, slow, async () => {
      const kafka = await sharedKafka();
      if (kafka.kind === "existing") return;
      await using endpoint = await HttpBench.start(({ url, headers }) => {
        if (url === "/give") {
          return { body: JSON.stringify({ access_token: "x7-Secret-token", expires_in: 60 }) };
        }
        const sent = Buffer.from(String(headers["authorization"]).slice(6), "base64").toString();
        const repeated = decodeURIComponent(sent.slice(sent.indexOf(":") + 1).replaceAll("+", " "));
        return {
          status: 401,
          body: JSON.stringify({ error: "invalid_client", error_description: `${repeated} is wrong` }),
        };
      });
      const { sasl, env = {}, files = {}, want } = waysOf(endpoint.url)[index]!;
      const config = `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${kafka.bootstrapOf("sasl")}"], sasl: { ${sasl} } }
workers: 1
`;
      const corndog =
        await (await Corndog.start(config, { env: { ...env, CORNDOG_LOG_LEVEL: "debug" }, files }))
          .started();
      try {
        let ready = "";
        await corndog.statsWhen("the refusal", ({ sink }) => want.test(ready = sink.problems.join()));
        assert.match(ready, want);
        const said: string[] = [];
        for (const route of routes) {
          const response = await fetch(`${corndog.admin}${route}`);
          said.push(await response.text());
        }
        for (const name of Object.keys(files)) writeFileSync(join(corndog.dir, name), `${secret}\n`);
        said.push(await check(corndog.dir, env));
        corndog.signal("SIGTERM");
        await corndog.ended();
        said.push(
          corndog.stdout,
          corndog.stderr,
          corndog.logs.map((line) => JSON.stringify(line)).join("\n"),
        );
        assert.ok(said.join().length > 2000, "it said a lot");
        assert.match(said.at(-1)!, /kafka/, "the log is there");
        for (const text of said) {
          for (const form of forms) assert.ok(!text.includes(form), `${form} is in ${text}`);
        }
      } finally {
        await corndog.dispose();
      }
    });
  }
});
