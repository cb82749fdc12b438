import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import type { Connection } from "../../../src/runtime/runtime.ts";
import type { UringCalls } from "../../../src/runtime/uring/calls.ts";
import { probeUring } from "../../../src/runtime/uring/probe.ts";
import { openUringTcp } from "../../../src/runtime/uring/tcp_source.ts";
import { dial, quiet, recorder, sendPattern, until } from "./support.ts";
import { receiveMemory, uringVerdict } from "./tcp_sources.ts";

const kib = 1024;

/** Calls of a machine whose io_uring_setup(2) fails with `errno`. */
function refusing(errno: number): UringCalls {
  return { setup: () => -errno } as unknown as UringCalls;
}

describe("probeUring()", () => {
  const status = (mode: number) => `Name:\tcorndog\nSeccomp:\t${mode}\nSeccomp_filters:\t1\n`;
  const table = [
    { name: "another system", platform: "darwin", errno: 0, files: {}, code: "not_linux", says: /Linux/ },
    { name: "no FFI", errno: undefined, files: {}, code: "no_ffi", says: /--allow-ffi/ },
    {
      name: "sysctl for all",
      errno: 1,
      files: { "/proc/sys/kernel/io_uring_disabled": "2\n" },
      code: "sysctl",
      says: /kernel\.io_uring_disabled is 2/,
    },
    {
      name: "sysctl but for a group",
      errno: 1,
      files: { "/proc/sys/kernel/io_uring_disabled": "1\n" },
      code: "sysctl",
      says: /kernel\.io_uring_group/,
    },
    {
      name: "seccomp with EPERM",
      errno: 1,
      files: { "/proc/sys/kernel/io_uring_disabled": "0\n", "/proc/self/status": status(2) },
      code: "seccomp",
      says: /seccomp filter forbids/,
    },
    {
      name: "seccomp with ENOSYS",
      errno: 38,
      files: { "/proc/self/status": status(2) },
      code: "seccomp",
      says: /seccomp filter hides/,
    },
    {
      name: "a security module",
      errno: 13,
      files: { "/proc/self/status": status(0) },
      code: "permission",
      says: /AppArmor/,
    },
    { name: "no io_uring", errno: 38, files: {}, code: "kernel_too_old", says: /4\.19 has no io_uring/ },
    { name: "unknown flags", errno: 22, files: {}, code: "kernel_too_old", says: /6\.1 is the least/ },
    { name: "no memory", errno: 12, files: {}, code: "no_memory", says: /memory/ },
    { name: "anything else", errno: 5, files: {}, code: "failed", says: /errno 5/ },
  ];
  for (const { name, platform = "linux", errno, files, code, says } of table) {
    it(`names who forbids it when that is ${name}`, async () => {
      const verdict = await probeUring({
        platform,
        release: () => "4.19",
        read: (path) => (files as Record<string, string>)[path],
        calls: () => Promise.resolve(errno === undefined ? undefined : refusing(errno)),
      });
      assert.equal(verdict.ok, false);
      assert.equal((verdict as { code: string }).code, code);
      assert.match((verdict as { reason: string }).reason, says);
    });
  }

  it("finds io_uring usable where the machine permits it", {
    skip: uringVerdict.ok ? false : uringVerdict.reason,
  }, () => assert.ok(uringVerdict.ok));
});

if (uringVerdict.ok) {
  describe("openUringTcp()", () => {
    it("leaves no port, descriptor, buffer or byte when it is stopped and started 100 times under load", async () => {
      const memory = receiveMemory();
      let port = 0;
      let taken = 0;
      let descriptors = 0;
      const block = new Uint8Array(48 * kib).fill(0x61);
      for (let cycle = 0; cycle < 100; cycle++) {
        const source = await openUringTcp(memory);
        const handler = recorder();
        const address = { hostname: "127.0.0.1", port, reusePort: false };
        const listener = await source.listenTcp(address, handler).catch(async (error) => {
          // Another process may take the port between two cycles; one that we leaked would be in use every time.
          assert.equal(error.code, "address_in_use");
          assert.ok(++taken <= 3, `the port was in use ${taken} times, last in cycle ${cycle}`);
          return await source.listenTcp({ ...address, port: 0 }, handler);
        });
        port = listener.port;
        // Two that end by themselves, of which every byte must arrive, and two that send until they are cut off.
        const [first, second, third, fourth] = await Promise.all([0, 1, 2, 3].map(() => dial(port)));
        for (const socket of [third!, fourth!]) {
          socket.removeAllListeners("error").on("error", () => {});
          const fill = (): void => {
            while (!socket.destroyed && socket.write(block));
          };
          socket.on("drain", fill);
          fill();
        }
        const sent = await Promise.all([sendPattern(first!, 80 * kib), sendPattern(second!, 300 * kib)]);
        await until(
          "those that ended",
          () => handler.records.filter(({ closed }) => closed === 1).length >= 2,
          20_000,
        );
        await until(
          "bytes of those that do not",
          () => handler.records.every(({ bytes }) => bytes > 0),
          20_000,
        );
        const ended = handler.records.filter(({ closed }) => closed === 1);
        assert.deepEqual(ended.map(({ bytes }) => bytes).sort((a, b) => a - b), [80 * kib, 300 * kib]);
        assert.deepEqual(ended.map(({ sha1 }) => sha1.digest("hex")).sort(), [...sent].sort());
        await source.close();
        assert.ok(source.buffersWhole, `a buffer was lost in cycle ${cycle}`);
        third!.destroy();
        fourth!.destroy();
        await until("all closed", () => handler.records.every(({ closed }) => closed === 1));
        await until("clients closed", () => third!.closed && fourth!.closed, 20_000);
        if (cycle === 4) descriptors = readdirSync("/proc/self/fd").length;
      }
      assert.ok(readdirSync("/proc/self/fd").length <= descriptors, "descriptors did not grow");
    });

    it("takes every byte of 400 connections when there are 4 buffers", async () => {
      const source = await openUringTcp(receiveMemory(4));
      const handler = recorder();
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const sockets = await Promise.all(Array.from({ length: 400 }, () => dial(listener.port)));
      for (const [index, socket] of sockets.entries()) socket.end(`line ${index}\n`);
      await until("all closed", () => handler.records.filter((r) => r.closed === 1).length === 400, 20_000);
      assert.equal(new Set(handler.records.map((r) => r.text)).size, 400);
      assert.ok(source.counts.starvations > 0, "the kernel did run out of buffers");
      await source.close();
      assert.ok(source.buffersWhole);
    });

    it("reads others on when paused connections hold more chunks than there are buffers", async () => {
      const source = await openUringTcp(receiveMemory(8));
      const handler = recorder((record) => {
        if (record.text.startsWith("wait")) record.connection.pause();
      });
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const waiting = await Promise.all(Array.from({ length: 40 }, () => dial(listener.port)));
      for (const socket of waiting) socket.end("wait\n");
      await until("all wait", () => handler.records.filter((r) => r.text === "wait\n").length === 40);
      const other = await dial(listener.port);
      const sent = await sendPattern(other, 4096 * kib);
      const record = handler.records.at(-1)!;
      await until("the other was read", () => record.closed === 1, 20_000);
      assert.equal(record.sha1.digest("hex"), sent);
      for (const { connection } of handler.records) connection.resume();
      await until("all closed", () => handler.records.every((r) => r.closed === 1));
      await source.close();
      assert.ok(source.buffersWhole);
    });

    it("gives the buffer of a chunk back where who paused in it is done with it", async () => {
      const source = await openUringTcp(receiveMemory(4));
      const handler = recorder((record) => record.connection.pause(record.text === "done"));
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const [done, kept] = [await dial(listener.port), await dial(listener.port)];
      done.write("done");
      await until("the chunk", () => handler.records[0]!.text === "done");
      assert.ok(source.buffersWhole, "nobody has it");
      kept.write("kept");
      await until("the chunk", () => handler.records[1]!.text === "kept");
      assert.equal(source.buffersWhole, false);
      for (const socket of [done, kept]) socket.end();
      for (const { connection } of handler.records) connection.resume();
      await until("all closed", () => handler.records.every((record) => record.closed === 1));
      await source.close();
      assert.ok(source.buffersWhole);
    });

    it("keeps a chunk unchanged until resume() when its connection was destroyed meanwhile", async () => {
      const source = await openUringTcp(receiveMemory(4));
      let held: Uint8Array | undefined;
      let first: Connection | undefined;
      const handler = recorder((record, chunk) => {
        if (held !== undefined) return;
        held = chunk;
        first = record.connection;
        first.pause();
      });
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const socket = await dial(listener.port);
      socket.removeAllListeners("error").on("error", () => {});
      socket.write("keep me");
      await until("the chunk", () => held !== undefined);
      first!.destroy();
      await until("closed", () => handler.records[0]!.closed === 1);
      const other = await dial(listener.port);
      await sendPattern(other, 1024 * kib);
      await until("the other was read", () => handler.records[1]?.closed === 1, 20_000);
      assert.equal(new TextDecoder().decode(held), "keep me");
      assert.equal(source.buffersWhole, false);
      first!.resume();
      await source.close();
      assert.ok(source.buffersWhole);
    });

    it("gives everyone a turn when one sender could fill all buffers for ever", async () => {
      const source = await openUringTcp(receiveMemory(2));
      const handler = recorder();
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const greedy = await Promise.all([0, 1, 2].map(() => dial(listener.port)));
      const block = new Uint8Array(256 * kib).fill(0x61);
      for (const socket of greedy) {
        socket.removeAllListeners("error").on("error", () => {});
        const fill = (): void => {
          while (!socket.destroyed && socket.write(block));
        };
        socket.on("drain", fill);
        fill();
      }
      await until(
        "greedy ones are read",
        () => handler.records.length === 3 && handler.records[0]!.bytes > 0,
      );
      for (let index = 0; index < 20; index++) {
        const socket = await dial(listener.port);
        socket.end("me too");
        await until("its turn", () => handler.records.at(-1)!.text === "me too", 20_000);
      }
      const before = handler.records.slice(0, 3).map(({ bytes }) => bytes);
      await until(
        "all greedy ones go on",
        () => before.every((bytes, i) => handler.records[i]!.bytes > bytes),
      );
      await source.close();
      for (const socket of greedy) socket.destroy();
      assert.ok(source.buffersWhole);
    });

    it("sleeps when nothing comes", async () => {
      const source = await openUringTcp(receiveMemory(4));
      const handler = recorder();
      const listener = await source.listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const socket = await dial(listener.port);
      socket.write("one");
      await until("a line", () => handler.records[0]?.text === "one");
      await quiet(50);
      const { looks } = source.counts;
      await quiet(300);
      assert.ok(source.counts.looks - looks <= 2, `${source.counts.looks - looks} looks in 300 ms`);
      socket.end("two");
      await until("it woke up", () => handler.records[0]!.closed === 1);
      assert.equal(handler.records[0]!.text, "onetwo");
      await source.close();
    });

    it("throws address_in_use when another has the port", async () => {
      const source = await openUringTcp(receiveMemory(4));
      const address = { hostname: "127.0.0.1", port: 0, reusePort: false };
      const listener = await source.listenTcp(address, recorder());
      await assert.rejects(
        source.listenTcp({ ...address, port: listener.port }, recorder()),
        (error: Error & { code?: string }) => error.code === "address_in_use",
      );
      await source.close();
    });
  });
}
