/**
 * Access to a cluster by the `kafka` section of a configuration, for `corndog clobber --verify-config`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readVerifyAccess } from "../../../src/cli/verify_access.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-access-"));
after(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

describe("readVerifyAccess()", () => {
  it("reads a login with its secret from a file, and from the environment", async () => {
    file("password", "from-a-file\n");
    const path = file(
      "corndog.yml",
      `kafka:
  brokers: ["b1:9093", "b2:9093"]
  tls: true
  sasl: { mechanism: scram-sha-512, username_env: READER, password_file: password }
`,
    );
    const access = readVerifyAccess(path, { env: { READER: "reader" } });
    try {
      assert.deepEqual([access.brokers, access.hasLogin], [["b1:9093", "b2:9093"], true]);
      assert.deepEqual(await access.tls(), { rejectUnauthorized: true });
      assert.deepEqual(await access.credentials(), {
        mechanism: "scram-sha-512",
        username: "reader",
        password: "from-a-file",
      });
    } finally {
      access.close();
    }
  });

  it("has neither TLS nor login where the section has none", async () => {
    const access = readVerifyAccess(file("plain.yml", `kafka: { brokers: ["b:1"] }\n`), { env: {} });
    assert.equal(access.hasLogin, false);
    assert.deepEqual([await access.tls(), await access.credentials()], [undefined, undefined]);
    access.close();
  });

  it("says a token of the file to the broker", async () => {
    file("token", "abc.def.ghi\n");
    const path = file(
      "token.yml",
      `kafka:
  brokers: ["b:1"]
  tls: true
  sasl: { mechanism: oauthbearer, token_file: token }
`,
    );
    const access = readVerifyAccess(path, { env: {} });
    try {
      const credentials = await access.credentials();
      assert.ok(credentials?.mechanism === "oauthbearer");
      const said: string[] = [];
      const answers = [Buffer.alloc(0)];
      await credentials.authenticate("b", 1, (message) => {
        said.push(message.toString());
        return Promise.resolve(answers.shift()!);
      });
      assert.deepEqual(said, ["n,,\u0001auth=Bearer abc.def.ghi\u0001\u0001"]);
      const refusing = credentials.authenticate(
        "b",
        1,
        () => Promise.resolve(Buffer.from('{"status":"invalid_token"}')),
      );
      await assert.rejects(refusing, /Broker "b:1" refused the token: invalid_token/);
    } finally {
      access.close();
    }
  });

  it("says what is wrong in the section, and does not mind what is wrong elsewhere", () => {
    const elsewhere = `listen: [{ syslog: "tls://:6514", tls: { cert: /absent.crt, key: /absent.key } }]\n`;
    const path = file("elsewhere.yml", `${elsewhere}kafka: { brokers: ["b:1"] }\n`);
    assert.deepEqual(readVerifyAccess(path, { env: {} }).brokers, ["b:1"]);
    const wrong = file(
      "wrong.yml",
      `${elsewhere}kafka:
  brokers: ["b:1"]
  sasl: { mechanism: plain, username: reader, password_file: /absent/password }
`,
    );
    assert.throws(() => readVerifyAccess(wrong, { env: {} }), (error) => {
      const lines = (error as Error).message.split("\n");
      assert.equal(lines.length, 1, String(lines));
      assert.match(
        lines[0]!,
        /wrong\.yml:4:\d+: kafka\.sasl\.password_file: \/absent\/password does not exist/,
      );
      return true;
    });
    assert.throws(() => readVerifyAccess(join(dir, "absent.yml"), { env: {} }), /does not exist/);
    assert.throws(() => readVerifyAccess(file("broken.yml", "kafka: [\n"), { env: {} }), /broken\.yml:/);
  });
});
