import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { handoverOf, ownSockets } from "../../../src/runtime/inherited.ts";
import { startSuccessor, type Successor } from "../../../src/runtime/successor.ts";
import { until } from "../../support/until.ts";

const path = { PATH: process.env.PATH ?? "" };

/** Waits for its end, as it tells it. */
async function ended(successor: Successor): Promise<string> {
  const end = await until("the end", () => successor.end());
  successor.close();
  return end;
}

describe("startSuccessor()", { skip: process.platform !== "linux" }, () => {
  it("passes descriptors, words and variables, and hears when the child serves", async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-successor-"));
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as { port: number };
      const own = (await ownSockets()).filter((socket) => socket.port === port);
      assert.deepEqual(own.map(({ type, address }) => [type, address]), [["stream", `127.0.0.1:${port}`]]);
      const fd = own[0]!.fd;
      const script = `readlink /proc/self/fd/3 >out; printf '%s\\n' "$1" "$NAME" >>out; ls /proc/self/fd >>out
eval "printf s >&$PIPE"; exit 7`;
      const successor = await startSuccessor(
        ["sh", "-c", `cd '${dir}' && ${script}`, "sh", "a wörd"],
        [fd],
        (pipe) => ({ ...path, NAME: "välue", PIPE: String(pipe) }),
      );
      await until("its word", () => successor.state() === "serving" || undefined);
      assert.equal(await ended(successor), "exit code 7");
      const [socket, word, value, ...fds] = readFileSync(join(dir, "out"), "utf8").trim().split("\n");
      assert.match(socket!, /^socket:/);
      assert.deepEqual([word, value], ["a wörd", "välue"]);
      // Standard streams, the socket, the pipe, what ls itself has open, and the file it writes: nothing of ours.
      assert.ok(fds.length <= 6, `descriptors ${fds.join(" ")}`);
    } finally {
      server.close();
      await rm(dir, { recursive: true });
    }
  });

  it("is told which process serves, where the child has started another", async () => {
    const successor = await startSuccessor(
      ["sh", "-c", 'eval "printf s4711 >&$PIPE"'],
      [],
      (pipe) => ({ ...path, PIPE: String(pipe) }),
    );
    const child = successor.pid;
    await until("its word", () => successor.state() === "serving" || undefined);
    assert.deepEqual([child === 4711, successor.pid], [false, 4711]);
    assert.equal(await ended(successor), "exit code 0");
    assert.equal(successor.end(), "exit code 0", "also when it is asked again");
  });

  it("hears of a child that ends without a word, and how", async () => {
    for (const [script, end] of [["exit 3", "exit code 3"], ["kill -9 $$", "signal 9"]] as const) {
      const successor = await startSuccessor(["sh", "-c", script], [], () => path);
      await until("the end", () => successor.state() === "ended" || undefined);
      assert.equal(await ended(successor), end);
    }
  });

  it("names a command that is not there", async () => {
    await assert.rejects(
      startSuccessor(["/nowhere/corndog"], [], () => path),
      (error) =>
        error instanceof ForwarderError && error.code === "upgrade_failed" &&
        error.message.includes("/nowhere/corndog"),
    );
  });
});

describe("handoverOf()", () => {
  const text = (value: unknown) => ({ CORNDOG_HANDOVER: JSON.stringify(value) });
  const table = [
    { name: "its parent's", env: text({ from: 5, names: ["a"] }), want: { from: 5, names: ["a"] } },
    {
      name: "one to pass on",
      env: text({ from: 5, names: [], passOn: true }),
      want: { from: 5, names: [], passOn: true },
    },
    { name: "that of another process", env: text({ from: 6, names: [] }), want: undefined },
    { name: "something else", env: { CORNDOG_HANDOVER: "{" }, want: undefined },
    { name: "a wrong shape", env: text({ from: 5 }), want: undefined },
    { name: "none", env: {}, want: undefined },
  ];
  for (const { name, env, want } of table) {
    it(`${want === undefined ? "does not take" : "takes"} ${name}`, () => {
      assert.deepEqual(handoverOf(env, 5), want);
    });
  }
});
