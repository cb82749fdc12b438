/**
 * LZ4 and Snappy as Kafka's record batches have them (attributes 3 and 2), by the kernel's module in a memory of its
 * own, which grows to what was packed at most.
 *
 *     0       not used by these calls
 *     65536   table of what was seen, 16 KiB
 *     81920   the bytes to pack, 8 bytes of slack, what they become
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import { kernelModule } from "./instance.ts";

/** What the kernel exports for it. */
export interface PackCalls {
  /**
   * Writes [from, from + length) as a frame of LZ4 at `to`; returns its end. `table` is the address of 16 KiB. Reads
   * up to 7 bytes past the input.
   */
  packLz4(from: number, length: number, to: number, table: number): number;
  /** The same as a stream of Snappy in the Java library's framing. */
  packSnappy(from: number, length: number, to: number, table: number): number;
}

/** What this can pack with. */
export type PackCodec = "lz4" | "snappy";

const pageBytes = 64 * 1024;
const tableAt = pageBytes;
const inputAt = tableAt + 16 * 1024;
const slackBytes = 8;
/** Input for which the memory is made at first: a batch of the default size. */
const inputBytesFirst = 512 * 1024;
/** Larger inputs than any batch are a mistake of the caller. */
const inputBytesMax = 256 * 1024 * 1024;

/** A memory of one thread. */
let memory: WebAssembly.Memory | undefined;
let calls: PackCalls | undefined;

/**
 * Packs `bytes`; the result is a copy.
 *
 * @throws ForwarderError `kernel_failed` where the memory cannot be had
 */
export function packBytes(codec: PackCodec, bytes: Uint8Array): Uint8Array {
  const outputAt = inputAt + bytes.length + slackBytes;
  try {
    reserve(outputAt + packedBytesMax(bytes.length));
  } catch (cause) {
    throw new ForwarderError("kernel_failed", `Cannot allocate memory to pack ${bytes.length} bytes`, {
      cause,
    });
  }
  const view = new Uint8Array(memory!.buffer);
  view.set(bytes, inputAt);
  const pack = codec === "lz4" ? calls!.packLz4 : calls!.packSnappy;
  return view.slice(outputAt, pack(inputAt, bytes.length, outputAt, tableAt));
}

/** The most that either makes of so many bytes: Snappy's worst case is a sixth, and each block and frame has a head. */
function packedBytesMax(bytes: number): number {
  return bytes + Math.ceil(bytes / 6) + Math.ceil(bytes / (64 * 1024)) * 40 + 64;
}

function reserve(bytes: number): void {
  const pages = Math.ceil(bytes / pageBytes);
  if (memory === undefined) {
    const first = Math.ceil(
      (inputAt + inputBytesFirst + slackBytes + packedBytesMax(inputBytesFirst)) / pageBytes,
    );
    const most = Math.ceil(
      (inputAt + inputBytesMax + slackBytes + packedBytesMax(inputBytesMax)) / pageBytes,
    );
    memory = new WebAssembly.Memory({ initial: first, maximum: most });
    calls = new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports as unknown as PackCalls;
  }
  const pagesNow = memory.buffer.byteLength / pageBytes;
  if (pages > pagesNow) memory.grow(pages - pagesNow);
}
