import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { printConfig, redactConfig } from "../../../src/config/print.ts";
import { loadText, shown } from "./memory_files.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/config/${name}`, import.meta.url), "utf8");

test("printConfig() writes a configuration that loads to the same one", () => {
  const result = loadText(fixture("corndog.yml"), {
    env: { KAFKA_USER: "e${d}ge" },
    others: { "/c/secrets/password": "hunter2\n", "/c/rules/10-web.yml": fixture("rules/10-web.yml") },
  });
  assert.ok(result.ok, shown(result).join("\n"));
  const others = { "/c/secrets/password": "hunter2\n" };
  const again = loadText(printConfig(result.config), { others });
  assert.ok(again.ok, shown(again).join("\n"));
  const { rules, ...config } = result.config;
  const { rules: rulesAgain, ...configAgain } = again.config;
  assert.deepEqual(configAgain, config);
  assert.deepEqual(rulesAgain.rules.map((rule) => rule.value), rules.rules.map((rule) => rule.value));
  assert.deepEqual(rulesAgain.tests.map((rule) => rule.value), rules.tests.map((rule) => rule.value));
});

test("printConfig() writes the embedded default with every key in force", () => {
  const result = loadText("");
  assert.ok(result.ok);
  const printed = printConfig(result.config);
  for (
    const key of [
      "syslog: tcp://127.0.0.1:1514",
      "syslog: udp://127.0.0.1:1514",
      "listen: 127.0.0.1:8585",
      "sink: file",
      "memory: 256MiB",
      "idle: 10m",
      "linger: 5ms",
      "bytes_max: 1GiB",
      "drain_timeout: 30s",
    ]
  ) {
    assert.ok(printed.includes(key), `${key} in\n${printed}`);
  }
});

/** Ways to give a secret, and how to find out that it arrived. */
const ways: readonly { name: string; load: (secret: string) => ReturnType<typeof loadText> }[] = [
  {
    name: "a password",
    load: (secret) =>
      loadText(
        `kafka: { brokers: k, sasl: { mechanism: plain, username: u, password: ${
          JSON.stringify(secret)
        } } }\n`,
      ),
  },
  {
    name: "a password's variable",
    load: (secret) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: plain, username: u, password_env: P } }\n", {
        env: { P: secret },
      }),
  },
  {
    name: "a password's file",
    load: (secret) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: plain, username: u, password_file: f } }\n", {
        others: { "/c/f": `${secret}\n` },
      }),
  },
  {
    name: "hotdog's variables",
    load: (secret) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: scram-sha-256 } }\n", {
        env: { SASL_SCRAM_USERNAME: "u", SASL_SCRAM_PASSWORD: secret },
      }),
  },
  {
    name: "a hotdog.yml",
    load: (secret) =>
      loadText(
        `global:\n  listen: { address: h, port: 1 }\n  kafka:\n    topic: t\n    conf: { bootstrap.servers: k, security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: ${
          JSON.stringify(secret)
        } }\nrules: [{ regex: x, actions: [] }]\n`,
      ),
  },
  {
    name: "a client secret",
    load: (secret) =>
      loadText(
        `kafka: { brokers: k, sasl: { mechanism: oauthbearer, token_endpoint: "https://login.example/t", client_id: c, client_secret: ${
          JSON.stringify(secret)
        } } }\n`,
      ),
  },
  {
    name: "a client secret's file",
    load: (secret) =>
      loadText(
        'kafka: { brokers: k, sasl: { mechanism: oauthbearer, token_endpoint: "https://login.example/t", client_id: c, client_secret_file: f } }\n',
        { others: { "/c/f": `${secret}\n` } },
      ),
  },
  {
    name: "--set",
    load: (secret) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: plain, username: u } }\n", {
        sets: [`kafka.sasl.password=${secret}`],
      }),
  },
];

test("no secret is ever printed, whatever it is and however it was given", () => {
  const secrets = fc.string({ minLength: 6, unit: "grapheme-ascii" }).map((text) =>
    `pw${text.replaceAll("${", "")}`
  ).filter((text) => !text.includes("***"));
  fc.assert(
    fc.property(secrets, fc.constantFrom(...ways), (secret, { name, load }) => {
      const result = load(secret);
      assert.ok(result.ok, `${name}: ${shown(result).join("\n")}`);
      assert.ok(JSON.stringify(result.config.kafka.sasl).includes(JSON.stringify(secret)), "it arrived");
      const shownText = `${printConfig(result.config)}${JSON.stringify(redactConfig(result.config))}${
        JSON.stringify(result.config.rules)
      }${JSON.stringify(result.warnings)}`;
      for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) {
        assert.ok(!shownText.includes(form), `${name}: ${form}`);
      }
    }),
    { numRuns: 300 },
  );
});

const clumsy: readonly { name: string; text: string }[] = [
  { name: "it is a number", text: "kafka: { sasl: { mechanism: plain, username: u, password: 483920 } }\n" },
  {
    name: "it is in a list",
    text: "kafka: { sasl: { mechanism: plain, username: u, password: [a483920] } }\n",
  },
  { name: "it has ${", text: "kafka: { sasl: { mechanism: plain, username: u, password: 'x${483920' } }\n" },
  {
    name: "it stands where a variable's name belongs",
    text: "kafka: { sasl: { mechanism: plain, username: u, password_env: 483920-x } }\n",
  },
  {
    name: "the key is misspelt",
    text: "kafka: { sasl: { mechanism: plain, username: u, pasword: x483920 } }\n",
  },
  {
    name: "its quote is not closed",
    text: 'kafka: { sasl: { mechanism: plain, username: u, password: "x483920 } }\n',
  },
  {
    name: "it is in the endpoint's URL",
    text: "kafka: { sasl: { mechanism: oauthbearer, token_endpoint: 'https://u:483920@h/t' } }\n",
  },
  {
    name: "a client secret is a number",
    text: "kafka: { sasl: { mechanism: oauthbearer, client_secret: 483920 } }\n",
  },
];
for (const { name, text } of clumsy) {
  test(`loadConfig() names the fault and not the secret when ${name}`, () => {
    const result = loadText(text);
    assert.ok(!result.ok);
    assert.ok(result.faults.length > 0);
    assert.ok(!shown(result).join("\n").includes("483920"), shown(result).join("\n"));
  });
}
