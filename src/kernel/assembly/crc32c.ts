/**
 * CRC-32C (Castagnoli polynomial, RFC 3720 B.4) without a carry-less multiply, which WebAssembly lacks.
 *
 * Short input goes through tables: slicing by 16, in two streams that are joined by the operator "append
 * `streamBytes` zero bytes".
 *
 * Long input is folded first. A CRC is the remainder of the message, read as a polynomial over GF(2), by P. P
 * divides the sparse
 *
 *     Q(x) = x^(128*209) + x^(128*144) + x^(128*54) + x^(128*39) + x^(128*14) + 1
 *
 * (tools/crc_multiple_search.ts finds and proves it). So adding w * x^k * Q to the message changes no remainder.
 * Read the message as 16-byte words, highest power first, and choose w and k such that Q's first term cancels
 * word i; then w lands on the words at i + 209-144, 209-54, 209-39, 209-14 and 209-0 behind it:
 *
 *     word'[i] = word[i] ^ word'[i-65] ^ word'[i-155] ^ word'[i-170] ^ word'[i-195] ^ word'[i-209]
 *
 * with nothing but XOR, and when all words but the last 209 are cancelled the remainder is that of these 3344
 * bytes and the tail. Bit-reflected CRCs change nothing: words only move by whole 16 bytes. The register's initial
 * ones are an XOR on the first 4 bytes.
 */
import { crcTablesAt } from "./memory";

/** The polynomial, bit-reflected. */
const polynomial: u32 = 0x82f63b78;

const tableBytes: u32 = 1024;
/** 16 tables of 256 words: table n is a byte's effect n bytes further on. */
const slicesAt: usize = crcTablesAt;
/** 4 tables of 256 words: the effect of `streamBytes` zero bytes on each byte of a register. */
const appendAt: usize = slicesAt + 16 * tableBytes;
/** The folding window: 209 words of history, then the words in work. */
const windowAt: usize = appendAt + 4 * tableBytes;

const streamBytes: u32 = 2048;

/** Below this the tables are faster than the fold and the CRC of what it leaves (bench/stages.ts). */
const foldBytesMin: u32 = 12 * 1024;

const historyWords: u32 = 209;
const historyBytes: usize = 209 * 16;
const tap1: usize = 65 * 16;
const tap2: usize = 155 * 16;
const tap3: usize = 170 * 16;
const tap4: usize = 195 * 16;
/** Words folded before the history is moved back to the window's start: 8 KiB stay in the L1 cache. */
const windowWords: u32 = 512;

/** Fills the tables. Called once, before anything else; a process that starts waits for it. */
export function initCrc32c(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    store<u32>(slicesAt + (i << 2), crc);
  }
  for (let table: u32 = 1; table < 16; table++) {
    for (let i: u32 = 0; i < 256; i++) {
      const before = load<u32>(slicesAt + (table - 1) * tableBytes + (i << 2));
      store<u32>(slicesAt + table * tableBytes + (i << 2), (before >>> 8) ^ slice(0, before & 255));
    }
  }
  for (let byte: u32 = 0; byte < 4; byte++) {
    for (let i: u32 = 0; i < 256; i++) {
      const table = appendAt + byte * tableBytes;
      const rest = i & (i - 1);
      // Appending is linear: all but single bits are sums of what stands in the table already.
      let crc: u32 = 0;
      if (i && rest) crc = load<u32>(table + (rest << 2)) ^ load<u32>(table + ((i ^ rest) << 2));
      else {
        crc = i << (byte * 8);
        for (let zeros: u32 = 0; zeros < streamBytes; zeros++) crc = (crc >>> 8) ^ slice(0, crc & 255);
      }
      store<u32>(table + (i << 2), crc);
    }
  }
}

/** @see Kernel.crc32c */
export function crc32c(at: usize, length: u32): u32 {
  return length < foldBytesMin ? ~byTables(0xffffffff, at, length) : ~byFolding(at, length);
}

/**
 * The CRC of two stretches one behind the other, from their own: that of the first is multiplied by x^(8 * length) of
 * the second, modulo P. In bit-reflected form the highest bit is x^0.
 */
export function appendedCrc32c(first: u32, second: u32, secondLength: u32): u32 {
  let power: u32 = 1 << 23;
  for (let rest = secondLength; rest != 0; rest >>>= 1) {
    if (rest & 1) first = multiplied(first, power);
    power = multiplied(power, power);
  }
  return first ^ second;
}

/** a * b modulo P. */
function multiplied(a: u32, b: u32): u32 {
  let product: u32 = 0;
  for (; a != 0; a <<= 1) {
    if (a & 0x80000000) product ^= b;
    b = b & 1 ? (b >>> 1) ^ polynomial : b >>> 1;
  }
  return product;
}

// @ts-ignore: decorator
@inline
function slice(table: u32, byte: u32): u32 {
  return load<u32>(slicesAt + table * tableBytes + (byte << 2));
}

// @ts-ignore: decorator
@inline
function step16(crc: u32, p: usize): u32 {
  const low = load<u64>(p) ^ <u64>crc;
  const high = load<u64>(p, 8);
  const a = <u32>low, b = <u32>(low >> 32), c = <u32>high, d = <u32>(high >> 32);
  return slice(15, a & 255) ^ slice(14, (a >>> 8) & 255) ^ slice(13, (a >>> 16) & 255) ^ slice(12, a >>> 24) ^
    slice(11, b & 255) ^ slice(10, (b >>> 8) & 255) ^ slice(9, (b >>> 16) & 255) ^ slice(8, b >>> 24) ^
    slice(7, c & 255) ^ slice(6, (c >>> 8) & 255) ^ slice(5, (c >>> 16) & 255) ^ slice(4, c >>> 24) ^
    slice(3, d & 255) ^ slice(2, (d >>> 8) & 255) ^ slice(1, (d >>> 16) & 255) ^ slice(0, d >>> 24);
}

/** The register after `streamBytes` zero bytes more. */
// @ts-ignore: decorator
@inline
function appendZeros(crc: u32): u32 {
  return load<u32>(appendAt + ((crc & 255) << 2)) ^
    load<u32>(appendAt + tableBytes + (((crc >>> 8) & 255) << 2)) ^
    load<u32>(appendAt + 2 * tableBytes + (((crc >>> 16) & 255) << 2)) ^
    load<u32>(appendAt + 3 * tableBytes + ((crc >>> 24) << 2));
}

/** Register in, register out. */
function byTables(crc: u32, p: usize, length: u32): u32 {
  while (length >= 2 * streamBytes) {
    let first = crc;
    let second: u32 = 0;
    for (const end = p + streamBytes; p < end; p += 16) {
      first = step16(first, p);
      second = step16(second, p + streamBytes);
    }
    crc = appendZeros(first) ^ second;
    p += streamBytes;
    length -= 2 * streamBytes;
  }
  for (; length >= 16; length -= 16, p += 16) crc = step16(crc, p);
  for (; length > 0; length--, p++) crc = slice(0, (crc ^ load<u8>(p)) & 255) ^ (crc >>> 8);
  return crc;
}

// @ts-ignore: decorator
@inline
function foldWord(word: v128, out: usize): void {
  const near = v128.xor(v128.load(out - tap1), v128.load(out - tap2));
  const far = v128.xor(v128.load(out - tap3), v128.xor(v128.load(out - tap4), v128.load(out - historyBytes)));
  v128.store(out, v128.xor(word, v128.xor(near, far)));
}

function byFolding(p: usize, length: u32): u32 {
  memory.fill(windowAt, 0, historyBytes);
  let words = (length >>> 4) - historyWords;
  let ones = i32x4(-1, 0, 0, 0);
  while (words > 0) {
    const batch = min(words, windowWords);
    let out = windowAt + historyBytes;
    const end = out + (<usize>batch << 4);
    foldWord(v128.xor(v128.load(p), ones), out);
    ones = i32x4(0, 0, 0, 0);
    out += 16;
    p += 16;
    // Two words a round; the nearest tap is 65 words back, so they do not depend on each other.
    for (; out + 32 <= end; out += 32, p += 32) {
      const second = v128.load(p, 16);
      foldWord(v128.load(p), out);
      foldWord(second, out + 16);
    }
    if (out < end) {
      foldWord(v128.load(p), out);
      p += 16;
    }
    memory.copy(windowAt, windowAt + (<usize>batch << 4), historyBytes);
    words -= batch;
  }
  const remainderAt = windowAt + historyBytes;
  addHistory(p, remainderAt);
  return byTables(byTables(0, remainderAt, <u32>historyBytes), p + historyBytes, length & 15);
}

/** The last 209 words with what the cancelled ones left on them; they are not cancelled themselves. */
function addHistory(p: usize, out: usize): void {
  for (let at: usize = 0; at < historyBytes; at += 16) {
    const history = windowAt + at;
    let word = v128.xor(v128.load(p + at), v128.load(history));
    if (at < tap1) word = v128.xor(word, v128.load(history + (historyBytes - tap1)));
    if (at < tap2) word = v128.xor(word, v128.load(history + (historyBytes - tap2)));
    if (at < tap3) word = v128.xor(word, v128.load(history + (historyBytes - tap3)));
    if (at < tap4) word = v128.xor(word, v128.load(history + (historyBytes - tap4)));
    v128.store(out + at, word);
  }
}
