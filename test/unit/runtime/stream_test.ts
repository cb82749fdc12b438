import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runtime } from "../../../src/runtime/current.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";
import type { ConnectionHandler, Listener } from "../../../src/runtime/runtime.ts";
import { dial, quiet, recorder, sendPattern, until } from "./support.ts";
import { closeUring, tcpSources } from "./tcp_sources.ts";

const mib = 1024 * 1024;
const dir = await mkdtemp(join(tmpdir(), "corndog-stream-"));
after(async () => {
  await rm(dir, { recursive: true });
  assert.ok(await closeUring(), "every receive buffer came back");
});

let paths = 0;

interface Transport {
  readonly name: string;
  listen<State>(handler: ConnectionHandler<State>): Promise<{ listener: Listener; to: number | string }>;
}

const transports: Transport[] = [
  ...tcpSources.map(({ name, listenTcp }): Transport => ({
    name,
    async listen(handler) {
      const listener = await listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: true }, handler);
      return { listener, to: listener.port };
    },
  })),
  {
    name: "listenUnix()",
    async listen(handler) {
      const path = join(dir, `${paths++}.sock`);
      const listener = await runtime.listenUnix(path, handler);
      return { listener, to: path };
    },
  },
];

for (const { name, listen } of transports) {
  describe(name, () => {
    it("gives 64 MiB unchanged, and nothing while paused, when the handler pauses now and then", async () => {
      let pausedUntil = 0;
      let whilePaused = 0;
      let changed = 0;
      let nextPause = 4 * mib;
      let held: { chunk: Uint8Array; copy: Uint8Array } | undefined;
      const handler = recorder((record, chunk) => {
        if (Date.now() < pausedUntil) whilePaused += chunk.length;
        if (record.bytes < nextPause) return;
        nextPause += 8 * mib;
        record.connection.pause();
        pausedUntil = Date.now() + 40;
        held = { chunk, copy: chunk.slice() };
        setTimeout(() => {
          for (let i = 0; i < held!.chunk.length; i++) if (held!.chunk[i] !== held!.copy[i]) changed += 1;
          pausedUntil = 0;
          record.connection.resume();
        }, 50);
      });
      const { listener, to } = await listen(handler);
      const socket = await dial(to);
      const sent = await sendPattern(socket, 64 * mib);
      await until("the end of the stream", () => handler.records[0].closed === 1, 20_000);
      assert.equal(handler.records[0].bytes, 64 * mib);
      assert.equal(handler.records[0].sha1.digest("hex"), sent);
      assert.equal(whilePaused, 0, "bytes delivered while paused");
      assert.equal(changed, 0, "bytes of the held chunk that changed while paused");
      assert.equal(handler.records[0].error, undefined);
      assert.ok(nextPause > 60 * mib, "it did pause");
      await listener.close();
    });

    it("holds up a sender of 64 MiB when the handler pauses, and gives all of it after resume()", async () => {
      const handler = recorder((record) => {
        if (record.chunks === 1) record.connection.pause();
      });
      const { listener, to } = await listen(handler);
      let taken = 0;
      const sending = sendPattern(await dial(to), 64 * mib, (sent) => taken = sent);
      await until("the first chunk", () => handler.records[0]?.chunks === 1);
      await quiet(300);
      assert.equal(handler.records[0].chunks, 1);
      assert.ok(taken < 24 * mib, `only the operating system's buffers take more, took ${taken}`);
      handler.records[0].connection.resume();
      const sent = await sending;
      await until("the end of the stream", () => handler.records[0].closed === 1, 20_000);
      assert.equal(handler.records[0].sha1.digest("hex"), sent);
      await listener.close();
    });

    it("gives the last bytes when FIN is right behind them, also while paused", async () => {
      const handler = recorder((record) => {
        if (record.chunks > 1 || record.text.startsWith("now")) return;
        record.connection.pause();
        setTimeout(() => record.connection.resume(), 30);
      });
      const { listener, to } = await listen(handler);
      (await dial(to)).end("now: last line");
      (await dial(to)).end(`late: ${"x".repeat(3000)}`);
      await until(
        "both closed",
        () => handler.records.length === 2 && handler.records.every((r) => r.closed === 1),
      );
      assert.deepEqual(handler.records.map((r) => r.text.length).sort(), [14, 3006]);
      assert.deepEqual(handler.records.map((r) => r.error), [undefined, undefined]);
      await listener.close();
    });

    it("serves 300 connections at once when they come together", async () => {
      const handler = recorder();
      const { listener, to } = await listen(handler);
      const sockets = await Promise.all(Array.from({ length: 300 }, () => dial(to)));
      sockets.forEach((socket, index) => socket.end(`line ${index}\n`));
      await until("all closed", () => handler.records.filter((r) => r.closed === 1).length === 300);
      const got = new Set(handler.records.map((r) => r.text));
      assert.equal(got.size, 300);
      assert.ok(got.has("line 299\n"));
      await listener.close();
    });

    it("ends only that connection when the handler throws", async () => {
      const faults: string[] = [];
      setFaultReporter((where) => faults.push(where));
      const closed: (Error | undefined)[] = [];
      const texts: string[] = [];
      let opens = 0;
      const { listener, to } = await listen<object>({
        opened() {
          opens += 1;
          if (opens === 1) throw new Error("broken opened");
          return {};
        },
        received(_state, chunk) {
          const text = new TextDecoder().decode(chunk);
          if (text === "throw") throw new Error("broken received");
          texts.push(text);
        },
        closed(_state, error) {
          closed.push(error);
          throw new Error("broken closed");
        },
      });
      const refused = await dial(to).catch(() => undefined);
      refused?.on("error", () => {});
      await until("the first was refused", () => faults.includes("connection.opened"));
      const broken = await dial(to);
      broken.removeAllListeners("error").on("error", () => {});
      const good = await dial(to);
      broken.write("throw");
      await until("the second closed", () => closed.length === 1);
      good.end("fine");
      await until("the third closed", () => closed.length === 2);
      assert.equal(closed[0]?.message, "broken received");
      assert.equal(closed[1], undefined);
      assert.deepEqual(texts, ["fine"]);
      assert.deepEqual(faults, [
        "connection.opened",
        "connection.received",
        "connection.closed",
        "connection.closed",
      ]);
      setFaultReporter(undefined);
      await listener.close();
    });

    it("calls closed() once, after received() returned, when the handler destroys in received()", async () => {
      let inside = false;
      let closedInside = false;
      const handler = recorder((record) => {
        inside = true;
        record.connection.destroy();
        record.connection.destroy();
        inside = false;
      });
      const original = handler.closed.bind(handler);
      handler.closed = (record, error) => {
        if (inside) closedInside = true;
        original(record, error);
      };
      const { listener, to } = await listen(handler);
      const socket = await dial(to);
      socket.removeAllListeners("error").on("error", () => {});
      socket.write("x");
      await until("closed", () => handler.records[0]?.closed === 1);
      handler.records[0].connection.pause();
      handler.records[0].connection.resume();
      handler.records[0].connection.destroy();
      await quiet(20);
      assert.equal(handler.records[0].closed, 1);
      assert.equal(closedInside, false);
      await listener.close();
    });

    it("destroys the connection when opened() refuses it", async () => {
      const { listener, to } = await listen<object>({
        opened: () => undefined,
        received: () => assert.fail("received"),
        closed: () => assert.fail("closed"),
      });
      const socket = await dial(to).catch(() => undefined);
      let gone = socket === undefined;
      socket?.removeAllListeners("error").on("error", () => {}).on("close", () => gone = true).resume();
      await until("the peer noticed", () => gone);
      await listener.close();
    });

    it("keeps open connections and takes no new ones when it is closed", async () => {
      const handler = recorder();
      const { listener, to } = await listen(handler);
      const socket = await dial(to);
      await until("opened", () => handler.records.length === 1);
      await listener.close();
      await listener.close();
      await assert.rejects(dial(to));
      socket.end("still here");
      await until("closed", () => handler.records[0].closed === 1);
      assert.equal(handler.records[0].text, "still here");
    });
  });
}

for (const { name, listenTcp } of tcpSources) {
  describe(name, () => {
    it("closes with ECONNRESET when the peer resets, and delivers what came before", async () => {
      const handler = recorder();
      const listener = await listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const socket = await dial(listener.port);
      socket.write("before");
      await until("bytes", () => handler.records[0]?.text === "before");
      socket.resetAndDestroy();
      await until("closed", () => handler.records[0].closed === 1);
      assert.equal((handler.records[0].error as { code?: string }).code, "ECONNRESET");
      await listener.close();
    });

    it("delivers nothing before resume() and closes after it when the peer resets while paused", async () => {
      let pausedBytes = 0;
      let paused = false;
      const handler = recorder((record, chunk) => {
        if (paused) pausedBytes += chunk.length;
        if (record.chunks === 1) {
          paused = true;
          record.connection.pause();
        }
      });
      const listener = await listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const socket = await dial(listener.port);
      await new Promise<void>((resolve) => socket.write(new Uint8Array(200_000), () => resolve()));
      await until("the first chunk", () => paused);
      socket.resetAndDestroy();
      await quiet(60);
      const record = handler.records[0];
      assert.equal(pausedBytes, 0);
      paused = false;
      record.connection.resume();
      await until("closed", () => record.closed === 1);
      assert.equal((record.error as { code?: string }).code, "ECONNRESET");
      await listener.close();
    });

    it("names the peer and its own address when it is bound to IPv4, IPv6 or both", async () => {
      const table = [
        { name: "IPv4", hostname: "127.0.0.1", peer: /^127\.0\.0\.1:\d+$/, address: /^127\.0\.0\.1:\d+$/ },
        { name: "dual stack", hostname: "::", peer: /^127\.0\.0\.1:\d+$/, address: /^\[::\]:\d+$/ },
      ];
      for (const { name, hostname, peer, address } of table) {
        const handler = recorder();
        const listener = await listenTcp({ hostname, port: 0, reusePort: false }, handler);
        assert.match(listener.address, address, name);
        assert.ok(listener.address.endsWith(`:${listener.port}`), name);
        const socket = await dial(listener.port);
        await until("opened", () => handler.records.length === 1);
        assert.match(handler.records[0].connection.peer, peer, name);
        socket.destroy();
        await listener.close();
      }
    });

    it("lets timers run when one connection sends without end", async () => {
      const handler = recorder();
      const listener = await listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);
      const sending = sendPattern(await dial(listener.port), 64 * mib);
      let ticks = 0;
      const timer = setInterval(() => ticks += 1, 1);
      await sending;
      await until("all bytes", () => handler.records[0].bytes === 64 * mib, 10_000);
      clearInterval(timer);
      assert.ok(ticks >= 3, `timer ran ${ticks} times`);
      await listener.close();
    });
  });
}
