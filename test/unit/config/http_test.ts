import assert from "node:assert/strict";
import test from "node:test";
import { loadConfig } from "../../../src/config/load.ts";
import { printConfig } from "../../../src/config/print.ts";
import { memoryFiles } from "./memory_files.ts";

function load(text: string, files: Record<string, string> = {}) {
  return loadConfig({
    cwd: "/w",
    env: {},
    files: memoryFiles({ "/w/corndog.yml": text, ...files }),
    cores: 1,
  });
}

test("loadConfig() takes every key of an HTTP listener", () => {
  const loaded = load(
    `listen:
  - http: http://0.0.0.0:8080
    ack: memory
    ack_timeout: 2s
    body_max: 1MiB
    tokens_file: tokens
    cors: [https://App.example]
`,
    { "/w/tokens": "a 0123456789abcdef0123456789abcdef" },
  );
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.config.listen, [{
    kind: "http",
    transport: "tcp",
    hostname: "0.0.0.0",
    port: 8080,
    path: "",
    ack: "memory",
    answerMs: 2000,
    bodyBytesMax: 1024 * 1024,
    tokensFile: "/w/tokens",
    origins: ["https://app.example"],
  }]);
  const printed = load(printConfig(loaded.config), { "/w/tokens": "a 0123456789abcdef0123456789abcdef" });
  assert.ok(printed.ok, JSON.stringify(printed));
  assert.deepEqual(printed.config.listen, loaded.config.listen);
});

test("loadConfig() warns when everybody can send over HTTP", () => {
  const open = load("listen: [{ http: http://0.0.0.0:8080 }]\n");
  assert.ok(open.ok);
  assert.match(open.warnings.map(({ message }) => message).join(), /everybody may send/);
  const local = load("listen: [{ http: http://127.0.0.1:8080 }]\n");
  assert.ok(local.ok);
  assert.deepEqual(local.warnings, []);
});

const bad: { name: string; text: string; want: RegExp }[] = [
  { name: "the scheme is another", text: "{ http: 'tcp://h:1' }", want: /is not http:\/\/host:port/ },
  { name: "there is a path", text: "{ http: 'http://h:1/v1' }", want: /is not http:\/\/host:port/ },
  { name: "there is no port", text: "{ http: 'http://h' }", want: /port/ },
  {
    name: "it is for syslog too",
    text: "{ http: 'http://h:1', syslog: 'tcp://h:2' }",
    want: /two listeners/,
  },
  { name: "framing is chosen", text: "{ http: 'http://h:1', framing: octet }", want: /Content-Type/ },
  {
    name: "certificates are for http",
    text: "{ http: 'http://h:1', tls: { cert: a, key: b } }",
    want: /https:\/\//,
  },
  {
    name: "https has no certificates",
    text: "{ http: 'https://h:1' }",
    want: /this key is missing/,
  },
  { name: "tokens do not exist", text: "{ http: 'http://h:1', tokens_file: none }", want: /openssl rand/ },
  { name: "an origin is none", text: "{ http: 'http://h:1', cors: ['*'] }", want: /is not an origin/ },
  {
    name: "a key of HTTP stands at syslog",
    text: "{ syslog: 'tcp://h:1', body_max: 1MiB }",
    want: /is for http: listeners/,
  },
  { name: "ack is disk without a spool", text: "{ http: 'http://h:1', ack: disk }", want: /no spool/ },
  { name: "RELP is not answered", text: "{ relp: 'tcp://h:1', ack: none }", want: /RELP answers each line/ },
];
for (const { name, text, want } of bad) {
  test(`loadConfig() names the cure when ${name}`, () => {
    const loaded = load(`listen: [${text}]\n`);
    assert.ok(!loaded.ok, name);
    assert.match(loaded.faults.map(({ message }) => message).join("\n"), want);
  });
}
