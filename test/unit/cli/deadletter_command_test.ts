import assert from "node:assert/strict";
import { test } from "node:test";
import { cli } from "./fake_io.ts";

const set = ["--set", "workers=1"];

test("deadletter ls asks for both places and all reasons when nothing is said", async () => {
  const ran = await cli(["deadletter", "ls", ...set]);
  assert.equal(ran.exitCode, 0, ran.err);
  const [call] = ran.called;
  assert.ok(call?.name === "listLetters");
  const { file, from, reasons, json } = call.command;
  assert.deepEqual({ file, from, reasons, json }, {
    file: undefined,
    from: undefined,
    reasons: undefined,
    json: false,
  });
});

test("deadletter replay carries every option", async () => {
  const ran = await cli([
    ...["deadletter", "replay", "old.ndjson", "--from", "file", "--reason", "a", "--reason=b", "--to"],
    ...["tcp://[::1]:1514", "--rate", "10", "--limit=7", "--dry-run", "--again", ...set],
  ]);
  assert.equal(ran.exitCode, 0, ran.err);
  const [call] = ran.called;
  assert.ok(call?.name === "replayLetters");
  const { out: _out, err: _err, ...command } = call.command;
  assert.deepEqual(command, {
    file: "old.ndjson",
    from: "file",
    reasons: ["a", "b"],
    json: false,
    route: "listener",
    listener: { host: "::1", port: 1514, path: "", framing: "auto" },
    rate: 10,
    limit: 7,
    dryRun: true,
    again: true,
  });
});

const wrong: readonly { argv: string[]; want: RegExp }[] = [
  { argv: [], want: /deadletter: say what to do: ls or replay/ },
  { argv: ["purge"], want: /deadletter: "purge" is none of its actions: ls or replay/ },
  { argv: ["ls", "--from", "kafka"], want: /--from: "kafka" is not file or topic/ },
  { argv: ["replay", "--rate", "0"], want: /--rate: "0" is not a number from 1 on/ },
  { argv: ["replay", "--limit", "many"], want: /--limit: "many" is not a number from 1 on/ },
  {
    argv: ["replay", "--to", "127.0.0.1:1514"],
    want: /--to: "127.0.0.1:1514" is not auto, listener, topic, tcp:/,
  },
  { argv: ["ls", "a", "b"], want: /deadletter does not take the argument "b"/ },
];
for (const { argv, want } of wrong) {
  test(`deadletter ${argv.join(" ")} is wrong usage`, async () => {
    const ran = await cli(["deadletter", ...argv]);
    assert.equal(ran.exitCode, 2);
    assert.match(ran.err, want);
    assert.equal(ran.called.length, 0);
  });
}

test("deadletter replay refuses a faulty configuration with 78", async () => {
  const ran = await cli(["deadletter", "replay", "--set", "sink=kafak"]);
  assert.equal(ran.exitCode, 78);
  assert.match(ran.err, /sink: "kafak" is not one of/);
});
