/**
 * The service under a real systemd, in a guest: Debian's package, the unit and its sockets, install.sh --systemd. What
 * the unit promises is looked at from outside: what systemd says of the service, what senders see, what is on the disk.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Guest } from "../support/guest.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Starting a service on a busy machine. */
const slowMs = 60_000;
/** Until one test is held to hang. */
const timeout = 180_000;
const configFile = "/etc/corndog/corndog.yml";
/** CAP_NET_BIND_SERVICE, as /proc shows it. */
const bindCapability = "0000000000000400";

/** What the service runs with here; the port is one under 1024. */
const config = `listen:
  - syslog: tcp://0.0.0.0:514
  - syslog: udp://0.0.0.0:514
admin: { listen: 127.0.0.1:8585 }
sink: file
file: { dir: /var/lib/corndog/lines }
workers: 1
drain_timeout: 10s
`;

/** Sends numbered lines, each over a connection of its own, until it is told to stop; says how many, and what failed. */
const sender = `import os, socket, time
count, faults = 0, []
while not os.path.exists("/srv/share/enough"):
    try:
        with socket.create_connection(("127.0.0.1", 514), 20) as s:
            s.sendall(b"<13>1 - h a - - - steady %d.\\n" % count)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096): pass
        count += 1
    except OSError as error: faults.append(str(error))
    time.sleep(0.002)
print(count, *faults[:3], sep="|")
`;

const booted = await Guest.boot();
const skip = typeof booted === "string" && booted;

/** All that is tested of the service. `release` is where tools/release.ts put a release, once tests run. */
export function describeService(release: string, debianName: string): void {
  describe("the service under systemd", () => {
    const guest = booted as Guest;
    const options = { timeout, skip };
    const installDebian = () => guest.do("dpkg", "--no-triggers", "-i", `/srv/share/release/${debianName}`);
    const systemctl = (...words: string[]) => guest.do("systemctl", ...words);
    const shown = (property: string) => systemctl("show", "-p", property, "--value", "corndog").trim();
    const journal = () => guest.do("journalctl", "-u", "corndog", "-o", "cat", "--no-pager");
    const configure = (text: string) => writeFileSync(guest.path(configFile), text);
    const lines = () => {
      const dir = guest.path("/var/lib/corndog/lines");
      const names = existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: "utf8" }) : [];
      return names.filter((name) => name.endsWith(".ndjson"))
        .map((name) => readFileSync(join(dir, name), "utf8")).join("");
    };
    const send = (line: string) =>
      guest.do("sh", "-c", `echo '<13>1 - h a - - - ${line}.' | nc -N 127.0.0.1 514`);
    const arrived = (line: string) =>
      until(`"${line}"`, () => lines().includes(`${line}.`) || undefined, slowMs);
    /** The service with `config`, fresh. */
    const start = (text = config) => {
      configure(text);
      guest.run("systemctl", "reset-failed", "corndog");
      systemctl("restart", "corndog");
    };
    const successorOf = (pid: string) =>
      until("the new main process", () => {
        const now = shown("MainPID");
        return now !== pid && now !== "0" ? now : undefined;
      }, slowMs);

    before(() => {
      if (skip !== false) return;
      mkdirSync(join(guest.share, "release"));
      for (const name of readdirSync(release)) {
        linkSync(join(release, name), join(guest.share, "release", name));
      }
      installDebian();
    });
    after(() => skip === false ? guest.end() : undefined);

    it("is installed by Debian's package with its user, enabled, and not started", options, () => {
      assert.equal(systemctl("is-enabled", "corndog"), "enabled\n");
      assert.equal(guest.run("systemctl", "is-active", "corndog").stdout, "inactive\n");
      assert.match(guest.do("id", "corndog"), /^uid=\d+\(corndog\) gid=\d+\(corndog\)/);
    });

    it(
      "is ready when its listeners are, on a port under 1024, as its user with one capability",
      options,
      async () => {
        start();
        // Type=notify: systemctl waited for READY, so nobody has to poll for the port.
        send("first");
        await arrived("first");
        const status = readFileSync(guest.path(`/proc/${shown("MainPID")}/status`), "utf8");
        assert.match(status, new RegExp(`^CapEff:\\s+${bindCapability}$`, "m"));
        assert.match(status, new RegExp(`^CapBnd:\\s+${bindCapability}$`, "m"));
        assert.match(status, /^NoNewPrivs:\s+1$/m);
        assert.match(status, /^Seccomp:\s+2$/m);
        assert.match(status, new RegExp(`^Uid:\\s+${guest.do("id", "-u", "corndog").trim()}\\s`, "m"));
        await until(
          "the state in words",
          () => /^Running: \d+ received/.test(shown("StatusText")) || undefined,
          slowMs,
        );
        const exposure = guest.do("systemd-analyze", "security", "--no-pager", "corndog.service");
        assert.ok(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(exposure)![1]) <= 2, exposure);
      },
    );

    it(
      "is told of a reload, which opens a port under 1024; a faulty one changes nothing",
      options,
      async () => {
        start();
        const pid = shown("MainPID");
        configure(config.replace("admin:", "  - syslog: tcp://0.0.0.0:515\nadmin:"));
        systemctl("reload", "corndog");
        await until(
          "the new port",
          () => guest.run("nc", "-z", "127.0.0.1", "515").code === 0 || undefined,
          slowMs,
        );
        await until(
          "the notice",
          () => journal().includes("(RELOADING=1, MONOTONIC_USEC=") || undefined,
          slowMs,
        );
        configure("listen: nonsense\n");
        systemctl("reload", "corndog");
        await until("the refusal", () => journal().includes('"rules_refused"') || undefined, slowMs);
        send("after reloads");
        await arrived("after reloads");
        assert.deepEqual([shown("MainPID"), shown("ActiveState")], [pid, "active"]);
      },
    );

    it("is upgraded by SIGUSR1: systemd follows to the new process and watches it", options, async () => {
      start();
      const pid = shown("MainPID");
      systemctl("kill", "--signal=USR1", "--kill-who=main", "corndog");
      const next = await successorOf(pid);
      await until(
        "the end of the old one",
        () => !existsSync(guest.path(`/proc/${pid}`)) || undefined,
        slowMs,
      );
      send("after an upgrade");
      await arrived("after an upgrade");
      await until(
        "a word of the new one that systemd takes",
        () => journal().includes(`Got notification message from PID ${next} (STATUS=Running: `) || undefined,
        slowMs,
      );
      assert.deepEqual([shown("MainPID"), shown("ActiveState"), shown("NRestarts")], [next, "active", "0"]);
      // Stops within its drain, and in order.
      systemctl("stop", "corndog");
      assert.deepEqual([shown("Result"), shown("ExecMainStatus")], ["success", "0"]);
    });

    it("goes on with the old process when an upgrade fails, and says so", options, async () => {
      start();
      const pid = shown("MainPID");
      configure("listen: nonsense\n");
      systemctl("kill", "--signal=USR1", "--kill-who=main", "corndog");
      await until("the failure", () => journal().includes("STATUS=Upgrade failed: ") || undefined, slowMs);
      send("after a failed upgrade");
      await arrived("after a failed upgrade");
      assert.deepEqual([shown("MainPID"), shown("ActiveState")], [pid, "active"]);
    });

    it("is upgraded by Debian's package without a lost line or a refused connection", options, async () => {
      start();
      const pid = shown("MainPID");
      const since = shown("ActiveEnterTimestampMonotonic");
      const [command, ...args] = guest.command("python3", "-c", sender);
      const child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout.on("data", (data) => said += data);
      const ended = new Promise((resolve) => child.on("close", resolve));
      try {
        await arrived("steady 10");
        installDebian();
        const next = await successorOf(pid);
        assert.equal(shown("MainPID"), next);
        const at = /.*steady (\d+)\./s.exec(lines())![1];
        await arrived(`steady ${Number(at) + 10}`);
      } finally {
        writeFileSync(join(guest.share, "enough"), "");
        await ended;
      }
      const [count, ...faults] = said.trim().split("|");
      assert.deepEqual(faults, []);
      await arrived(`steady ${Number(count) - 1}`);
      const all = lines();
      const lost = Array.from({ length: Number(count) }, (_, n) => n).filter((n) =>
        !all.includes(`steady ${n}.`)
      );
      assert.deepEqual(lost, []);
      assert.equal(shown("ActiveEnterTimestampMonotonic"), since, "it was not restarted");
    });

    it("is started again by the watchdog when it does not move", options, async () => {
      const dropIn = guest.path("/run/systemd/system/corndog.service.d");
      mkdirSync(dropIn, { recursive: true });
      writeFileSync(join(dropIn, "watchdog.conf"), "[Service]\nWatchdogSec=3s\n");
      systemctl("daemon-reload");
      start();
      const pid = shown("MainPID");
      guest.run("sh", "-c", `kill -STOP ${pid}`);
      await successorOf(pid);
      await until("the service", () => shown("ActiveState") === "active" || undefined, slowMs);
      assert.match(journal(), /Watchdog timeout \(limit 3s\)/);
      guest.do("rm", "/run/systemd/system/corndog.service.d/watchdog.conf");
      systemctl("daemon-reload");
    });

    it("is not tried again when its configuration is faulty", options, async () => {
      configure("listen: nonsense\n");
      assert.notEqual(guest.run("systemctl", "restart", "corndog").code, 0);
      await until("its end", () => shown("ActiveState") === "failed" || undefined, slowMs);
      assert.deepEqual([shown("ExecMainStatus"), shown("MainPID")], ["78", "0"]);
    });

    it(
      "takes the sockets of corndog.socket, in which connections wait while it restarts",
      options,
      async () => {
        configure(config);
        systemctl("stop", "corndog");
        systemctl("start", "corndog.socket");
        // The first connection starts it.
        send("by its socket");
        await arrived("by its socket");
        assert.equal(shown("ActiveState"), "active");
        guest.do("sh", "-c", "echo '<13>1 - h a - - - by datagram.' | nc -u -w1 127.0.0.1 514");
        await arrived("by datagram");
        const pid = shown("MainPID");
        systemctl("kill", "--signal=USR1", "--kill-who=main", "corndog");
        await successorOf(pid);
        send("by the socket after an upgrade");
        await arrived("by the socket after an upgrade");
        systemctl("restart", "--no-block", "corndog");
        send("while it restarts");
        await arrived("while it restarts");
        assert.doesNotMatch(journal(), /"socket_unused"/);
        systemctl("stop", "corndog.socket", "corndog");
      },
    );

    it("ends with the package, which leaves configuration and data until it is purged", options, () => {
      start();
      guest.do("dpkg", "--no-triggers", "-r", "corndog");
      assert.equal(guest.run("systemctl", "is-active", "corndog").stdout, "inactive\n");
      assert.ok(existsSync(guest.path(configFile)));
      assert.ok(existsSync(guest.path("/var/lib/corndog/lines")));
      guest.do("dpkg", "--no-triggers", "-P", "corndog");
      for (
        const path of [
          "/etc/corndog",
          "/var/lib/corndog",
          "/etc/systemd/system/multi-user.target.wants/corndog.service",
        ]
      ) {
        assert.ok(!existsSync(guest.path(path)), path);
      }
      assert.notEqual(guest.run("id", "corndog").code, 0);
    });

    it("README's first command builds a checkout and shows it at work", {
      timeout,
      skip: skip || !existsSync(guest.path(root)) && "the checkout lies on another file system",
    }, () => {
      const said = guest.do(
        "sh",
        join(root, "install.sh"),
        "--dir",
        "/opt/corndog",
        "--demo",
        "--duration",
        "1s",
      );
      assert.match(said, /installed corndog \S+: \/opt\/corndog\/corndog/);
      assert.match(said, /balanced/);
    });

    it("is set up and taken away by install.sh --systemd", options, async () => {
      mkdirSync(join(guest.share, "www/latest"), { recursive: true });
      guest.do("ln", "-s", "/srv/share/release", "/srv/share/www/latest/download");
      guest.do(
        "systemd-run",
        "--quiet",
        "busybox",
        "httpd",
        "-f",
        "-p",
        "127.0.0.1:8000",
        "-h",
        "/srv/share/www",
      );
      const url = "http://127.0.0.1:8000";
      await until(
        "the server",
        () =>
          guest.run("curl", "-fsS", "-o", "/dev/null", `${url}/latest/download/SHA256SUMS`).code === 0 ||
          undefined,
        slowMs,
      );
      const install = (...words: string[]) =>
        guest.do("sh", "/srv/share/release/install.sh", "--systemd", "--base-url", url, ...words);
      const said = install();
      assert.match(said, /check -c \/etc\/corndog\/corndog\.yml && systemctl start corndog/);
      assert.equal(systemctl("is-enabled", "corndog"), "enabled\n");
      guest.do("/usr/local/bin/corndog", "check", "-c", configFile);
      start();
      const pid = shown("MainPID");
      assert.match(install(), /corndog upgrade/);
      guest.do("/usr/local/bin/corndog", "upgrade");
      await successorOf(pid);
      send("by install.sh");
      await arrived("by install.sh");
      // Where the service is, its unit says.
      guest.do("sh", "/srv/share/release/install.sh", "--uninstall", "--purge");
      for (
        const path of [
          "/usr/local/bin/corndog",
          "/etc/corndog",
          "/var/lib/corndog",
          "/etc/systemd/system/corndog.service",
        ]
      ) {
        assert.ok(!existsSync(guest.path(path)), path);
      }
      assert.notEqual(guest.run("id", "corndog").code, 0);
      assert.notEqual(guest.run("systemctl", "cat", "corndog").code, 0);
    });
  });
}
