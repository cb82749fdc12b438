/**
 * RELP with the client that people have, rsyslog's omrelp: nothing is lost when either side is killed and started
 * again, and a line that was answered is kept. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

const omrelp = spawnSync("sh", ["-c", "ls /usr/lib/*/rsyslog/omrelp.so"]).status === 0;
const skip = !omrelp && "needs rsyslog-relp";

/** A running rsyslogd. */
interface Rsyslog {
  readonly child: ChildProcess;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

describe("RELP", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "corndog-relp-"));
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const files = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")];
    execFileSync("openssl", [...args, ...names, ...files], { stdio: "ignore" });
  });
  after(() => rm(dir, { recursive: true, force: true }));

  /** Lines in the file sink of `corndogDir`, each once. */
  async function linesOf(corndogDir: string): Promise<Set<string>> {
    const folder = join(corndogDir, "out", "logs");
    const lines = new Set<string>();
    for (const name of await readdir(folder).catch(() => [])) {
      const text = await readFile(join(folder, name), "utf8");
      for (const row of text.split("\n")) {
        const found = /"value":".* (relp-\d+) /.exec(row);
        if (found !== null) lines.add(found[1]!);
      }
    }
    return lines;
  }

  function config(relp: number, more = ""): string {
    return `
listen:
  - relp: tcp://127.0.0.1:${relp}
${more}admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
`;
  }

  /**
   * Starts rsyslogd with a TCP input on `input` that sends everything to the RELP port. What it has read lies in its
   * queue on the disk: it loses nothing itself when it is stopped.
   */
  async function rsyslog(name: string, input: number, action: string): Promise<Rsyslog> {
    const work = join(dir, name);
    await mkdir(work, { recursive: true });
    await writeFile(
      join(work, "rsyslog.conf"),
      `global(workDirectory="${work}")
module(load="imtcp")
module(load="omrelp")
input(type="imtcp" address="127.0.0.1" port="${input}")
main_queue(queue.type="Direct")
*.* action(type="omrelp" template="RSYSLOG_SyslogProtocol23Format" action.resumeInterval="1"
  action.resumeRetryCount="-1" queue.type="Disk" queue.filename="relp" queue.saveOnShutdown="on"
  queue.timeoutShutdown="2000" ${action})
`,
    );
    const child = spawn("rsyslogd", ["-n", "-f", join(work, "rsyslog.conf"), "-i", join(work, "pid")], {
      stdio: "ignore",
    });
    await until(
      "rsyslogd",
      () => spawnSync("nc", ["-z", "127.0.0.1", String(input)]).status === 0 || undefined,
    );
    return {
      child,
      async stop(signal) {
        const ended = new Promise((resolve) => child.once("close", resolve));
        process.kill(child.pid!, signal);
        await ended;
      },
    };
  }

  async function send(input: number, from: number, count: number): Promise<void> {
    const socket = await dial(input);
    let text = "";
    for (let line = from; line < from + count; line++) {
      text += `<13>1 2026-01-02T03:04:05Z web app - - - relp-${line} ${"x".repeat(80)}\n`;
    }
    await write(socket, text);
    await finish(socket);
  }

  it(
    "loses nothing when corndog is killed and started again, and when rsyslog is stopped and started again",
    {
      skip,
    },
    async () => {
      const [relp, input] = [await freePort(), await freePort()];
      let corndog = await Corndog.start(config(relp));
      await corndog.started();
      const action = `target="127.0.0.1" port="${relp}" timeout="5" windowSize="512"`;
      let sender = await rsyslog("restart", input, action);
      try {
        const total = 30_000;
        for (let round = 0; round < 3; round++) {
          await send(input, round * total / 3, total / 3);
          const wanted = round * total / 3 + 500;
          await until(
            `${wanted} lines`,
            async () => (await linesOf(corndog.dir)).size >= wanted || undefined,
            30_000,
          );
          if (round === 1) {
            await sender.stop("SIGTERM");
            sender = await rsyslog("restart", input, action);
          } else {
            corndog.signal("SIGKILL");
            await corndog.ended();
            corndog = await Corndog.start(config(relp), { dir: corndog.dir });
            await corndog.started();
          }
        }
        await until(
          `${total} lines`,
          async () => (await linesOf(corndog.dir)).size === total || undefined,
          45_000,
          200,
        );
        const stats = await corndog.stats();
        assert.equal(stats.ledger.balanced, true);
      } finally {
        await sender.stop("SIGTERM");
        await corndog.dispose();
      }
    },
  );

  it("takes omrelp over TLS, and refuses one whose fingerprint is not permitted", { skip }, async () => {
    const [relp, tls, input] = [await freePort(), await freePort(), await freePort()];
    const listen = (peer: string) =>
      config(
        relp,
        `  - relp: tls://127.0.0.1:${tls}
    tls: { cert: ${dir}/cert.pem, key: ${dir}/key.pem, client: require, permitted_peers: ["${peer}"] }
`,
      );
    const printed = execFileSync("openssl", [
      "x509",
      "-in",
      `${dir}/cert.pem`,
      "-noout",
      "-fingerprint",
      "-sha256",
    ]);
    const fingerprint = /=([0-9A-F:]+)/.exec(String(printed))![1]!;
    let corndog = await Corndog.start(listen(`SHA256:${"00".repeat(32)}`));
    await corndog.started();
    const sender = await rsyslog(
      "tls",
      input,
      `target="localhost" port="${tls}" timeout="5" tls="on" tls.cacert="${dir}/cert.pem" tls.mycert="${dir}/cert.pem"
  tls.myprivkey="${dir}/key.pem" tls.authmode="name" tls.permittedpeer=["localhost"]`,
    );
    try {
      await send(input, 0, 100);
      const refused = await corndog.event("connection_failed");
      assert.match(String(refused.problem), /not trusted|no permitted peer/);
      assert.equal((await linesOf(corndog.dir)).size, 0);
      assert.equal(await corndog.stop(), 0);
      corndog = await Corndog.start(listen(`SHA256:${fingerprint}`), { dir: corndog.dir });
      await corndog.started();
      await until("100 lines", async () => (await linesOf(corndog.dir)).size === 100 || undefined, 30_000);
    } finally {
      await sender.stop("SIGTERM");
      await corndog.dispose();
    }
  });

  it("has answered only what is in the sink, and tells a waiting sender that it closes", async () => {
    const relp = await freePort();
    const corndog = await Corndog.start(config(relp));
    await corndog.started();
    try {
      const socket = await dial(relp);
      let answers = "";
      socket.on("data", (data) => answers += data);
      const offers = "relp_version=0\ncommands=syslog";
      let text = `1 open ${offers.length} ${offers}\n`;
      for (let txnr = 2; txnr < 1002; txnr++) {
        const line = `<13>1 - web app - - - relp-${txnr} x`;
        text += `${txnr} syslog ${line.length} ${line}\n`;
      }
      await write(socket, text);
      await until("1000 answers", () => answers.split(" rsp 6 200 OK\n").length === 1001 || undefined);
      assert.equal((await linesOf(corndog.dir)).size, 1000);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      assert.equal(await corndog.stop(), 0);
      await closed;
      assert.ok(answers.endsWith("0 serverclose 0\n"), answers.slice(-60));
    } finally {
      await corndog.dispose();
    }
  });

  it("names what else is spoken to its port", async () => {
    const relp = await freePort();
    const corndog = await Corndog.start(config(relp));
    await corndog.started();
    try {
      const socket = await dial(relp);
      await write(socket, "<13>1 - web app - - - relp-1 x\n");
      await finish(socket);
      assert.match(String((await corndog.event("relp_refused")).problem), /speaks syslog to a RELP port/);
    } finally {
      await corndog.dispose();
    }
  });
});
