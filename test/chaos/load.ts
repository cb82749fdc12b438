/**
 * Lines with unique ids at a fixed rate, over several connections; and the check of what became of them.
 *
 *     <13>1 - edge chaos - - - CONNECTION SEQUENCE padding
 *
 * A connection's sequence counts from 0 without a gap, so that a lost, doubled or overtaken line shows.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { dial, finish } from "../support/corndog.ts";

/** How often a connection writes. */
const turnMs = 10;
/** A connection that could not write for a while makes up for so much of it. */
const burstMs = 1000;
const padding = "x".repeat(60);

/** Senders of one test. */
export class Load {
  readonly #sent: number[];
  readonly #tasks: Promise<void>[];
  #isOver = false;

  private constructor(sockets: readonly Socket[], linesPerS: number) {
    this.#sent = sockets.map(() => 0);
    this.#tasks = sockets.map((socket, id) => this.#run(socket, id, linesPerS / sockets.length));
  }

  /** Connects, and sends `linesPerS` over all connections until `stop`. */
  static async start(port: number, connections: number, linesPerS: number): Promise<Load> {
    return new Load(await Promise.all(Array.from({ length: connections }, () => dial(port))), linesPerS);
  }

  /** Lines written so far, per connection. */
  get sent(): readonly number[] {
    return this.#sent;
  }

  /** Lines written so far. */
  get total(): number {
    return this.#sent.reduce((sum, count) => sum + count, 0);
  }

  /** Ends the connections; all lines are written then. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#tasks);
  }

  async #run(socket: Socket, id: number, linesPerS: number): Promise<void> {
    let due = 0;
    let lastMs = performance.now();
    while (!this.#isOver) {
      const nowMs = performance.now();
      due += Math.min(nowMs - lastMs, burstMs) * linesPerS / 1000;
      lastMs = nowMs;
      const count = Math.floor(due);
      due -= count;
      if (count > 0) {
        let text = "";
        for (let line = 0; line < count; line++) {
          text += `<13>1 - edge chaos - - - ${id} ${this.#sent[id]! + line} ${padding}\n`;
        }
        this.#sent[id]! += count;
        // A full window is corndog's way to say wait.
        if (!socket.write(text)) await new Promise((resolve) => socket.once("drain", resolve));
      }
      await new Promise((resolve) => setTimeout(resolve, turnMs));
    }
    await finish(socket);
  }
}

/** What a topic holds of a load. */
export interface Tally {
  readonly records: number;
  readonly lost: number;
  readonly doubled: number;
  /** Lines that stand in a partition behind a later one of their connection. */
  readonly overtaken: number;
  readonly partitions: number;
  /** The first lines that are not as they should be. */
  readonly examples: readonly string[];
}

/** Reads the topic with kcat, CRCs checked, and looks for every line that was sent. */
export async function tally(bootstrap: string, topic: string, sent: readonly number[]): Promise<Tally> {
  const seen = sent.map((count) => new Uint8Array(count));
  const lastOf = new Map<string, number>();
  const partitions = new Set<string>();
  const examples: string[] = [];
  const note = (text: string): void => {
    if (examples.length < 20) examples.push(text);
  };
  let records = 0;
  let overtaken = 0;
  let doubled = 0;
  await eachLine(
    [
      "-b",
      bootstrap,
      "-C",
      "-t",
      topic,
      "-o",
      "beginning",
      "-e",
      "-q",
      "-X",
      "check.crcs=true",
      "-f",
      "%p %s\n",
    ],
    (line) => {
      records++;
      const words = line.split(" ", 10);
      const partition = words[0]!;
      const id = Number(words[8]);
      const sequence = Number(words[9]);
      partitions.add(partition);
      const own = `${partition} ${id}`;
      if (!(sequence < seen[id]!.length)) return note(`foreign: ${line}`);
      if (++seen[id]![sequence]! === 2) {
        doubled++;
        note(`doubled: ${line}`);
      }
      if (sequence <= (lastOf.get(own) ?? -1)) {
        overtaken++;
        note(`overtaken by ${lastOf.get(own)}: ${line}`);
      } else lastOf.set(own, sequence);
    },
  );
  let lost = 0;
  for (const [id, counts] of seen.entries()) {
    for (let sequence = 0; sequence < counts.length; sequence++) {
      if (counts[sequence] !== 0) continue;
      lost++;
      note(`lost: ${id} ${sequence}`);
    }
  }
  return { records, lost, doubled, overtaken, partitions: partitions.size, examples };
}

/** Runs kcat and takes its output line by line, without holding it. */
function eachLine(args: readonly string[], take: (line: string) => void): Promise<void> {
  const child = spawn("kcat", args, { stdio: ["ignore", "pipe", "pipe"] });
  let half = "";
  let errors = "";
  child.stderr.on("data", (data: Buffer) => errors += data);
  child.stdout.setEncoding("latin1");
  child.stdout.on("data", (text: string) => {
    const lines = (half + text).split("\n");
    half = lines.pop()!;
    for (const line of lines) take(line);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once(
      "close",
      (code) => code === 0 ? resolve() : reject(new Error(`kcat ended with ${code}: ${errors}`)),
    );
  });
}
