/**
 * A changed configuration comes in force while corndog runs: listeners that changed are opened, closed and re-optioned,
 * the others and their connections are not touched; what is faulty changes nothing.
 *
 * @runtimes bun deno
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Corndog, corndogCommand, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

/** What a reload answers. */
interface Answer {
  readonly ok?: boolean;
  readonly listeners?: { readonly opened: string[]; readonly closed: string[]; readonly changed: string[] };
  readonly restart_needed?: string[];
  readonly faults?: readonly { readonly message: string }[];
}

const config = (listen: readonly string[], more = "sink: blackhole") =>
  `listen:\n${listen.map((entry) => `  - ${entry}\n`).join("")}admin: { listen: "127.0.0.1:0" }
${more}
workers: 2
drain_timeout: 10s
`;

class Site {
  readonly corndog: Corndog;

  constructor(corndog: Corndog) {
    this.corndog = corndog;
  }

  static async start(listen: readonly string[]): Promise<Site> {
    return new Site(await (await Corndog.start(config(listen))).started());
  }

  write(text: string): void {
    writeFileSync(join(this.corndog.dir, "corndog.yml"), text);
  }

  async reload(): Promise<{ status: number; answer: Answer }> {
    const response = await fetch(`${this.corndog.admin}/admin/reload`, { method: "POST" });
    return { status: response.status, answer: await response.json() as Answer };
  }

  /** Waits until `lines` were received. */
  async received(lines: number): Promise<void> {
    await this.corndog.statsWhen(`${lines} lines`, ({ ledger }) => ledger.received === lines);
  }
}

/** Whether somebody takes connections there; a queue that nobody serves says yes too. */
async function answers(port: number): Promise<boolean> {
  try {
    (await dial(port)).destroy();
    return true;
  } catch {
    return false;
  }
}

describe("a reload", () => {
  it("opens, closes and changes listeners, and leaves the others and their connections alone", async () => {
    const [stays, changes, goes, comes] = await Promise.all([0, 1, 2, 3].map(() => freePort()));
    const at = (port: number | undefined, more = "") => `{ syslog: "tcp://127.0.0.1:${port}"${more} }`;
    const site = await Site.start([at(stays), at(changes), at(goes)]);
    const { corndog } = site;
    try {
      const [one, two] = await Promise.all([stays, changes].map((port) => dial(port!)));
      const three = createConnection({ port: goes!, host: "127.0.0.1", allowHalfOpen: true });
      for (const socket of [one!, two!, three]) await write(socket, "<13>1 - h a - - - before\n");
      await site.received(3);
      const told = new Promise<void>((resolve) => three.once("end", resolve));
      three.resume();

      site.write(config([at(comes), at(stays), at(changes, ", framing: nul")]));
      const { status, answer } = await site.reload();
      assert.equal(status, 200);
      assert.deepEqual(answer.listeners, {
        opened: [`tcp://127.0.0.1:${comes}`],
        closed: [`tcp://127.0.0.1:${goes}`],
        changed: [`tcp://127.0.0.1:${changes}`],
      });
      assert.equal(answer.restart_needed, undefined);

      // Those that were open go on as they began; the one whose listener went is asked to end, and still read.
      await told;
      await write(one!, "<13>1 - h a - - - after\n");
      await write(two!, "<13>1 - h a - - - after\n");
      await write(three, "<13>1 - h a - - - last\n");
      await site.received(6);
      await Promise.all([finish(one!), finish(two!), finish(three)]);
      await until("nobody listens", async () => await answers(goes!) ? undefined : true);

      // New ones follow the new keys: a newline is a part of the line.
      for (let n = 0; n < 4; n++) {
        const socket = await dial(changes!);
        await write(socket, "<13>1 - h a - - - one\nline\0");
        await finish(socket);
      }
      await site.received(10);
      const socket = await dial(comes!);
      await write(socket, "<13>1 - h a - - - hello\n");
      await finish(socket);
      await site.received(11);
      const { listeners, ledger } = await corndog.stats();
      assert.deepEqual(
        listeners.map(({ address }) => address),
        [comes, stays, changes].map((port) => `127.0.0.1:${port}`),
      );
      assert.equal(ledger.balanced, true);

      // Nothing has changed since.
      assert.equal((await site.reload()).answer.listeners, undefined);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("refuses no connection of a listener that changes", async () => {
    const port = await freePort();
    const at = (framing: string) => [`{ syslog: "tcp://127.0.0.1:${port}", framing: ${framing} }`];
    const site = await Site.start(at("newline"));
    try {
      let stop = false;
      let lines = 0;
      const send = async () => {
        while (!stop) {
          const socket = await dial(port);
          await write(socket, "<13>1 - h a - - - x\n");
          lines++;
          await finish(socket);
        }
      };
      const senders = Promise.all([send(), send(), send()]);
      for (let n = 0; n < 6; n++) {
        site.write(config(at(n % 2 === 0 ? "auto" : "newline")));
        assert.equal((await site.reload()).status, 200);
      }
      stop = true;
      await senders;
      await site.received(lines);
      assert.equal(await site.corndog.stop(), 0);
    } finally {
      await site.corndog.dispose();
    }
  });

  it("binds all addresses of a port that was bound for one, and the other way round", async () => {
    const port = await freePort();
    const site = await Site.start([`{ syslog: "tcp://127.0.0.1:${port}" }`]);
    try {
      for (const [n, host] of ["0.0.0.0", "127.0.0.1"].entries()) {
        site.write(config([`{ syslog: "tcp://${host}:${port}" }`]));
        const { status, answer } = await site.reload();
        assert.deepEqual([status, answer.listeners?.opened], [200, [`tcp://${host}:${port}`]]);
        const socket = await dial(port);
        await write(socket, "<13>1 - h a - - - x\n");
        await finish(socket);
        await site.received(n + 1);
      }
    } finally {
      await site.corndog.dispose();
    }
  });

  it("of a faulty configuration changes nothing and says why, by HTTP, signal and command", async () => {
    const [stays, comes] = await Promise.all([freePort(), freePort()]);
    const busy = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => busy.once("listening", resolve));
    const { port: taken } = busy.address() as { port: number };
    const at = (port: number, more = "") => `{ syslog: "tcp://127.0.0.1:${port}"${more} }`;
    const site = await Site.start([at(stays)]);
    const { corndog } = site;
    try {
      const socket = await dial(stays);
      const table = [
        { text: "listen: [nonsense", why: /./ },
        { text: config([at(comes), at(taken)]), why: /address in use/ },
        {
          text: config([
            at(comes),
            `{ syslog: "tls://127.0.0.1:0", tls: { cert: missing.crt, key: missing.key } }`,
          ]),
          why: /missing\.(crt|key)/,
        },
        {
          text: `${config([at(comes)])}rules: [{ field: msg, regex: "(", actions: [{ type: stop }] }]\n`,
          why: /./,
        },
      ];
      for (const { text, why } of table) {
        site.write(text);
        const { status, answer } = await site.reload();
        assert.equal(status, 422, text);
        assert.match(answer.faults!.map(({ message }) => message).join(), why);
        await until("nobody there", async () => await answers(comes) ? undefined : true);
      }
      const refusals = () => corndog.logs.filter(({ event }) => event === "rules_refused").length;
      assert.equal(refusals(), table.length);
      corndog.signal("SIGHUP");
      await until("a refusal", () => refusals() > table.length || undefined);
      const [command, ...first] = corndogCommand();
      const done = spawnSync(command!, [...first, "reload", "--admin", corndog.admin], { encoding: "utf8" });
      assert.equal(done.status, 1);
      assert.match(done.stderr, /422/);
      await write(socket, "<13>1 - h a - - - still here\n");
      await site.received(1);
      socket.destroy();
    } finally {
      busy.close();
      await corndog.dispose();
    }
  });

  it("names the keys that need a new process, and puts the others in force", async () => {
    const [stays, comes] = await Promise.all([freePort(), freePort()]);
    const at = (port: number) => `{ syslog: "tcp://127.0.0.1:${port}" }`;
    const site = await Site.start([at(stays)]);
    const { corndog } = site;
    try {
      site.write(
        config([at(stays), at(comes)], "sink: file\nfile: { dir: out }\nlimits: { connections: 50 }"),
      );
      const { answer } = await site.reload();
      assert.deepEqual(answer.listeners?.opened, [`tcp://127.0.0.1:${comes}`]);
      assert.deepEqual([...answer.restart_needed!].sort(), ["file", "limits", "sink"]);
      assert.deepEqual((await corndog.event("restart_needed")).sections, answer.restart_needed);
      assert.equal(await answers(comes), true);
      assert.equal((await corndog.stats()).sink.name, "blackhole");
      const [command, ...first] = corndogCommand();
      const done = spawnSync(command!, [...first, "reload", "--admin", corndog.admin], { encoding: "utf8" });
      assert.match(done.stdout, /not in force before corndog upgrade or a restart: /);
    } finally {
      await corndog.dispose();
    }
  });
});
