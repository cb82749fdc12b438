/**
 * Small reads of many senders are gathered by the running program, and nothing of them is lost.
 *
 * @runtimes bun deno
 * @module
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: tcp://127.0.0.1:0 }]
admin: { listen: 127.0.0.1:0 }
sink: blackhole
spool: { dir: spool, durability: none }
workers: 1
`;
/** Many more in a millisecond than it takes for a pause, so that a machine with other work sends enough too. */
const senders = 40;

interface Stats {
  readonly workers: readonly { readonly reads: { readonly pauses: number } }[];
  readonly ledger: { readonly received: number; readonly delivered: number };
}

it("a worker pauses between its reads when many senders send line by line, and takes every line", async () => {
  const corndog = await Corndog.start(config);
  try {
    await corndog.started();
    const stats = async () => await (await fetch(`${corndog.admin}/admin/stats`)).json() as Stats;
    const sockets = await Promise.all(Array.from({ length: senders }, () => dial(corndog.port("tcp"))));
    let sent = 0;
    const sending = setInterval(() => {
      for (const socket of sockets) socket.write(`line ${sent++}\n`);
    }, 1);
    try {
      await until("a pause", async () => (await stats()).workers[0]!.reads.pauses > 0 || undefined, 30_000);
    } finally {
      clearInterval(sending);
    }
    await Promise.all(sockets.map(async (socket) => {
      await write(socket, "the last\n");
      await finish(socket);
    }));
    const all = sent + senders;
    await until("all lines", async () => (await stats()).ledger.delivered >= all || undefined, 30_000);
    assert.equal((await stats()).ledger.received, all);
  } finally {
    await corndog.dispose();
  }
});
