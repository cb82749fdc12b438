/**
 * Which records of a batch go together when it has to be divided. Pure: numbers of records in, selections out.
 *
 * @module
 */
import { batchHeaderBytes } from "../kernel/kernel.ts";
import type { RecordView, Refusal } from "./divider.ts";
import { partitionOfKey } from "./partitioner.ts";

/** Records that go together; with a refusal they do not go at all. */
export interface Group {
  readonly records: number[];
  readonly refusal?: Refusal;
  /** Where the plan chooses it. */
  readonly partition?: number;
}

/** What a record needs in a batch behind thousands of others and not alone: its offset delta and length grow. */
const deltaBytes = 4;

/**
 * Parts of at most `batchBytesMax` bytes, header included, as full as can be; a record that is larger alone is
 * refused. Of a compressed batch nobody knows what its parts will need, and while the limit is not known nobody knows
 * what is too large: such a batch is halved.
 */
export function groupsBySize(
  view: RecordView,
  batchBytesMax: number,
  refusalOf: (recordBytes: number) => Refusal,
): Group[] {
  if (view.isPacked || batchBytesMax === Infinity) return halves(view);
  const groups: Group[] = [];
  let open: number[] = [];
  let bytes = batchHeaderBytes;
  const close = (): void => {
    if (open.length > 0) groups.push({ records: open });
    open = [];
    bytes = batchHeaderBytes;
  };
  for (let record = 0; record < view.count; record++) {
    const alone = view.bytesOf(record);
    if (batchHeaderBytes + alone > batchBytesMax) {
      close();
      groups.push({ records: [record], refusal: refusalOf(batchHeaderBytes + alone) });
      continue;
    }
    if (open.length > 0 && bytes + alone + deltaBytes > batchBytesMax) close();
    open.push(record);
    bytes += alone + (open.length > 1 ? deltaBytes : 0);
  }
  close();
  // The limit is another one than was thought: what fits it was refused.
  return groups.length === 1 && groups[0].refusal === undefined ? halves(view) : groups;
}

/** Two parts with about as many bytes each. */
export function halves(view: RecordView): Group[] {
  let total = 0;
  for (let record = 0; record < view.count; record++) total += view.bytesOf(record);
  const first: number[] = [];
  const second: number[] = [];
  let bytes = 0;
  for (let record = 0; record < view.count; record++) {
    const isFirst = first.length === 0 ||
      record < view.count - 1 && bytes + view.bytesOf(record) <= total / 2;
    (isFirst && second.length === 0 ? first : second).push(record);
    bytes += view.bytesOf(record);
  }
  return [{ records: first }, { records: second }];
}

/** The records that the broker found fault with apart from the others; where it named none, halves, to find them. */
export function groupsWithout(view: RecordView, bad: readonly number[], refusal: Refusal): Group[] {
  const isBad = new Set(bad.filter((record) => record >= 0 && record < view.count));
  if (isBad.size === 0) return halves(view);
  const good: number[] = [];
  const refused: number[] = [];
  for (let record = 0; record < view.count; record++) (isBad.has(record) ? refused : good).push(record);
  return [...(good.length > 0 ? [{ records: good }] : []), { records: refused, refusal }];
}

/** The records of each partition, by key; those without a key go with the first. */
export function groupsByKey(view: RecordView, partitions: number): Group[] {
  const groups = new Map<number, number[]>();
  for (let record = 0; record < view.count; record++) {
    const key = view.keyOf(record);
    const partition = key === null ? 0 : partitionOfKey(key, 0, key.length, partitions);
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, [record]);
    else group.push(record);
  }
  return [...groups].map(([partition, records]) => ({ partition, records }));
}
