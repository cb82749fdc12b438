/**
 * syslog-ng as it is from Debian: by syslog(), by http() as NDJSON, and by http() in the words of Elasticsearch. The
 * other agents that speak HTTP are not in Debian; docs/SENDERS.md says which were run by hand.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { Corndog, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const program = new URL("../../.tools/syslog-ng/run", import.meta.url).pathname;
const lines = 500;

/** The configuration of docs/SENDERS.md, with the addresses of the test. */
async function configuration(corndog: Corndog, dir: string): Promise<string> {
  const page = await readFile(new URL("../../docs/SENDERS.md", import.meta.url), "utf8");
  const block = /```text title=\/etc\/syslog-ng\/conf\.d\/corndog\.conf[^\n]*\n(.*?)```/s.exec(page)![1]!;
  const body = block
    .replaceAll("port(1514)", `port(${corndog.port("tcp")})`)
    .replaceAll("disk-buffer(", `disk-buffer(dir("${dir}") `)
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${corndog.port("http")}`);
  assert.ok(!body.includes("1514") && !body.includes("8080"), body);
  return body;
}

/** syslog-ng with these destinations and a source that needs no port, while `use` sends to that. */
async function withSyslogNg(
  dir: string,
  body: string,
  use: (socket: Socket) => Promise<void>,
): Promise<void> {
  const file = join(dir, "syslog-ng.conf");
  await writeFile(
    file,
    `@version: 3.38
options { stats-freq(0); };
source s_src { unix-stream("${dir}/in.sock" flags(syslog-protocol)); };
${body}`,
  );
  const daemon = spawn(program, [
    ...["-F", "--no-caps", "-e", "-f", file],
    ...["-R", join(dir, "persist"), "-c", join(dir, "control"), "-p", join(dir, "pid")],
  ], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  daemon.stdout!.on("data", (data) => output += data);
  daemon.stderr!.on("data", (data) => output += data);
  const ended = new Promise((resolve) => daemon.once("close", resolve));
  try {
    await use(await until("syslog-ng", () => open(join(dir, "in.sock")), 20_000));
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error });
  } finally {
    process.kill(daemon.pid!, "SIGTERM");
    await ended;
  }
}

const line = (index: number) => `<13>1 2026-01-02T03:04:05Z web app 12 - - agent ${index}\n`;

async function sendLines(socket: Socket, count: number): Promise<void> {
  await write(socket, Array.from({ length: count }, (_, index) => line(index)).join(""));
  await finish(socket);
}

/** All lines that have come in this form; undefined while some are missing. */
async function arrived(corndog: Corndog, form: RegExp, count: number): Promise<string[] | undefined> {
  const found = (await written(corndog.dir)).flatMap((value) => form.exec(value)?.[1] ?? []);
  return new Set(found).size === count ? found : undefined;
}

const forms = {
  syslog: / app 12 - .*agent (\d+)$/,
  ndjson: /^\{.*"MESSAGE":"agent (\d+)"/,
  elastic: /^\{"message":"agent (\d+)","host":"[^"]+"\}$/,
};

async function written(dir: string): Promise<string[]> {
  const folder = join(dir, "out/logs");
  const files = await readdir(folder).catch(() => []);
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap((text) =>
    text.split("\n").filter((row) => row.endsWith("}")).map((row) => JSON.parse(row).value)
  );
}

it("takes every line of syslog-ng, whichever of its destinations sends it", {
  skip: !existsSync(program) && "needs syslog-ng (sh tools/syslog_ng.sh)",
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), "corndog-syslog-ng-"));
  const corndog = await Corndog.start(`listen:
  - syslog: tcp://127.0.0.1:0
  - http: http://127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
kafka: { topic: logs }
workers: 2
`);
  try {
    await corndog.started();
    await withSyslogNg(dir, await configuration(corndog, dir), async (socket) => {
      await sendLines(socket, lines);
      for (const [name, form] of Object.entries(forms)) {
        await until(`the lines by ${name}`, () => arrived(corndog, form, lines), 20_000);
      }
    });
    const { ledger } = await corndog.stats();
    assert.equal(ledger.balanced, true);
    assert.equal(await corndog.stop(), 0);
  } finally {
    await corndog.dispose();
    await rm(dir, { recursive: true, force: true });
  }
});

it("takes every line of syslog-ng once when its token is over its rate and it has to come again", {
  skip: !existsSync(program) && "needs syslog-ng (sh tools/syslog_ng.sh)",
}, async () => {
  const token = "0123456789abcdef0123";
  const dir = await mkdtemp(join(tmpdir(), "corndog-syslog-ng-"));
  await writeFile(join(dir, "tokens"), `agent ${token} rate=100/s\n`, { mode: 0o600 });
  const corndog = await Corndog.start(`listen:
  - syslog: tcp://127.0.0.1:0
  - http: http://127.0.0.1:0
    tokens_file: ${join(dir, "tokens")}
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
kafka: { topic: logs }
`);
  const count = 250;
  try {
    await corndog.started();
    const body = (await configuration(corndog, dir))
      .replace(
        '"Content-Type: application/x-ndjson"',
        `"Content-Type: application/x-ndjson" "Authorization: Bearer ${token}"`,
      )
      .replace("batch-lines(1000)", "batch-lines(50)")
      .replace("workers(2) time-reopen(5)", "workers(2) time-reopen(1)")
      .replace(/log \{.*\};/, "log { source(s_src); destination(d_corndog_http); };");
    await withSyslogNg(dir, body, async (socket) => {
      await sendLines(socket, count);
      const found = await until("the lines", () => arrived(corndog, forms.ndjson, count), 40_000);
      // A batch is refused as a whole: what is sent again was not taken before.
      assert.equal(found.length, count);
    });
    await until("the counters", async () => {
      const { totals, ledger } = await corndog.stats();
      return totals.http_failures > 0 && ledger.received === count || undefined;
    });
    assert.equal(await corndog.stop(), 0);
  } finally {
    await corndog.dispose();
    await rm(dir, { recursive: true, force: true });
  }
});

/** A connection to a unix socket, if somebody listens there. */
function open(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}
