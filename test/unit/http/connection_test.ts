import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { problemAnswer, textAnswer } from "../../../src/http/answer.ts";
import { headBytesMax } from "../../../src/http/head.ts";
import { bytesOf, EchoService, post, postChunked, Rig } from "./fake_connection.ts";

describe("HttpConnection", () => {
  it("answers requests in order, in one write, when several come in one chunk", () => {
    const rig = new Rig();
    rig.send(post("/a", "one") + postChunked("/b", "two and more", 5) + "GET /c HTTP/1.1\r\nHost: h\r\n\r\n");
    assert.deepEqual(rig.answers().map(({ body }) => body), [
      "POST /a one",
      "POST /b two and more",
      "GET /c ",
    ]);
    assert.equal(rig.connection.writes, 1);
    assert.match(rig.connection.sent, /date: Thu, 01 Jan 1970 00:00:00 GMT/);
  });

  it("serves a part of very many requests in a chunk in each turn, in order", async () => {
    const count = 1000;
    const rig = new Rig(new EchoService(1000));
    rig.send(Array.from({ length: count }, (_, index) => post("/a", `${index}`)).join(""));
    const first = rig.service.served.length;
    assert.ok(first > 10 && first <= 100, `${first} requests in the first turn`);
    assert.equal(rig.connection.paused, true);
    let most = first;
    for (let before = first; rig.service.served.length < count; before = rig.service.served.length) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      most = Math.max(most, rig.service.served.length - before);
    }
    assert.ok(most <= 200, `${most} requests in a turn`);
    assert.deepEqual(
      rig.answers().map(({ body }) => body),
      Array.from({ length: count }, (_, index) => `POST /a ${index}`),
    );
    assert.equal(rig.connection.paused, false);
    rig.send(post("/a", "again"));
    assert.equal(rig.service.served.length, count + 1);
  });

  it("reads a part of very many chunks of a body in each turn, and the whole body in the end", async () => {
    const body = "0123456789".repeat(2_000);
    const rig = new Rig(new EchoService(100_000));
    rig.send(postChunked("/a", body, 1) + post("/b", "behind it"));
    assert.deepEqual([rig.service.served.length, rig.connection.paused], [0, true]);
    let turns = 0;
    for (; rig.service.served.length < 2; turns++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    assert.ok(turns >= 4, `${turns} turns`);
    assert.deepEqual(rig.answers().map(({ body }) => body), [`POST /a ${body}`, "POST /b behind it"]);
    assert.equal(rig.connection.paused, false);
    assert.equal(rig.server.heldBytes, 0);
  });

  it("answers a body of very many chunks whose sender has said FIN, and forgets it where the connection ends", async () => {
    const rig = new Rig(new EchoService(100_000));
    rig.send(postChunked("/a", "x".repeat(10_000), 1));
    rig.server.halfClosed(rig.state);
    while (!rig.connection.ended) await new Promise<void>((resolve) => setImmediate(resolve));
    assert.deepEqual(rig.answers().map(({ status }) => status), [200]);
    const gone = new Rig(new EchoService(100_000));
    gone.send(postChunked("/a", "x".repeat(10_000), 1));
    gone.server.closed(gone.state);
    for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    assert.deepEqual([gone.service.served.length, gone.server.heldBytes], [0, 0]);
  });

  it("gives the same answers wherever the stream is cut", () => {
    const stream = post("/a", "one") + postChunked("/b", "x".repeat(40), 7) + post("/c", "") +
      "\r\n" + post("/a", "two") + "GET /d?e=f HTTP/1.1\r\nHost: h\r\n\r\n" + post("/a", "one");
    const whole = new Rig();
    whole.send(stream);
    const want = whole.answers().map(({ body }) => body);
    assert.equal(want.length, 6);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 12 }), (cuts) => {
        const rig = new Rig();
        let from = 0;
        for (const cut of [...cuts, stream.length].sort((a, b) => a - b)) {
          if (cut > from) rig.send(stream.slice(from, cut));
          from = Math.max(from, cut);
        }
        assert.deepEqual(rig.answers().map(({ body }) => body), want);
        assert.equal(rig.server.heldBytes, 0);
      }),
      { numRuns: 300 },
    );
  });

  it("gives the same answers when every byte comes alone", () => {
    const stream = post("/a", "one") + postChunked("/b", "two", 2) + post("/a", "three");
    const rig = new Rig();
    for (const byte of stream) rig.send(byte);
    assert.deepEqual(rig.answers().map(({ body }) => body), ["POST /a one", "POST /b two", "POST /a three"]);
  });

  it("counts empty lines before a request, and knows what follows them, wherever they are cut", () => {
    const said = (chunks: readonly string[]) => {
      const rig = new Rig();
      for (const chunk of chunks) rig.send(chunk);
      return [rig.service.served.length, rig.answers().map(({ status }) => status)];
    };
    for (let lines = 0; lines < 8; lines++) {
      for (const rest of [post("/a", "one"), "\x16\x03\x01", "\r"]) {
        const stream = "\r\n".repeat(lines) + rest;
        assert.deepEqual(said([...stream]), said([stream]), `${lines} empty lines, ${JSON.stringify(rest)}`);
        assert.deepEqual(said(stream.split(/(?<=\n)/)), said([stream]), `${lines} by line`);
      }
    }
    const each = "\r\n" + post("/a", "one");
    assert.deepEqual(said(Array.from({ length: 20 }, () => each)), [20, Array(20).fill(200)]);
  });

  it("lets a connection be idle behind an empty line, wherever that is cut", () => {
    for (const chunks of [["\r\n"], ["\r", "\n"], ["\r", "\n\r", "\n"], ["\r\n\r", "\n"]]) {
      const rig = new Rig();
      rig.send(post("/a", "one"));
      for (const chunk of chunks) rig.send(chunk);
      rig.now += 11_000;
      rig.server.tick();
      rig.send(post("/a", "two"));
      assert.deepEqual(rig.answers().map(({ status }) => status), [200, 200], JSON.stringify(chunks));
    }
    const rig = new Rig();
    rig.send("\r");
    rig.send("\n");
    rig.now += 11_000;
    rig.send("\r");
    rig.now += 9_000;
    rig.server.tick();
    assert.deepEqual(rig.answers(), [], "the time of a head begins with its first byte");
    rig.now += 1_000;
    rig.server.tick();
    assert.deepEqual(rig.answers().map(({ status }) => status), [408]);
  });

  it("tells which request was refused, and why the connection ended", () => {
    const told = (act: (rig: Rig) => void) => {
      const rig = new Rig();
      act(rig);
      rig.server.closed(rig.state);
      return rig.told;
    };
    const get = (more = "") => `GET /c?token=secret HTTP/1.1\r\nHost: h\r\n${more}\r\n`;
    assert.deepEqual(told((rig) => rig.send(get() + get())), [{ requests: 2, reason: "client" }]);
    assert.deepEqual(told((rig) => rig.send(get("Connection: close\r\n"))), [
      { requests: 1, reason: "asked" },
    ]);
    const refusing = (close: boolean) => (rig: Rig) => {
      rig.service.refusal = problemAnswer(403, "not_you", "No", { close });
      rig.send(get());
    };
    const refused = { status: 403, code: "not_you", method: "GET", path: "/c" };
    assert.deepEqual(told(refusing(false)), [refused, { requests: 1, reason: "client" }]);
    assert.deepEqual(told(refusing(true)), [refused, { requests: 1, reason: "refused" }]);
    assert.deepEqual(told((rig) => rig.send("no HTTP\r\n\r\n")), [
      { status: 400, code: "request_malformed", method: undefined, path: undefined },
      { requests: 0, reason: "refused" },
    ]);
    const slow = told((rig) => {
      rig.send("GET /c");
      rig.now += 20_000;
      rig.server.tick();
    });
    assert.deepEqual(slow.at(-1), { requests: 0, reason: "slow" });
    assert.deepEqual(told((rig) => rig.server.stop()), [{ requests: 0, reason: "draining" }]);
  });

  it("reads a head once when it is repeated to the byte", () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) rig.send(post("/a", `b${i}`));
    assert.deepEqual(rig.service.served, ["b0", "b1", "b2", "b3", "b4"].map((body) => `POST /a ${body}`));
    assert.equal(rig.service.plans, 1);
  });

  it("knows a head again after the memory that it came in is used for something else", () => {
    const rig = new Rig(new EchoService(100_000));
    const bodies = ["a".repeat(50_000), "b".repeat(50_000), "c".repeat(50_000)];
    for (const body of bodies) rig.send(post("/a", body));
    rig.send(post("/other", "d"));
    assert.deepEqual(rig.service.served, [...bodies.map((body) => `POST /a ${body}`), "POST /other d"]);
    assert.equal(rig.service.plans, 2);
  });

  it("holds what comes behind a request that is not answered, and goes on behind the answer", () => {
    const rig = new Rig();
    rig.send(post("/wait", "1") + post("/a", "2") + post("/wait", "3"));
    assert.equal(rig.connection.sent, "");
    assert.equal(rig.connection.paused, true);
    rig.service.waiting[0]!.answer(textAnswer(202, "first"));
    assert.deepEqual(rig.answers().map(({ body }) => body), ["first", "POST /a 2"]);
    rig.service.waiting[1]!.answer(textAnswer(202, "third"));
    assert.equal(rig.connection.paused, false);
    rig.send(post("/a", "4"));
    assert.deepEqual(rig.answers().map(({ body }) => body), ["first", "POST /a 2", "third", "POST /a 4"]);
  });

  it("does not pause when nothing comes behind a request that is not answered", () => {
    const rig = new Rig();
    rig.send(post("/wait", "1"));
    assert.equal(rig.connection.paused, false);
    rig.send(post("/a", "2"));
    assert.equal(rig.connection.paused, true);
    rig.service.waiting[0]!.answer(textAnswer(202, "first"));
    assert.deepEqual(rig.answers().map(({ body }) => body), ["first", "POST /a 2"]);
  });

  it("keepBody() pauses the connection until the answer when the body is too large to copy", () => {
    const rig = new Rig(new EchoService(10_000));
    rig.service.keeps = true;
    rig.send(post("/wait", "1".repeat(5000)));
    assert.equal(rig.connection.paused, true);
    rig.service.waiting[0]!.answer(textAnswer(202, "first"));
    assert.equal(rig.connection.paused, false);
  });

  it("keepBody() keeps a gathered body in the budget until the answer", () => {
    const rig = new Rig();
    rig.service.keeps = true;
    const text = post("/wait", "x".repeat(500));
    rig.send(text.slice(0, 200));
    rig.send(text.slice(200));
    assert.ok(rig.server.heldBytes > 0);
    rig.service.waiting[0]!.answer(textAnswer(202, "first"));
    assert.equal(rig.server.heldBytes, 0);
  });

  it("keepBody() keeps a gathered body, and its budget, when the client goes before the service is done", () => {
    const rig = new Rig();
    rig.service.keeps = true;
    const text = post("/wait", "x".repeat(500));
    rig.send(text.slice(0, 200));
    rig.send(text.slice(200));
    rig.server.closed(rig.state);
    assert.ok(rig.server.heldBytes > 0);
    rig.service.waiting[0]!.answer(textAnswer(202, "nobody hears it"));
    assert.equal(rig.server.heldBytes, 0);
    assert.equal(rig.connection.sent, "");
  });

  it("tells the service once when the client goes before its answer", () => {
    const rig = new Rig();
    rig.send(post("/wait", "1"));
    rig.server.closed(rig.state);
    assert.deepEqual(rig.service.goneExchanges, rig.service.waiting);
    rig.service.waiting[0]!.answer(textAnswer(202, "late"));
    assert.equal(rig.connection.sent, "");
  });

  it("answers what is whole when the peer half-closes, then ends", () => {
    const rig = new Rig();
    rig.send(post("/wait", "1"));
    rig.server.halfClosed(rig.state);
    assert.equal(rig.connection.ended, false);
    rig.service.waiting[0]!.answer(textAnswer(202, "first"));
    assert.deepEqual(rig.answers().map(({ body }) => body), ["first"]);
    assert.equal(rig.connection.ended, true);
  });

  it("answers nothing when the peer half-closes within a request", () => {
    const rig = new Rig();
    rig.send(post("/a", "12345").slice(0, -2));
    rig.server.halfClosed(rig.state);
    assert.equal(rig.connection.sent, "");
    assert.equal(rig.connection.ended, true);
    assert.equal(rig.server.heldBytes, 0);
  });

  it("says 100 Continue only to who asks and has not sent the body", () => {
    const rig = new Rig();
    const request = post("/a", "12345", "Expect: 100-continue\r\n");
    rig.send(request.slice(0, -5));
    assert.equal(rig.connection.sent, "HTTP/1.1 100 Continue\r\n\r\n");
    rig.send(request.slice(-5));
    assert.match(rig.connection.sent, /POST \/a 12345$/);
    rig.connection.sent = "";
    rig.send(request);
    assert.doesNotMatch(rig.connection.sent, /100 Continue/);
  });

  it("does not say 100 Continue when the body is refused", () => {
    const rig = new Rig();
    rig.send(post("/a", "x".repeat(1001), "Expect: 100-continue\r\n").slice(0, -1001));
    assert.deepEqual(rig.answers().map(({ status }) => status), [413]);
    assert.equal(rig.connection.ended, true);
  });

  it("reads over a short body that is refused, and goes on", () => {
    const rig = new Rig();
    rig.service.refusal = problemAnswer(401, "token_needed", "no");
    const request = post("/a", "12345");
    rig.send(request.slice(0, -3));
    rig.service.refusal = undefined;
    rig.send(request.slice(-3) + post("/b", "6"));
    assert.deepEqual(rig.answers().map(({ status }) => status), [401, 200]);
    assert.deepEqual(rig.service.served, ["POST /b 6"]);
  });

  it("answers 413 when a body is announced too large, and reads over one that is short", () => {
    const rig = new Rig();
    rig.send(post("/a", "x".repeat(1001)) + post("/b", "next"));
    assert.deepEqual(rig.answers().map(({ status }) => status), [413, 200]);
    assert.equal(JSON.parse(rig.answers()[0]!.body).bytes_max, 1000);
    assert.deepEqual(rig.service.served, ["POST /b next"]);
  });

  it("answers 413 and ends when chunks become too large, or a body that is not read over is announced", () => {
    for (const request of [postChunked("/a", "x".repeat(1001), 300), post("/a", "x".repeat(65 * 1024))]) {
      const rig = new Rig();
      rig.send(request + post("/b", "never"));
      assert.deepEqual(rig.answers().map(({ status }) => status), [413]);
      assert.deepEqual(rig.service.served, []);
      assert.equal(rig.server.heldBytes, 0);
      assert.equal(rig.connection.ended, true);
    }
  });

  it("takes a body of exactly the limit", () => {
    const rig = new Rig();
    rig.send(post("/a", "x".repeat(1000)) + postChunked("/a", "y".repeat(1000), 999));
    assert.deepEqual(rig.answers().map(({ status }) => status), [200, 200]);
  });

  it("answers 431 to a head without end, and reads no more", () => {
    const rig = new Rig();
    rig.send(`GET / HTTP/1.1\r\nHost: h\r\nA: ${"x".repeat(headBytesMax)}`);
    assert.deepEqual(rig.answers().map(({ status }) => status), [431]);
    rig.send("\r\n\r\n" + post("/a", "1"));
    assert.deepEqual(rig.service.served, []);
  });

  it("answers 503 when the budget is used up, and holds nothing", () => {
    const rig = new Rig(new EchoService(100_000), 10_000);
    rig.send(post("/a", "x".repeat(50_000)).slice(0, 30_000));
    assert.deepEqual(rig.answers().map(({ status }) => status), [503]);
    assert.match(rig.connection.sent, /retry-after: 1\r\n/);
    assert.equal(rig.server.heldBytes, 0);
  });

  it("names TLS on a plain port", () => {
    const rig = new Rig();
    rig.send("\x16\x03\x01\x02\x00\x01\x00");
    assert.match(rig.refused[0]!, /TLS was spoken/);
    assert.equal(rig.connection.ended, true);
  });

  for (
    const broken of [
      "zz\r\n",
      "\r\n",
      "5\nabcde",
      "5\r\nabcdefg\r\n",
      "123456789\r\n",
      "-1\r\n",
      "5;ext\nabc",
      `5;${"x".repeat(2000)}\r\n`,
      `0\r\n${"A: b\r\n".repeat(100)}\r\n`,
    ]
  ) {
    it(`answers 400 to chunks such as ${JSON.stringify(broken.slice(0, 20))}`, () => {
      const rig = new Rig();
      rig.send(`POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${broken}`);
      assert.deepEqual(rig.answers().map(({ status }) => status), [400]);
      assert.equal(rig.connection.ended, true);
      assert.deepEqual(rig.service.served, []);
    });
  }

  it("reads extensions and trailers of chunks over", () => {
    const rig = new Rig();
    rig.send(
      "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
        '3;a="b"\r\nabc\r\n2 \r\nde\r\n000;x\r\nTrailer: x\r\n\r\n' + post("/b", "next"),
    );
    assert.deepEqual(rig.answers().map(({ body }) => body), ["POST /a abcde", "POST /b next"]);
  });

  it("has garbage collected once after 4,096 requests, at a tick", () => {
    const rig = new Rig();
    const send = (requests: number): void => {
      for (let i = 0; i < requests; i++) rig.send(post("/a", "one"));
      rig.server.tick();
    };
    send(4095);
    assert.equal(rig.collections, 0);
    send(1);
    assert.equal(rig.collections, 1);
    send(0);
    send(4095);
    assert.equal(rig.collections, 1);
    send(5000);
    assert.equal(rig.collections, 2);
  });

  it("ends a head that is not whole in 10 s", () => {
    const rig = new Rig();
    rig.send("POST / HT");
    rig.now += 9_999;
    rig.server.tick();
    assert.equal(rig.connection.sent, "");
    rig.send("T");
    rig.now += 1;
    rig.server.tick();
    assert.deepEqual(rig.answers().map(({ status }) => status), [408]);
    rig.now += 2_000;
    rig.server.tick();
    assert.equal(rig.connection.destroyed, true);
  });

  it("ends a body that comes too slowly, and lets a long one be that comes well", () => {
    const slow = new Rig(new EchoService(10_000_000), 100_000_000);
    const well = new Rig(new EchoService(10_000_000), 100_000_000);
    const request = post("/a", "x".repeat(1_000_000));
    for (const rig of [slow, well]) rig.send(request.slice(0, 200));
    for (let i = 1; i <= 30; i++) {
      slow.now += 1_000;
      well.now += 1_000;
      if (slow.connection.sent === "") slow.send("x");
      well.send("x".repeat(1024));
      slow.server.tick();
      well.server.tick();
    }
    assert.deepEqual(slow.answers().map(({ status }) => status), [408]);
    assert.equal(well.connection.sent, "");
    assert.equal(slow.server.heldBytes, 0);
  });

  it("does not read while the client does not read its answers", () => {
    const rig = new Rig();
    rig.connection.unsentBytes = 100_000;
    rig.send(post("/a", "1") + post("/a", "2"));
    assert.equal(rig.answers().length, 1);
    assert.equal(rig.connection.paused, true);
    rig.connection.unsentBytes = 0;
    rig.server.drained(rig.state);
    assert.equal(rig.answers().length, 2);
    assert.equal(rig.connection.paused, false);
  });

  it("says Connection: close and ends when the client wants it, also to HTTP/1.0", () => {
    for (
      const request of [
        post("/a", "1", "Connection: close\r\n"),
        "GET /a HTTP/1.0\r\n\r\n",
      ]
    ) {
      const rig = new Rig();
      rig.send(request + post("/b", "2"));
      assert.equal(rig.answers().length, 1);
      assert.match(rig.connection.sent, /connection: close\r\n/);
      assert.equal(rig.connection.ended, true);
      assert.equal(rig.service.served.length, 1);
    }
  });

  it("stop() ends idle connections at once, others with their answer", () => {
    const idle = new Rig();
    idle.send(post("/a", "1"));
    idle.server.stop();
    assert.equal(idle.connection.ended, true);
    const busy = new Rig();
    busy.send(post("/wait", "1"));
    busy.server.stop();
    assert.equal(busy.connection.ended, false);
    busy.service.waiting[0]!.answer(textAnswer(202, "done"));
    assert.match(busy.connection.sent, /connection: close\r\n/);
    assert.equal(busy.connection.ended, true);
  });

  it("answers a HEAD without a body, and with its length", () => {
    const rig = new Rig();
    rig.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert.match(rig.connection.sent, /content-length: 8\r\n\r\n$/);
  });

  it("destroys a connection that sends on behind the last answer", () => {
    const rig = new Rig();
    rig.send("nonsense\r\n\r\n");
    assert.equal(rig.connection.ended, true);
    for (let i = 0; i < 2; i++) rig.server.received(rig.state, new Uint8Array(600_000));
    assert.equal(rig.connection.destroyed, true);
  });

  it("never throws and never serves half a body, whatever bytes come", () => {
    const base = post("/a", "hello") + postChunked("/b", "hello world", 4);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        fc.integer({ min: 1, max: 60 }),
        (edits, step) => {
          const bytes = bytesOf(base);
          for (const [at, byte] of edits) bytes[at] = byte;
          const rig = new Rig();
          for (let at = 0; at < bytes.length && !rig.connection.paused; at += step) {
            rig.server.received(rig.state, bytes.subarray(at, at + step));
          }
          for (const { status } of rig.answers()) assert.ok(status >= 200 && status < 600);
          rig.server.closed(rig.state);
          assert.equal(rig.server.heldBytes, 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
