/**
 * Bad clients: connections that send a message a few bytes at a time, and connections that send and never read.
 * They get their turn with the housekeeping.
 *
 * @module
 */
import type { Plan } from "../plan.ts";
import { uncountedSender } from "../payload/mark.ts";
import type { Pool } from "../payload/pool.ts";
import type { Link } from "./link.ts";

/** Bytes of a slow sender per turn of the housekeeping: a line takes seconds. */
const dribbleBytes = 1;

/** Slow connections of a thread. */
export class Trickle {
  readonly #links = new Set<Link>();
  readonly #pool: Pool;
  readonly #plan: Plan;

  constructor(pool: Pool, plan: Plan) {
    this.#pool = pool;
    this.#plan = plan;
  }

  add(link: Link): void {
    this.#links.add(link);
  }

  remove(link: Link): void {
    this.#links.delete(link);
  }

  /** Each sends its bit. */
  turn(_now: number): void {
    for (const link of this.#links) {
      if (link.state !== "open" || link.writing) continue;
      if (link.dribble !== undefined) this.#dribble(link);
      else if (link.role === "slow") this.#sendUnread(link);
      else this.#links.delete(link);
    }
  }

  #dribble(link: Link): void {
    const bytes = link.dribble!;
    const end = Math.min(bytes.length, link.dribbled + dribbleBytes);
    link.writing = !link.dialled!.write(bytes, link.dribbled, end);
    link.dribbled = end;
    if (end === bytes.length) link.dribble = undefined;
  }

  /** Marks of these do not count: their sender is none of the load's. */
  #sendUnread(link: Link): void {
    const message = link.sentHere++ % this.#pool.count;
    if (this.#plan.target.scheme === "relp") return;
    this.#pool.setDue(0);
    this.#pool.prepare(message, uncountedSender, link.sequence++);
    const [start, end] = [this.#pool.starts[message]!, this.#pool.starts[message + 1]!];
    link.writing = !link.dialled!.write(this.#pool.bytes, start, end);
  }
}
