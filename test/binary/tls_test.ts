/**
 * TLS listeners with the clients that people have: rsyslogd with GnuTLS and a client certificate, openssl s_client; and
 * certificates that are renewed under the running program. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import { makeCertificates } from "../unit/io/certificates.ts";

const gtls = spawnSync("sh", ["-c", "ls /usr/lib/*/rsyslog/lmnsd_gtls.so"]).status === 0;
const { dir, file } = makeCertificates();
after(() => rmSync(dir, { recursive: true }));

async function values(corndog: Corndog): Promise<string[]> {
  const folder = join(corndog.dir, "out", "logs");
  const files = await readdir(folder).catch(() => []);
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap((text) =>
    text.split("\n").filter((row) => row.endsWith("}")).map((row) => JSON.parse(row).value)
  );
}

const listener = (tls: string) =>
  `listen:
  - syslog: tls://127.0.0.1:0
    tls: { ${tls} }
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
`;

describe("TLS listeners", () => {
  it(
    "takes rsyslogd with GnuTLS and a permitted certificate",
    { skip: !gtls && "needs rsyslog-gnutls" },
    async () => {
      const tls = `cert: ${file("server.crt")}, key: ${file("server.key")}, ca: ${file("ca.crt")}`;
      const corndog = await Corndog.start(listener(`${tls}, client: require, permitted_peers: [localhost]`));
      const input = await freePort();
      const work = join(dir, "rsyslog");
      await mkdir(work);
      await corndog.started();
      await writeFile(
        join(work, "rsyslog.conf"),
        `global(workDirectory="${work}" DefaultNetstreamDriverCAFile="${file("ca.crt")}"
  DefaultNetstreamDriverCertFile="${file("client.crt")}" DefaultNetstreamDriverKeyFile="${
          file("client.key")
        }")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="${input}")
*.* action(type="omfwd" target="127.0.0.1" port="${
          corndog.port("tls")
        }" protocol="tcp" TCP_Framing="octet-counted"
  StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"
  template="RSYSLOG_SyslogProtocol23Format" action.resumeInterval="1" action.resumeRetryCount="-1")
`,
      );
      const daemon = spawn("rsyslogd", ["-n", "-f", join(work, "rsyslog.conf"), "-i", join(work, "pid")], {
        stdio: "ignore",
      });
      try {
        await until(
          "rsyslogd",
          () => spawnSync("nc", ["-z", "127.0.0.1", String(input)]).status === 0 || undefined,
        );
        spawnSync("logger", [
          "-n",
          "127.0.0.1",
          "-P",
          String(input),
          "-T",
          "--rfc5424",
          "-t",
          "app",
          "over gtls",
        ]);
        await until(
          "the line",
          async () => (await values(corndog)).some((line) => line.endsWith("over gtls")) || undefined,
        );
        await corndog.statsWhen("the connection", ({ totals }) => totals.connections_accepted >= 1);
      } finally {
        process.kill(daemon.pid!, "SIGTERM");
        await new Promise((resolve) => daemon.once("close", resolve));
        await corndog.dispose();
      }
    },
  );

  it("shows a renewed certificate without a restart, keeps the old one while the new one does not fit, and counts handshakes that fail", async () => {
    const [cert, key] = [join(dir, "live.crt"), join(dir, "live.key")];
    const put = (name: string, what: "crt" | "key") =>
      copyFileSync(file(`${name}.${what}`), what === "crt" ? cert : key);
    put("server", "crt");
    put("server", "key");
    const corndog = await Corndog.start(listener(`cert: ${cert}, key: ${key}`));
    try {
      await corndog.started();
      const subject = () => {
        const args = ["s_client", "-connect", `127.0.0.1:${corndog.port("tls")}`];
        return /subject=CN ?= ?(\S+)/.exec(String(spawnSync("openssl", args, { input: "" }).stdout))?.[1];
      };
      assert.equal(subject(), "server.example");
      put("renewed", "crt");
      const refused = await corndog.event("certificate_refused");
      assert.match(String(refused.problem), /belongs to another certificate/);
      assert.equal(subject(), "server.example");
      put("renewed", "key");
      await corndog.event("certificate_reloaded");
      // Each worker looks by itself.
      await until("the new certificate", () => subject() === "renewed.example" || undefined);
      const metrics = await (await fetch(`${corndog.admin}/metrics`)).text();
      assert.match(
        metrics,
        /corndog_certificate_end_timestamp_seconds\{listener="127\.0\.0\.1:\d+"\} 1[\d.]+/,
      );
      const before = (await corndog.stats()).totals;
      spawnSync("openssl", ["s_client", "-connect", `127.0.0.1:${corndog.port("tls")}`, "-tls1_1"], {
        input: "",
      });
      const { totals } = await corndog.statsWhen(
        "the failed handshake",
        ({ totals }) => totals.handshakes_failed > before.handshakes_failed,
      );
      assert.equal(totals.connections_accepted, before.connections_accepted);
    } finally {
      await corndog.dispose();
    }
  });
});
