import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { after, describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";
import type { ConnectionHandler } from "../../../src/runtime/runtime.ts";
import { listenTls, type TlsListener, type TlsListenOptions } from "../../../src/io/tls.ts";
import { loadTlsMaterial } from "../../../src/io/tls_material.ts";
import { dial, quiet, recorder, sendPattern, until } from "../runtime/support.ts";
import { makeCertificates } from "./certificates.ts";

const { dir, file } = makeCertificates();
after(() => rmSync(dir, { recursive: true }));
const files = { certFile: file("server.crt"), keyFile: file("server.key"), caFile: file("ca.crt") };
const material = await loadTlsMaterial(files);
const mib = 1024 * 1024;

function listen<State>(
  handler: ConnectionHandler<State>,
  options: Partial<TlsListenOptions> = {},
): Promise<TlsListener> {
  return listenTls(
    { hostname: "127.0.0.1", port: 0, reusePort: true },
    { material, client: "none", ...options },
    handler,
  );
}

/** A TLS client of the runtime; `identity` names its certificate. Errors end it silently. */
function dialTls(port: number, identity?: string): Promise<TLSSocket | undefined> {
  const options: ConnectionOptions = { port, host: "127.0.0.1", ca: material.ca };
  if (identity !== undefined) {
    options.cert = readFileSync(file(`${identity}.crt`));
    options.key = readFileSync(file(`${identity}.key`));
  }
  return new Promise((resolve) => {
    const socket = connectTls(options, () => resolve(socket));
    socket.on("error", () => resolve(undefined));
  });
}

/** `openssl s_client` with `input` on its standard input; resolves with its output when it ends. */
function sClient(
  port: number,
  args: string[],
  input: string,
): { child: ChildProcess; output: Promise<string> } {
  const child = spawn("openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-quiet",
    "-no_ign_eof",
    ...args,
  ]);
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  child.stderr.on("data", (chunk) => text += chunk);
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return { child, output: new Promise((resolve) => child.on("close", () => resolve(text))) };
}

describe("listenTls()", () => {
  it("delivers what openssl s_client sends, and ends without error", async () => {
    const handler = recorder();
    const listener = await listen(handler);
    await sClient(listener.port, ["-CAfile", file("ca.crt"), "-verify_return_error"], "<13>one\n<13>two\n")
      .output;
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.equal(handler.records[0].text, "<13>one\n<13>two\n");
    assert.equal(handler.records[0].error, undefined);
    assert.match(handler.records[0].connection.peer, /^127\.0\.0\.1:\d+$/);
    assert.equal(handler.records[0].connection.tlsPeer, undefined);
    await listener.close();
  });

  it("gives 32 MiB unchanged, and nothing while paused, when the handler pauses now and then", async () => {
    let paused = false;
    let whilePaused = 0;
    let nextPause = 2 * mib;
    const handler = recorder((record, chunk) => {
      if (paused) whilePaused += chunk.length;
      if (record.bytes < nextPause) return;
      nextPause += 6 * mib;
      paused = true;
      record.connection.pause();
      setTimeout(() => {
        paused = false;
        record.connection.resume();
      }, 40);
    });
    const listener = await listen(handler);
    const sent = await sendPattern((await dialTls(listener.port))!, 32 * mib);
    await until("the end of the stream", () => handler.records[0].closed === 1, 20_000);
    assert.equal(handler.records[0].bytes, 32 * mib);
    assert.equal(handler.records[0].sha1.digest("hex"), sent);
    assert.equal(whilePaused, 0);
    await listener.close();
  });

  it("holds up a sender of 64 MiB when the handler pauses, and gives all of it after resume()", async () => {
    for (const pauseAt of ["opened", "first chunk"]) {
      const handler = recorder((record) => {
        if (pauseAt === "first chunk" && record.chunks === 1) record.connection.pause();
      });
      const original = handler.opened.bind(handler);
      handler.opened = (connection) => {
        if (pauseAt === "opened") connection.pause();
        return original(connection);
      };
      const listener = await listen(handler);
      let taken = 0;
      const sending = sendPattern((await dialTls(listener.port))!, 64 * mib, (sent) => taken = sent);
      if (pauseAt === "first chunk") await until("the first chunk", () => handler.records[0]?.chunks === 1);
      await quiet(300);
      assert.equal(handler.records[0].chunks, pauseAt === "opened" ? 0 : 1);
      assert.ok(taken < 24 * mib, `only the operating system's buffers take more, took ${taken}: ${pauseAt}`);
      handler.records[0].connection.resume();
      const sent = await sending;
      await until("the end of the stream", () => handler.records[0].closed === 1, 20_000);
      assert.equal(handler.records[0].sha1.digest("hex"), sent);
      await listener.close();
    }
  });

  it("gives the memory of a large chunk back when the handler is done with it, where it is the chunk's own", async () => {
    const seen: { readonly chunk: Uint8Array; readonly pauses: boolean }[] = [];
    const kept: boolean[] = [];
    const handler = recorder((record, chunk) => {
      if (chunk.length < 16 * 1024) return;
      const pauses = seen.length % 3 === 1;
      seen.push({ chunk, pauses });
      if (!pauses) return;
      record.connection.pause();
      setTimeout(() => {
        kept.push(chunk.byteLength > 0);
        record.connection.resume();
      }, 1);
    });
    const listener = await listen(handler);
    await sendPattern((await dialTls(listener.port))!, 2 * mib);
    await until("the end of the stream", () => handler.records[0].closed === 1, 20_000);
    assert.ok(kept.length > 0);
    assert.ok(
      kept.every((isKept) => isKept),
      "a chunk in which the handler paused is its own until resume()",
    );
    // The last one may be the handler's for a moment more, behind the end of the stream.
    const gone = () => seen.filter(({ chunk }) => chunk.byteLength === 0).length;
    if (runtime.name === "bun") await until("the last chunk", () => gone() === seen.length);
    else assert.equal(gone(), 0);
    await listener.close();
  });

  const clients = [
    { client: "none", identity: undefined, want: { text: "hi", tlsPeer: undefined } },
    { client: "request", identity: undefined, want: { text: "hi", tlsPeer: undefined } },
    { client: "request", identity: "client", want: { text: "hi", tlsPeer: "client.example" } },
    { client: "request", identity: "stranger", want: { text: "", code: "permission_denied" } },
    { client: "require", identity: "client", want: { text: "hi", tlsPeer: "client.example" } },
    { client: "require", identity: "stranger", want: { text: "", code: "permission_denied" } },
    { client: "require", identity: undefined, want: { text: "", code: "permission_denied" } },
  ] as const;
  for (const { client, identity, want } of clients) {
    const verb = "code" in want ? "rejects" : "takes";
    it(`${verb} a client with ${identity ?? "no"} certificate when client is ${client}`, async () => {
      const handler = recorder();
      const listener = await listen(handler, { client });
      const check = async (): Promise<void> => {
        await until("closed", () => handler.records.at(-1)?.closed === 1);
        const record = handler.records.at(-1)!;
        assert.equal(record.text, want.text);
        if ("code" in want) {
          assert.ok(record.error instanceof ForwarderError, String(record.error));
          assert.equal(record.error.code, want.code);
        } else {
          assert.equal(record.error, undefined);
          assert.equal(record.connection.tlsPeer, want.tlsPeer);
        }
      };
      (await dialTls(listener.port, identity))?.end("hi");
      await check();
      const pair = identity === undefined
        ? []
        : ["-cert", file(`${identity}.crt`), "-key", file(`${identity}.key`)];
      await sClient(listener.port, pair, "hi").output;
      assert.equal(handler.records.length, 2);
      await check();
      await listener.close();
    });
  }

  it("throws when client certificates are wanted and there is no ca", async () => {
    await assert.rejects(
      listen(recorder(), {
        client: "require",
        material: { ...material, ca: undefined } as unknown as typeof material,
      }),
      (error) => error instanceof ForwarderError && error.code === "certificate_unusable",
    );
  });

  const plain = [
    { name: "syslog", text: "<13>1 2026-01-02T03:04:05Z host app - - - plain\n" },
    { name: "octet counting", text: "50 <13>1 2026-01-02T03:04:05Z host app - - - plain" },
    { name: "HTTP", text: "GET / HTTP/1.1\r\nHost: x\r\n\r\n" },
  ];
  for (const { name, text } of plain) {
    it(`closes with "peer spoke plain text" when the peer sends ${name}`, async () => {
      const handler = recorder();
      const listener = await listen(handler);
      const socket = await dial(listener.port);
      socket.removeAllListeners("error").on("error", () => {});
      socket.write(text);
      await until("closed", () => handler.records[0]?.closed === 1);
      const { error, bytes, connection } = handler.records[0];
      assert.ok(error instanceof ForwarderError);
      assert.equal(
        error.message,
        `Cannot finish TLS handshake with "${connection.peer}": peer spoke plain text`,
      );
      assert.equal(bytes, 0);
      await listener.close();
    });
  }

  it("closes with deadline_exceeded, and the socket too, when the peer does not start", async () => {
    const handler = recorder();
    const listener = await listen(handler, { handshakeMs: 100 });
    const socket = await dial(listener.port);
    let gone = false;
    socket.removeAllListeners("error").on("error", () => {}).on("close", () => gone = true).resume();
    await until("closed", () => handler.records[0]?.closed === 1 && gone);
    assert.equal((handler.records[0].error as ForwarderError).code, "deadline_exceeded");
    await listener.close();
  });

  it("closes once with an error when the peer goes away during or after the handshake", async () => {
    const handler = recorder();
    const listener = await listen(handler);
    (await dial(listener.port)).end();
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.equal((handler.records[0].error as ForwarderError).code, "stopped");

    // SIGKILL with unread bytes in its receive buffer would reset; with none it is a FIN without close_notify.
    const { child } = sClient(listener.port, [], "");
    await until("opened", () => handler.records.length === 2);
    child.kill("SIGKILL");
    await until("closed too", () => handler.records[1].closed === 1);
    await listener.close();
  });

  it("sends nothing unasked after the handshake, so that a sender that only writes can close at once", async () => {
    const handler = recorder();
    const listener = await listen(handler);
    for (let i = 1; i <= 8; i++) {
      // As soon as it may write it has sent and is gone. With unread bytes (tickets) that is a reset, and what its
      // operating system had not sent is lost.
      const raw = await dial(listener.port);
      let unasked = 0;
      const socket = connectTls({ socket: raw, ca: material.ca, host: "127.0.0.1" });
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      const readAtHandshake = raw.bytesRead;
      socket.write("x".repeat(1000));
      await until("all of it", () => handler.records[i - 1]?.bytes === 1000);
      await quiet(10);
      unasked = raw.bytesRead - readAtHandshake;
      socket.destroy();
      assert.equal(unasked, 0);
      await until("closed", () => handler.records[i - 1].closed === 1);
    }
    await listener.close();
  });

  it("ends only that connection when the handler throws", async () => {
    const faults: string[] = [];
    setFaultReporter((where) => faults.push(where));
    const closed: (string | undefined)[] = [];
    const texts: string[] = [];
    const listener = await listen<object>({
      opened: () => ({}),
      received(_state, chunk) {
        const text = Buffer.from(chunk).toString();
        if (text === "throw") throw new Error("broken");
        texts.push(text);
      },
      closed: (_state, error) => void closed.push(error?.message),
    });
    const good = (await dialTls(listener.port))!;
    (await dialTls(listener.port))!.write("throw");
    await until("the broken one closed", () => closed.length === 1);
    good.end("fine");
    await until("the other closed", () => closed.length === 2);
    assert.deepEqual(closed, ["broken", undefined]);
    assert.deepEqual(texts, ["fine"]);
    assert.deepEqual(faults, ["connection.received"]);
    setFaultReporter(undefined);
    await listener.close();
  });

  it("refuses when opened() does, and calls closed() once when destroyed before the handshake", async () => {
    let opens = 0;
    const closed: (Error | undefined)[] = [];
    const listener = await listen<object>({
      opened(connection) {
        opens += 1;
        if (opens === 1) return undefined;
        setTimeout(() => {
          connection.destroy();
          connection.destroy();
        }, 1);
        return {};
      },
      received() {},
      closed: (_state, error) => void closed.push(error),
    });
    for (let i = 0; i < 2; i++) {
      let gone = false;
      const socket = await dial(listener.port);
      socket.removeAllListeners("error").on("error", () => {}).on("close", () => gone = true).resume();
      await until("the peer noticed", () => gone);
    }
    await until("closed", () => closed.length === 1);
    assert.deepEqual(closed, [undefined]);
    await listener.close();
  });

  it("shares the port when reusePort is set, and throws address_in_use when it is not", async () => {
    const handler = recorder();
    const first = await listen(handler);
    const address = { hostname: "127.0.0.1", port: first.port, reusePort: true };
    const second = await listenTls(address, { material, client: "none" }, handler);
    await assert.rejects(
      listenTls({ ...address, reusePort: false }, { material, client: "none" }, handler),
      (error) => error instanceof ForwarderError && error.code === "address_in_use",
    );
    const sockets = await Promise.all(Array.from({ length: 20 }, () => dialTls(first.port)));
    for (const socket of sockets) socket!.end("x");
    await until(
      "all closed",
      () => handler.records.filter((r) => r.closed === 1 && r.text === "x").length === 20,
    );
    await first.close();
    await second.close();
    await assert.rejects(dial(address.port));
  });

  it("reload() gives new connections the new certificate, keeps open ones and the client check", async () => {
    const handler = recorder();
    const listener = await listen(handler, { client: "require" });
    const old = (await dialTls(listener.port, "client"))!;
    assert.equal(old.getPeerCertificate().subject.CN, "server.example");
    listener.reload(
      await loadTlsMaterial({ ...files, certFile: file("renewed.crt"), keyFile: file("renewed.key") }),
    );
    const renewed = (await dialTls(listener.port, "client"))!;
    assert.equal(renewed.getPeerCertificate().subject.CN, "renewed.example");
    old.end("old");
    renewed.end("new");
    await until("both closed", () => handler.records.filter((r) => r.closed === 1).length === 2);
    assert.deepEqual(handler.records.map((r) => r.text).sort(), ["new", "old"]);
    for (const identity of [undefined, "stranger"]) {
      (await dialTls(listener.port, identity))?.end("no");
      await until(
        "closed",
        () => handler.records.at(-1)!.closed === 1 && handler.records.at(-1)!.text === "",
      );
      assert.equal((handler.records.at(-1)!.error as ForwarderError).code, "permission_denied");
    }
    assert.equal(handler.records.length, 4);
    await listener.close();
  });
});

describe("loadTlsMaterial()", () => {
  const table = [
    {
      name: "the key is another's",
      change: { keyFile: file("renewed.key") },
      want: /belongs to another certificate$/,
    },
    {
      name: "the certificate is none",
      change: { certFile: file("extensions") },
      want: /no PEM certificate in it/,
    },
    { name: "the key is none", change: { keyFile: file("server.crt") }, want: /no PEM private key in it/ },
    { name: "the ca is none", change: { caFile: file("server.key") }, want: /no PEM certificate in it/ },
    {
      name: "a file is missing",
      change: { certFile: file("missing.crt") },
      want: /^Cannot read ".*missing\.crt"/,
    },
  ];
  for (const { name, change, want } of table) {
    it(`throws certificate_unusable when ${name}`, async () => {
      await assert.rejects(loadTlsMaterial({ ...files, ...change }), (error) => {
        assert.ok(error instanceof ForwarderError);
        assert.equal(error.code, "certificate_unusable");
        assert.match(error.message, want);
        return true;
      });
    });
  }
});
