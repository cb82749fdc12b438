/**
 * What a request that must be answered (HTTP, RELP) waits for: how far the batches with its lines have come.
 *
 * An open batch carries the receipts of the requests with lines in it, one entry per request and batch, none per line.
 * A closed batch takes them along; they hear of it twice at most: when its bytes are on the disk (`commitReceipts`),
 * and when it is settled (`settleReceipts`: acknowledged by the sink, or its records durable in the dead letter).
 *
 *     attached ──> committed ──> settled          a letter: attached ──> settled
 *                └──────────────────^             (no spool: settled without committed)
 *
 * A batch that the memory gives up after its commit (`spoolReceipts`) is settled some time, unheard: who waits for
 * Kafka is answered when the rest of the request is on the disk too.
 *
 * @module
 */
import { invariant } from "../core/invariant.ts";
import type { BatchOutcome, ClosedBatch } from "./record_batch.ts";

/** How far lines have come: placed in a batch in memory, written to the spool, acknowledged by the sink. */
export type Until = "memory" | "disk" | "kafka";

/** Order of `Until`. */
export const untilRank: Readonly<Record<Until, number>> = { memory: 0, disk: 1, kafka: 2 };

/** The books of one request. */
export class Receipt {
  /** What was asked for. */
  readonly until: Until;
  /** Why Kafka refused a batch with lines of this request, which are in the dead letter then. */
  rejection: string | undefined;
  readonly #fulfilled: () => void;
  /** What is waited for: less than was asked for once a batch of it was given up. */
  #awaited: Until;
  #placing = true;
  #uncommitted = 0;
  #unsettled = 0;
  #state: "waiting" | "fulfilled" | "forgotten" = "waiting";

  /**
   * `fulfilled` is called once, when all lines are placed and have come as far as `until`, or as far as will be heard
   * of (`kept` tells which); not after `forget`.
   */
  constructor(until: Until, fulfilled: () => void) {
    this.until = this.#awaited = until;
    this.#fulfilled = fulfilled;
  }

  /** True while somebody waits for batches to move: they close early. */
  get hurries(): boolean {
    return this.until !== "memory" && this.#state === "waiting";
  }

  /** True where everything that was placed has come as far as was asked. */
  get kept(): boolean {
    return untilRank[this.reached] >= untilRank[this.until];
  }

  /** True once nobody wants to hear more. */
  get done(): boolean {
    return this.#state !== "waiting";
  }

  /** How far everything that was placed has come; `kafka` where nothing of it is under way any more. */
  get reached(): Until {
    if (this.#unsettled === 0) return "kafka";
    return this.#uncommitted === 0 ? "disk" : "memory";
  }

  /** One more batch (or letter) has lines of this request. */
  attached(): void {
    this.#uncommitted++;
    this.#unsettled++;
  }

  /** A batch is on the disk. */
  committed(): void {
    this.#uncommitted--;
    this.#look();
  }

  /** A batch (or letter) is where it stays. `wasCommitted`: `committed` was called for it. */
  settled(wasCommitted: boolean, rejection?: string): void {
    if (!wasCommitted) this.#uncommitted--;
    this.#unsettled--;
    this.rejection ??= rejection;
    invariant(this.#uncommitted >= 0 && this.#unsettled >= 0, "a batch is settled once");
    this.#look();
  }

  /** A batch was given up when it was as safe as `reached`: its end will not be heard of. */
  spooled(reached: Until): void {
    if (untilRank[reached] < untilRank[this.#awaited]) this.#awaited = reached;
    this.#look();
  }

  /** A batch has come to another stage, or left the last one (undefined). Of interest to who traces lines. */
  moved(_stage: string | undefined, _batch: ClosedBatch, _broker?: string): void {}

  /** All lines of the request are placed. */
  placed(): void {
    this.#placing = false;
    this.#look();
  }

  /** The request was answered otherwise (deadline); nothing is called any more. */
  forget(): void {
    this.#state = "forgotten";
  }

  #look(): void {
    if (this.#placing || this.#state !== "waiting") return;
    if (untilRank[this.reached] < untilRank[this.#awaited]) return;
    this.#state = "fulfilled";
    this.#fulfilled();
  }
}

/** The batch is on the disk. Once per batch at most, and before `settleReceipts`. */
export function commitReceipts(batch: ClosedBatch): void {
  invariant(!batch.committed, "a batch is committed once");
  batch.committed = true;
  const { receipts } = batch;
  if (receipts === undefined) return;
  for (const receipt of receipts) receipt.committed();
  // Who waits for the disk alone has heard it all; the batch may live long.
  const left = receipts.filter((receipt) => !receipt.done);
  batch.receipts = left.length === 0 ? undefined : left;
}

/** The batch is given up: the disk alone has it, as safe as `reached`. At most once, instead of `settleReceipts`. */
export function spoolReceipts(batch: ClosedBatch, reached: Until): void {
  const { receipts } = batch;
  if (receipts === undefined) return;
  batch.receipts = undefined;
  for (const receipt of receipts) receipt.spooled(reached);
}

/** The batch was delivered, or its records are durable in the dead letter. Once per batch. */
export function settleReceipts(batch: ClosedBatch, outcome: BatchOutcome): void {
  const { receipts } = batch;
  if (receipts === undefined) return;
  batch.receipts = undefined;
  const rejection = outcome.kind === "rejected" ? outcome.reason : undefined;
  for (const receipt of receipts) receipt.settled(batch.committed === true, rejection);
}
