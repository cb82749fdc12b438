/**
 * Flags: what they mean, and what is said of those that mean nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { clobberCommand } from "../../../src/cli/clobber_command.ts";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { UsageError } from "../../../src/clobber/flags.ts";
import { type Inputs, readSettings } from "../../../src/clobber/options.ts";
import type { Settings } from "../../../src/clobber/settings.ts";
import { openAccess } from "../../../src/clobber/verify/access.ts";
import { readRate, readTarget, readTime } from "../../../src/clobber/units.ts";

const files: Readonly<Record<string, string>> = {
  "lines.log": "one\n\ntwo\nthree",
  "templates": "{{mark}} {{int(1,2)}}\nsecond\n",
  "token": "secret\n",
  "base.json": "[]",
};

/** Settings of a command line; `stdin` is what is piped in. */
function read(argv: readonly string[], stdin?: string): Promise<Settings> {
  const parsed = parseArguments(argv, clobberCommand.options);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.message);
  const readText = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  };
  const inputs: Inputs = {
    readText,
    readBytes: (path) => Buffer.from(readText(path)),
    stdin: () => Promise.resolve(stdin === undefined ? undefined : Buffer.from(stdin)),
    outputProblem: (path) => path.startsWith("absent/") ? "no such folder" : undefined,
    readAccess: (path) => {
      if (path !== "corndog.yml") throw new Error(`${path}:3:5: kafka.sasl.username: this key is missing`);
      return { ...openAccess, brokers: ["b1:9093", "b2:9093"], hasLogin: true };
    },
  };
  return readSettings(parsed.arguments, inputs);
}

describe("readSettings()", () => {
  it("sends syslog lines as fast as sockets take them when only a target is given", async () => {
    const { plan, pace, durationMs } = await read(["tcp://h:1"]);
    assert.equal(plan.work.kind, "syslog");
    assert.equal(plan.answer.kind, "none");
    assert.equal(pace.kind, "closed");
    assert.equal(durationMs, 10_000);
  });

  it("does what the flags of clobber did", async () => {
    const argv = [
      "--target",
      "127.0.0.1:7",
      "--connections",
      "100",
      "--rate",
      "500",
      "--threads",
      "2",
      "--duration",
      "1m30s",
    ];
    const { plan, pace, durationMs } = await read(
      [...argv, "--connect-timeout", "250", "--read-timeout", "750", "--limit", "10", "--repeat", "3"],
      "GET",
    );
    assert.equal(plan.target.url, "tcp://127.0.0.1:7");
    assert.deepEqual(plan.work, { kind: "payload", bytes: Buffer.from("GET") });
    assert.equal(plan.answer.kind, "any");
    assert.deepEqual([plan.connections, plan.threads, plan.limit, plan.repeat], [100, 2, 10, 3]);
    assert.deepEqual([plan.connectTimeoutMs, plan.readTimeoutMs, durationMs], [250, 750, 90_000]);
    assert.deepEqual(pace, { kind: "open", segments: [{ ms: 90_000, from: 500, to: 500 }] });
  });

  it("runs until the limit when there is one and no duration", async () => {
    assert.ok((await read(["h:1", "-l", "10"])).durationMs > 86_400_000);
  });

  it("sends a GET over HTTP, and a POST where there is a body", async () => {
    assert.deepEqual((await read(["http://h/"])).plan.http, { method: "GET", headers: [], batch: 0 });
    const post = await read(["http://h/", "--message", "json", "--batch", "20", "-H", "A: b"]);
    assert.deepEqual(post.plan.http, { method: "POST", headers: [["A", "b"]], batch: 20 });
  });

  it("reads files of lines, templates and payloads", async () => {
    const lines = (await read(["h:1", "--lines", "lines.log"])).plan.work;
    assert.ok(lines.kind === "messages");
    assert.deepEqual(lines.messages.map((line) => Buffer.from(line).toString()), ["one", "two", "three"]);
    const templates = (await read(["h:1", "--template-file", "templates"])).plan.work;
    assert.ok(templates.kind === "template" && templates.lines.length === 2);
    const payload = (await read(["h:1", "--payload", "a\\r\\n\\x00\\\\"])).plan.work;
    assert.ok(payload.kind === "payload");
    assert.deepEqual([...payload.bytes], [97, 13, 10, 0, 92]);
  });

  it("ends a run at the last stage", async () => {
    const { durationMs, pace } = await read(["h:1", "--stages", "0:1k,30s:5k"]);
    assert.equal(durationMs, 30_000);
    assert.deepEqual(pace, { kind: "open", segments: [{ ms: 30_000, from: 1000, to: 5000 }] });
  });

  it("verifies through Kafka or files", async () => {
    assert.deepEqual((await read(["h:1", "--verify", "kafka://a:1,b,[::1]/x,y-*"])).verify, {
      kind: "kafka",
      access: openAccess,
      brokers: ["a:1", "b:9092", "[::1]:9092"],
      topics: ["x", "y-*"],
    });
    assert.deepEqual((await read(["h:1", "--verify", "file:/data"])).verify, { kind: "file", dir: "/data" });
  });

  it("takes TLS, login and brokers of a configuration for --verify", async () => {
    const brokersOf = async (url: string): Promise<readonly string[]> => {
      const { verify } = await read(["h:1", "--verify", url, "--verify-config", "corndog.yml"]);
      assert.ok(verify?.kind === "kafka" && verify.access.hasLogin);
      return verify.brokers;
    };
    assert.deepEqual(await brokersOf("kafka:///logs"), ["b1:9093", "b2:9093"]);
    assert.deepEqual(await brokersOf("kafka://other:1/logs"), ["other:1"]);
  });

  it("does not say a password that stands where it does not belong", async () => {
    await assert.rejects(read(["h:1", "--verify", "kafka://user:secret@b:1/logs"]), (error) => {
      assert.match(String(error), /--verify-config/);
      assert.doesNotMatch(String(error), /secret/);
      return true;
    });
  });

  it("puts lines into bodies when it is said how many", async () => {
    const { plan } = await read(["http://h/", "--batch", "10"]);
    assert.deepEqual(plan.http, { method: "POST", headers: [], batch: 10 });
    assert.equal(plan.work.kind, "syslog");
  });

  it("uses no more threads than connections", async () => {
    assert.equal((await read(["h:1", "-c", "1"])).plan.threads, 1);
  });

  const wrong: readonly [argv: string[], message: RegExp][] = [
    [[], /no target/],
    [["h:1", "-t", "h:2"], /two targets/],
    [["ftp://h:1"], /no scheme that is known/],
    [["tcp://h"], /names no port/],
    [["h:99999"], /does not exist/],
    [["::1:514"], /in brackets/],
    [["tcp://h:1/path"], /only http and https/],
    [["h:1", "--rate", "fast"], /--rate: write messages per second/],
    [["h:1", "--rate", "0"], /--rate/],
    [["h:1", "--rate", "5", "--stages", "0:1"], /two different things/],
    [["h:1", "--stages", "5s:1k"], /begins at 0/],
    [["h:1", "--stages", "0:1k,5s:2k,3s:1k"], /moments go up/],
    [["h:1", "--stages", "0:0,5s:0"], /all rates are 0/],
    [["h:1", "-d", "10"], /--duration: write a time/],
    [["h:1", "-c", "0"], /--connections: write a number from 1/],
    [["h:1", "-c", "65535", "--idle-connections", "1"], /65535 connections in all/],
    [["h:1", "--max"], /nothing answers/],
    [["http://h/", "--concurrency", "12"], /write auto/],
    [["http://h/", "--find-max", "p99"], /no threshold/],
    [["h:1", "--confirm", "5s"], /belongs to --find-max/],
    [["h:1", "--find-step", "5s"], /belongs to --find-max/],
    [["http://h/", "--find-max", "p99<1s", "--confirm", "0s"], /longer than nothing/],
    [["h:1", "--find-max", "loss<1%"], /nothing answers.*--verify/],
    [["http://h/", "--find-max", "reorder<1%"], /not known for a single step/],
    [["http://h/", "--find-max", "e2e.p99<1s"], /known only with --verify/],
    [["h:1", "--fail", "p99"], /--fail: .*no threshold/],
    [["h:1", "--fail", "e2e.p99<1s"], /--verify/],
    [["h:1", "--fail", "achieved>0.9"], /--rate or --stages/],
    [["h:1", "--fail", "p99<1s"], /nothing answers/],
    [["h:1", "--syslog", "5425"], /write 5424 or 3164/],
    [["h:1", "--syslog", "5424", "--lines", "lines.log"], /both say what to send/],
    [["h:1", "--lines", "absent"], /cannot read absent/],
    [["h:1", "--template", "{{nope}}"], /unknown field/],
    [["h:1", "--method", "GET"], /belongs to http/],
    [["http://h/", "-H", "Bad"], /NAME: VALUE/],
    [["http://h/", "-H", "Content-Length: 3"], /made from the body/],
    [["http://h/", "--answer", "line"], /knows itself/],
    [["h:1", "--payload", "x", "--pipeline", "2"], /cannot be told apart/],
    [["h:1", "--fuzz", "flip"], /no way to be wrong/],
    [["udp://h:1", "--size", "70000"], /datagram holds/],
    [["h:1", "--lifetime", "60s..10s"], /time or a span/],
    [["h:1", "--verify", "redis://x"], /kafka:\/\/BROKER/],
    [["h:1", "--no-marks", "--verify", "file:/d"], /must carry marks/],
    [["h:1", "--template", "hello", "--verify", "file:/d"], /\{\{mark\}\}/],
    [["h:1", "--fuzz", "all", "--verify", "file:/d"], /leave out --fuzz/],
    [["h:1", "--token-file", "token"], /belongs to --admin/],
    [["h:1", "--compare", "base.json"], /not what --json writes/],
    [["tls://h:1", "--cert", "token"], /go together/],
    [["h:1", "--insecure"], /--insecure: belongs to tls/],
    [["h:1", "--pipeline", "4"], /--bundle/],
    [["udp://h:1", "--bundle", "4"], /written by itself/],
    [["udp://h:1", "--slow-readers", "4"], /no connections/],
    [["h:1", "--deadline", "1s"], /--verify/],
    [["h:1", "--precise"], /nothing is due/],
    [["http://h/", "--find-max", "p99<1s", "-d", "10s"], /ends by itself/],
    [["h:1", "--lines", "lines.log", "--size", "100"], /something else is sent/],
    [["http://h/", "--no-marks"], /something else is sent/],
    [["http://h/", "--batch", "2", "--framing", "octet"], /--framing: belongs to lines/],
    [["h:1", "--field", "a=b"], /belongs to --template/],
    [["http://h/", "--payload", "x", "--batch", "2"], /one body/],
    [["h:1", "-d", "0s"], /longer than nothing/],
    [["h:1", "--payload", "x", "--read-timeout", "0"], /longer than nothing/],
    [["h:1", "--stages", "0:1k,0:2k"], /last moment is 0/],
    [["h:1", "--html", "absent/r.html"], /cannot write absent\/r.html: no such folder/],
    [["h:1", "--verify-config", "corndog.yml"], /belongs to --verify/],
    [["h:1", "--verify", "file:/d", "--verify-config", "corndog.yml"], /belongs to --verify kafka/],
    [["h:1", "--verify", "kafka:///logs"], /names no broker/],
    [["h:1", "--verify", "kafka:///logs", "--verify-config", "wrong.yml"], /wrong.yml:3:5: .*username/],
  ];
  for (const [argv, message] of wrong) {
    it(`says what is wrong with ${argv.join(" ") || "nothing"}`, async () => {
      await assert.rejects(read(argv), (error) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

describe("units", () => {
  it("read what people write", () => {
    assert.deepEqual(["50k", "1.5M", "800/s", "x"].map(readRate), [50_000, 1_500_000, 800, undefined]);
    assert.deepEqual(["1m30s", "0.5s", "250ms", "0", "10", ""].map(readTime), [
      90_000,
      500,
      250,
      0,
      undefined,
      undefined,
    ]);
  });

  it("readTarget() knows addresses of all kinds", () => {
    const cases: readonly [text: string, scheme: string, host: string, port: number, path: string][] = [
      ["localhost:1514", "tcp", "localhost", 1514, ""],
      ["tls://logs.example", "tls", "logs.example", 6514, ""],
      ["udp://[::1]:514", "udp", "::1", 514, ""],
      ["relp://h", "relp", "h", 2514, ""],
      ["unix:///run/x.sock", "unix", "", 0, "/run/x.sock"],
      ["http://h", "http", "h", 80, "/"],
      ["https://h/a?b#c", "https", "h", 443, "/a?b"],
      ["HTTP://h:81?x", "http", "h", 81, "/?x"],
    ];
    for (const [text, scheme, host, port, path] of cases) {
      const target = readTarget(text);
      assert.ok(typeof target !== "string", String(target));
      assert.deepEqual([target.scheme, target.host, target.port, target.path], [scheme, host, port, path]);
    }
  });
});
