import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTlsFiles } from "../../../src/config/certificates.ts";
import { loadText, memoryFiles, shown, warned } from "./memory_files.ts";
import { makePair } from "./tls_files.ts";

const dayMs = 86_400_000;
const one = makePair("one", 100);
const two = makePair("two", 100);
const rsa = makePair("rsa", 100, "rsa:2048");
const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----\n";
const files = memoryFiles({
  "/c.pem": one.cert,
  "/k.pem": one.key,
  "/other.pem": two.key,
  "/rsa.pem": rsa.cert,
  "/rsa-key.pem": rsa.key,
  "/encrypted.pem": encrypted,
  "/junk.pem": "junk",
  "/chain.pem": one.cert + two.cert,
});

const checked: { name: string; tls: { cert?: string; key?: string; ca?: string }; want: string[] }[] = [
  { name: "all fit", tls: { cert: "/c.pem", key: "/k.pem", ca: "/rsa.pem" }, want: [] },
  { name: "the key is RSA", tls: { cert: "/rsa.pem", key: "/rsa-key.pem" }, want: [] },
  { name: "the certificate is a chain", tls: { cert: "/chain.pem", key: "/k.pem" }, want: [] },
  {
    name: "the key is another's",
    tls: { cert: "/c.pem", key: "/other.pem" },
    want: ["key: the key /other.pem does not belong to the certificate /c.pem"],
  },
  {
    name: "the two are swapped",
    tls: { cert: "/k.pem", key: "/c.pem" },
    want: [
      "cert: /k.pem is a private key, not a certificate (-----BEGIN CERTIFICATE-----)",
      "key: /c.pem is a certificate, not a private key (-----BEGIN PRIVATE KEY-----)",
    ],
  },
  {
    name: "the key is encrypted",
    tls: { cert: "/c.pem", key: "/encrypted.pem" },
    want: [
      "key: /encrypted.pem is encrypted with a passphrase; decrypt it (openssl pkey -in /encrypted.pem -out key.pem) and guard the file",
    ],
  },
  {
    name: "files are junk or absent",
    tls: { cert: "/junk.pem", key: "/junk.pem", ca: "/absent.pem" },
    want: [
      "cert: /junk.pem is not a PEM certificate (-----BEGIN CERTIFICATE-----)",
      "key: /junk.pem is not a PEM private key (-----BEGIN PRIVATE KEY-----)",
      "ca: /absent.pem does not exist",
    ],
  },
];

for (const { name, tls, want } of checked) {
  test(`checkTlsFiles() says what is wrong when ${name}`, () => {
    assert.deepEqual(
      checkTlsFiles(files, tls, Date.now()).map(({ key, message }) => `${key}: ${message}`),
      want,
    );
  });
}

test("checkTlsFiles() warns when a certificate has ended or ends soon", () => {
  const at = (days: number) => checkTlsFiles(files, { cert: "/c.pem" }, Date.now() + days * dayMs);
  assert.deepEqual(at(69), []);
  const [soon] = at(71);
  assert.match(soon!.message, /^the certificate \/c\.pem ends on .*; renew it$/);
  const [ended] = at(101);
  assert.match(ended!.message, /^the certificate \/c\.pem ended on .*; peers will refuse it$/);
  assert.ok(soon!.warning && ended!.warning);
});

test("loadConfig() takes a TLS listener when its files fit, and asks for client certificates where there is a ca", () => {
  const others = { "/c/a.pem": one.cert, "/c/b.pem": one.key };
  const client = (tls: string) => {
    const result = loadText(`listen: [{ syslog: 'tls://h:1', tls: { cert: a.pem, key: b.pem${tls} } }]\n`, {
      others,
      nowMs: Date.now(),
    });
    assert.ok(result.ok, shown(result).join("\n"));
    return { tls: result.config.listen[0]!.tls, warnings: warned(result) };
  };
  assert.deepEqual(client(""), {
    tls: { certFile: "/c/a.pem", keyFile: "/c/b.pem", client: "none", minVersion: "TLSv1.2" },
    warnings: [],
  });
  assert.equal(client(", ca: a.pem").tls!.client, "require");
  assert.equal(client(", ca: a.pem, client: request").tls!.client, "request");
  assert.deepEqual(client(", ca: a.pem, client: none").warnings, [
    "corndog.yml:1:69: listen.0.tls.ca: client certificates are not asked for (client: none), so ca is not used",
  ]);
});

test("loadConfig() points at the listener's key when a certificate and its key do not fit", () => {
  const result = loadText("listen:\n  - syslog: tls://h:1\n    tls:\n      cert: a.pem\n      key: b.pem\n", {
    others: { "/c/a.pem": one.cert, "/c/b.pem": two.key },
    nowMs: Date.now(),
  });
  assert.deepEqual(shown(result), [
    "corndog.yml:5:12: listen.0.tls.key: the key b.pem does not belong to the certificate a.pem",
  ]);
});
