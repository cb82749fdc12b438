import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { allCommands } from "../../../src/cli/cli.ts";
import { ForwarderError } from "../../../src/core/errors.ts";
import { version } from "../../../src/version.ts";
import type { Config } from "../../../src/config/config.ts";
import { type Called, cli, type Ran } from "./fake_io.ts";

const folder = mkdtempSync(join(tmpdir(), "corndog-cli-"));
after(() => rmSync(folder, { recursive: true }));
const empty = join(folder, "empty");
mkdirSync(empty);
writeFileSync(
  join(folder, "corndog.yml"),
  "kafka: { topic: mine }\nrules:\n  - { name: all, regex: '.*', actions: [{ type: forward, topic: t }] }\n",
);
writeFileSync(join(folder, "bad.yml"), "sink: kafak\nkafka: { sasl: { password: hunter2 } }\n");
writeFileSync(join(folder, "odd.yml"), "sink: file\nkafka: { brokers: k }\n");
writeFileSync(
  join(folder, "secret.yml"),
  "kafka: { brokers: k, tls: true, sasl: { mechanism: plain, username: u, password: hunter2 } }\n",
);
writeFileSync(join(folder, "rules.yml"), "rules: []\n");

/** The configuration a command was called with. */
function configOf(call: Called): Config {
  assert.ok("config" in call, `${call.name} has a configuration`);
  return call.config;
}

const at = (argv: string[], more = {}): Promise<Ran> => cli(argv, { cwd: folder, ...more });

const usage: { name: string; argv: string[]; err: string }[] = [
  {
    name: "a command is misspelt",
    argv: ["chekc"],
    err:
      'corndog: unknown command "chekc"; did you mean "corndog check"?\ncorndog --help lists the commands\n',
  },
  {
    name: "a file stands for a command",
    argv: ["x.yml"],
    err:
      'corndog: unknown command "x.yml"; to run this file: corndog run -c x.yml\ncorndog --help lists the commands\n',
  },
  {
    name: "an option is misspelt",
    argv: ["run", "--confg", "x"],
    err:
      'corndog: unknown option --confg; did you mean "--config"?\nUsage: corndog run [-c FILE] [--rules PATH]... [--set KEY=VALUE]...\ncorndog run --help tells more\n',
  },
  {
    name: "an option has no value",
    argv: ["run", "-c"],
    err:
      "corndog: -c wants a value: -c FILE\nUsage: corndog run [-c FILE] [--rules PATH]... [--set KEY=VALUE]...\ncorndog run --help tells more\n",
  },
  {
    name: "an option is given twice",
    argv: ["check", "-c", "a", "--config=b"],
    err:
      "corndog: --config is given twice; keep one\nUsage: corndog check [-c FILE] [--rules PATH]... [--set KEY=VALUE]... [--print]\ncorndog check --help tells more\n",
  },
  {
    name: "a switch has a value",
    argv: ["check", "--print=1"],
    err:
      "corndog: --print takes no value\nUsage: corndog check [-c FILE] [--rules PATH]... [--set KEY=VALUE]... [--print]\ncorndog check --help tells more\n",
  },
  {
    name: "the shell expanded a pattern",
    argv: ["run", "--rules", "a.yml", "b.yml"],
    err:
      "corndog: run does not take the argument \"b.yml\"; quote a pattern ('rules/*.yml') or write --rules before each file\nUsage: corndog run [-c FILE] [--rules PATH]... [--set KEY=VALUE]...\ncorndog run --help tells more\n",
  },
  {
    name: "options stand before the command",
    argv: ["-c", "corndog.yml", "check"],
    err:
      "corndog: the command stands first: corndog check -c corndog.yml\ncorndog --help lists the commands\n",
  },
  {
    name: "a demo is to last for no time",
    argv: ["demo", "--duration", "0"],
    err: "corndog: --duration: write a time from 1ms to 24h\n",
  },
  {
    name: "a demo's time has no unit",
    argv: ["demo", "--duration", "5"],
    err: 'corndog: --duration: "5" has no unit; write 5ms, 5s or 5m\n',
  },
];

for (const { name, argv, err } of usage) {
  test(`runCli() answers with 2 and the cure when ${name}`, async () => {
    const ran = await at(argv);
    assert.deepEqual({ exitCode: ran.exitCode, out: ran.out, err: ran.err, called: ran.called.length }, {
      exitCode: 2,
      out: "",
      err,
      called: 0,
    });
  });
}

test("runCli() shows the help on stderr with 2 when there are no arguments", async () => {
  const ran = await at([]);
  assert.equal(ran.exitCode, 2);
  assert.equal(ran.out, "");
  assert.match(ran.err, /Usage: corndog COMMAND/);
});

test("runCli() gives help for everything", async () => {
  const top = await at(["--help"]);
  assert.equal(top.exitCode, 0);
  for (const command of allCommands) {
    assert.ok(top.out.includes(`  ${command.name} `), command.name);
    for (const argv of [[command.name, "--help"], [command.name, "-h"], ["help", command.name]]) {
      const ran = await at(argv);
      assert.equal(ran.exitCode, 0);
      assert.ok(ran.out.startsWith(`corndog ${command.name}: `), argv.join(" "));
      for (const option of command.options) assert.ok(ran.out.includes(`--${option.name}`), option.name);
      assert.equal(ran.called.length, 0);
    }
  }
});

test("help texts fit a terminal of 120 columns", async () => {
  for (const argv of [["--help"], ...allCommands.map(({ name }) => [name, "--help"])]) {
    for (const line of (await at(argv)).out.split("\n")) assert.ok(line.length <= 120, line);
  }
});

test("version is that of package.json, and -V, --version and version write it", async () => {
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.equal(version, manifest.version);
  for (const argv of [["-V"], ["--version"], ["version"]]) {
    assert.equal((await at(argv)).out, `corndog ${version}\n`);
  }
});

const calls: { argv: string[]; name: string; topic?: string; log?: string | undefined; json?: boolean }[] = [
  { argv: ["run"], name: "run", topic: "mine" },
  { argv: ["run", "-c", "corndog.yml"], name: "run", topic: "mine" },
  { argv: ["run", "-ccorndog.yml"], name: "run", topic: "mine" },
  { argv: ["run", "--set", "kafka.topic=a", "--set=kafka.topic=b"], name: "run", topic: "b" },
  { argv: ["-c", "corndog.yml"], name: "run", topic: "mine" },
  { argv: ["--config=corndog.yml", "--set", "kafka.topic=c"], name: "run", topic: "c" },
  { argv: ["-c", "corndog.yml", "-t", "x.log"], name: "testRules", topic: "mine", log: "x.log" },
  { argv: ["-t", "-"], name: "testRules", topic: "mine", log: "-" },
  { argv: ["test", "--json", "x.log"], name: "testRules", log: "x.log", json: true },
  { argv: ["test", "-"], name: "testRules", log: "-" },
  { argv: ["test", "--", "-x.log"], name: "testRules", log: "-x.log" },
  { argv: ["test"], name: "testRules", log: undefined },
  { argv: ["demo", "--duration=5m"], name: "demo", topic: "logs" },
];

for (const { argv, name, topic, log, json } of calls) {
  test(`runCli() calls ${name} for corndog ${argv.join(" ")}`, async () => {
    const ran = await at(argv);
    assert.equal(ran.err, "");
    assert.equal(ran.exitCode, 0);
    assert.deepEqual(ran.called.map((call) => call.name), [name]);
    const [call] = ran.called;
    if (topic !== undefined) assert.equal(configOf(call!).kafka.topic, topic);
    if (call!.name === "testRules") {
      assert.deepEqual(call!.options, { log, json: json ?? false, explain: false, watch: undefined });
    }
    if (call!.name === "demo") assert.equal(call!.options.durationMs, 300_000);
  });
}

test("run gives what reads the same configuration again, with the same overrides", async () => {
  const path = join(folder, "again.yml");
  writeFileSync(path, "kafka: { topic: before }\nworkers: 1\n");
  const ran = await at(["run", "-c", "again.yml", "--set", "workers=3"]);
  const [call] = ran.called;
  assert.ok(call?.name === "run");
  writeFileSync(path, "kafka: { topic: after }\nworkers: 1\n");
  const again = call.options.readConfig();
  assert.ok(again.ok);
  assert.deepEqual([call.config.kafka.topic, again.config.kafka.topic, again.config.workers], [
    "before",
    "after",
    3,
  ]);
});

test("demo takes neither a file nor the environment's Kafka", async () => {
  const ran = await at(["demo"], { env: { KAFKA_BROKER: "k:1" } });
  assert.equal(configOf(ran.called[0]!).file, undefined);
  assert.equal(configOf(ran.called[0]!).sink, "file");
});

test("run refuses a faulty configuration with 78 and names places relative to where one stands", async () => {
  const ran = await at(["run", "-c", "bad.yml"]);
  assert.equal(ran.exitCode, 78);
  assert.equal(ran.called.length, 0);
  const [first, ...rest] = ran.err.trimEnd().split("\n");
  assert.equal(
    first,
    'bad.yml:1:7: sink: "kafak" is not one of: kafka, file, stdout, blackhole; did you mean "kafka"?',
  );
  assert.match(rest.at(-1)!, /^corndog: \d faults in the configuration; nothing was started$/);
  assert.ok(!ran.err.includes("hunter2"));
});

test("run refuses rules that do not compile with 78", async () => {
  const fault = {
    file: join(folder, "corndog.yml"),
    line: 3,
    column: 5,
    path: "rules.0.regex",
    message: "m",
  };
  const ran = await at(["run"], { ruleFaults: [fault] });
  assert.equal(ran.exitCode, 78);
  assert.equal(
    ran.err,
    "corndog.yml:3:5: rules.0.regex: m\ncorndog: 1 fault in the configuration; nothing was started\n",
  );
});

test("check compiles what has the right shape beside other faults, and sorts all by file and line", async () => {
  const [main, more] = [join(folder, "mixed.yml"), join(folder, "more.yml")];
  const rule = "{ regex: x, actions: [{ type: stop }] }";
  writeFileSync(main, `rules:\n  - ${rule}\n  - more.yml\n  - 7\n  - ${rule}\nsink: 3\n`);
  writeFileSync(more, `rules:\n  - ${rule}\n  - { regex: x }\n`);
  const compiled = (file: string, line: number) => ({ file, line, column: 1, path: "rules.x", message: "m" });
  const ruleFaults = [
    compiled(more, 2),
    compiled(main, 5),
    compiled(main, 2),
    { file: main, line: 0, column: 0, path: "sink", message: "said again" },
  ];
  for (const argv of [["check"], ["run"], ["test"]]) {
    const ran = await at([...argv, "-c", "mixed.yml"], { ruleFaults });
    const places = ran.err.split("\n").flatMap((line) => line.match(/^(?:mixed|more)\.yml:\d*/) ?? []);
    assert.deepEqual(places, [
      "mixed.yml:2",
      "mixed.yml:4",
      "mixed.yml:5",
      "mixed.yml:6",
      "more.yml:2",
      "more.yml:3",
    ]);
    assert.deepEqual(ran.checked.at(-1)?.rules.map(({ file, path }) => [file, path]), [
      [main, "rules.0"],
      [more, "rules.0"],
      [main, "rules.3"],
    ]);
  }
});

test("check answers with 0 and a summary, or with 1 and all faults", async () => {
  const fine = await at(["check"]);
  assert.deepEqual([fine.exitCode, fine.err], [0, ""]);
  assert.equal(
    fine.out,
    "corndog.yml: fine: 3 listeners, 1 rule, 0 tests, sink file, 0 warnings\n",
  );
  const beside = await at(["check", "-c", join(folder, "corndog.yml")], { cwd: empty });
  assert.match(beside.out, /^\.\.\/corndog\.yml: fine/);
  const badBeside = await at(["check", "-c", "../bad.yml"], { cwd: empty });
  assert.match(badBeside.err, /^\.\.\/bad\.yml:1:7: sink/);
  const far = await at(["check", "-c", join(folder, "corndog.yml")], { cwd: "/usr/share/a/b/c/d/e/f/g/h/i" });
  assert.ok(far.out.startsWith(`${join(folder, "corndog.yml")}: fine`));
  const bad = await at(["check", "-c", "bad.yml"]);
  assert.equal(bad.exitCode, 1);
  assert.equal(bad.out, "");
  assert.match(bad.err, /corndog: \d faults, 0 warnings\n$/);
  const fault = { file: "f", line: 3, column: 5, path: "rules.0.regex", message: "m" };
  const rules = await at(["check"], { ruleFaults: [fault] });
  assert.deepEqual([rules.exitCode, rules.err], [
    1,
    "f:3:5: rules.0.regex: m\ncorndog: 1 fault, 0 warnings\n",
  ]);
});

test("check names warnings behind their place, and succeeds", async () => {
  const ran = await at(["check", "-c", "odd.yml"]);
  assert.equal(ran.exitCode, 0);
  assert.equal(
    ran.err,
    "odd.yml:2:19: warning: kafka.brokers: the sink is file, so nothing is sent to Kafka\n",
  );
});

test("check --print writes the configuration in force without secrets", async () => {
  const ran = await at(["check", "-c", "secret.yml", "--print"]);
  assert.equal(ran.exitCode, 0);
  assert.ok(ran.out.includes("mechanism: plain") && ran.out.includes('password: "***"'));
  assert.ok(!ran.out.includes("hunter2") && !ran.err.includes("hunter2"));
});

test("check looks at the embedded default where there is no file", async () => {
  const ran = await cli(["check"], { cwd: empty });
  assert.equal(ran.out, "embedded default: fine: 3 listeners, 0 rules, 0 tests, sink file, 0 warnings\n");
});

test("faults are coloured only where colours are wanted", async () => {
  const plain = await at(["check", "-c", "bad.yml"]);
  const colored = await at(["check", "-c", "bad.yml"], { colors: true });
  assert.ok(!plain.err.includes("\x1b"));
  assert.ok(colored.err.startsWith("\x1b[31mbad.yml:1:7:\x1b[0m sink: "));
  // deno-lint-ignore no-control-regex
  assert.equal(colored.err.replaceAll(/\x1b\[\d+m/g, ""), plain.err);
});

test("schema writes the JSON Schema", async () => {
  const ran = await at(["schema"]);
  assert.equal(ran.out, readFileSync(new URL("../../../corndog.schema.json", import.meta.url), "utf8"));
});

const failures: { code: "address_in_use" | "certificate_unusable"; exitCode: number }[] = [
  { code: "address_in_use", exitCode: 1 },
  { code: "certificate_unusable", exitCode: 78 },
];

for (const { code, exitCode } of failures) {
  test(`runCli() answers with ${exitCode} and the reason when a run throws ${code}`, async () => {
    const ran = await at(["run"], { run: () => Promise.reject(new ForwarderError(code, "Cannot do it")) });
    assert.deepEqual([ran.exitCode, ran.err], [exitCode, `corndog: Cannot do it (${code})\n`]);
  });
}

test("runCli() lets a broken invariant through", async () => {
  await assert.rejects(at(["run"], { run: () => Promise.reject(new TypeError("bug")) }), /bug/);
});

const stats = {
  ledger: {
    received: 10,
    fan_out: 0,
    split: 0,
    replayed: 0,
    delivered: 7,
    spooled: 0,
    in_flight: 1,
    dead_lettered: 0,
    joined: 0,
    dropped: { rule_stop: 2, rule_drop: 0 },
    balanced: true,
  },
  totals: { connections_open: 1, connections_accepted: 2, connections_refused: 0 },
  latency_ms: { receive_to_ack: { count: 7, p50: 1, p99: 2, p999: 3, max: 4 } },
  rules: { version: 1, source: "f", hits: [] },
  sink: { name: "file", ready: true, problems: [] },
  uptime_s: 5,
  version: "0.1.0",
  runtime: "bun",
  state: "running",
};

test("stats asks the admin API with the token and writes the ledger", async () => {
  const asked: string[] = [];
  const fetch = (url: string, init: { headers: Record<string, string> }) => {
    asked.push(`${url} ${init.headers["authorization"]}`);
    return Promise.resolve(Response.json(stats));
  };
  const ran = await at(["stats", "--admin", "h:9/", "--token-file", "t"], { fetch });
  assert.deepEqual(asked, ["http://h:9/admin/stats Bearer secret-token"]);
  assert.equal(ran.exitCode, 0);
  assert.match(ran.out, /^received {5}10$/m);
  assert.match(ran.out, /^dropped {6}2 \(rule_stop 2\)$/m);
  assert.match(ran.out, /^ledger {7}balanced$/m);
  const json = await at(["stats", "--json"], { fetch });
  assert.deepEqual(JSON.parse(json.out), stats);
});

test("stats says what to do when nobody answers or the token is wanting", async () => {
  const silent = await at(["stats"]);
  assert.deepEqual([silent.exitCode, silent.err], [
    1,
    "corndog: no corndog answers at http://127.0.0.1:8585: no network in tests; is it running, and is --admin its address?\n",
  ]);
  const closed = await at(["stats"], {
    fetch: () => Promise.resolve(new Response("", { status: 401, statusText: "Unauthorized" })),
  });
  assert.deepEqual([closed.exitCode, closed.err], [
    1,
    "corndog: http://127.0.0.1:8585/admin/stats answered 401 Unauthorized; give the token with --token-file\n",
  ]);
});
