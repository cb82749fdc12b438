/**
 * Deals the connections of a listener out evenly. The kernel gives a connection to one of the workers that share a
 * port by a hash: of four connections all are with one worker in every eighth case, and three in every second
 * (docs/DECISIONS.md). A worker that has more than another hands a new one on before a byte of it is read, so that no
 * line of a connection ever passes two workers.
 *
 *     worker 0: accepts, has more than worker 1 ──> main thread ──> worker 1: takes the descriptor, opens it
 *
 * A listener's table is shared: how many connections each worker has, and how many are on their way to it.
 *
 * @module
 */
import type { Listen } from "../config/config.ts";

/** Listeners whose connections stay for long, and can be handed on: plain TCP with syslog. */
export function isDealt({ kind, transport }: Listen): boolean {
  return kind === "syslog" && transport === "tcp";
}

/** Words of one worker's place in the table. */
const word = { connections: 0, promised: 1, count: 2 } as const;

/** Takes nothing: not yet bound, or no more. */
const closed = -1;

/** A worker that has many keeps what it gets until it has an eighth more than the others: handing on is not free. */
const slackShift = 3;

/** The table of one listener; all workers are closed. */
export function createDealTable(workers: number): SharedArrayBuffer {
  const words = new Int32Array(new SharedArrayBuffer(workers * word.count * 4));
  for (let at = word.connections; at < words.length; at += word.count) words[at] = closed;
  return words.buffer;
}

/** One worker's share of one listener. */
export class Dealer {
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly #workers: number;
  #isOpen = false;

  constructor(table: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(table);
    this.#worker = worker;
    this.#workers = this.#words.length / word.count;
  }

  /** This worker takes connections, its own and others'; it has so many. */
  open(connections: number): void {
    this.#isOpen = true;
    this.has(connections);
  }

  /** This worker has so many. */
  has(connections: number): void {
    if (this.#isOpen) Atomics.store(this.#words, this.#worker * word.count + word.connections, connections);
  }

  /** This worker takes no more. */
  close(): void {
    this.has(closed);
    this.#isOpen = false;
  }

  /** The worker to which a new connection goes, and which counts it from now on; undefined where it stays. */
  target(): number | undefined {
    if (!this.#isOpen) return undefined;
    const mine = this.#load(this.#worker);
    let best = this.#worker;
    let least = mine - (mine >> slackShift);
    for (let worker = 0; worker < this.#workers; worker++) {
      const load = this.#load(worker);
      if (load === closed || load >= least) continue;
      best = worker;
      least = load;
    }
    if (best === this.#worker) return undefined;
    Atomics.add(this.#words, best * word.count + word.promised, 1);
    return best;
  }

  /** One that was promised to this worker came, or never will. */
  arrived(): void {
    Atomics.sub(this.#words, this.#worker * word.count + word.promised, 1);
  }

  #load(worker: number): number {
    const connections = Atomics.load(this.#words, worker * word.count + word.connections);
    return connections === closed
      ? closed
      : connections + Atomics.load(this.#words, worker * word.count + word.promised);
  }
}
