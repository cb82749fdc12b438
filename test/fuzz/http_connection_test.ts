/**
 * Random and damaged requests through an HTTP connection, cut anywhere, with answers that come at once or later: the
 * requests that are served, their bodies and the answers are those of the same bytes in one piece, answers are whole
 * and in order, and nothing stays in the budget.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textAnswer } from "../../src/http/answer.ts";
import { EchoService, post, postChunked, Rig } from "../unit/http/fake_connection.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { cutAnywhere, joined, latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const budget = 1_000_000;

interface Input {
  readonly stream: Uint8Array;
  readonly chunks: readonly Uint8Array[];
}

const tokens = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  " ",
  ":",
  "\t",
  "\0",
  "Content-Length: 5\r\n",
  "Content-Length: 6\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "0\r\n\r\n",
  "5\r\n",
  "ffffffff\r\n",
  ";",
  "HTTP/1.0",
  "%ff",
  "\x16\x03",
];

function request(random: Random): string {
  const path = random.pick(["/a", "/wait", "/a?b=c", "/%41"]);
  const body = random.pick(["", "x", "hello", "0\r\n\r\n", "a".repeat(random.between(0, 1200))]);
  const fields = random.oneIn(3)
    ? random.pick(["Expect: 100-continue\r\n", "A: b\r\n", "Connection: close\r\n"])
    : "";
  switch (random.between(0, 3)) {
    case 0:
      return `GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
    case 1:
      return postChunked(path, body, random.between(1, 40), fields);
    default:
      return post(path, body, fields);
  }
}

function make(random: Random): Input {
  const requests = Array.from({ length: random.between(1, 6) }, () => latin1(request(random)));
  const stream = mutate(random, joined(requests), tokens, random.oneIn(3) ? 0 : 5);
  return { stream, chunks: cutAnywhere(random, stream) };
}

/** Sends the chunks; a request that waits is answered when the connection is paused, and at the end. */
function converse(chunks: readonly Uint8Array[]): { served: string[]; statuses: number[] } {
  const rig = new Rig(new EchoService(1000), budget);
  const { connection, server, state, service } = rig;
  const answerAll = (): void => {
    for (let next = service.waiting.shift(); next !== undefined; next = service.waiting.shift()) {
      next.answer(textAnswer(202, "later"));
    }
  };
  for (const chunk of chunks) {
    if (connection.paused) answerAll();
    assert.equal(connection.paused, false, "an answered connection is read");
    connection.lend(chunk, (lent) => server.received(state, lent));
    assert.ok(server.heldBytes <= budget);
  }
  answerAll();
  server.halfClosed(state);
  assert.ok(connection.ended, "what is answered ends");
  server.closed(state);
  assert.equal(server.heldBytes, 0, "nothing stays in the budget");
  const statuses = rig.answers().map(({ status }) => status).filter((status) => status !== 100);
  assert.ok(statuses.every((status) => status >= 200 && status < 600), "answers are whole");
  return { served: service.served, statuses };
}

function run({ stream, chunks }: Input): void {
  const whole = converse([stream]);
  const cut = converse(chunks);
  assert.deepEqual(cut, whole);
  assert.ok(whole.served.length <= whole.statuses.length, "every request is answered");
}

test("HTTP connections keep their promises when requests are anything", fuzzTimeout, async () => {
  const report = await fuzz<Input>({
    name: "http_connection",
    make,
    run,
    show: ({ stream, chunks }) => JSON.stringify([latin1Text(stream), chunks.map(({ length }) => length)]),
  });
  assert.ok(report.cases > 300, `${report.cases} cases`);
});
