/**
 * Lines of a running corndog as they pass.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import type { TapEvent } from "../../src/admin/tap_view.ts";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: blackhole
kafka: { topics: { allow: ["logs-*"] } }
workers: 1
rules:
  - name: auth
    field: appname
    equals: sshd
    actions: [{ type: forward, topic: logs-auth }]
  - name: secret
    field: appname
    equals: vault
    actions: [{ type: redact, patterns: [email] }]
`;

const line = (app: string, text: string) => `<38>1 2026-01-02T03:04:05Z web-1 ${app} - - - ${text}\n`;

describe("corndog tap", () => {
  let corndog: Corndog;
  let socket: Socket;
  before(async () => {
    corndog = await (await Corndog.start(config)).started();
    socket = connect(corndog.port("tcp"), "127.0.0.1");
    socket.on("error", () => {});
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  });
  after(async () => {
    socket.destroy();
    await corndog.dispose();
  });

  /** Runs a tap while lines pass, until it ends by itself. */
  async function tap(...args: string[]): Promise<{ events: TapEvent[]; code: number | null }> {
    const [command, ...first] = corndogCommand();
    const child = spawn(command!, [...first, "tap", "--json", "--admin", corndog.admin, ...args]);
    let seen = "";
    child.stdout.on("data", (data) => seen += data);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    let code: number | null | undefined;
    void ended.then((value) => code = value);
    await until("the tap's end", () => {
      if (code === undefined) {
        socket.write(line("sshd", "in") + line("nginx", "GET /") + line("vault", "a@b.example"));
      }
      return code !== undefined || undefined;
    });
    return { events: seen.trim().split("\n").map((text) => JSON.parse(text)), code: code! };
  }

  it("shows lines with rule, topics and header, and no text", async () => {
    const { events, code } = await tap("--limit", "20");
    assert.equal(code, 0);
    const auth = events.find(({ rule }) => rule === "auth")!;
    assert.deepEqual(
      [auth.topics, auth.outcome, auth.hostname, auth.appname, auth.severity, auth.connection, auth.text],
      [["logs-auth"], "forward", "web-1", "sshd", "info", "0-1", undefined],
    );
    assert.ok(events.some(({ appname, outcome }) => appname === "nginx" && outcome === "default"));
  });

  it("shows only what the filter asks for, with its text", async () => {
    const { events } = await tap("--limit", "5", "--field", "appname=nginx", "--payload");
    assert.deepEqual(new Set(events.map(({ appname }) => appname)), new Set(["nginx"]));
    assert.match(events[0]!.text!, /^<38>1 .* GET \/$/);
  });

  it("never shows the text of a line that a rule has redacted", async () => {
    const { events } = await tap("--limit", "5", "--field", "appname=vault", "--payload");
    for (const event of events) assert.equal(event.text, undefined);
  });

  it("follows lines to their end with --trace, with each stage's time", async () => {
    const { events } = await tap("--limit", "6", "--trace", "--field", "appname=sshd");
    for (const { trace, topics } of events) {
      assert.deepEqual(topics, ["logs-auth"]);
      assert.deepEqual(trace!.steps.map(({ stage }) => stage), ["intake", "rules", "batch", "sink"]);
      assert.equal(trace!.end, "delivered");
      assert.deepEqual(trace!.steps.map(({ topic }) => topic), [
        undefined,
        undefined,
        "logs-auth",
        "logs-auth",
      ]);
      // Each stage begins where the one before it ended, and together they are the whole.
      let atMs = 0;
      for (const { at_ms, ms } of trace!.steps) {
        assert.ok(Math.abs(at_ms - atMs) < 0.01, JSON.stringify(trace));
        atMs = at_ms + ms;
      }
      assert.ok(atMs <= trace!.ms + 0.01, JSON.stringify(trace));
    }
  });

  it("leaves counters as they are, and the ledger balanced", async () => {
    const { ledger, rules } = await corndog.statsWhen("quiet", (stats) => stats.ledger.in_flight === 0);
    assert.equal(ledger.balanced, true);
    assert.equal(ledger.received % 3, 0);
    assert.equal(rules.hits.find(({ rule }) => rule === "auth")!.hits, ledger.received / 3);
  });

  it("answers 429 when four look already", async () => {
    const open = await Promise.all([1, 2, 3, 4].map(() => fetch(`${corndog.admin}/admin/tap`)));
    assert.deepEqual(open.map(({ status }) => status), [200, 200, 200, 200]);
    const fifth = await fetch(`${corndog.admin}/admin/tap`);
    assert.equal(fifth.status, 429);
    await fifth.body?.cancel();
    await Promise.all(open.map(({ body }) => body!.cancel()));
    await until("room for one more", async () => {
      const next = await fetch(`${corndog.admin}/admin/tap`);
      await next.body?.cancel();
      return next.status === 200 || undefined;
    });
  });
});
