/**
 * corndog as a process, without a broker: what a new user meets. From source, or the binary where CORNDOG_BINARY
 * names it.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";

const basic = `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
`;

describe("corndog run", () => {
  it("answers every route of the admin API", async () => {
    const corndog = await (await Corndog.start(basic)).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      await write(socket, "<13>1 - h a - - - one\n\n<13>1 - h a - - - two\n");
      await finish(socket);
      const stats = await corndog.statsWhen("two delivered", (s) => s.ledger.delivered === 2);
      assert.equal(stats.ledger.received, 3);
      assert.equal(stats.ledger.dropped.empty_frame, 1);
      assert.equal(stats.ledger.balanced, true);
      for (
        const path of [
          "/",
          "/healthz",
          "/readyz",
          "/metrics",
          "/stats",
          "/admin/stats",
          "/admin/rules",
          "/admin/config",
        ]
      ) {
        const response = await fetch(`${corndog.admin}${path}`);
        assert.equal(response.status, 200, path);
        assert.ok((await response.text()).length > 0, path);
      }
      assert.equal((await fetch(`${corndog.admin}/admin/reload`, { method: "POST" })).status, 200);
      assert.equal((await fetch(`${corndog.admin}/admin/drain`, { method: "POST" })).ok, true);
      assert.equal(await corndog.ended(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("says which port is busy and how to go on, and exits 1", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const corndog = await Corndog.start(basic.replace("tcp://127.0.0.1:0", `tcp://127.0.0.1:${port}`));
    try {
      assert.equal(await corndog.ended(), 1);
      const said = corndog.stderr + JSON.stringify(corndog.logs);
      assert.match(said, new RegExp(`127\\.0\\.0\\.1:${port}`));
      assert.match(said, /in use/);
    } finally {
      await corndog.dispose();
      taken.close();
    }
  });

  it("names all faults of a config with file, line and column, and exits 78", async () => {
    const corndog = await Corndog.start(`${basic}kafka: { lingr: 5ms }\nworkers: many\n`);
    try {
      assert.equal(await corndog.ended(), 78);
      assert.match(corndog.stderr, /corndog\.yml:6:10: kafka\.lingr/);
      assert.match(corndog.stderr, /linger/);
      assert.match(corndog.stderr, /corndog\.yml:7:\d+: workers/);
    } finally {
      await corndog.dispose();
    }
  });

  it("ends at once on a second signal", async () => {
    const corndog = await (await Corndog.start(
      `${basic.replace("sink: file", "sink: kafka")}kafka: { brokers: ["127.0.0.1:1"] }\n`,
    )).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      await write(socket, "<13>1 - h a - - - stays\n");
      await corndog.statsWhen("one in flight", (s) => s.ledger.in_flight === 1);
      corndog.signal("SIGTERM");
      await corndog.event("draining");
      corndog.signal("SIGTERM");
      assert.notEqual(await corndog.ended(20_000), 0);
      socket.destroy();
    } finally {
      await corndog.dispose();
    }
  });

  it("reloads rules on SIGHUP and writes a PUT to the file it came from", async () => {
    const rules = (name: string) =>
      `rules:\n  - name: ${name}\n    regex: ".*"\n    actions: [{ type: forward, topic: all }]\n`;
    const corndog =
      await (await Corndog.start(`${basic}rules: [rules.yml]\n`, { files: { "rules.yml": rules("one") } }))
        .started();
    try {
      await writeFile(join(corndog.dir, "rules.yml"), rules("two"));
      corndog.signal("SIGHUP");
      await corndog.statsWhen("rule two", (s) => s.rules.hits[0]?.rule === "two");
      const put = await fetch(`${corndog.admin}/admin/rules`, { method: "PUT", body: rules("three") });
      assert.equal(put.status, 200, await put.text());
      assert.equal(await readFile(join(corndog.dir, "rules.yml"), "utf8"), rules("three"));
      assert.equal(await readFile(join(corndog.dir, "rules.yml.previous"), "utf8"), rules("two"));
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("writes NDJSON with the topic to stdout with sink stdout", async () => {
    const corndog = await (await Corndog.start(basic.replace("sink: file", "sink: stdout"))).started();
    try {
      const socket = await dial(corndog.port("tcp"));
      await write(socket, "<13>1 - h a - - - to stdout\n");
      await finish(socket);
      await corndog.statsWhen("delivered", (s) => s.ledger.delivered === 1);
      assert.equal(await corndog.stop(), 0);
      const row = JSON.parse(corndog.stdout.trim());
      assert.equal(row.topic, "logs");
      assert.equal(row.value, "<13>1 - h a - - - to stdout");
    } finally {
      await corndog.dispose();
    }
  });
});

describe("corndog demo", () => {
  it("shows the dashboard's address and ends with a balanced ledger in which nothing is lost", async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-demo-"));
    const corndog = Corndog.spawn(dir, ["demo", "--duration", "3s"]);
    try {
      assert.equal(await corndog.ended(), 0);
      assert.match(corndog.stdout, /dashboard\s+http:\/\/127\.0\.0\.1:\d+\//);
      assert.match(corndog.stdout, /balanced/);
      const sent = Number(/([\d,]+) lines were sent/.exec(corndog.stdout)![1]!.replaceAll(",", ""));
      const delivered = Number(/delivered\s+([\d,]+)/.exec(corndog.stdout)![1]!.replaceAll(",", ""));
      assert.ok(sent > 5_000);
      assert.equal(delivered, sent);
      const alarms = corndog.logs.filter(({ event }) => event === "not_ready");
      assert.deepEqual(alarms, [], "an end as planned alarms nobody");
    } finally {
      await corndog.dispose();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

describe("corndog at the command line", () => {
  const cases = [
    { args: ["version"], exit: 0, stdout: /corndog \d+\.\d+\.\d+/ },
    { args: ["--help"], exit: 0, stdout: /run.*\n[^]*check[^]*demo/ },
    { args: ["chek"], exit: 2, stderr: /check/ },
    { args: ["check", "-c", "absent.yml"], exit: 1, stderr: /absent\.yml/ },
  ];
  for (const { args, exit, stdout, stderr } of cases) {
    it(`\`corndog ${args.join(" ")}\` exits ${exit}`, async () => {
      const dir = await mkdtemp(join(tmpdir(), "corndog-cli-"));
      const corndog = Corndog.spawn(dir, args);
      try {
        assert.equal(await corndog.ended(), exit);
        if (stdout !== undefined) assert.match(corndog.stdout, stdout);
        if (stderr !== undefined) assert.match(corndog.stderr, stderr);
      } finally {
        await corndog.dispose();
        await rm(dir, { recursive: true, force: true });
      }
    });
  }
});
