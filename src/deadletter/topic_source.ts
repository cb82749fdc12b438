/**
 * Reads the dead-letter topic: what is there when it is opened.
 *
 * @module
 */
import type { KafkaConfig } from "../config/config.ts";
import { type PartitionRange, TopicReader } from "../kafka/topic_reader.ts";
import { letterOfRecord, type LetterSource, type StoredLetter } from "./stored_letter.ts";

/** Letters of a topic. */
export class TopicSource implements LetterSource {
  readonly name: string;
  readonly title: string;
  readonly streams: LetterSource["streams"];
  unreadable = 0;
  readonly #topic: string;
  readonly #reader: TopicReader;

  private constructor(topic: string, reader: TopicReader, ranges: readonly PartitionRange[]) {
    this.name = `topic:${topic}`;
    this.title = `topic ${topic}`;
    this.#topic = topic;
    this.#reader = reader;
    this.streams = ranges.map(({ id, first, end }) => ({ stream: String(id), first, end }));
  }

  /** Opens it; undefined where the cluster does not know the topic. @throws ForwarderError */
  static async open(topic: string, config: KafkaConfig): Promise<TopicSource | undefined> {
    const reader = new TopicReader(config);
    try {
      const ranges = await reader.ranges(topic);
      if (ranges.length > 0) return new TopicSource(topic, reader, ranges);
      await reader.close();
      return undefined;
    } catch (cause) {
      await reader.close();
      throw cause;
    }
  }

  /** @inheritdoc */
  async *read(stream: string, from: number): AsyncGenerator<readonly StoredLetter[]> {
    const end = this.streams.find((one) => one.stream === stream)!.end;
    for (let at = from; at < end;) {
      const letters: StoredLetter[] = [];
      const next = await this.#reader.read(this.#topic, Number(stream), at, (record, offset) => {
        if (offset >= end) return;
        const letter = letterOfRecord(record, stream, offset);
        if (letter === undefined) this.unreadable++;
        else letters.push(letter);
      });
      if (letters.length > 0) yield letters;
      // Nothing before the end: it was deleted meanwhile.
      if (next === at) return;
      at = next;
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
