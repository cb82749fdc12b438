/**
 * corndog over upgrades: the process that was started, its successors, and who of them serves. All of them write into
 * the same log, since a successor inherits standard error.
 *
 * @module
 */
import process from "node:process";
import { Corndog } from "./corndog.ts";
import { until } from "./until.ts";

/** A corndog and its successors. */
export class Generations {
  readonly corndog: Corndog;
  readonly #pids: number[];

  private constructor(corndog: Corndog) {
    this.corndog = corndog;
    this.#pids = [corndog.pid];
  }

  /** Starts the first; all ports of `config` must be given, since a successor's are looked up by nobody. */
  static async start(
    config: string,
    options: Parameters<typeof Corndog.start>[1] = {},
  ): Promise<Generations> {
    return new Generations(await (await Corndog.start(config, options)).started());
  }

  /** The process that serves. */
  get pid(): number {
    return this.#pids.at(-1)!;
  }

  /** Asks for an upgrade; the new process serves when it resolves. */
  async upgrade(): Promise<void> {
    // A connection of its own: one that is kept may be to the process before, which ends at this moment.
    const options = { method: "POST", headers: { connection: "close" } };
    const answer = await fetch(`${this.corndog.admin}/admin/upgrade`, options);
    const body = await answer.json() as { ok?: boolean; pid?: number; detail?: string };
    if (!answer.ok || body.pid === undefined) throw new Error(`no upgrade: ${JSON.stringify(body)}`);
    this.#pids.push(body.pid);
  }

  /** Waits until all but the last have ended. */
  async oldOnesEnded(deadlineMs = 60_000): Promise<void> {
    const old = this.#pids.slice(0, -1);
    await until(
      "the end of the former processes",
      () => old.every((pid) => !lives(pid)) || undefined,
      deadlineMs,
    );
  }

  /** Ends what serves in order, and waits for it. */
  async stop(): Promise<void> {
    process.kill(this.pid, "SIGTERM");
    await this.corndog.ended(90_000);
  }

  /** Ends all of them whatever their state; for `finally`. */
  async dispose(): Promise<void> {
    for (const pid of this.#pids) {
      try {
        if (lives(pid)) process.kill(pid, "SIGKILL");
      } catch { /* it has just ended */ }
    }
    await this.corndog.ended();
    await this.corndog.dispose();
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
