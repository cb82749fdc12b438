/**
 * What corndog tells of itself: levels by component, changed by a reload; what a limit left out; the page that says
 * what is in force.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { Corndog, corndogCommand, dial, finish, type LogLine } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { SocketBroker } from "../unit/kafka/socket_broker.ts";

const config = (log: string) =>
  `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: blackhole
workers: 1
log: ${log}
`;

/** Waits for an event that came after the first `from` of the log. */
function eventAfter(corndog: Corndog, from: number, event: string): Promise<LogLine> {
  return until(`event "${event}"`, () => corndog.logs.slice(from).find((line) => line.event === event));
}

describe("the log", () => {
  it("has levels by component, and a reload puts others in force, in all threads", async () => {
    const corndog = await (await Corndog.start(config("{}"))).started();
    const visit = async () => await finish(await dial(corndog.port("tcp")));
    const reload = async (log: string) => {
      const from = corndog.logs.length;
      await writeFile(join(corndog.dir, "corndog.yml"), config(log));
      corndog.signal("SIGHUP");
      return await eventAfter(corndog, from, "log_levels_changed");
    };
    try {
      await visit();
      const told = await reload("{ levels: { listeners: debug, admin: error } }");
      assert.deepEqual(told.levels, { all: "info", listeners: "debug", admin: "error" });
      assert.ok(corndog.logs.every(({ event }) => event !== "connection_opened"), "debug was not asked for");
      assert.ok(corndog.logs.every(({ component }) => typeof component === "string"));
      let from = corndog.logs.length;
      // The worker hears of it a moment after the log has told it.
      const opened = await until("a connection that is told", async () => {
        await visit();
        return corndog.logs.find(({ event }) => event === "connection_opened");
      });
      assert.deepEqual([opened.level, opened.component, opened.worker], ["debug", "listeners", 0]);
      const closed = await until(
        "its end",
        () =>
          corndog.logs.find(({ event, connection }) =>
            event === "connection_closed" && connection === opened.connection
          ),
      );
      assert.equal(typeof closed.age_ms, "number");
      // A change that would be told at info, of a component that tells errors alone.
      const check = { method: "POST", body: "rules: []" };
      await (await fetch(`${corndog.admin}/admin/rules/check`, check)).body?.cancel();
      await reload("{ levels: { listeners: warn } }");
      assert.ok(corndog.logs.slice(from).every(({ event }) => event !== "admin_request"));
      from = corndog.logs.length;
      await visit();
      await (await fetch(`${corndog.admin}/admin/rules/check`, check)).body?.cancel();
      await eventAfter(corndog, from, "admin_request");
      // Further connections are told of no more; the one before has been, and is gone.
      await corndog.statsWhen("all connections closed", ({ totals }) => totals.connections_open === 0);
      assert.ok(corndog.logs.slice(from).every(({ component }) => component !== "listeners"));
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });

  it("counts what a limit leaves out of one component, and leaves the others their lines", async () => {
    const corndog = await (await Corndog.start(config("{ levels: { listeners: debug } }"))).started();
    try {
      assert.ok(corndog.logs.every(({ left_out }) => left_out === undefined));
      const changes = 25;
      for (let nth = 0; nth < changes; nth++) {
        const answer = await fetch(`${corndog.admin}/admin/rules/check`, {
          method: "POST",
          body: "rules: []",
        });
        await answer.body?.cancel();
      }
      const from = corndog.logs.length;
      await finish(await dial(corndog.port("tcp")));
      await eventAfter(corndog, from, "connection_closed");
      assert.equal(await corndog.stop(), 0);
      const written = corndog.logs.filter(({ event }) => event === "admin_request");
      const leftOut = corndog.logs.filter(({ event, of }) =>
        event === "admin_request" || of === "admin_request"
      )
        .reduce((sum, line) => sum + Number(line.left_out ?? 0), 0);
      assert.ok(written.length < changes, "the limit holds");
      assert.equal(written.length + leftOut, changes);
      const last = corndog.logs.find(({ of }) => of === "admin_request");
      assert.deepEqual([last?.event, last?.component], ["log_left_out", "admin"]);
    } finally {
      await corndog.dispose();
    }
  });

  it("tells at debug what becomes of sessions, requests, segments and rules, each in its component", async () => {
    const broker = await new SocketBroker().listen();
    broker.create("logs", 1);
    const text = `listen: [{ http: "http://127.0.0.1:0" }, { relp: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:${broker.port}"], topic: logs, linger: 1ms }
spool: { durability: os }
workers: 1
log: { levels: { http: debug, relp: debug, spool: debug, rules: debug } }
rules: [{ name: chatter, field: msg, regex: "^chatter", actions: [{ type: drop }] }]
`;
    const corndog = await (await Corndog.start(text)).started();
    /** The first event of this name, less what changes from run to run. */
    const told = async (event: string) => {
      const { at: _, ...rest } = await corndog.event(event);
      return rest;
    };
    try {
      const url = `http://127.0.0.1:${corndog.port("http")}`;
      const refused = await fetch(`${url}/nothing/here?token=secret`, { headers: { connection: "close" } });
      await refused.body?.cancel();
      assert.equal(refused.status, 404);
      const taken = await fetch(`${url}/v1/ingest`, { method: "POST", body: "<13>1 - h a - - - one\n" });
      await taken.body?.cancel();
      assert.ok(taken.ok, `${taken.status}`);
      const { status, code, method, path, level, component } = await told("http_request_refused");
      assert.deepEqual([status, method, path, level, component], [
        404,
        "GET",
        "/nothing/here",
        "debug",
        "http",
      ]);
      assert.equal(typeof code, "string");
      const { requests, reason } = await told("http_connection_ended");
      assert.deepEqual([requests, reason], [1, "asked"]);

      const relp = await dial(corndog.port("relp"));
      const line = "<13>1 - h a - - - two";
      const offers = "relp_version=0\nrelp_software=a sender\ncommands=syslog";
      relp.write(`1 open ${offers.length} ${offers}\n2 syslog ${line.length} ${line}\n`);
      await corndog.statsWhen("both deliveries", ({ ledger }) => ledger.delivered === 2);
      relp.write("3 close 0\n");
      relp.on("end", () => relp.end()).resume();
      const opened = await told("relp_session_opened");
      assert.deepEqual([opened.software, opened.level, opened.component], ["a sender", "debug", "relp"]);
      const ended = await told("relp_session_ended");
      assert.deepEqual([ended.lines, ended.unanswered, ended.reason], [1, 0, "close"]);

      assert.equal((await told("spool_segment_begun")).component, "spool");
      assert.equal((await told("spool_cursor_synced")).level, "debug");
      const compiled = await told("rules_compiled");
      assert.deepEqual([compiled.version, compiled.rules, compiled.component], [1, 1, "rules"]);
      assert.equal(await corndog.stop(), 0);
      const { segment, records } = await told("spool_segment_removed");
      assert.equal(segment, (await told("spool_segment_ended")).segment);
      assert.equal(records, 2);
      assert.ok(!JSON.stringify(corndog.logs).includes("secret"));
    } finally {
      await corndog.dispose();
      await broker.close();
    }
  });

  it("says at the start what is in force: on one page on a terminal, in one object elsewhere", async () => {
    const text = `listen: [{ syslog: "tcp://127.0.0.1:0" }, { http: "http://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:9"], topic: edge }
spool: { durability: os, bytes_max: 1GiB }
workers: 2
drain_timeout: 1s
rules: [rules.yml]
`;
    const rules = "rules: [{ name: all, regex: .*, actions: [{ type: forward, topic: logs-x }] }]\n";
    const corndog = await (await Corndog.start(text, { files: { "rules.yml": rules } })).started();
    let started: LogLine;
    try {
      started = await corndog.event("started");
      assert.deepEqual(started.listeners, [
        `syslog tcp://127.0.0.1:${corndog.port("tcp")}`,
        `http http://127.0.0.1:${String((started.listeners as string[])[1]).split(":").at(-1)}`,
      ]);
      assert.equal(started.pid, corndog.pid);
      assert.deepEqual([started.rules, started.rules_version], [1, 1]);
      assert.match(String(started.rules_hash), /^[0-9a-f]{12}$/);
      assert.match(String(started.rule_files), /rules\.yml$/);
      assert.deepEqual([started.topic, started.spool_bytes_max, started.workers], ["edge", "1GiB", 2]);
      assert.ok(["native", "uring"].includes(String(started.io)) && String(started.io_reason).length > 10);
      const { rules: { hash } } = await corndog.stats();
      assert.equal(hash, started.rules_hash);
    } finally {
      corndog.signal("SIGKILL");
      await corndog.dispose();
    }
    const dir = await mkdtemp(join(tmpdir(), "corndog-test-"));
    await writeFile(join(dir, "corndog.yml"), text);
    await writeFile(join(dir, "rules.yml"), rules);
    const environment = { ...process.env, TERM: "xterm", NO_COLOR: "1" };
    delete (environment as Record<string, unknown>)["CORNDOG_LOG"];
    // script gives it a terminal.
    const child = spawn("script", ["-qefc", `${corndogCommand().join(" ")} run`, "/dev/null"], {
      cwd: dir,
      env: environment,
      stdio: ["pipe", "pipe", "ignore"],
    });
    try {
      let seen = "";
      child.stdout!.on("data", (data) => seen += data);
      const closed = new Promise((resolve) => child.on("close", resolve));
      const page = await until(
        "the page",
        () => /info {2}started\r?\n(?: {2}.*\r?\n)+?(?: {2}log .*)/.exec(seen)?.[0],
        30_000,
      );
      for (
        const line of [
          /^ {2}corndog {4}\S+ on (bun|deno) .*, process \d+/m,
          /^ {2}config {5}\S+corndog\.yml/m,
          new RegExp(`^ {2}rules {6}1 in force, version 1, ${started.rules_hash}`, "m"),
          /^ {13}\S+rules\.yml/m,
          /^ {2}listen {5}syslog tcp:\/\/127\.0\.0\.1:\d+, http http:\/\/127\.0\.0\.1:\d+/m,
          /^ {2}workers {4}2, memory 256MiB/m,
          /^ {2}io {9}(native|uring) \(.+\)/m,
          /^ {2}sink {7}kafka, 127\.0\.0\.1:9, topic edge/m,
          /^ {2}spool {6}\S+ \(os\), at most 1GiB/m,
          /^ {2}admin {6}http:\/\/127\.0\.0\.1:\d+/m,
        ]
      ) assert.match(page, line);
      // Ctrl-C, as a person would.
      child.stdin!.write("\x03");
      await until("the drain", () => seen.includes("draining") || undefined);
      child.stdin!.write("\x03");
      await closed;
    } finally {
      child.kill("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    }
  });
});
