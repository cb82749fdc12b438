/**
 * `corndog top` in a terminal and in a pipe.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: blackhole
workers: 1
`;

describe("corndog top", () => {
  let corndog: Corndog;
  before(async () => {
    corndog = await (await Corndog.start(config)).started();
  });
  after(() => corndog.dispose());

  it("draws on a terminal until q is pressed, and puts the terminal back", async () => {
    const command = [...corndogCommand(), "top", "--interval", "0.2", "--admin", corndog.admin].join(" ");
    // script gives it a terminal.
    const child = spawn("script", ["-qefc", command, "/dev/null"], {
      env: { ...process.env, TERM: "xterm" },
    });
    let seen = "";
    child.stdout.on("data", (data) => seen += data);
    const ended = new Promise((resolve) => child.on("close", resolve));
    await until("two pictures", () => seen.split("q quit").length > 2 || undefined);
    assert.ok(seen.includes("\x1b[?1049h"), "the other screen");
    assert.match(seen, /lines\/s {3}in/);
    child.stdin.write("q");
    assert.equal(await ended, 0);
    // deno-lint-ignore no-control-regex
    assert.match(seen, /\x1b\[\?25h\x1b\[\?1049l\s*$/);
  });

  it("writes one picture without control codes into a pipe", () => {
    const [command, ...first] = corndogCommand();
    const top = spawnSync(command!, [...first, "top", "--interval", "0.2", "--admin", corndog.admin], {
      encoding: "utf8",
    });
    assert.equal(top.status, 0, top.stderr);
    assert.match(top.stdout, /^corndog \S+ {2}running/);
    assert.ok(!top.stdout.includes("\x1b"));
  });

  it("refuses an interval that is none with 2", () => {
    const [command, ...first] = corndogCommand();
    const top = spawnSync(command!, [...first, "top", "--interval", "soon"], { encoding: "utf8" });
    assert.equal(top.status, 2);
    assert.match(top.stderr, /expected seconds from 0\.2 to 3600, got "soon"/);
  });
});
