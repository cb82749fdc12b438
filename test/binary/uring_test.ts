/**
 * `io: uring` with the running program: every line once and unchanged beside reloads and stops under load, and the
 * runtime's own sockets where io_uring is forbidden. Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { probeUring } from "../../src/runtime/uring/probe.ts";
import { Corndog, dial, finish, write } from "../support/corndog.ts";

const verdict = await probeUring();

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
io: uring
`;

/** How often each value is in the file sink of `dir`. */
async function values(dir: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const folder = join(dir, "out", "logs");
  for (const name of await readdir(folder).catch(() => [])) {
    for (const row of (await readFile(join(folder, name), "utf8")).split("\n")) {
      if (!row.endsWith("}")) continue;
      const { value } = JSON.parse(row);
      found.set(value, (found.get(value) ?? 0) + 1);
    }
  }
  return found;
}

/** `count` lines of different lengths, some longer than a receive buffer's half. */
function lines(sender: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) =>
      `<13>1 - h${sender} app - - - line ${index} ${"x".repeat(index % 97 === 0 ? 40_000 : index % 211)}`,
  );
}

/** The bytes in pieces that cut lines anywhere. */
function* pieces(bytes: Uint8Array, sender: number): Generator<Uint8Array> {
  for (let at = 0, step = 1; at < bytes.length; step++) {
    const length = 1 + (step * 7919 * (sender + 1)) % (step % 10 === 0 ? 90_000 : 3_000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

describe("io: uring", () => {
  it("delivers every line once and unchanged when it is cut anywhere, beside 100 reloads", async () => {
    const corndog = await Corndog.start(config);
    try {
      await corndog.started();
      const port = corndog.port("tcp");
      const sent = Array.from({ length: 6 }, (_, sender) => lines(sender, 1_500));
      let sending = true;
      const senders = Promise.all(sent.map(async (own, sender) => {
        // Half of them count their octets.
        const text = sender % 2 === 0
          ? own.map((line) => `${line}\n`).join("")
          : own.map((line) => `${line.length} ${line}`).join("");
        const socket = await dial(port);
        for (const piece of pieces(new TextEncoder().encode(text), sender)) await write(socket, piece);
        await finish(socket);
      })).finally(() => sending = false);
      let reloads = 0;
      while (sending || reloads < 100) {
        const response = await fetch(`${corndog.admin}/admin/reload`, { method: "POST" });
        assert.equal(response.status, 200, await response.text());
        if (++reloads >= 100 && sending) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await senders;
      const stats = await corndog.statsWhen("all delivered", ({ ledger }) => ledger.delivered >= 9_000);
      assert.equal(stats.ledger.balanced, true);
      assert.equal(stats.io.wanted, "uring");
      assert.equal(stats.io.used, verdict.ok ? "uring" : "native");
      assert.equal(stats.io.reason, verdict.ok ? "io: uring is configured" : verdict.reason);
      assert.equal(await corndog.stop(), 0);
      const found = await values(corndog.dir);
      const wanted = sent.flat();
      assert.deepEqual(wanted.filter((line) => found.get(line) !== 1), []);
      assert.equal(found.size, wanted.length);
      assert.deepEqual(corndog.logs.filter(({ event }) => event === "io_fault"), []);
    } finally {
      await corndog.dispose();
    }
  });

  it("ends in order and delivers what was read when it is stopped under load", async () => {
    for (let cycle = 0; cycle < 2; cycle++) {
      const corndog = await Corndog.start(config);
      try {
        await corndog.started();
        const block = "<13>1 - h app - - - under load\n".repeat(500);
        const sockets = await Promise.all([0, 1, 2, 3].map(() => dial(corndog.port("tcp"))));
        for (const socket of sockets) {
          const fill = (): void => {
            while (!socket.destroyed && socket.write(block));
          };
          socket.on("drain", fill);
          fill();
        }
        await corndog.statsWhen("lines come", ({ ledger }) => ledger.delivered > 1_000);
        assert.equal(await corndog.stop(), 0);
        for (const socket of sockets) socket.destroy();
        assert.deepEqual(corndog.logs.filter(({ event }) => event === "io_fault"), []);
      } finally {
        await corndog.dispose();
      }
    }
  });

  it("reads with the runtime's own sockets, and says why, when seccomp forbids io_uring", async () => {
    // seccomp_data: the number of the call is its first word; 425 is io_uring_setup on x86-64 and ARM64.
    const launcher = `import ctypes, os, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])`;
    const corndog = await Corndog.start(config, { launcher: ["python3", "-c", launcher] });
    try {
      await corndog.started();
      const refused = await corndog.event("io_uring_unavailable");
      assert.equal(refused.level, "warn");
      if (verdict.ok) assert.equal(refused.code, "seccomp");
      const socket = await dial(corndog.port("tcp"));
      await write(socket, "<13>1 - h app - - - one\n");
      await finish(socket);
      const stats = await corndog.statsWhen("delivered", ({ ledger }) => ledger.delivered === 1);
      assert.equal(stats.io.used, "native");
      assert.match(stats.io.reason!, verdict.ok ? /seccomp/ : /./);
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});
