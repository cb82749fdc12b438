/**
 * Reads marked lines back from Kafka: all partitions of the topics, from where they ended when the load began. A
 * topic that did not exist then is read from its start. Leaders may move and brokers may go away meanwhile.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import { markOpening, scanMarks } from "../payload/mark.ts";
import type { KafkaAccess } from "./access.ts";
import { KafkaLink } from "./kafka_link.ts";
import {
  type ClusterView,
  fetchRequest,
  listOffsetsRequest,
  metadataRequest,
  type PartitionPlace,
  readFetch,
  readMetadata,
  readOffsets,
} from "./kafka_wire.ts";
import { BatchError, batchesOf } from "./record_batches.ts";
import { type MarkSource, nowMicros } from "./source.ts";
import type { Tally } from "./tally.ts";

const connectMs = 5000;
const answerMs = 10_000;
/** A broker holds a fetch for so long if there is nothing: the next metadata waits behind it. */
const fetchWaitMs = 100;
const fetchBytes = 8 * 1024 * 1024;
/** New topics and new leaders are looked for this often. */
const metadataMs = 500;
const retryMs = 200;

/** Error codes of the protocol (https://kafka.apache.org/protocol). */
const offsetOutOfRange = 1;
const topicAuthorizationFailed = 29;

/** A partition that is read. */
interface Cursor extends PartitionPlace {
  readonly source: number;
  leader: number;
  offset: number;
}

/** What is read, and how its brokers are reached. */
export interface KafkaPlace {
  readonly access: KafkaAccess;
  /** `host:port`; IPv6 addresses in brackets. */
  readonly brokers: readonly string[];
  /** Names, or patterns with `*`. */
  readonly topics: readonly string[];
}

/** Opens the source. @throws ForwarderError where no broker can be reached. */
export async function openKafkaSource(
  { access, brokers, topics }: KafkaPlace,
  run: string,
  tally: Tally,
): Promise<MarkSource> {
  const reader = new KafkaReader({ access, brokers, topics }, run, tally);
  try {
    await reader.start();
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}

class KafkaReader implements MarkSource {
  problem: string | null = null;
  readonly #access: KafkaAccess;
  readonly #brokers: readonly string[];
  readonly #names: string;
  readonly #wanted: RegExp;
  readonly #opening: Buffer;
  readonly #tally: Tally;
  readonly #cursors = new Map<string, Cursor>();
  readonly #loops = new Map<number, Promise<void>>();
  #view: ClusterView = { brokers: new Map(), partitions: [] };
  #control: KafkaLink | undefined;
  #closing = false;
  #watching: Promise<void> | undefined;

  constructor({ access, brokers, topics }: KafkaPlace, run: string, tally: Tally) {
    this.#access = access;
    this.#brokers = brokers;
    this.#names = topics.join(", ");
    const patterns = topics.map((topic) => topic.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
    this.#wanted = new RegExp(`^(?:${patterns.join("|")})$`);
    this.#opening = Buffer.from(markOpening + run);
    this.#tally = tally;
  }

  async start(): Promise<void> {
    await this.#refresh(true);
    this.#watching = this.#watch();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#watching, ...this.#loops.values()]);
    this.#control?.close();
    this.#access.close();
    if (this.#cursors.size === 0) {
      this.problem ??= `there is no topic ${this.#names}${
        this.#access.hasLogin ? " that this login may see" : ""
      }`;
    }
  }

  /** Looks for new topics and leaders until the end. */
  async #watch(): Promise<void> {
    while (!this.#closing) {
      await pause(metadataMs);
      if (this.#closing) return;
      try {
        await this.#refresh(false);
      } catch (error) {
        this.problem = messageOf(error);
      }
    }
  }

  /** Reads metadata, places cursors on partitions that are new, and has each leader read. */
  async #refresh(first: boolean): Promise<void> {
    this.#control ??= await this.#anyBroker();
    try {
      this.#view = readMetadata(await this.#control.ask(metadataRequest, answerMs));
    } catch (error) {
      this.#control = undefined;
      throw error;
    }
    const fresh: Cursor[] = [];
    for (const place of this.#view.partitions) {
      if (!this.#wanted.test(place.topic) || place.leader < 0) continue;
      const key = `${place.topic} ${place.partition}`;
      const known = this.#cursors.get(key);
      if (known !== undefined) {
        known.leader = place.leader;
        continue;
      }
      const cursor: Cursor = { ...place, source: this.#cursors.size, offset: 0 };
      this.#cursors.set(key, cursor);
      fresh.push(cursor);
    }
    if (first) await this.#toTheEnd(fresh);
    for (const { leader } of this.#cursors.values()) this.#read(leader);
  }

  async #anyBroker(): Promise<KafkaLink> {
    let last: unknown;
    for (const broker of [...this.#brokers, ...[...this.#view.brokers.values()].map(nameOf)]) {
      const [, host, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(broker)!;
      try {
        return await KafkaLink.open(host!, Number(port), this.#access, connectMs);
      } catch (error) {
        last = error;
      }
    }
    throw last instanceof Error
      ? last
      : new ForwarderError("kafka_unreachable", "Cannot reach a broker: none is known");
  }

  /** Moves cursors to where their partitions end now. */
  async #toTheEnd(cursors: readonly Cursor[]): Promise<void> {
    const leaders = new Set(cursors.map(({ leader }) => leader));
    for (const leader of leaders) {
      const mine = cursors.filter((cursor) => cursor.leader === leader);
      const link = await this.#linkTo(leader);
      try {
        const answers = readOffsets(await link.ask((id) => listOffsetsRequest(id, mine, true), answerMs));
        for (const { topic, partition, offset, error } of answers) {
          if (error !== 0) {
            throw new ForwarderError(
              "kafka_protocol",
              `Cannot find the end of ${topic}: ${errorText(error)}`,
            );
          }
          this.#cursors.get(`${topic} ${partition}`)!.offset = offset;
        }
      } finally {
        link.close();
      }
    }
  }

  async #linkTo(leader: number): Promise<KafkaLink> {
    const broker = this.#view.brokers.get(leader);
    if (broker === undefined) {
      throw new ForwarderError("kafka_protocol", `Broker ${leader} is not in the metadata`);
    }
    return await KafkaLink.open(broker.host, broker.port, this.#access, connectMs);
  }

  /** Has a loop read the partitions of a leader; one loop for each. */
  #read(leader: number): void {
    if (this.#loops.has(leader)) return;
    this.#loops.set(leader, this.#loop(leader).finally(() => this.#loops.delete(leader)));
  }

  async #loop(leader: number): Promise<void> {
    let link: KafkaLink | undefined;
    while (!this.#closing) {
      const mine = [...this.#cursors.values()].filter((cursor) => cursor.leader === leader);
      if (mine.length === 0) break;
      try {
        link ??= await this.#linkTo(leader);
        const answer = await link.ask((id) => fetchRequest(id, mine, fetchWaitMs, fetchBytes), answerMs);
        if (await this.#take(readFetch(answer), link)) this.problem = null;
      } catch (error) {
        this.problem = messageOf(error);
        link?.close();
        link = undefined;
        if (error instanceof BatchError) break;
        await pause(retryMs);
      }
    }
    link?.close();
  }

  /** Counts the marks of an answer. False where a partition could not be read. */
  async #take(answers: ReturnType<typeof readFetch>, link: KafkaLink): Promise<boolean> {
    const now = nowMicros();
    let fine = true;
    for (const { topic, partition, error, records } of answers) {
      const cursor = this.#cursors.get(`${topic} ${partition}`)!;
      if (error === offsetOutOfRange) {
        const [start] = readOffsets(
          await link.ask((id) => listOffsetsRequest(id, [cursor], false), answerMs),
        );
        cursor.offset = start!.offset;
      }
      if (error !== 0) {
        // A leader that moved is found by the next metadata.
        fine = false;
        this.problem = `partition ${partition} of ${topic}: ${errorText(error)}`;
        await pause(retryMs);
        continue;
      }
      for (const batch of batchesOf(records)) {
        scanMarks(batch.records, this.#opening, (sender, sequence, due) => {
          this.#tally.take(cursor.source, sender, sequence, due, now);
        });
        // A fetch may begin in the middle of a batch; what was read before is not counted twice then.
        cursor.offset = Math.max(cursor.offset, batch.next);
      }
    }
    return fine;
  }
}

function errorText(code: number): string {
  return code === topicAuthorizationFailed
    ? "this login may not read it"
    : `the broker answers error ${code}`;
}

function nameOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
