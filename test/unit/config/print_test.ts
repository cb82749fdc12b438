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
  const again = loadText(printConfig(result.config), { sets: ["kafka.sasl.password=hunter2"] });
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

test("no password is ever printed, whatever it is and however it was given", () => {
  const password = fc.string({ minLength: 6, unit: "grapheme-ascii" }).map((text) =>
    `pw${text.replaceAll("${", "")}`
  ).filter((text) => !text.includes("***"));
  const given = [
    (secret: string) =>
      loadText(
        `kafka: { brokers: k, sasl: { mechanism: plain, username: u, password: ${
          JSON.stringify(secret)
        } } }\nrules: []\n`,
      ),
    (secret: string) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: plain, username: u, password_env: P } }\n", {
        env: { P: secret },
      }),
    (secret: string) =>
      loadText("kafka: { brokers: k, sasl: { mechanism: plain, username: u, password_file: f } }\n", {
        others: { "/c/f": `${secret}\n` },
      }),
    (secret: string) =>
      loadText("kafka: { brokers: k }\n", { env: { SASL_SCRAM_USERNAME: "u", SASL_SCRAM_PASSWORD: secret } }),
    (secret: string) =>
      loadText(
        `global:\n  listen: { address: h, port: 1 }\n  kafka:\n    topic: t\n    conf: { bootstrap.servers: k, security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: ${
          JSON.stringify(secret)
        } }\nrules: [{ regex: x, actions: [] }]\n`,
      ),
  ];
  fc.assert(fc.property(password, fc.constantFrom(...given), (secret, load) => {
    const result = load(secret);
    assert.ok(result.ok, shown(result).join("\n"));
    assert.equal(result.config.kafka.sasl!.password, secret);
    const shownText = `${printConfig(result.config)}${JSON.stringify(redactConfig(result.config))}${
      JSON.stringify(result.config.rules)
    }${JSON.stringify(result.warnings)}`;
    for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) {
      assert.ok(!shownText.includes(form), form);
    }
  }));
});
