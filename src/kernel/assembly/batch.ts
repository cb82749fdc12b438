/**
 * The header of a record batch, format 2 (KIP-98), big-endian:
 *
 *      0  baseOffset i64            0, the broker sets it
 *      8  batchLength i32           bytes behind this field
 *     12  partitionLeaderEpoch i32  -1
 *     16  magic i8                  2
 *     17  crc u32                   CRC-32C of everything from byte 21
 *     21  attributes i16            bits 0-2 codec
 *     23  lastOffsetDelta i32
 *     27  baseTimestamp i64
 *     35  maxTimestamp i64
 *     43  producerId i64
 *     51  producerEpoch i16
 *     53  baseSequence i32
 *     57  recordsCount i32
 *     61  records
 */
import { appendedCrc32c, crc32c } from "./crc32c";

const checkedFrom: usize = 21;
const headerBytes: usize = 61;

/** @see Kernel.sealBatch */
export function sealBatch(
  at: usize, end: usize, count: i32, baseTimestamp: f64, maxTimestamp: f64, producerId: i64, producerEpoch: i32,
  baseSequence: i32, attributes: i32, recordsCrc: f64,
): void {
  store<u64>(at, 0);
  store<u32>(at, bswap(<u32>(end - at - 12)), 8);
  store<i32>(at, -1, 12);
  store<u8>(at, 2, 16);
  store<u16>(at, bswap<u16>(<u16>attributes), 21);
  store<u32>(at, bswap(<u32>count - 1), 23);
  store<u64>(at, bswap<u64>(<u64>(<i64>baseTimestamp)), 27);
  store<u64>(at, bswap<u64>(<u64>(<i64>maxTimestamp)), 35);
  store<u64>(at, bswap<u64>(<u64>producerId), 43);
  store<u16>(at, bswap<u16>(<u16>producerEpoch), 51);
  store<u32>(at, bswap(<u32>baseSequence), 53);
  store<u32>(at, bswap(<u32>count), 57);
  const crc = recordsCrc < 0
    ? crc32c(at + checkedFrom, <u32>(end - at - checkedFrom))
    : appendedCrc32c(
      crc32c(at + checkedFrom, <u32>(headerBytes - checkedFrom)), <u32>recordsCrc, <u32>(end - at - headerBytes),
    );
  store<u32>(at, bswap(crc), 17);
}
