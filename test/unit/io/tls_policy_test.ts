import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { after, describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { listenTls, type TlsListenOptions } from "../../../src/io/tls.ts";
import { loadTlsMaterial, tlsFilesVersion } from "../../../src/io/tls_material.ts";
import type { ConnectionHandler } from "../../../src/runtime/runtime.ts";
import { recorder, until } from "../runtime/support.ts";
import { makeCertificates } from "./certificates.ts";

const { dir, file } = makeCertificates();
after(() => rmSync(dir, { recursive: true }));
const files = { certFile: file("server.crt"), keyFile: file("server.key"), caFile: file("ca.crt") };
const material = await loadTlsMaterial(files);

const fingerprint = (name: string) =>
  `SHA256:${new X509Certificate(readFileSync(file(`${name}.crt`))).fingerprint256.replaceAll(":", "")}`;

function listen<State>(handler: ConnectionHandler<State>, options: Partial<TlsListenOptions> = {}) {
  return listenTls(
    { hostname: "127.0.0.1", port: 0, reusePort: true },
    { material, client: "none", ...options },
    handler,
  );
}

/** What openssl s_client says; it sends `hi` and ends. */
function sClient(port: number, ...args: string[]): Promise<string> {
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-no_ign_eof", ...args]);
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  child.stderr.on("data", (chunk) => text += chunk);
  child.stdin.on("error", () => {});
  child.stdin.end("hi\n");
  return new Promise((resolve) => child.on("close", () => resolve(text)));
}

const identity = (name: string | undefined) =>
  name === undefined ? [] : ["-cert", file(`${name}.crt`), "-key", file(`${name}.key`)];

describe("listenTls() permitted peers", () => {
  const table = [
    { name: "a DNS name", peers: ["localhost"], who: "client", want: "hi\n" },
    { name: "an IP address", peers: ["127.0.0.1"], who: "client", want: "hi\n" },
    { name: "a wildcard", peers: ["*.example"], who: "other", want: "hi\n" },
    { name: "a name that is not there", peers: ["web.example"], who: "client", want: /permitted.*localhost/ },
    { name: "the common name behind DNS names", peers: ["client.example"], who: "client", want: /permitted/ },
    { name: "a fingerprint", peers: [fingerprint("client")], who: "client", want: "hi\n" },
    { name: "another's fingerprint", peers: [fingerprint("client")], who: "revoked", want: /permitted/ },
    { name: "a fingerprint of a self-signed one", peers: [fingerprint("self")], who: "self", want: "hi\n" },
    {
      name: "a stranger with a permitted name",
      peers: ["localhost", fingerprint("self")],
      who: "stranger",
      want: /not trusted/,
    },
    { name: "no certificate", peers: [fingerprint("self")], who: undefined, want: /sent no certificate/ },
  ];
  for (const { name, peers, who, want } of table) {
    it(`${typeof want === "string" ? "takes" : "refuses"} ${name}`, async () => {
      const handler = recorder();
      const listener = await listen(handler, { client: "require", permittedPeers: peers });
      await sClient(listener.port, ...identity(who));
      await until("closed", () => handler.records[0]?.closed === 1);
      const { text, error } = handler.records[0]!;
      if (typeof want === "string") assert.deepEqual([text, error], [want, undefined]);
      else {
        assert.equal(text, "");
        assert.ok(error instanceof ForwarderError);
        assert.equal(error.code, "permission_denied");
        assert.match(error.message, want);
      }
      await listener.close();
    });
  }

  it("needs no ca when all peers are fingerprints, and takes nobody else then", async () => {
    const { ca: _, ...own } = material;
    const handler = recorder();
    const options = { client: "require", material: own, permittedPeers: [fingerprint("self")] } as const;
    const listener = await listen(handler, options);
    for (const who of ["self", "client", "stranger"]) await sClient(listener.port, ...identity(who));
    await until("closed", () => handler.records.filter((record) => record.closed === 1).length === 3);
    assert.deepEqual(handler.records.map(({ text }) => text), ["hi\n", "", ""]);
    await listener.close();
  });
});

describe("listenTls() revoked certificates", () => {
  it("refuses a revoked certificate, and takes it while the list is empty", async () => {
    const revoking = await loadTlsMaterial({ ...files, crlFile: file("ca.crl") });
    const handler = recorder();
    const listener = await listen(handler, { client: "require", material: revoking });
    await sClient(listener.port, ...identity("revoked"));
    await sClient(listener.port, ...identity("client"));
    listener.reload(await loadTlsMaterial({ ...files, crlFile: file("empty.crl") }));
    await sClient(listener.port, ...identity("revoked"));
    await until("closed", () => handler.records.filter((record) => record.closed === 1).length === 3);
    assert.deepEqual(handler.records.map(({ text }) => text), ["", "hi\n", "hi\n"]);
    assert.match(handler.records[0]!.error!.message, /client.*revoked|revoked/);
    await listener.close();
  });
});

describe("listenTls() versions, suites and protocols", () => {
  it("refuses TLS 1.2 when min_version is TLSv1.3", async () => {
    const handler = recorder();
    const listener = await listen(handler, { minVersion: "TLSv1.3" });
    await sClient(listener.port, "-tls1_2");
    await sClient(listener.port, "-tls1_3");
    await until("closed", () => handler.records.filter((record) => record.closed === 1).length === 2);
    assert.deepEqual(handler.records.map(({ text }) => text), ["", "hi\n"]);
    await listener.close();
  });

  it("refuses TLS 1.1 in any case", async () => {
    const handler = recorder();
    const listener = await listen(handler);
    await sClient(listener.port, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0");
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.equal(handler.records[0]!.text, "");
    await listener.close();
  });

  const suites = [
    { ciphers: ["ECDHE-ECDSA-AES256-GCM-SHA384"], args: ["-tls1_2"], want: "hi\n" },
    {
      ciphers: ["ECDHE-ECDSA-AES256-GCM-SHA384"],
      args: ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
      want: "",
    },
    { ciphers: ["ECDHE-ECDSA-AES256-GCM-SHA384"], args: ["-tls1_3"], want: "hi\n" },
    {
      ciphers: ["TLS_AES_256_GCM_SHA384"],
      args: ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
      want: "",
    },
    {
      ciphers: ["TLS_AES_256_GCM_SHA384"],
      args: ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
      want: "hi\n",
    },
    { ciphers: ["TLS_AES_256_GCM_SHA384"], args: ["-tls1_2"], want: "" },
  ];
  for (const { ciphers, args, want } of suites) {
    it(`${want === "" ? "refuses" : "takes"} ${args.join(" ")} when ciphers is ${ciphers}`, async () => {
      const handler = recorder();
      const listener = await listen(handler, { ciphers });
      await sClient(listener.port, ...args);
      await until("closed", () => handler.records[0]?.closed === 1);
      assert.equal(handler.records[0]!.text, want);
      await listener.close();
    });
  }

  it("offers its application protocols", async () => {
    const handler = recorder();
    const listener = await listen(handler, { alpn: ["syslog"] });
    assert.match(await sClient(listener.port, "-alpn", "syslog"), /ALPN protocol: syslog/);
    await listener.close();
  });
});

describe("listenTls() several certificates", () => {
  const more = { ...files, certificates: [{ certFile: file("other.crt"), keyFile: file("other.key") }] };

  it("shows the certificate that has the name that is asked for, after a reload too", async () => {
    const handler = recorder();
    const listener = await listen(handler, { material: await loadTlsMaterial(more) });
    const subject = async (...args: string[]) =>
      /subject=CN ?= ?(\S+)/.exec(await sClient(listener.port, ...args))?.[1];
    assert.equal(await subject("-servername", "other.example"), "other.example");
    assert.equal(await subject("-servername", "OTHER.example"), "other.example");
    assert.equal(await subject("-servername", "a.wild.example"), "other.example");
    assert.equal(await subject("-servername", "a.b.wild.example"), "server.example");
    assert.equal(await subject("-servername", "localhost"), "server.example");
    assert.equal(await subject("-noservername"), "server.example");
    listener.reload(
      await loadTlsMaterial({ ...more, certFile: file("renewed.crt"), keyFile: file("renewed.key") }),
    );
    assert.equal(await subject("-servername", "unknown.example"), "renewed.example");
    assert.equal(await subject("-servername", "other.example"), "other.example");
    await listener.close();
  });

  it("names a peer that speaks plain text", async () => {
    const handler = recorder();
    const listener = await listen(handler, { material: await loadTlsMaterial(more) });
    const raw = connectTcp(listener.port, "127.0.0.1");
    raw.on("error", () => {});
    raw.write("<13>1 2026-01-02T03:04:05Z host app - - - plain\n");
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.match(handler.records[0]!.error!.message, /peer spoke plain text$/);
    raw.destroy();
    await listener.close();
  });

  it("asks for client certificates and keeps the version whichever certificate it shows", async () => {
    const handler = recorder();
    const options = {
      material: await loadTlsMaterial(more),
      client: "require",
      minVersion: "TLSv1.3",
    } as const;
    const listener = await listen(handler, options);
    for (const who of [undefined, "stranger", "client"]) {
      await sClient(listener.port, "-servername", "other.example", ...identity(who));
    }
    await sClient(listener.port, "-servername", "other.example", "-tls1_2", ...identity("client"));
    await until("closed", () => handler.records.filter((record) => record.closed === 1).length === 4);
    assert.deepEqual(handler.records.map(({ text }) => text), ["", "", "hi\n", ""]);
    await listener.close();
  });
});

describe("loadTlsMaterial()", () => {
  it("knows names and the end of its certificates", () => {
    assert.deepEqual(material.names, ["localhost"]);
    const days = (material.endsAtMs - Date.now()) / 86_400_000;
    assert.ok(days > 1 && days < 3, `${days} days`);
  });

  it("throws when a further pair does not fit, or a revocation list is none", async () => {
    const wrong = { ...files, certificates: [{ certFile: file("other.crt"), keyFile: file("client.key") }] };
    await assert.rejects(loadTlsMaterial(wrong), /belongs to another certificate/);
    await assert.rejects(loadTlsMaterial({ ...files, crlFile: file("ca.crt") }), /no PEM revocation list/);
  });

  it("tlsFilesVersion() differs when a file was written or is missing", async () => {
    const copy = file("copy.crt");
    const before = await tlsFilesVersion({ ...files, certFile: copy });
    execFileSync("cp", [file("server.crt"), copy]);
    const there = await tlsFilesVersion({ ...files, certFile: copy });
    assert.notEqual(before, there);
    assert.equal(there, await tlsFilesVersion({ ...files, certFile: copy }));
    execFileSync("ln", ["-sf", file("renewed.crt"), copy]);
    assert.notEqual(there, await tlsFilesVersion({ ...files, certFile: copy }));
  });
});

describe("listenTls() behind a load balancer", () => {
  const v1 = new TextEncoder().encode("PROXY TCP4 192.0.2.7 10.0.0.9 1234 6514\r\n");
  const v2 = Uint8Array.from([
    ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12],
    ...[192, 0, 2, 7, 10, 0, 0, 9, 0x04, 0xd2, 0x19, 0x72],
  ]);

  /** Sends `header`, in one piece with the handshake or before it, then `text` over TLS. */
  async function send(
    port: number,
    header: Uint8Array,
    pieces: number,
    text: string,
    who?: string,
  ): Promise<void> {
    const raw = connectTcp(port, "127.0.0.1");
    raw.on("error", () => {});
    await new Promise((resolve) => raw.once("connect", resolve));
    raw.setNoDelay(true);
    const size = Math.ceil(header.length / pieces);
    for (let at = 0; at < header.length; at += size) {
      raw.write(header.subarray(at, at + size));
      if (pieces > 1) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const options: ConnectionOptions = { socket: raw, ca: material.ca, host: "127.0.0.1" };
    if (who !== undefined) {
      options.cert = readFileSync(file(`${who}.crt`));
      options.key = readFileSync(file(`${who}.key`));
    }
    const socket: TLSSocket = connectTls(options, () => socket.end(text));
    socket.on("error", () => {});
  }

  const proxied = (host: string) => host === "127.0.0.1" || host === "::ffff:127.0.0.1";
  const identifying = () => {
    const handler = recorder();
    const peers: string[] = [];
    return {
      peers,
      handler: {
        ...handler,
        identified: (_record: unknown, peer: string) => peers.push(peer) > 0 && !peer.startsWith("198."),
      },
    };
  };

  for (const [name, header] of [["v1", v1], ["v2", v2]] as const) {
    for (const pieces of [1, 3, header.length]) {
      it(`reads ${name} in ${pieces} pieces, then the handshake with the client's certificate`, async () => {
        const { handler, peers } = identifying();
        const listener = await listen(handler, { proxied, client: "require" });
        await send(listener.port, header, pieces, "over TLS", "client");
        await until("closed", () => handler.records[0]?.closed === 1);
        const { text, error, connection } = handler.records[0]!;
        assert.deepEqual([text, error, connection.peer], ["over TLS", undefined, "192.0.2.7:1234"]);
        assert.equal(connection.tlsPeer, "client.example");
        assert.deepEqual(peers, ["192.0.2.7:1234"]);
        await listener.close();
      });
    }
  }

  it("gives 8 MiB unchanged when the handler pauses", async () => {
    const { handler } = identifying();
    let paused = 0;
    const received = handler.received.bind(handler);
    handler.received = (record, chunk) => {
      received(record, chunk);
      if (++paused % 8 !== 0) return;
      record.connection.pause();
      setTimeout(() => record.connection.resume(), 2);
    };
    const listener = await listen(handler, { proxied });
    await send(listener.port, v2, 1, "x".repeat(8 << 20));
    await until("closed", () => handler.records[0]?.closed === 1, 20_000);
    assert.equal(handler.records[0]!.bytes, 8 << 20);
    await listener.close();
  });

  it("keeps to the handshake's deadline behind the header", async () => {
    const { handler } = identifying();
    const listener = await listen(handler, { proxied, handshakeMs: 150 });
    const raw = connectTcp(listener.port, "127.0.0.1");
    raw.on("error", () => {});
    raw.write(v1);
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.match(String(handler.records[0]!.error), /not done in time/);
    raw.destroy();
    await listener.close();
  });

  it("begins no handshake when the handler refuses the sender", async () => {
    const { handler } = identifying();
    const refusing = {
      ...handler,
      identified: (record: { connection: { destroy(): void } }) => {
        record.connection.destroy();
        return false;
      },
    };
    const listener = await listen(refusing, { proxied });
    await send(listener.port, v1, 1, "x");
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.equal(handler.records[0]!.text, "");
    await listener.close();
  });

  it("takes a handshake without a header from hosts that are no load balancers", async () => {
    const { handler } = identifying();
    const listener = await listen(handler, { proxied: () => false });
    await sClient(listener.port, "-CAfile", file("ca.crt"));
    await until("closed", () => handler.records[0]?.closed === 1);
    assert.equal(handler.records[0]!.text, "hi\n");
    await listener.close();
  });
});
