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

/** The configuration of docs/SENDERS.md, with the addresses of the test and a source that needs no port. */
async function configuration(corndog: Corndog, dir: string): Promise<string> {
  const page = await readFile(new URL("../../docs/SENDERS.md", import.meta.url), "utf8");
  const block = /```text title=\/etc\/syslog-ng\/conf\.d\/corndog\.conf[^\n]*\n(.*?)```/s.exec(page)![1]!;
  const body = block
    .replaceAll("port(1514)", `port(${corndog.port("tcp")})`)
    .replaceAll("disk-buffer(", `disk-buffer(dir("${dir}") `)
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${corndog.port("http")}`);
  assert.ok(!body.includes("1514") && !body.includes("8080"), body);
  return `@version: 3.38
options { stats-freq(0); };
source s_src { unix-stream("${dir}/in.sock" flags(syslog-protocol)); };
${body}`;
}

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
  let output = "";
  try {
    await corndog.started();
    const file = join(dir, "syslog-ng.conf");
    await writeFile(file, await configuration(corndog, dir));
    const daemon = spawn(program, [
      ...["-F", "--no-caps", "-e", "-f", file],
      ...["-R", join(dir, "persist"), "-c", join(dir, "control"), "-p", join(dir, "pid")],
    ], { stdio: ["ignore", "pipe", "pipe"] });
    daemon.stdout!.on("data", (data) => output += data);
    daemon.stderr!.on("data", (data) => output += data);
    const ended = new Promise((resolve) => daemon.once("close", resolve));
    try {
      const socket = await until("syslog-ng", () => open(join(dir, "in.sock")), 20_000);
      const line = (index: number) => `<13>1 2026-01-02T03:04:05Z web app 12 - - agent ${index}\n`;
      await write(socket, Array.from({ length: lines }, (_, index) => line(index)).join(""));
      await finish(socket);
      const forms = {
        syslog: / app 12 - .*agent (\d+)$/,
        ndjson: /^\{.*"MESSAGE":"agent (\d+)"/,
        elastic: /^\{"message":"agent (\d+)","host":"[^"]+"\}$/,
      };
      for (const [name, form] of Object.entries(forms)) {
        await until(`the lines by ${name}`, async () => {
          const found = new Set((await written(corndog.dir)).flatMap((value) => form.exec(value)?.[1] ?? []));
          return found.size === lines || undefined;
        }, 20_000);
      }
    } finally {
      process.kill(daemon.pid!, "SIGTERM");
      await ended;
    }
    const { ledger } = await corndog.stats();
    assert.equal(ledger.balanced, true);
    assert.equal(await corndog.stop(), 0);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error });
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
