/**
 * Connections are dealt out evenly over the workers, with the running program: few connections use all of them, and
 * nothing of a connection that was handed on is lost or comes in another order. On Bun alone: Deno opens no connection by
 * its descriptor.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";

const config = `listen: [{ syslog: tcp://127.0.0.1:0 }]
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
workers: 2
`;
/** By the kernel's hash alone, ten rounds of four would all be even once in 18,000 times. */
const rounds = 10;
const connections = 4;
const linesEach = 500;

/** Connections of each worker; their ids begin with its number. */
async function spread(corndog: Corndog): Promise<number[]> {
  const answer = await fetch(`${corndog.admin}/admin/connections`);
  const { connections } = await answer.json() as { connections: { id: string }[] };
  const of = [0, 0];
  for (const { id } of connections) of[Number(id.split("-")[0])]! += 1;
  return of;
}

/** Values in the file sink, by the sender in front of them, in the order of the file. */
async function bySender(dir: string): Promise<Map<string, string[]>> {
  const lines = new Map<string, string[]>();
  const folder = join(dir, "out", "logs");
  for (const name of await readdir(folder).catch(() => [])) {
    for (const row of (await readFile(join(folder, name), "utf8")).split("\n")) {
      if (!row.endsWith("}")) continue;
      const [sender, line] = (JSON.parse(row).value as string).split(" ");
      const known = lines.get(sender!);
      if (known === undefined) lines.set(sender!, [line!]);
      else known.push(line!);
    }
  }
  return lines;
}

it("four connections are two of each worker, whole and in order", async () => {
  const corndog = await Corndog.start(config);
  try {
    await corndog.started();
    for (let round = 0; round < rounds; round++) {
      const sockets = await Promise.all(Array.from({ length: connections }, async (_, index) => {
        const socket = await dial(corndog.port("tcp"));
        // The first lines are there before anybody could have looked.
        const lines = Array.from({ length: linesEach }, (_, line) => `${round}.${index} ${line}\n`);
        await write(socket, lines.slice(0, linesEach / 2).join(""));
        return { socket, rest: lines.slice(linesEach / 2).join("") };
      }));
      await until(
        "an even spread",
        async () => (await spread(corndog)).every((count) => count === connections / 2) || undefined,
      );
      await Promise.all(sockets.map(async ({ socket, rest }) => {
        await write(socket, rest);
        await finish(socket);
      }));
      // The next round begins with none.
      await until(
        "the end of all",
        async () => (await spread(corndog)).every((count) => count === 0) || undefined,
      );
    }
    const total = rounds * connections * linesEach;
    await corndog.statsWhen("all lines", ({ ledger }) => ledger.delivered === total);
    const want = Array.from({ length: linesEach }, (_, line) => `${line}`);
    const got = await bySender(corndog.dir);
    assert.equal(got.size, rounds * connections);
    for (const [sender, lines] of got) assert.deepEqual(lines, want, sender);
  } finally {
    await corndog.dispose();
  }
});
