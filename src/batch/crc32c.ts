/**
 * CRC-32C in plain TypeScript, for tools that read record batches without a kernel at hand.
 *
 * @module
 */

/** Castagnoli polynomial, reflected (RFC 3720 appendix B.4). */
const polynomial = 0x82f6_3b78;

const table = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? crc >>> 1 ^ polynomial : crc >>> 1;
  table[byte] = crc;
}

/** CRC-32C of `bytes`, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ crc >>> 8;
  return ~crc >>> 0;
}
