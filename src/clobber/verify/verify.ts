/**
 * Reads the lines of a run back, while it goes on and until all have come or none comes any more.
 *
 * @module
 */
import type { VerifySource } from "../settings.ts";
import { openFileSource } from "./file_source.ts";
import { openKafkaSource } from "./kafka_source.ts";
import type { MarkSource } from "./source.ts";
import { type EndToEnd, Tally } from "./tally.ts";

const lookMs = 20;

/** The far end of a run. */
export class Verifier {
  readonly tally: Tally;
  readonly #name: string;
  readonly #source: MarkSource;
  #closed: Promise<void> | undefined;

  private constructor(name: string, source: MarkSource, tally: Tally) {
    this.#name = name;
    this.#source = source;
    this.tally = tally;
  }

  /** Opens the source; from then on nothing is missed. @throws ForwarderError */
  static async open(from: VerifySource, run: string): Promise<Verifier> {
    const tally = new Tally();
    const source = from.kind === "file"
      ? openFileSource(from.dir, run, tally)
      : await openKafkaSource(from, run, tally);
    const name = from.kind === "file"
      ? `file:${from.dir}`
      : `kafka://${from.brokers.join(",")}/${from.topics.join(",")}`;
    return new Verifier(name, source, tally);
  }

  /** Waits for the last lines, `silenceMs` after the last one came at most; then says what came. */
  async finish(
    sent: ReadonlyMap<number, number>,
    silenceMs: number,
    isCancelled: () => boolean,
    progress: (arrived: number, wanted: number) => void,
  ): Promise<EndToEnd> {
    const wanted = [...sent.values()].reduce((sum, lines) => sum + lines, 0);
    let before = -1;
    let lastChange = performance.now();
    while (this.tally.arrived < wanted && !isCancelled()) {
      if (this.tally.arrived !== before) {
        before = this.tally.arrived;
        lastChange = performance.now();
      } else if (performance.now() - lastChange > silenceMs) {
        break;
      }
      progress(this.tally.arrived, wanted);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    await this.close();
    return this.tally.result(sent, this.#name, this.#source.problem);
  }

  /** Stops reading; again it does nothing. */
  async close(): Promise<void> {
    await (this.#closed ??= this.#source.close());
  }
}
