/**
 * Hostile RELP senders: whatever comes, in whatever pieces, a session neither throws nor hangs, holds a bounded part of
 * it, and does the same as when it had come in one piece. Every line that it took is answered once, and each of its
 * bytes came from the stream.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RelpHost, RelpSession } from "../../src/relp/session.ts";
import { fuzz, fuzzTimeout } from "./fuzz.ts";
import { latin1, latin1Text, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

const frameBytesMax = 256;
const line = (txnr: number, text: string) => `${txnr} syslog ${text.length} ${text}\n`;
const open = "1 open 30 relp_version=0\ncommands=syslog\n".replace(
  " 30 ",
  ` ${"relp_version=0\ncommands=syslog".length} `,
);
const streams = [
  open + line(2, "<13>1 - - - - - - hello") + line(3, "two") + "4 close 0\n",
  open + Array.from({ length: 20 }, (_, index) => line(index + 2, "x".repeat(index))).join(""),
  open + line(2, "y".repeat(255)) + line(3, "y".repeat(256)) + line(4, "y".repeat(257)) +
  line(5, "y".repeat(2000)),
  open + line(2, "y".repeat(255) + "\r\n") + line(3, "y".repeat(255) + "\n\n\0") + line(4, "\n".repeat(300)),
  `${open}2 syslog 0\n3 starttls 0\n${line(4, "z\n")}5 close 0\n`,
  `${open}2 syslog 999999999 abc`,
  line(1, "before open"),
];
const tokens = [
  "\n",
  " ",
  "0",
  "9",
  "999999999",
  " syslog ",
  "open",
  "close",
  "rsp",
  "-1",
  "\0",
  "2 syslog 3 abc\n",
];

interface Input {
  readonly stream: Uint8Array;
  readonly cuts: readonly number[];
  /** Lets the host get on after this piece. */
  readonly settles: readonly boolean[];
}

/** What a session did with pieces of a stream. */
function play(pieces: readonly Uint8Array[], settles: readonly boolean[]) {
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const seen = { answered: 0, refused: "", ended: false, cut: 0, empty: 0 };
  const host: RelpHost = {
    write(bytes) {
      for (const row of latin1Text(bytes).split("\n")) if (/^\d+ rsp 6 200 OK$/.test(row)) seen.answered++;
    },
    unsentBytes: () => 0,
    pause() {},
    resume() {},
    end: () => void (seen.ended = true),
    destroy: () => void (seen.ended = true),
    submit(given, placed, answered) {
      waiting.push(() => {
        for (let index = 0; index < given.count; index++) {
          const [start, end] = [given.ranges[2 * index]!, given.ranges[2 * index + 1]!];
          assert.ok(start < end && end <= given.bytes.length, "a line lies in its bytes");
          assert.ok(end - start <= frameBytesMax, "a line is not longer than allowed");
          lines.push(latin1Text(given.bytes.subarray(start, end)));
        }
        placed();
        answered();
      });
    },
    emptyFrame: () => void seen.empty++,
    truncated: () => void seen.cut++,
    refused: (problem) => void (seen.refused = problem),
  };
  const session = new RelpSession(host, frameBytesMax, "corndog,1");
  const settle = () => {
    while (waiting.length > 0) waiting.shift()!();
  };
  pieces.forEach((piece, index) => {
    session.received(piece);
    if (settles[index] === true) settle();
  });
  settle();
  return { lines, ...seen, unanswered: session.unanswered };
}

test(
  "RelpSession does with a stream in pieces what it does with the whole, and answers what it took",
  fuzzTimeout,
  async () => {
    await fuzz<Input>({
      name: "relp",
      make(random: Random) {
        const stream = mutate(random, latin1(random.pick(streams)), tokens);
        const cuts = Array.from({ length: random.between(0, 11) }, () => random.between(0, stream.length));
        return { stream, cuts: cuts.sort((a, b) => a - b), settles: cuts.map(() => random.oneIn(2)) };
      },
      run({ stream, cuts, settles }) {
        const pieces = [...cuts, stream.length].map((end, index) =>
          stream.slice(index === 0 ? 0 : cuts[index - 1], end)
        );
        const whole = play([stream.slice()], []);
        const cut = play(pieces.filter((piece) => piece.length > 0), settles);
        assert.deepEqual(cut.lines, whole.lines);
        const outcome = ({ ended, refused, cut, empty }: typeof whole) => ({
          ended,
          refused: refused !== "",
          cut,
          empty,
        });
        assert.deepEqual(outcome(cut), outcome(whole));
        assert.equal(whole.unanswered, 0);
        const text = latin1Text(stream);
        for (const each of whole.lines) assert.ok(text.includes(each), "a line is a part of the stream");
      },
      show: ({ stream, cuts }) => `${JSON.stringify(latin1Text(stream))} cut at ${cuts}`,
    });
  },
);
