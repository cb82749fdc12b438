/**
 * The index of a segment that was ended, from its file: as it stands at the end, or by a scan where that is damaged.
 *
 * @module
 */
import { crc32c } from "../batch/crc32c.ts";
import type { DiskFile } from "./disk.ts";
import { scanSegment, type ScanWindow } from "./scan.ts";
import type { Segment } from "./segment.ts";
import { readIndex, type SegmentIndex } from "./segment_index.ts";

/** The index in front of the trailer; undefined where it is damaged. @throws the system's error */
export async function storedIndex(segment: Segment, file: DiskFile): Promise<SegmentIndex | undefined> {
  const { indexAt, indexBytes, indexCrc, batches, topics } = segment.trailer!;
  const bytes = new Uint8Array(indexBytes);
  if (await file.read(bytes, indexAt) !== indexBytes || crc32c(bytes) !== indexCrc) return undefined;
  return readIndex(bytes, batches, topics);
}

/** The same from the batches themselves; those that are damaged are missing in it. @throws the system's error */
export async function scannedIndex(
  window: ScanWindow,
  segment: Segment,
  file: DiskFile,
): Promise<SegmentIndex> {
  const { index } = await scanSegment(window, file, segment.end, segment.id, segment.end);
  index.length = Math.max(index.length, segment.batches);
  return index;
}
