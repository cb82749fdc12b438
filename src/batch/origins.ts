/**
 * Who sent the records of a batch, as far as it is known: for the dead letter, should Kafka refuse them. It is noted
 * per run of records from one sender, not per record, for a bounded number of runs; large records always.
 *
 * A batch that was read back from the disk has them if this process wrote it, and not long ago.
 *
 * @module
 */

/** Records [from, to) of a batch came from `peer`. */
export interface Origin {
  readonly from: number;
  to: number;
  readonly peer: string;
}

/** Runs that are noted of a batch before only those with `notedBytesMin` are. */
const originsMax = 128;
/** A run with so many bytes is always noted: Kafka refuses records for their size. A batch has few of them. */
const notedBytesMin = 4096;

/** Notes that records [from, to) with so many bytes came from `peer`; runs come in their order. */
export function noteOrigin(origins: Origin[], from: number, to: number, bytes: number, peer: string): void {
  const last = origins.length === 0 ? undefined : origins[origins.length - 1]!;
  if (last !== undefined && last.to === from && last.peer === peer) last.to = to;
  else if (origins.length < originsMax || bytes >= notedBytesMin) origins.push({ from, to, peer });
}

/** The sender of a record, by its index in the batch. */
export function peerOf(origins: readonly Origin[] | undefined, record: number): string | undefined {
  return origins?.find(({ from, to }) => from <= record && record < to)?.peer;
}

/** The origins of a batch that is made of these records of another. */
export function originsOf(
  origins: readonly Origin[] | undefined,
  records: readonly number[],
): readonly Origin[] | undefined {
  if (origins === undefined) return undefined;
  const own: Origin[] = [];
  let run = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!;
    if (index > 0 && record < records[index - 1]!) run = 0;
    while (run < origins.length && origins[run]!.to <= record) run++;
    const origin = origins[run];
    if (origin === undefined || origin.from > record) continue;
    const last = own[own.length - 1];
    if (last !== undefined && last.to === index && last.peer === origin.peer) last.to = index + 1;
    else own.push({ from: index, to: index + 1, peer: origin.peer });
  }
  return own;
}
