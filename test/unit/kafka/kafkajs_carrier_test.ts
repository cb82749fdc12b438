/**
 * The kafkajs carrier against servers that misbehave, over real sockets. Whatever a server does: a typed error, no
 * unhandled rejection, no uncaught exception, no socket left.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { ForwarderError } from "../../../src/core/errors.ts";
import type { BrokerConnection } from "../../../src/kafka/carrier.ts";
import { type KafkaClock, systemClock } from "../../../src/kafka/clock.ts";
import { createKafkajsCarrier } from "../../../src/kafka/kafkajs_carrier.ts";
import { kafkaConfig } from "./bench_sink.ts";
import { writeAnswer } from "./wire.ts";

/** Deadlines come fifty times as early: for servers that say nothing. Even a good one may be late by that. */
const hasty: KafkaClock = { ...systemClock, after: (delayMs, task) => systemClock.after(delayMs / 50, task) };

/** The first broker of a list is the first in turn, its silence is short, and no other deadline comes early. */
function firstIsSilent(): KafkaClock {
  let timers = 0;
  return {
    ...systemClock,
    // Until the next one is asked, and until the first is given up.
    after: (delayMs, task) => systemClock.after(timers++ < 2 ? delayMs / 10 : delayMs, task),
    random: () => 0,
  };
}

const strays: unknown[] = [];
const catchStray = (cause: unknown): void => void strays.push(cause);
before(() => {
  process.on("unhandledRejection", catchStray);
  process.on("uncaughtException", catchStray);
});
after(() => {
  process.off("unhandledRejection", catchStray);
  process.off("uncaughtException", catchStray);
});

/** Writes the answer to one request, or does worse. */
type Answerer = (request: { apiKey: number; correlationId: number }, socket: net.Socket) => void;

function frame(correlationId: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, body]);
}

/** ApiVersions v2 with Produce up to `produceMax`. */
function apiVersions(produceMax = 11): Buffer {
  const apis = [[0, 3, produceMax], [3, 0, 12], [18, 0, 4], [22, 0, 5], [17, 0, 1], [36, 0, 2]];
  const body = Buffer.alloc(2 + 4 + apis.length * 6 + 4);
  body.writeInt32BE(apis.length, 2);
  apis.forEach((api, index) =>
    api.forEach((value, field) => body.writeInt16BE(value, 6 + index * 6 + field * 2))
  );
  return body;
}

/** Metadata v6 without brokers and topics. */
const emptyMetadata = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 1, 0, 0, 0, 0]);

const wellBehaved: Answerer = ({ apiKey, correlationId }, socket) => {
  if (apiKey === 18) socket.write(frame(correlationId, apiVersions()));
  else if (apiKey === 3) socket.write(frame(correlationId, emptyMetadata));
  else if (apiKey === 22) socket.write(frame(correlationId, Buffer.alloc(16)));
  else socket.write(frame(correlationId, writeAnswer([{ topic: "t", partition: 0, errorCode: 0 }])));
};

/** A server on a port of its own. */
async function withServer(
  answer: Answerer,
  use: (port: number, sockets: Set<net.Socket>) => Promise<void>,
  greet: (socket: net.Socket) => void = () => {},
): Promise<void> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    greet(socket);
    let held = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      held = Buffer.concat([held, data]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const request = held.subarray(4);
        held = held.subarray(4 + held.readInt32BE(0));
        answer({ apiKey: request.readInt16BE(0), correlationId: request.readInt32BE(4) }, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use((server.address() as net.AddressInfo).port, sockets);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function carrierTo(port: number, clock = systemClock) {
  return createKafkajsCarrier(kafkaConfig({ brokers: [`127.0.0.1:${port}`] }), clock);
}

function produceRequest(connection: BrokerConnection): { correlationId: number; views: Uint8Array[] } {
  const correlationId = connection.nextCorrelationId();
  const body = Buffer.alloc(12 + 64 * 1024);
  body.writeInt32BE(body.length - 4);
  body.writeInt16BE(7, 6);
  body.writeInt32BE(correlationId, 8);
  return { correlationId, views: [body] };
}

async function failure(promise: Promise<unknown>): Promise<ForwarderError> {
  try {
    await promise;
  } catch (cause) {
    assert.ok(cause instanceof ForwarderError, String(cause));
    return cause;
  }
  throw assert.fail("expected a failure");
}

const noEvents = { closed: () => {}, usable: () => {} };

describe("kafkajs carrier", () => {
  it("metadata(), initProducerId() and send() give the answers when the broker behaves", async () => {
    await withServer(wellBehaved, async (port, sockets) => {
      const carrier = carrierTo(port);
      assert.deepEqual(await carrier.metadata([], false), { brokers: [], topics: [] });
      assert.deepEqual(await carrier.initProducerId(), { producerId: 0n, epoch: 0 });
      const connection = await carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents);
      const sends = Array.from({ length: 5 }, () => produceRequest(connection));
      const answers = await Promise.all(
        sends.map(({ correlationId, views }) => connection.send(correlationId, views)),
      );
      assert.ok(
        answers.every((answer) => answer.equals(writeAnswer([{ topic: "t", partition: 0, errorCode: 0 }]))),
      );
      await carrier.close();
      await until(() => sockets.size === 0);
    });
  });

  it("send() writes views one by one, and joins none of them in a new buffer, when the broker is slow", async () => {
    const proto = net.Socket.prototype as unknown as { _writev: (chunks: unknown[], done: unknown) => void };
    const original = proto._writev;
    assert.equal(typeof original, "function");
    let joined = 0;
    proto._writev = function (chunks, done) {
      joined = Math.max(joined, chunks.length);
      return original.call(this, chunks, done);
    };
    try {
      const held = new Set<net.Socket>();
      const deaf: Answerer = (request, socket) => {
        wellBehaved(request, socket);
        if (request.apiKey !== 18) return;
        held.add(socket.pause());
      };
      await withServer(deaf, async (port) => {
        const carrier = carrierTo(port);
        const connection = await carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents);
        const answers = Array.from({ length: 3 }, () => {
          const { correlationId, views: [body] } = produceRequest(connection);
          const views = [body!, ...Array.from({ length: 8 }, (_, n) => Buffer.alloc(512 * 1024, n))];
          const bytes = views.reduce((sum, { length }) => sum + length, 0);
          (body as Buffer).writeInt32BE(bytes - 4);
          return connection.send(correlationId, views);
        });
        for (const socket of held) socket.resume();
        const want = writeAnswer([{ topic: "t", partition: 0, errorCode: 0 }]);
        for (const answer of await Promise.all(answers)) assert.ok(answer.equals(want));
        await carrier.close();
      });
      assert.equal(joined, 0, "each view is written from where it lies");
    } finally {
      proto._writev = original;
    }
  });

  it("metadata() says which broker refused, and why, when nobody listens", async () => {
    let closedPort = 0;
    await withServer(wellBehaved, (port) => {
      closedPort = port;
      return Promise.resolve();
    });
    const carrier = carrierTo(closedPort);
    const cause = await failure(carrier.metadata([], false));
    assert.equal(cause.message, `Cannot reach broker "127.0.0.1:${closedPort}": ECONNREFUSED`);
    assert.equal(cause.code, "kafka_unreachable");
    await carrier.close();
  });

  it("metadata() is answered by the next broker when the first one in turn says nothing", async () => {
    let asked = 0;
    await withServer(() => {}, async (silent, silentSockets) => {
      await withServer(wellBehaved, async (port, sockets) => {
        const brokers = [`127.0.0.1:${silent}`, `127.0.0.1:${port}`];
        const carrier = createKafkajsCarrier(kafkaConfig({ brokers }), firstIsSilent());
        assert.deepEqual(await carrier.metadata([], false), { brokers: [], topics: [] });
        await until(() => silentSockets.size === 0);
        assert.equal(asked, 1, "it was asked first");
        assert.deepEqual(await carrier.initProducerId(), { producerId: 0n, epoch: 0 });
        assert.equal(sockets.size, 1, "the connection that answered is used on");
        await carrier.close();
        await until(() => sockets.size === 0);
      });
    }, () => void asked++);
  });

  it("metadata() tells the refusal when one broker refuses and the other says nothing", async () => {
    await withServer(() => {}, async (silent) => {
      let closed = 0;
      await withServer(wellBehaved, (port) => Promise.resolve(void (closed = port)));
      const brokers = [`127.0.0.1:${silent}`, `127.0.0.1:${closed}`];
      const carrier = createKafkajsCarrier(kafkaConfig({ brokers }), firstIsSilent());
      const cause = await failure(carrier.metadata([], false));
      assert.equal(cause.message, `Cannot reach broker "127.0.0.1:${closed}": ECONNREFUSED`);
      await carrier.close();
    });
  });

  const greetings: { name: string; greet: (socket: net.Socket) => void; want: RegExp }[] = [
    { name: "closes at once", greet: (socket) => socket.end(), want: /closed the connection|ECONN/ },
    {
      name: "resets at once",
      greet: (socket) => socket.resetAndDestroy(),
      want: /closed the connection|ECONN/,
    },
    { name: "says nothing", greet: () => {}, want: /did not answer within 5000 ms/ },
    {
      name: "speaks HTTP",
      greet: (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
      want: /Kafka protocol/,
    },
    {
      name: "speaks TLS",
      greet: (socket) => socket.write(Buffer.from([21, 3, 3, 0, 2, 2, 70, 0])),
      want: /speaks TLS/,
    },
    { name: "sends size 0", greet: (socket) => socket.write(Buffer.alloc(8)), want: /Kafka protocol/ },
    {
      name: "sends size 3",
      greet: (socket) => socket.write(Buffer.from([0, 0, 0, 3, 0, 0, 0, 0])),
      want: /Kafka protocol/,
    },
    {
      name: "sends a size below 0",
      greet: (socket) => socket.write(Buffer.alloc(8, 0xfc)),
      want: /Kafka protocol/,
    },
    {
      name: "answers what nobody asked",
      greet: (socket) => socket.write(frame(9, Buffer.alloc(9))),
      want: /answered request 9/,
    },
  ];
  for (const { name, greet, want } of greetings) {
    it(`connect() fails with a typed error when the server ${name}`, async () => {
      await withServer(() => {}, async (port, sockets) => {
        const carrier = carrierTo(port, name === "says nothing" ? hasty : systemClock);
        const cause = await failure(carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents));
        assert.match(cause.message, want);
        assert.match(cause.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
        await until(() => sockets.size === 0);
        await carrier.close();
      }, greet);
    });
  }

  it("connect() names the version when the broker is too old", async () => {
    const answer: Answerer = ({ correlationId }, socket) =>
      void socket.write(frame(correlationId, apiVersions(5)));
    await withServer(answer, async (port) => {
      const carrier = carrierTo(port);
      const cause = await failure(carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents));
      assert.equal(cause.code, "kafka_protocol");
      assert.match(cause.message, /Kafka 2\.1 or later is needed/);
      await carrier.close();
    });
  });

  const endings: { name: string; answer: Answerer }[] = [
    { name: "closes", answer: (_, socket) => void socket.end() },
    { name: "resets", answer: (_, socket) => void socket.resetAndDestroy() },
    {
      name: "closes in the middle of the answer",
      answer: ({ correlationId }, socket) =>
        void socket.end(frame(correlationId, Buffer.alloc(100)).subarray(0, 20)),
    },
    {
      name: "answers with another correlation id",
      answer: ({ correlationId }, socket) => void socket.write(frame(correlationId + 1, Buffer.alloc(8))),
    },
    { name: "sends garbage", answer: (_, socket) => void socket.write(Buffer.alloc(64, 0x80)) },
  ];
  for (const { name, answer } of endings) {
    it(`send() fails, after the socket was destroyed, when the broker ${name}`, async () => {
      const behaves: Answerer = (request, socket) =>
        request.apiKey === 0 ? answer(request, socket) : wellBehaved(request, socket);
      await withServer(behaves, async (port) => {
        const carrier = carrierTo(port);
        const closed: ForwarderError[] = [];
        const connection = await carrier.connect({ id: 1, host: "127.0.0.1", port }, {
          closed: (cause) => void closed.push(cause),
          usable: () => {},
        });
        const sends = Array.from({ length: 3 }, () => {
          const { correlationId, views } = produceRequest(connection);
          return failure(connection.send(correlationId, views));
        });
        for (const cause of await Promise.all(sends)) assert.match(cause.code, /^kafka_/);
        assert.equal(connection.usable, false);
        assert.equal(closed.length, 1);
        await failure(connection.send(99, [Buffer.alloc(1)]));
        await carrier.close();
      });
    });
  }

  it("destroy() rejects what is out and calls closed once when the broker is silent", async () => {
    const behaves: Answerer = (request, socket) =>
      request.apiKey === 0 ? undefined : wellBehaved(request, socket);
    await withServer(behaves, async (port) => {
      const carrier = carrierTo(port);
      let closed = 0;
      const connection = await carrier.connect({ id: 1, host: "127.0.0.1", port }, {
        closed: () => void closed++,
        usable: () => {},
      });
      const { correlationId, views } = produceRequest(connection);
      const sent = failure(connection.send(correlationId, views));
      const cause = new ForwarderError("deadline_exceeded", "Too late");
      connection.destroy(cause);
      connection.destroy(new ForwarderError("stopped", "Again"));
      assert.equal(await sent, cause);
      assert.equal(closed, 1);
      await carrier.close();
    });
  });

  it("ends with typed errors only when a server sends anything at any time", async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(bytes, { freq: 2 }), { maxLength: 5 }), async (noise) => {
        const script = [...noise];
        const behaves: Answerer = (request, socket) => {
          const junk = script.shift();
          if (junk instanceof Uint8Array) {
            socket.write(junk);
            socket.write(frame(request.correlationId, Buffer.from(junk)));
          } else wellBehaved(request, socket);
        };
        await withServer(behaves, async (port) => {
          const carrier = carrierTo(port, hasty);
          const tasks = [
            carrier.metadata(["t"], true),
            carrier.initProducerId(),
            carrier.connect({ id: 1, host: "127.0.0.1", port }, noEvents),
          ];
          for (const result of await Promise.allSettled(tasks)) {
            if (result.status === "rejected") {
              assert.ok(result.reason instanceof ForwarderError, String(result.reason));
            }
          }
          await carrier.close();
        });
      }),
      { numRuns: 60, seed: 10 },
    );
  });

  it("left no unhandled rejection and no uncaught exception behind", async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(strays, []);
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "condition within thirty seconds");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
