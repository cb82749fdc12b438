/**
 * A Produce request that was sent and not answered, and how its answer is told apart into its batches.
 *
 * @module
 */
import type { SequencedBatch } from "./partition_queue.ts";
import type { PartitionAnswer } from "./produce_request.ts";

/** One request. */
export interface InFlightRequest {
  /** Its batches, in the order in which they lie in the request. */
  readonly entries: readonly SequencedBatch[];
  readonly bytes: number;
}

/**
 * The answer to each batch of `request`, in its order; undefined if the answer is not about exactly these
 * batches. Brokers answer in the order of the request; another order is taken all the same.
 */
export function answersOf(
  request: InFlightRequest,
  answers: readonly PartitionAnswer[],
): readonly PartitionAnswer[] | undefined {
  const { entries } = request;
  if (answers.length !== entries.length) return undefined;
  const ordered: PartitionAnswer[] = [];
  const taken = new Set<PartitionAnswer>();
  for (let index = 0; index < entries.length; index++) {
    const { id, topic } = entries[index].partition;
    const isHis = (answer: PartitionAnswer) => answer.partition === id && answer.topic === topic.name;
    const answer = isHis(answers[index]) ? answers[index] : answers.find(isHis);
    if (answer === undefined || taken.has(answer)) return undefined;
    taken.add(answer);
    ordered.push(answer);
  }
  return ordered;
}
