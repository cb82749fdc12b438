/**
 * Whole runs against servers that behave, and servers that do not.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { markOpening, scanMarks } from "../../../src/clobber/payload/mark.ts";
import { until } from "../../support/until.ts";
import { clobberInline, resultOf } from "./inline.ts";

const folder = mkdtempSync(join(tmpdir(), "corndog-load-"));
const closing: (() => void)[] = [() => rmSync(folder, { recursive: true })];
after(() => closing.forEach((close) => close()));

/** A TCP or unix server; every connection goes to `handle`. */
async function serve(handle: (socket: Socket) => void, path?: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    handle(socket);
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve)
  );
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

async function serveHttp(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<string> {
  const server = createHttp((request, response) => {
    let body = "";
    request.on("data", (chunk) => body += chunk).on("end", () => handle(request, response, body));
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that keeps what it gets. */
async function sink(
  path?: string,
): Promise<{ port: number; bytes: () => Buffer; connections: () => number }> {
  // By connection: chunks of several may come in turn, each in the midst of a line.
  const streams: Buffer[][] = [];
  const port = await serve((socket) => {
    const chunks: Buffer[] = [];
    streams.push(chunks);
    socket.on("data", (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
  }, path);
  return { port, bytes: () => Buffer.concat(streams.flat()), connections: () => streams.length };
}

/** Marks in bytes: how many, how many different, and whether each sender counts from 0 without a gap. */
function marksOf(bytes: Buffer, run: string): { count: number; unique: number; gapless: boolean } {
  const seen = new Map<number, Set<number>>();
  const count = scanMarks(bytes, Buffer.from(markOpening + run), (sender, sequence) => {
    seen.set(sender, (seen.get(sender) ?? new Set()).add(sequence));
  });
  const sets = [...seen.values()];
  return {
    count,
    unique: sets.reduce((sum, set) => sum + set.size, 0),
    gapless: sets.every((set) => Math.max(...set) === set.size - 1),
  };
}

describe("lines", () => {
  for (
    const extra of [[], ["--bundle", "1"], ["--framing", "octet"], ["--rate", "20k"], [
      "--message",
      "json",
      "--size",
      "100-600",
    ]]
  ) {
    it(`each arrives once, in full, with ${extra.join(" ") || "nothing else said"}`, async () => {
      const target = await sink();
      const ran = await resultOf([`tcp://127.0.0.1:${target.port}`, "-l", "5000", "-c", "3", ...extra]);
      assert.equal(ran.messages.sent, 5000);
      assert.equal(ran.messages.answered, 5000);
      await until("all lines", () => marksOf(target.bytes(), ran.run).count === 5000 || undefined);
      const { unique, gapless } = marksOf(target.bytes(), ran.run);
      assert.equal(unique, 5000);
      assert.ok(gapless, "each sender counts without a gap");
      assert.equal(target.connections(), 3, "none to try it out, and none when all is over");
      assert.deepEqual(ran.failures, {});
    });
  }

  it("arrive as they were although the peer reads slowly and the buffers are used again", async () => {
    const streams: Buffer[][] = [];
    const port = await serve((socket) => {
      const chunks: Buffer[] = [];
      streams.push(chunks);
      socket.on("data", (chunk: Buffer) => {
        chunks.push(Buffer.from(chunk));
        socket.pause();
        setTimeout(() => socket.resume(), 1);
      });
    });
    const ran = await resultOf([
      `tcp://127.0.0.1:${port}`,
      "-l",
      "40k",
      "-c",
      "2",
      "--size",
      "1000",
      "--drain",
      "20s",
    ]);
    await until(
      "all lines",
      () => marksOf(Buffer.concat(streams.flat()), ran.run).count === 40_000 || undefined,
      30_000,
    );
    assert.equal(marksOf(Buffer.concat(streams.flat()), ran.run).unique, 40_000);
  });

  it("go over unix sockets", async () => {
    const path = join(folder, "s");
    const target = await sink(path);
    const ran = await resultOf([`unix://${path}`, "-l", "1000"]);
    await until("all lines", () => marksOf(target.bytes(), ran.run).unique === 1000 || undefined);
  });

  it("go as datagrams, one each", async () => {
    const packets: Buffer[] = [];
    const socket = createSocket("udp4").on("message", (packet: Buffer) => packets.push(Buffer.from(packet)));
    closing.push(() => socket.close());
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const ran = await resultOf([
      `udp://127.0.0.1:${socket.address().port}`,
      "-l",
      "200",
      "--rate",
      "500",
      "-d",
      "2s",
    ]);
    assert.equal(ran.messages.sent, 200);
    await until("all datagrams", () => packets.length === 200 || undefined);
    assert.ok(packets.every((packet) => marksOf(packet, ran.run).count === 1 && packet.length === 256));
  });

  it("are sent also when the limit is less than the connections", async () => {
    const target = await sink();
    const ran = await resultOf([`tcp://127.0.0.1:${target.port}`, "-l", "3", "-c", "20", "--threads", "4"]);
    assert.equal(ran.messages.sent, 3);
  });

  it("come from new connections when --repeat says so, without loss", async () => {
    const target = await sink();
    const ran = await resultOf([`tcp://127.0.0.1:${target.port}`, "-l", "400", "-c", "4", "-r", "20"]);
    await until("all lines", () => marksOf(target.bytes(), ran.run).unique === 400 || undefined);
    assert.ok(target.connections() >= 20, `${target.connections()} connections`);
  });
});

describe("requests", () => {
  it("are answered over kept connections, and statuses are told apart", async () => {
    let number = 0;
    const url = await serveHttp((_request, response) => {
      response.statusCode = ++number % 4 === 0 ? 503 : 200;
      response.end("ok");
    });
    const ran = await resultOf([url, "-l", "400", "-c", "4"]);
    assert.deepEqual(ran.statuses, { "2xx": 300, "5xx": 100 });
    assert.equal(ran.messages.answered, 400);
    assert.equal(ran.messages.good, 300);
    assert.equal(ran.latency.uncorrected!.count, 400);
    assert.equal(ran.connections.opened, 4);
  });

  it("carry marked lines in their bodies", async () => {
    const bodies: string[] = [];
    const url = await serveHttp((request, response, body) => {
      assert.equal(request.headers["x-test"], "yes");
      bodies.push(body);
      response.end();
    });
    const ran = await resultOf([
      `${url}/in`,
      "-l",
      "50",
      "-c",
      "3",
      "--message",
      "json",
      "--batch",
      "5",
      "-H",
      "X-Test: yes",
    ]);
    assert.equal(ran.messages.answered, 50);
    assert.equal(marksOf(Buffer.from(bodies.join("")), ran.run).unique, 250);
    assert.equal(JSON.parse(bodies[0]!.split("\n")[4]!).mark.length, 35);
  });

  it("are pipelined as deep as was asked for", async () => {
    let open = 0;
    let most = 0;
    const port = await serve((socket) => {
      socket.on("data", (chunk: Buffer) => {
        open += chunk.toString().split("GET ").length - 1;
        most = Math.max(most, open);
        const count = open;
        open = 0;
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(count));
      });
    });
    const ran = await resultOf([`http://127.0.0.1:${port}/`, "-l", "640", "-c", "1", "--pipeline", "16"]);
    assert.equal(ran.messages.answered, 640);
    assert.ok(most > 1 && most <= 16, `${most} at once`);
  });

  it("count from the time at which they were due when the target stalls", async () => {
    let number = 0;
    const url = await serveHttp((_request, response) => {
      // One request holds the only connection for 300 ms.
      if (++number === 20) setTimeout(() => response.end(), 300);
      else response.end();
    });
    const ran = await resultOf([url, "--rate", "200", "-d", "1s", "-c", "1"]);
    const { corrected, uncorrected } = ran.latency;
    assert.equal(ran.messages.answered + ran.messages.unsent, 200);
    // 60 messages were due while it stalled: more than a tenth waited, and only one of them was slow to be answered.
    assert.ok(corrected!.p90 > 40, `due time p90 ${corrected!.p90}`);
    assert.ok(
      corrected!.mean > uncorrected!.mean + 20,
      `mean ${corrected!.mean} from due time, ${uncorrected!.mean} from sending`,
    );
    assert.ok(ran.generator.targetStalled > 0.1, `stalled ${ran.generator.targetStalled}`);
  });

  it("behind their deadline are answered and not good", async () => {
    const url = await serveHttp((_request, response) => void setTimeout(() => response.end(), 60));
    const ran = await resultOf([url, "-l", "10", "-c", "2", "--deadline", "20ms"]);
    assert.deepEqual([ran.messages.answered, ran.messages.good, ran.messages.lateForDeadline], [10, 0, 10]);
  });

  it("without an answer end in a timeout, a new connection, and exit code 1", async () => {
    const target = await sink();
    const ran = await resultOf([
      `tcp://127.0.0.1:${target.port}`,
      "--payload",
      "hi",
      "-l",
      "3",
      "-c",
      "3",
      "--read-timeout",
      "100",
    ]);
    assert.deepEqual(ran.failures, { readTimeout: 3 });
    assert.equal(ran.code, 1);
  });

  it("that are cut off are told from those that are reset", async () => {
    let number = 0;
    const port = await serve((socket) => {
      socket.on(
        "data",
        () => ++number % 2 === 0 ? socket.resetAndDestroy() : socket.end("HTTP/1.1 200 OK\r\n"),
      );
    });
    const ran = await resultOf([`http://127.0.0.1:${port}/`, "-l", "10", "-c", "1"]);
    assert.equal((ran.failures["closedEarly"] ?? 0) + (ran.failures["reset"] ?? 0), 10);
    assert.ok(ran.failures["closedEarly"]! >= 4 && ran.failures["reset"]! >= 4, JSON.stringify(ran.failures));
  });

  it("that get no answer of the protocol are told so", async () => {
    const port = await serve((socket) => socket.on("data", () => socket.write("what?\r\n\r\n and more")));
    const ran = await resultOf([`http://127.0.0.1:${port}/`, "-l", "4", "-c", "2"]);
    assert.deepEqual(ran.failures, { badAnswer: 4 });
  });

  it("go over new connections where the server closes after each", async () => {
    const url = await serveHttp((_request, response) => {
      response.setHeader("Connection", "close");
      response.end("x");
    });
    const ran = await resultOf([url, "-l", "30", "-c", "2"]);
    assert.equal(ran.messages.good, 30);
    assert.ok(ran.connections.opened >= 30);
    assert.deepEqual(ran.failures, {});
  });
});

/** A receiver of RELP, written from its specification. */
function relp(socket: Socket, seen: string[]): void {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (;;) {
      const head = /^(\d+) (\w+) (\d+)( ?)/.exec(text);
      if (head === null) return;
      const length = Number(head[3]);
      const end = head[0].length + length + 1;
      if (text.length < end) return;
      assert.equal(text[end - 1], "\n");
      const data = text.slice(head[0].length, end - 1);
      text = text.slice(end);
      if (head[2] === "open") assert.match(data, /relp_version=/);
      else seen.push(data);
      socket.write(`${head[1]} rsp 6 200 OK\n`);
    }
  });
}

describe("RELP", () => {
  it("frames are acknowledged in a window, each once", async () => {
    const seen: string[] = [];
    const port = await serve((socket) => relp(socket, seen));
    const ran = await resultOf([`relp://127.0.0.1:${port}`, "-l", "3000", "-c", "3"]);
    assert.equal(ran.messages.good, 3000);
    assert.equal(seen.length, 3000);
    assert.equal(marksOf(Buffer.from(seen.join("")), ran.run).unique, 3000);
  });
});

describe("exit codes", () => {
  it("97 when nobody listens, with the reason", async () => {
    const { port } = await sink();
    const { code, err } = await clobberInline(["tcp://127.0.0.1:1", "-d", "1s", "--connect-timeout", "2s"]);
    assert.ok(port > 0);
    assert.equal(code, 97);
    assert.match(err, /does not take connections/);
    assert.equal((await clobberInline(["unix:///nowhere/s"])).code, 97);
    assert.equal((await clobberInline(["tcp://no.such.host.invalid:1"])).code, 97);
  });

  it("99 when a threshold does not hold, 0 when it does", async () => {
    const url = await serveHttp((_request, response) => response.end());
    assert.equal((await resultOf([url, "-l", "20", "--fail", "errors==0"])).code, 0);
    const broken = await resultOf([url, "-l", "20", "--fail", "p50<0.000001ms", "--fail", "errors==0"]);
    assert.equal(broken.code, 99);
    assert.deepEqual(broken.gates.map(({ passed }) => passed), [false, true]);
  });

  it("98 when the machine cannot open so many connections", async () => {
    const { port } = await sink();
    const { code, err } = await clobberInline([`tcp://127.0.0.1:${port}`, "-c", "65000"]);
    assert.equal(code, 98);
    assert.match(err, /65000 connections/);
  });
});

describe("the whole", () => {
  it("ends at an interrupt and still reports", async () => {
    let interrupt = (): void => {};
    let requests = 0;
    const url = await serveHttp((_request, response) => {
      response.end();
      if (++requests === 10) interrupt();
    });
    const { code, result } = await clobberInline([url, "-d", "1h", "-c", "2"], (act) => interrupt = act);
    assert.ok(result!.interrupted);
    assert.ok(result!.messages.answered > 0);
    assert.ok(code === 0 || code === 98, `exit ${code}`);
  });

  it("ends at an interrupt that comes before the load begins", async () => {
    const { port } = await sink();
    const { result } = await clobberInline(
      [`tcp://127.0.0.1:${port}`, "--rate", "10", "-d", "1h"],
      (act) => act(),
    );
    assert.ok(result!.interrupted);
    assert.ok(result!.messages.sent < 100, `${result!.messages.sent} sent`);
  });

  it("keeps a rate over several threads", async () => {
    const url = await serveHttp((_request, response) => response.end());
    const ran = await resultOf([url, "--rate", "300", "-d", "1s", "-c", "8", "--threads", "4"]);
    assert.equal(ran.messages.due, 300);
    assert.ok(ran.messages.sent + ran.messages.unsent === 300);
    assert.equal(ran.requested.rate, 300);
  });

  it("counts what is never sent when the target takes nothing", async () => {
    const port = await serve((socket) => socket.pause());
    const ran = await resultOf([
      `tcp://127.0.0.1:${port}`,
      "--rate",
      "3k",
      "-d",
      "1s",
      "-c",
      "1",
      "--size",
      "10000",
      "--drain",
      "200ms",
    ]);
    assert.ok(ran.messages.unsent > 0, "messages were due and nobody took them");
    assert.equal(ran.messages.due, 3000);
    assert.equal(ran.messages.sent + ran.messages.unsent, 3000);
    assert.ok(ran.generator.targetStalled > 0.2, "and that was the target");
  });

  it("fuzzes from a seed, and says whether the target is still there", async () => {
    const target = await sink();
    const argv = [
      `tcp://127.0.0.1:${target.port}`,
      "--fuzz",
      "flips,truncate,bad-count,utf8,nul",
      "--seed",
      "7",
    ];
    const ran = await resultOf([...argv, "-l", "300", "-c", "2"]);
    assert.equal(ran.survived, true);
    assert.equal(ran.messages.sent, 300);
    assert.ok(target.bytes().length > 30_000);
  });

  it("takes the end of a connection for its answer, once, with --answer close", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).on("data", () => socket.end("bye")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const argv = [`tcp://127.0.0.1:${port}`, "--payload", "hi", "--answer", "close"];
    const ran = await resultOf([...argv, "-l", "60", "-c", "3"]);
    server.close();
    assert.deepEqual([ran.messages.sent, ran.messages.good, ran.failures], [60, 60, {}]);
  });

  it("fuzzes on without a pause when the target ends each connection that it gets nonsense from", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).on("data", () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const argv = [`tcp://127.0.0.1:${port}`, "--payload", "nonsense", "--fuzz", "flips"];
    // With the wait after failures it would take minutes.
    const ran = await resultOf([...argv, "-l", "200", "-c", "1", "-d", "60s"]);
    server.close();
    assert.equal(ran.messages.sent, 200);
    assert.deepEqual([ran.survived, ran.code], [true, 0]);
  });

  it("holds idle connections and slow readers beside the load", async () => {
    const url = await serveHttp((_request, response) => response.end("x".repeat(1000)));
    const ran = await resultOf([
      url,
      "-l",
      "50",
      "-c",
      "2",
      "--idle-connections",
      "5",
      "--slow-readers",
      "2",
    ]);
    assert.equal(ran.messages.good, 50);
    assert.equal(ran.requested.connections, 9);
    assert.equal(ran.achieved.connections, 9);
  });

  it("opens more connections when --max finds that they are answered faster", async () => {
    let under = 0;
    let most = 0;
    let interrupt = (): void => {};
    const url = await serveHttp((_request, response) => {
      most = Math.max(most, ++under);
      setTimeout(() => {
        under--;
        response.end();
      }, 20);
      // As soon as it has tried that many: how soon is the machine's affair.
      if (most >= 4) interrupt();
    });
    const { result } = await clobberInline([url, "--max", "-d", "45s", "-c", "64"], (act) => interrupt = act);
    assert.ok(most >= 4, `${most} at once`);
    assert.ok(result!.achieved.settledOn! >= 1);
  });
});
