import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { after, describe, it } from "node:test";
import { type Writable, WriteLoop } from "../../../src/runtime/write_loop.ts";
import type { Connection, ConnectionHandler } from "../../../src/runtime/runtime.ts";
import { until } from "./support.ts";
import { closeUring, tcpSources } from "./tcp_sources.ts";

const mib = 1024 * 1024;

interface Peer {
  text: string;
  ended: boolean;
  closed: boolean;
  readonly socket: ReturnType<typeof connect>;
}

/** A client that may half-close. */
function client(port: number): Peer {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const peer: Peer = { text: "", ended: false, closed: false, socket };
  socket.on("data", (chunk) => peer.text += chunk.toString("latin1"));
  socket.on("end", () => peer.ended = true);
  socket.on("close", () => peer.closed = true);
  socket.on("error", () => {});
  return peer;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

after(async () => assert.ok(await closeUring(), "every receive buffer came back"));

/** Answers each chunk, and after the peer's FIN once more. */
function answering(calls: string[]): ConnectionHandler<Connection> {
  return {
    opened: (connection) => connection,
    received(connection, chunk) {
      connection.write(bytesOf(`<${new TextDecoder().decode(chunk)}>`));
    },
    halfClosed(connection) {
      calls.push("halfClosed");
      setTimeout(() => {
        connection.write(bytesOf("last"));
        connection.end();
      }, 10);
    },
    closed(_connection, error) {
      calls.push(error === undefined ? "closed" : "failed");
    },
  };
}

for (const { name, listenTcp } of tcpSources) {
  const listen = <State>(handler: ConnectionHandler<State>) =>
    listenTcp({ hostname: "127.0.0.1", port: 0, reusePort: false }, handler);

  describe(`Connection of ${name}`, () => {
    it("write() and end() answer behind the peer's FIN when the handler has halfClosed()", async () => {
      const calls: string[] = [];
      const listener = await listen(answering(calls));
      const peer = client(listener.port);
      peer.socket.end("ping");
      await until("both ends closed", () => peer.closed && calls.length === 2);
      assert.equal(peer.text, "<ping>last");
      assert.deepEqual(calls, ["halfClosed", "closed"]);
      await listener.close();
    });

    it("halfClosed() comes behind the bytes when the handler paused", async () => {
      const calls: string[] = [];
      const listener = await listen<Connection>({
        opened: (connection) => connection,
        received(connection, chunk) {
          calls.push(new TextDecoder().decode(chunk));
          connection.pause();
          setTimeout(() => {
            calls.push("resume");
            connection.resume();
          }, 40);
        },
        halfClosed(connection) {
          calls.push("halfClosed");
          connection.end();
        },
        closed() {
          calls.push("closed");
        },
      });
      client(listener.port).socket.end("x");
      await until("closed", () => calls.includes("closed"));
      assert.deepEqual(calls, ["x", "resume", "halfClosed", "closed"]);
      await listener.close();
    });

    it("end() sends FIN and reads on when the peer has more to say", async () => {
      let received = "";
      let closed = false;
      const listener = await listen<Connection>({
        opened(connection) {
          connection.write(bytesOf("bye"));
          connection.end();
          connection.write(bytesOf("too late"));
          return connection;
        },
        received(_connection, chunk) {
          received += new TextDecoder().decode(chunk);
        },
        halfClosed() {},
        closed() {
          closed = true;
        },
      });
      const peer = client(listener.port);
      await until("FIN", () => peer.ended);
      assert.equal(peer.text, "bye");
      peer.socket.end("more");
      await until("closed", () => closed);
      assert.equal(received, "more");
      await listener.close();
    });

    it("unsentBytes counts what a peer does not read, and drained() tells when it did", async () => {
      let connection: Connection | undefined;
      let drained = 0;
      const listener = await listen<Connection>({
        opened: (opened) => connection = opened,
        received() {},
        drained() {
          drained += 1;
        },
        closed() {},
      });
      const socket = connect({ port: listener.port, host: "127.0.0.1" });
      socket.pause();
      await until("open", () => connection !== undefined);
      const block = new Uint8Array(mib);
      for (let i = 0; i < block.length; i++) block[i] = (i * 31 + (i >> 8)) & 0xff;
      const sent = createHash("sha1");
      for (let i = 0; i < 24; i++) {
        sent.update(block);
        connection!.write(block);
      }
      assert.ok(connection!.unsentBytes > mib, `${connection!.unsentBytes} bytes wait`);
      const got = createHash("sha1");
      let bytes = 0;
      socket.on("data", (chunk) => {
        bytes += chunk.length;
        got.update(chunk);
      });
      socket.resume();
      await until("all of it", () => bytes === 24 * mib, 20_000);
      await until("drained", () => drained > 0 && connection!.unsentBytes === 0);
      assert.equal(got.digest("hex"), sent.digest("hex"));
      socket.destroy();
      await listener.close();
    });

    it("destroy() drops what was not sent", async () => {
      let closed = false;
      const listener = await listen<Connection>({
        opened(connection) {
          for (let i = 0; i < 24; i++) connection.write(new Uint8Array(mib));
          setTimeout(() => connection.destroy(), 5);
          return connection;
        },
        received() {},
        closed() {
          closed = true;
        },
      });
      const socket = connect({ port: listener.port, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.pause();
      await until("closed", () => closed);
      socket.destroy();
      await listener.close();
    });
  });
}

/** A socket that takes `step` bytes at a time. */
class SlowSocket implements Writable {
  text = "";
  writes = 0;
  ended = false;
  readonly step: number;

  constructor(step: number) {
    this.step = step;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.step === 0) throw new Error("broken pipe");
    const part = bytes.subarray(0, this.step);
    this.text += new TextDecoder().decode(part);
    this.writes += 1;
    return part.length;
  }

  closeWrite(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }
}

describe("WriteLoop", () => {
  it("write() keeps the order and joins what came meanwhile when the socket is slow", async () => {
    const socket = new SlowSocket(1000);
    let drained = 0;
    const output = new WriteLoop(socket, () => drained += 1);
    for (const text of ["a", "b", "c", "d"]) output.write(bytesOf(text));
    assert.equal(output.unsentBytes, 4);
    await until("sent", () => drained === 1);
    assert.deepEqual([socket.text, socket.writes, output.unsentBytes], ["abcd", 2, 0]);
  });

  it("end() sends FIN behind the bytes when the socket takes them in parts", async () => {
    const socket = new SlowSocket(3);
    const output = new WriteLoop(socket, () => {});
    output.write(bytesOf("one two"));
    output.end();
    output.write(bytesOf("not this"));
    await until("ended", () => output.ended && socket.ended);
    assert.equal(socket.text, "one two");
  });

  it("write() gives up what waits when the socket fails", async () => {
    const output = new WriteLoop(new SlowSocket(0), () => {});
    output.write(bytesOf("a"));
    output.write(bytesOf("b"));
    await until("given up", () => output.ended);
    assert.equal(output.unsentBytes, 0);
  });
});
