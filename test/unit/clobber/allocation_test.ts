/**
 * Nothing is allocated for a message: a generator that collects garbage stalls, and measures its own stalls. V8 says
 * after each message how large its heap is, so that is where it is measured; Bun says it only after a collection, and
 * the loops merely run there.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, it } from "node:test";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { clobberCommand } from "../../../src/cli/clobber_command.ts";
import { readSettings } from "../../../src/clobber/options.ts";
import { openAccess } from "../../../src/clobber/verify/access.ts";
import { at, makeRowMemory, type SharedRow, viewRow } from "../../../src/clobber/measure/row.ts";
import type { Plan } from "../../../src/clobber/plan.ts";
import { makeReader } from "../../../src/clobber/targets/answer.ts";
import { makePool } from "../../../src/clobber/payload/make_pool.ts";
import type { Connections } from "../../../src/clobber/worker/connections.ts";
import { Due } from "../../../src/clobber/worker/due.ts";
import { ExchangeLoad } from "../../../src/clobber/worker/exchange_load.ts";
import { Link } from "../../../src/clobber/worker/link.ts";
import type { Load } from "../../../src/clobber/worker/load.ts";
import { StreamLoad } from "../../../src/clobber/worker/stream_load.ts";

/**
 * A number that is passed on may be boxed, 16 bytes, here and in the product; an object with one field would be 32
 * more.
 */
const bytesPerMessageMax = 40;
/**
 * The same at a rate: due times have fractions, and V8, where it compiles a call by itself and not into its caller,
 * boxes each that is passed; when the machine is busy it may stay so. A view of a buffer would be more than this.
 */
const bytesPerTimedMessageMax = 100;
/** Few enough that the collector seldom comes in between, which would make the growth look smaller. */
const messages = 2_000;
/** So many rounds in a row: one in which the collector ran half-way says nothing. */
const calmRounds = 10;

async function planOf(argv: readonly string[]): Promise<Plan> {
  const parsed = parseArguments([...argv, "--threads", "1"], clobberCommand.options);
  assert.ok(parsed.ok);
  const { plan } = await readSettings(parsed.arguments, {
    readText: () => "",
    readBytes: () => new Uint8Array(0),
    stdin: () => Promise.resolve(undefined),
    outputProblem: () => undefined,
    readAccess: () => openAccess,
  });
  return { ...plan, address: { hostname: "127.0.0.1", port: 1 }, tls: undefined };
}

/** A load over connections that take everything; `wrote` is called at each write. */
function loadOf(
  plan: Plan,
  row: SharedRow,
  wrote: (link: Link) => void,
): Load {
  const pool = makePool(plan, 0);
  const load = plan.answer.kind === "none"
    ? new StreamLoad(plan, row, pool, plan.connections, undefined)
    : new ExchangeLoad(plan, row, pool, plan.connections, undefined, undefined);
  const links = Array.from({ length: plan.connections }, (_, index) => {
    const link = new Link(index, "load", plan.pipeline);
    link.state = "open";
    link.reader = makeReader(plan.answer, "GET");
    link.dialled = {
      write() {
        wrote(link);
        return true;
      },
      pause() {},
      resume() {},
      end() {},
      destroy() {},
    };
    return link;
  });
  load.connections = { links } as unknown as Connections;
  for (const link of links) load.ready(link);
  return load;
}

const ok = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

describe("the hot loop", () => {
  for (
    const { name, argv, open } of [
      { name: "lines in bundles", argv: ["h:1"], open: false },
      { name: "lines, one by one", argv: ["h:1", "--bundle", "1"], open: false },
      { name: "lines at a rate", argv: ["h:1"], open: true },
      { name: "requests", argv: ["http://h/"], open: false },
      { name: "requests with marked lines", argv: ["http://h/", "--message", "json"], open: false },
      { name: "requests at a rate", argv: ["http://h/"], open: true },
    ]
  ) {
    it(`sends all and allocates nothing for ${name}`, async () => {
      const plan = await planOf(argv);
      const row = viewRow(makeRowMemory());
      // Connections that await an answer, in a place of their own each: an array that grows would be counted too.
      const waiting: (Link | undefined)[] = new Array(plan.connections).fill(undefined);
      const load = loadOf(plan, row, (link) => waiting[link.sender] = link);
      let now = 1000;
      let id = 0;
      const run = (count: number): void => {
        const segments = open ? [{ ms: count, from: 1000, to: 1000 }] : undefined;
        const due = new Due(
          { id: ++id, startsAtMs: 0, durationMs: count, segments, limit: count },
          now,
          0,
          1,
        );
        load.begin(due);
        for (let turns = 0; due.taken < count; turns++) {
          if (turns > 2 * count) assert.fail(`${due.taken} of ${count} after ${turns} turns`);
          now += 1;
          load.turn(now);
          for (let index = 0; index < waiting.length; index++) {
            const link = waiting[index];
            waiting[index] = undefined;
            if (link !== undefined && link.inFlight > 0) load.received(link, ok, now);
          }
        }
        now = Math.max(now, due.endMs);
      };
      let written = 0;
      let calm = 0;
      let least = Infinity;
      const most = open ? bytesPerTimedMessageMax : bytesPerMessageMax;
      // Until it is compiled it boxes more, and when that is so is the runtime's affair.
      const deadline = performance.now() + 30_000;
      while (calm < calmRounds) {
        const before = process.memoryUsage().heapUsed;
        run(messages);
        written += messages;
        const grown = (process.memoryUsage().heapUsed - before) / messages;
        least = grown < 0 ? least : Math.min(least, grown);
        calm = !("Deno" in globalThis) || (grown >= 0 && grown < most) ? calm + 1 : 0;
        if (performance.now() > deadline) assert.fail(`${least.toFixed(1)} bytes per message at best`);
      }
      assert.equal(row.numbers[at.sent], written);
    });
  }
});
