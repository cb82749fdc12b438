/**
 * A program whose workers all write batches to standard output: `stdout_child.ts WORKERS BATCHES [ticks]`.
 *
 * With `ticks` it counts on standard error for as long as its loop turns. Exits with 3 and the problem on standard error when the reader is gone.
 *
 * @module
 */
import process from "node:process";
import { createStdoutSink } from "../../../src/sink/stdout.ts";
import { batchOf, kernel, Notes } from "./bench.ts";

const [workers, batches] = process.argv.slice(2).map(Number) as [number, number];
const turn = new Int32Array(new SharedArrayBuffer(4));

async function worker(index: number): Promise<void> {
  const notes = new Notes();
  const sink = createStdoutSink({ kernel, events: notes, turn });
  sink.start();
  for (let i = 0; i < batches; i++) {
    sink.send(
      batchOf(`t${index}`, Array.from({ length: 100 }, (_, k) => `${i * 100 + k} `.padEnd(i * k % 900, "x"))),
    );
    while (sink.status().batchesInFlight > 8) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      const { problem } = sink.status();
      if (problem !== undefined) {
        console.error(problem);
        process.exit(3);
      }
    }
  }
  while (sink.status().batchesInFlight > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await sink.close();
}

let ticks = 0;
const ticker = process.argv[4] === "ticks"
  ? setInterval(() => process.stderr.write(`ticks ${++ticks}\n`), 5)
  : undefined;
await Promise.all(Array.from({ length: workers }, (_, index) => worker(index)));
clearInterval(ticker);
