/**
 * Deno's sandbox: corndog runs with the permissions that docs/DENO.md names, and with no more.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import type { Stats } from "../../src/admin/stats_view.ts";
import { until } from "../support/until.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const config = String.raw`listen:
  - syslog: tcp://127.0.0.1:0
  - syslog: udp://127.0.0.1:0
  - http: http://127.0.0.1:0
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:9"], topic: logs }
spool: { dir: corndog-data/spool, free_min: 0 }
rules:
  - { name: all, regex: '(?P<first>\S+)', actions: [{ type: forward, topic: logs }] }
`;

/** The page's command behind `deno run`, with the checkout's own paths. */
async function words(): Promise<string[]> {
  const page = await readFile(join(root, "docs/DENO.md"), "utf8");
  const block = /```sh permissions\n(.*?)```/s.exec(page)![1]!;
  const packages = await realpath(join(root, "node_modules"));
  return block.replace(/\\\n/g, " ").trim().split(/\s+/).slice(2).map((word) =>
    word.replace("=src,node_modules,", `=${root}/src,${root}/node_modules,${packages},`)
      .replace(/^src\/main\.ts$/, `${root}/src/main.ts`)
  );
}

it("corndog under Deno takes and keeps lines with the permissions that DENO.md names", async () => {
  const dir = await mkdtemp(join(tmpdir(), "corndog-test-"));
  await writeFile(join(dir, "corndog.yml"), config);
  await mkdir(join(dir, "corndog-data"));
  const given = await words();
  assert.ok(!given.includes("-A") && !given.includes("--allow-all"));
  const child = spawn("deno", ["run", "--config", join(root, "deno.json"), ...given], {
    cwd: dir,
    env: { ...process.env, CORNDOG_LOG: "json" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (data) => log += data);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const events = () => log.split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
  const listening = (transport: string) =>
    events().find((one) => one.event === "listening" && one.transport === transport).address as string;
  try {
    const started = await until("the start", () => {
      if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}: ${log}`);
      return events().find(({ event }) => event === "started");
    }, 30_000);
    const socket = connect(Number(listening("tcp").split(":").pop()), "127.0.0.1");
    socket.end("<13>1 2026-01-02T03:04:05Z h app - - - inside\n");
    const answer = await fetch(`http://${listening("http")}/v1/ingest?ack=disk`, {
      method: "POST",
      body: "one",
    });
    assert.equal(answer.status, 200, await answer.text());
    await until("both lines", async () => {
      const stats: Stats = await (await fetch(`${started.admin}/admin/stats`)).json();
      return stats.ledger.received === 2 || undefined;
    });
    assert.ok(!/NotCapable|Requires \w+ access/.test(log), log);
    process.kill(child.pid!, "SIGTERM");
    assert.equal(await ended, 0, log);
    const drained = events().find(({ event }) => event === "drained");
    assert.deepEqual([drained.spooled, drained.ledger.balanced], [2, true]);
  } finally {
    if (child.exitCode === null) process.kill(child.pid!, "SIGKILL");
    await ended;
    await rm(dir, { recursive: true, force: true });
  }
});
