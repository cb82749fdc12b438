/**
 * The clients that people really have, against the embedded file sink: logger, nc, openssl s_client, rsyslogd.
 * Runs corndog from source, or the binary where CORNDOG_BINARY names it.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

const has = (command: string) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Runs a client to its end; its output goes into the failure. */
function run(command: string, args: string[], input = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => output += data);
    child.stderr.on("data", (data) => output += data);
    child.on("error", reject);
    child.on(
      "close",
      (code) => code === 0 ? resolve() : reject(new Error(`${command} exited with ${code}: ${output}`)),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** All values that the file sink wrote for a topic. */
async function written(dir: string, topic: string): Promise<string[]> {
  const folder = join(dir, "out", topic);
  const files = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    files.filter((name) => name.endsWith(".ndjson")).map((name) => readFile(join(folder, name), "utf8")),
  );
  return texts.flatMap((text) =>
    text.split("\n").filter((row) => row.endsWith("}")).map((row) => JSON.parse(row).value)
  );
}

describe("real clients", () => {
  let corndog: Corndog;
  let certificates: string;

  before(async () => {
    certificates = await mkdtemp(join(tmpdir(), "corndog-certs-"));
    await run("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-keyout",
      join(certificates, "key.pem"),
      "-out",
      join(certificates, "cert.pem"),
    ]);
    corndog = await Corndog.start(`
listen:
  - syslog: tcp://127.0.0.1:0
  - syslog: udp://127.0.0.1:0
  - syslog: tls://127.0.0.1:0
    tls: { cert: ${certificates}/cert.pem, key: ${certificates}/key.pem }
  - syslog: unix://${certificates}/corndog.sock
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
rules:
  - name: by-app
    field: msg
    regex: "^client (?P<client>[a-z-]+)"
    actions: [{ type: forward, topic: "{{client}}" }]
kafka: { topics: { allow: ["*"] } }
`);
    await corndog.started();
  });

  after(async () => {
    assert.equal(await corndog.stop(), 0);
    await corndog.dispose();
    await rm(certificates, { recursive: true, force: true });
  });

  const arrives = (topic: string, count: number, check: (value: string) => boolean) =>
    until(`${count} lines of ${topic}`, async () => {
      const values = await written(corndog.dir, topic);
      return values.length === count && values.every(check) ? values : undefined;
    }, 15_000);

  it("takes logger over TCP, UDP, octet counting, RFC 5424 and RFC 3164", {
    skip: !has("logger") && "needs logger",
  }, async () => {
    const [tcp, udp] = [String(corndog.port("tcp")), String(corndog.port("udp"))];
    const message = "client logger says hi";
    await run("logger", ["-n", "127.0.0.1", "-P", tcp, "-T", "--rfc5424", "-t", "app", message]);
    await run("logger", ["-n", "127.0.0.1", "-P", tcp, "-T", "--rfc3164", "-t", "app", message]);
    await run("logger", [
      "-n",
      "127.0.0.1",
      "-P",
      tcp,
      "-T",
      "--octet-count",
      "--rfc5424",
      "-t",
      "app",
      message,
    ]);
    await run("logger", ["-n", "127.0.0.1", "-P", udp, "-d", "--rfc5424", "-t", "app", message]);
    await run("logger", ["-n", "127.0.0.1", "-P", udp, "-d", "--rfc3164", "-t", "app", message]);
    await arrives("logger", 5, (value) => value === message);
  });

  it("takes nc with a last line that has no newline", { skip: !has("nc") && "needs nc" }, async () => {
    await run(
      "nc",
      ["-N", "127.0.0.1", String(corndog.port("tcp"))],
      "<13>1 - h a - - - client nc one\n<13>1 - h a - - - client nc two",
    );
    await arrives("nc", 2, (value) => /^client nc (one|two)$/.test(value));
  });

  it("takes openssl s_client over TLS and refuses plain text on that port", async () => {
    const port = String(corndog.port("tls"));
    await run("openssl", [
      "s_client",
      "-connect",
      `127.0.0.1:${port}`,
      "-CAfile",
      join(certificates, "cert.pem"),
      "-verify_return_error",
      "-quiet",
      "-no_ign_eof",
    ], "<13>1 - h a - - - client openssl\n");
    await arrives("openssl", 1, (value) => value === "client openssl");
    const plain = await dial(Number(port));
    await write(plain, "<13>1 - h a - - - client openssl\n");
    await finish(plain);
    const failed = await corndog.event("connection_failed");
    assert.match(String(failed.problem), /plain text/);
    await arrives("openssl", 1, (value) => value === "client openssl");
  });

  it("takes a unix stream socket", { skip: !has("nc") && "needs nc" }, async () => {
    await run("nc", ["-N", "-U", join(certificates, "corndog.sock")], "<13>1 - h a - - - client unix\n");
    await arrives("unix", 1, (value) => value === "client unix");
  });

  it(
    "takes rsyslogd forwarding over TCP with octet counting",
    { skip: !has("rsyslogd") && "needs rsyslogd" },
    async () => {
      const dir = await mkdtemp(join(tmpdir(), "corndog-rsyslog-"));
      await mkdir(join(dir, "spool"));
      const input = await freePort();
      await writeFile(
        join(dir, "rsyslog.conf"),
        `
global(workDirectory="${dir}/spool")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="${input}")
*.* action(type="omfwd" target="127.0.0.1" port="${
          corndog.port("tcp")
        }" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
`,
      );
      const daemon = spawn("rsyslogd", ["-n", "-f", join(dir, "rsyslog.conf"), "-i", join(dir, "pid")], {
        stdio: "ignore",
      });
      try {
        await until("rsyslogd", async () => {
          try {
            await run("nc", ["-z", "127.0.0.1", String(input)]);
            return true;
          } catch {
            return undefined;
          }
        });
        await run("logger", [
          "-n",
          "127.0.0.1",
          "-P",
          String(input),
          "-T",
          "--rfc5424",
          "-t",
          "app",
          "client rsyslog",
        ]);
        await arrives("rsyslog", 1, (value) => value === "client rsyslog");
      } finally {
        process.kill(daemon.pid!, "SIGTERM");
        await new Promise((resolve) => daemon.once("close", resolve));
        await rm(dir, { recursive: true, force: true });
      }
    },
  );
});
