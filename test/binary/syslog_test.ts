/**
 * What a listener does with lines that are not as they should be, in the running program.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `
listen:
  - { syslog: "tcp://127.0.0.1:0", frame_max: 1KiB, oversize: split, timezone: America/New_York, unparsed: dead_letter }
  - { syslog: "tcp://127.0.0.1:0", frame_max: 512, join: { wait: 300ms } }
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
dead_letter: { file: dead.ndjson }
rules:
  - { regex: ".*", actions: [{ type: forward, topic: out, value: json }] }
`;

/** Ports of the listeners, in the order of the configuration. */
function ports(corndog: Corndog): number[] {
  const listening = corndog.logs.filter(({ event }) => event === "listening");
  return listening.map(({ address }) => Number(String(address).split(":").pop()));
}

/** Records of the file sink: their JSON value and flags. */
async function records(dir: string): Promise<{ value: Record<string, string>; flags: string | undefined }[]> {
  const folder = join(dir, "out", "out");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".ndjson")).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts.join("").trim().split("\n").map((line) => {
    const { value, headers } = JSON.parse(line) as { value: string; headers?: Record<string, string> };
    return { value: JSON.parse(value), flags: headers?.["corndog.flags"] };
  });
}

describe("a syslog listener", () => {
  it("splits, joins, marks, dates and refuses lines as it says, and the ledger balances", async () => {
    const corndog = await (await Corndog.start(config)).started();
    try {
      const [first, second] = ports(corndog);
      const long = `<13>1 - h split - - - ${"x".repeat(2_500)}`;
      const one = await dial(first!);
      await write(one, `<13>Jan  2 03:04:05 h dated: a\nplain text\n${long}\n<13>a`);
      await finish(one);
      const two = await dial(second!);
      await write(
        two,
        `<13>1 - h joined - - - trace\n at x\n\n at y\n<13>1 - h cut - - - ${"y".repeat(600)}\n`,
      );
      const stats = await corndog.statsWhen(
        "all lines",
        ({ ledger }) => ledger.delivered === 7 && ledger.dead_lettered === 1,
      );
      // A continuation that comes too late is a line of its own, and the connection is still there for it.
      await write(two, " late\n");
      await finish(two);
      const { ledger, totals, senders } = await corndog.statsWhen(
        "the late line",
        (s) => s.ledger.delivered === 8,
      );
      assert.deepEqual(
        [stats.ledger.received, stats.ledger.split, stats.ledger.joined, ledger.balanced],
        [9, 2, 3, true],
      );
      assert.equal(totals.frames_truncated, 1);
      assert.deepEqual(senders, { "127.0.0.1": { oversize: 2, unparsed: 2, damaged: 0 } });
      assert.equal(await corndog.stop(), 0);

      const got = await records(corndog.dir);
      const of = (appname: string) => got.filter(({ value }) => value.appname === appname);
      assert.match(of("dated")[0]!.value.timestamp!, /^\d{4}-01-02T03:04:05-05:00$/);
      assert.equal(of("dated")[0]!.value.timestamp_raw, "Jan  2 03:04:05");
      const parts = got.filter(({ flags }) => flags?.startsWith("split"));
      assert.deepEqual(parts.map(({ flags }) => flags), ["split", "split continued", "split continued"]);
      assert.equal(parts.map(({ value }) => value.msg).join(""), "x".repeat(2_500));
      assert.equal(of("joined")[0]!.value.msg, "trace\n at x\n\n at y");
      assert.equal(of("cut")[0]!.flags, "truncated");
      assert.equal(got.find(({ flags }) => flags === "unparsed")!.value.msg, " late");
      const letters = (await readFile(join(corndog.dir, "dead.ndjson"), "utf8")).trim().split("\n");
      assert.deepEqual(letters.map((line) => JSON.parse(line)).map(({ reason, value }) => [reason, value]), [
        ["unparsed", "plain text"],
      ]);
    } finally {
      await corndog.dispose();
    }
  });

  it("names TLS and HTTP that are spoken to it, and takes lines as before", async () => {
    const corndog = await (await Corndog.start(config)).started();
    try {
      const [port] = ports(corndog);
      const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`], { stdio: "ignore" });
      const closed = new Promise((resolve) => client.once("close", resolve));
      const named = (code: string) =>
        until(
          code,
          () => corndog.logs.find((line) => line.event === "connection_failed" && line.code === code),
        );
      assert.match(String((await named("tls_on_syslog_port")).problem), /tls:\/\//);
      await closed;
      const http = await dial(port!);
      await write(http, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.match(String((await named("http_on_syslog_port")).problem), /http:/);
      http.destroy();
      const socket = await dial(port!);
      await write(socket, Buffer.from("<13>1 - h a - - - still here\n"));
      await finish(socket);
      const { ledger, totals } = await corndog.statsWhen("the line", (s) => s.ledger.delivered === 1);
      assert.equal(ledger.received, 1);
      assert.equal(totals.connections_foreign, 2);
      const metrics = await (await fetch(`${corndog.admin}/metrics`)).text();
      assert.match(metrics, /^corndog_connections_foreign_total 2$/m);
    } finally {
      await corndog.dispose();
    }
  });
});
