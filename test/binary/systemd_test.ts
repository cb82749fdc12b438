/**
 * corndog as a service of systemd, without systemd: a unix datagram socket stands in for it and shows what it is told.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { Generations } from "../support/generations.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: blackhole
workers: 1
`;

/** Receives what is sent to a unix datagram socket. */
async function notifySocket() {
  const dir = await mkdtemp(join(tmpdir(), "corndog-notify-"));
  const path = join(dir, "notify");
  const nc = spawn("nc", ["-k", "-l", "-u", "-U", path], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  nc.stdout.on("data", (data) => told += data);
  await until("the socket", () => existsSync(path) || undefined);
  return {
    path,
    heard: (text: string) => until(text, () => told.includes(text) || undefined, 30_000),
    get told() {
      return told;
    },
    async end() {
      nc.kill();
      await rm(dir, { recursive: true });
    },
  };
}

/** proc_pid_stat(5): behind the name in parentheses the state, then the parent. */
function parentOf(pid: number): number {
  return Number(/.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1]);
}

describe("NOTIFY_SOCKET", () => {
  it("hears that corndog is ready, lives, reloads and stops", async () => {
    const systemd = await notifySocket();
    const corndog = await Corndog.start(config, {
      env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "200000" },
    });
    try {
      await systemd.heard("READY=1");
      await systemd.heard("STATUS=Running: 0 received");
      await systemd.heard("WATCHDOG=1");
      corndog.signal("SIGHUP");
      await systemd.heard("RELOADING=1\nMONOTONIC_USEC=");
      assert.equal(await corndog.stop(), 0);
      await systemd.heard("STOPPING=1");
      assert.ok(systemd.told.indexOf("READY=1") < systemd.told.indexOf("RELOADING=1"));
    } finally {
      await corndog.dispose();
      await systemd.end();
    }
  });

  it("is told the new main process of an upgrade, whose parent the old one is not", async () => {
    const systemd = await notifySocket();
    const [tcp, admin] = [await freePort(), await freePort()];
    const text = config.replace("127.0.0.1:0", `127.0.0.1:${tcp}`).replace(
      "127.0.0.1:0",
      `127.0.0.1:${admin}`,
    );
    const site = await Generations.start(text, { env: { NOTIFY_SOCKET: systemd.path } });
    try {
      const old = site.pid;
      const ancestors = new Set([1]);
      for (let pid = parentOf(old); pid > 0; pid = parentOf(pid)) ancestors.add(pid);
      await site.upgrade();
      await systemd.heard(`MAINPID=${site.pid}\nWATCHDOG=1`);
      assert.notEqual(parentOf(site.pid), old);
      // systemd waits for its children alone. When the process between the two has ended, the new one is the child of
      // init, or of who stands in for it, and that is an ancestor of the old one.
      await until(
        "the end of the process between",
        () => ancestors.has(parentOf(site.pid)) || undefined,
        30_000,
      );
      writeFileSync(join(site.corndog.dir, "corndog.yml"), "listen: nonsense\n");
      await assert.rejects(site.upgrade(), /exit code 78/);
      await systemd.heard("STATUS=Upgrade failed: ");
      await site.oldOnesEnded();
      await site.stop();
    } finally {
      await site.dispose();
      await systemd.end();
    }
  });

  it("that is none is named in the log, and corndog runs", async () => {
    const corndog = await Corndog.start(config, { env: { NOTIFY_SOCKET: "nowhere" } });
    try {
      const { problem } = await corndog.event("notify_unavailable");
      assert.match(String(problem), /neither a path nor an abstract name/);
      await corndog.started();
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});
