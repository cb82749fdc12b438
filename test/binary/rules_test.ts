/**
 * Rules as a user meets them, through processes and HTTP: tests, explanations, watching, traces and rollback. Runs on
 * both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const rules = (topic: string, wanted = topic) =>
  `rules:
  - name: by-topic
    jmespath: topic
    actions:
      - { type: forward, topic: "{{value}}", key: "{{hostname}}" }
  - name: logins
    regex: '^login (?P<user>\\S+)'
    actions:
      - { type: replace, template: "{{user}}" }
      - { type: forward, topic: ${topic} }
tests:
  - name: a login
    input: "<13>1 2026-01-02T03:04:05Z web app - - - login ada"
    expect: { topic: ${wanted}, text: ada, matched: [logins] }
`;
const login = "<13>1 2026-01-02T03:04:05Z web app - - - login ada";
const chosen = '<13>1 2026-01-02T03:04:05Z web app - - - {"topic":"secret"}';

describe("corndog test", () => {
  let dir: string;
  let running: Corndog[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "corndog-rules-"));
    running = [];
  });
  afterEach(async () => {
    for (const corndog of running) {
      if (corndog.exitCode !== undefined) continue;
      corndog.signal("SIGKILL");
      await corndog.ended();
    }
    await rm(dir, { recursive: true, force: true });
  });

  async function start(text: string, args: string[]): Promise<Corndog> {
    await writeFile(join(dir, "rules.yml"), text);
    await writeFile(join(dir, "example.log"), `${login}\n${chosen}\n`);
    const corndog = Corndog.spawn(dir, ["test", "--rules", "rules.yml", ...args], { NO_COLOR: "1" });
    running.push(corndog);
    return corndog;
  }

  it("exits 0 when all tests pass", async () => {
    const corndog = await start(rules("logs-auth"), []);
    assert.equal(await corndog.ended(), 0, corndog.stderr);
    assert.equal(corndog.stdout, "ok    a login\n1 passed, 0 failed\n");
  });

  it("exits 1 and shows what came instead when a test fails", async () => {
    const corndog = await start(rules("logs-auth", "logs-login"), []);
    assert.equal(await corndog.ended(), 1);
    assert.equal(
      corndog.stdout,
      `FAIL  a login  (rules.yml:12)
      input: ${login}
      matched: logins
      topic
        - "logs-login"
        + "logs-auth"
0 passed, 1 failed (- wanted, + came)
`,
    );
  });

  it("--json writes one object per test", async () => {
    const corndog = await start(rules("logs-auth", "logs-login"), ["--json"]);
    assert.equal(await corndog.ended(), 1);
    const [result] = corndog.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(result.name, "a login");
    assert.equal(result.ok, false);
    assert.deepEqual(result.failed[0].differences[0].lines, [
      { mark: "-", text: '"logs-login"' },
      { mark: "+", text: '"logs-auth"' },
    ]);
  });

  it("LOG shows for each line what would be sent, and what the topic gate would refuse", async () => {
    const corndog = await start(rules("logs-auth"), ["example.log"]);
    assert.equal(await corndog.ended(), 0, corndog.stderr);
    assert.equal(
      corndog.stdout,
      `Line 1 matches on:
\t - logins
\t => topic logs-auth (changed): ada
Line 2 matches on:
\t - by-topic
\t => dead letter: topic_not_allowed: the line chose topic "secret"
`,
    );
  });

  it("LOG with --json says the same to programs", async () => {
    const corndog = await start(rules("logs-auth"), ["--json", "example.log"]);
    assert.equal(await corndog.ended(), 0, corndog.stderr);
    const [one, two] = corndog.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(one.matched, [{ rule: 1, name: "logins" }]);
    assert.equal(one.result.records[0].value, "ada");
    assert.equal(two.result.records[0].topic, "secret");
    assert.equal(two.result.records[0].refused, "topic_not_allowed");
  });

  it("LOG with --explain names each rule that was tried, and why it did not match", async () => {
    const corndog = await start(rules("logs-auth"), ["--explain", "example.log"]);
    assert.equal(await corndog.ended(), 0, corndog.stderr);
    for (
      const shown of [
        /Line 1\n/,
        / {2}hostname +web\n/,
        / {2}- by-topic +[0-9.]+ [µm]s {2}msg jmespath topic: msg is not JSON, msg is "login ada"\n/,
        / {2}\+ logins +[0-9.]+ [µm]s {2}msg regex \^login/,
        / {6}user = ada\n/,
        / {6}replace +[0-9.]+ [µm]s {2}the value is now ada\n/,
        / {6}forward +[0-9.]+ [µm]s {2}topic logs-auth \(changed\): ada\n/,
        / {2}not tried: 1 behind it\n/,
      ]
    ) assert.match(corndog.stdout, shown);
  });

  it("--explain without LOG shows the way of a line whose test fails", async () => {
    const corndog = await start(rules("logs-auth", "logs-login"), ["--explain"]);
    assert.equal(await corndog.ended(), 1);
    assert.match(corndog.stdout, /Input 1 of a login\n[^]*\+ logins/);
  });

  it("names faults of the rules with their place, and exits 1", async () => {
    const faulty = await start(rules("logs-auth").replace("\\S+)", "\\S+"), ["--explain", "example.log"]);
    assert.equal(await faulty.ended(), 1);
    assert.match(faulty.stdout + faulty.stderr, /rules\.yml:\d+:\d+: rules\.1\.regex/);
  });

  it("--watch tests again when a rule file changes, and writes no control codes to a pipe", async () => {
    const corndog = await start(rules("logs-auth"), ["--watch"]);
    const said = (what: string) =>
      until(
        `"${what}" in the output:\n${corndog.stdout}`,
        () => corndog.stdout.includes(what) || undefined,
        20_000,
      );
    await said("run 1;");
    await writeFile(join(dir, "rules.yml"), rules("logs-auth", "logs-login"));
    await said("run 2;");
    await writeFile(join(dir, "rules.yml"), "rules: 3\n");
    await said("run 3;");
    await writeFile(join(dir, "rules.yml"), `${rules("logs-auth")}# mended\n`);
    await said("run 4;");
    const runs = corndog.stdout.split(/run \d; tests again when a rule file changes\n/);
    assert.equal(runs[0], "ok    a login\n1 passed, 0 failed\n");
    assert.match(runs[1]!, /^warning: rules\.yml:5:33: .*\nFAIL {2}a login/);
    assert.match(runs[2]!, /^rules\.yml:1:8: rules: /);
    assert.match(runs[3]!, /ok {4}a login\n1 passed, 0 failed\n$/);
    assert.ok(!corndog.stdout.includes("\x1b"));
    assert.equal(corndog.exitCode, undefined);
  });

  it("--watch refuses standard input with 2", async () => {
    const corndog = await start(rules("logs-auth"), ["--watch", "-"]);
    assert.equal(await corndog.ended(), 2);
  });
});

describe("POST /admin/rules", () => {
  const config = `
listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
workers: 2
rules: [rules.yml]
`;
  let corndog: Corndog;

  beforeEach(async () => {
    corndog = await (await Corndog.start(config, { files: { "rules.yml": rules("logs-auth") } })).started();
  });
  afterEach(() => corndog.dispose());

  const post = async (path: string, body?: unknown) => {
    const response = await fetch(`${corndog.admin}/admin/rules/${path}`, {
      method: "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };

  it("trace tells a line's way through the rules in force, and sends nothing", async () => {
    const { status, body } = await post("trace", { line: login, peer: "192.0.2.7:514" });
    assert.equal(status, 200);
    assert.equal(body.version, 1);
    assert.equal(body.trace.fields.peer, "192.0.2.7:514");
    const [first, second] = body.trace.rules;
    assert.deepEqual([first.name, first.matched], ["by-topic", false]);
    assert.match(first.why, /not JSON/);
    assert.deepEqual([second.name, second.matched], ["logins", true]);
    assert.deepEqual(second.variables, { user: "ada" });
    assert.deepEqual(second.actions.map((action: { did: string }) => action.did), ["changed", "sent"]);
    assert.equal(body.trace.result.records[0].topic, "logs-auth");
    const stats = await corndog.stats();
    assert.equal(stats.ledger.received, 0);
    assert.deepEqual(stats.rules.never_hit, ["by-topic", "logins"]);
  });

  it("trace says what the topic gate would refuse", async () => {
    const { body } = await post("trace", { line_b64: Buffer.from(chosen).toString("base64") });
    assert.equal(body.trace.result.records[0].refused, "topic_not_allowed");
  });

  it("trace tries other rules without putting them in force, and names their faults", async () => {
    const { status, body } = await post("trace", { line: login, rules: rules("elsewhere") });
    assert.equal(status, 200);
    assert.equal(body.version, undefined);
    assert.equal(body.trace.result.records[0].topic, "elsewhere");
    const faulty = await post("trace", { line: login, rules: "rules: [{ regex: '(', actions: [] }]" });
    assert.equal(faulty.status, 422);
    assert.match(faulty.body.faults[0].text, /^rules:1:\d+: rules\.0\.regex/);
    assert.equal((await corndog.stats()).rules.version, 1);
  });

  it("trace does not hold up lines, and tells when a line was cut", async () => {
    const { body } = await post("trace", { line: `<13>1 - - - - - - ${"a".repeat(100_000)}` });
    assert.equal(body.truncated, true);
    const socket = await dial(corndog.port("tcp"));
    await write(socket, `${login}\n`);
    await finish(socket);
    const stats = await corndog.statsWhen("delivered", (s) => s.ledger.delivered === 1);
    assert.deepEqual(stats.rules.never_hit, ["by-topic"]);
  });

  it("rollback puts the former text in force for lines that come, and back again", async () => {
    const none = await post("rollback");
    assert.equal(none.status, 409);
    assert.match(none.body.detail, /rules\.yml/);
    const put = await fetch(`${corndog.admin}/admin/rules`, { method: "PUT", body: rules("logs-new") });
    assert.equal(put.status, 200, await put.text());
    const back = await post("rollback");
    assert.equal(back.status, 200);
    assert.deepEqual(back.body, { ok: true, version: 3, rules: 2, tests: 1 });
    assert.equal(await readFile(join(corndog.dir, "rules.yml"), "utf8"), rules("logs-auth"));
    const socket = await dial(corndog.port("tcp"));
    await write(socket, `${login}\n`);
    await finish(socket);
    const stats = await corndog.statsWhen("delivered", (s) => s.ledger.delivered === 1);
    assert.deepEqual(stats.rules.hits.map(({ rule, hits }) => [rule, hits]), [["by-topic", 0], [
      "logins",
      1,
    ]]);
    assert.deepEqual(Object.keys(stats.kafka.topics), ["logs-auth"]);
    assert.equal((await post("rollback")).body.version, 4);
    assert.equal(await readFile(join(corndog.dir, "rules.yml"), "utf8"), rules("logs-new"));
  });

  it("rollback of a text whose tests fail changes nothing", async () => {
    await fetch(`${corndog.admin}/admin/rules`, { method: "PUT", body: rules("logs-new") });
    await writeFile(join(corndog.dir, "rules.yml.previous"), rules("logs-auth", "logs-login"));
    const back = await post("rollback");
    assert.equal(back.status, 422);
    assert.match(
      back.body.faults[0].text,
      /Test "a login" failed: topic: wanted "logs-login", came "logs-auth"/,
    );
    assert.equal(await readFile(join(corndog.dir, "rules.yml"), "utf8"), rules("logs-new"));
  });
});
