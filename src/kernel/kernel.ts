/**
 * The typed front of the WebAssembly kernel: one instance and one linear memory per worker.
 *
 * In: bytes that a source left in the input region. Out: frame rows, header rows, encoded Kafka records.
 * The memory is made with `initial == maximum`, so its addresses hold and views of it never detach;
 * pages that nobody touches cost nothing.
 *
 * Memory, in this order (offsets in bytes, all regions 64-byte aligned):
 *
 *     0          control block, CRC tables, nodes of a JSON message (the kernel's own, 64 KiB)
 *     rows       frame table:  rowsMax x 16 bytes   [start u32][end u32][flags u32][message start u32]
 *     headers    header table: rowsMax x 64 bytes   [priority u32][timestamp s,e][host s,e][app s,e][procid s,e][msgid s,e][sd s,e]...
 *     scratch    bytes that a rule rendered, on their way into a batch
 *     input      the chunk in work: [half frame of this connection][piece of the chunk][64 bytes slack]
 *     arena      record batches (src/batch/arena.ts gives out extents of it)
 *     receive    receiveBuffers x 128 KiB, where a source may let the operating system write:
 *                [64 KiB for the half frame before][64 KiB as received]
 *
 * Offsets in rows are absolute in this memory. Nothing here allocates per line.
 *
 * @module
 */
import type { JsonTail } from "./json_form.ts";

/** Sizes of a kernel memory, in bytes unless the name says otherwise. */
export interface KernelSizes {
  /** Longest frame that is kept whole (`listen[].frame_max`). */
  readonly frameBytesMax: number;
  /** Bytes of one piece that is scanned at a time; 64 KiB stays in the L2 cache. */
  readonly pieceBytes: number;
  /** Rows of the frame table; a scan stops when it is full and is called again. */
  readonly rowsMax: number;
  /** Room for one rendered record value, key and headers. */
  readonly scratchBytes: number;
  /** Room for record batches. */
  readonly arenaBytes: number;
  /** Buffers into which the operating system writes what sockets receive; 0 where no source does that. */
  readonly receiveBuffers: number;
}

/** Bytes of a receive buffer. Larger ones gain nothing: the kernel's own queue gives little more at a time. */
export const receiveBufferBytes = 64 * 1024;
/** Bytes before each: a frame that began in an earlier chunk goes there, so that what was received stays in place. */
export const receiveHeadBytes = 64 * 1024;

/** Bits of a frame's flags word. */
export const frameFlag = {
  /** All bytes are below 0x80, so latin1 decoding is exact. */
  ascii: 1,
  /** The frame was longer than `frameBytesMax`; only its beginning is here. */
  truncated: 2,
  /** A `<PRI>` was read. */
  priority: 4,
  /** The header is RFC 5424. */
  rfc5424: 8,
  /** The header is RFC 3164 (BSD). */
  rfc3164: 16,
  /** `parseHeaders` has filled this row's header row and message start. */
  parsed: 32,
  /** A part of a frame that was longer than the limit. */
  split: 64,
  /** Not its first part. `parseHeaders` looks for no header here. */
  continued: 128,
  /** `parseHeaders` found neither a header nor a PRI, or the damaged header of RFC 5424. */
  unparsed: 256,
} as const;

/** Words of a header row; `start` and `end` are absolute offsets, both 0 where the field is absent or nil ("-"). */
export const headerWord = {
  priority: 0,
  timestamp: 1,
  hostname: 3,
  appname: 5,
  procid: 7,
  msgid: 9,
  structuredData: 11,
  /** Written by `scanOctets` alone, and kept by `parseHeaders`: where the frame's count (or the LF before it) begins. */
  frameStart: 13,
} as const;

/** What the priority word of a parsed row says where the frame has no PRI. */
export const noPriority = 0xffffffff;

/** Bytes of a frame row and of a header row. */
export const frameRowBytes = 16;
/** @see frameRowBytes */
export const headerRowBytes = 64;

/** Why a scan stopped. */
export const scanStop = {
  /** The rest of the input is the beginning of a frame; more bytes are needed. */
  needMore: 0,
  /** The frame table is full; take the rows and scan on from `consumed`. */
  tableFull: 1,
  /** Octet counting: no believable count (`digits SP "<"`) at `consumed`. */
  notACount: 2,
  /** A frame longer than `frameBytesMax` began: its row is written (truncated); `skip` bytes after the input, or all bytes up to the next newline, belong to it. */
  oversize: 3,
} as const;

/** What `scanJson` says where it gives no node. */
export const jsonScan = {
  /** The bytes are not the text of one JSON object. */
  noObject: 0,
  /** More than 768 members or nesting beyond 256: nothing is known. */
  tooLarge: 1,
} as const;

/**
 * Words of a JSON node: a member that is reached from the root through objects alone, or the root. Nodes of an
 * object's members follow it, in the order of the text; `next` is the address of the node behind it and all below it.
 * `start` and `end` are absolute offsets of the value, a string's with its quotes; a key's are without. The
 * fingerprint is that of src/core/json_key.ts.
 */
export const jsonNodeWord = {
  start: 0,
  end: 1,
  next: 2,
  fingerprint: 3,
  kind: 4,
  keyStart: 5,
  keyEnd: 6,
} as const;

/** Bytes of a JSON node. */
export const jsonNodeBytes = 32;

/** The lower three bits of a node's kind word. */
export const jsonKind = { string: 1, number: 2, true: 3, false: 4, null: 5, object: 6, list: 7 } as const;

/** The bits of a node's kind word above the kind. */
export const jsonFlag = {
  /** The string has a backslash. */
  escaped: 8,
  /** The string has a byte above 0x7f. */
  high: 16,
  /** JavaScript writes the number as it stands in the text. */
  canonical: 32,
} as const;

/** Which part of a frame becomes the value of its record. */
export const framePart = { raw: 0, message: 1 } as const;

/** What `writeJsonForm` gives where it wrote nothing. */
export const jsonFormResult = {
  /** The writer of text has to do it: not UTF-8, names that stand twice, or no room. */
  refused: 0,
  /** The members that tell the time are wanted: it is not written as RFC 3339 with a zone. */
  needsTime: 1,
} as const;

/** The kernel as the stages use it. Single-threaded; results of a call stay until the next one. */
export interface Kernel {
  readonly sizes: KernelSizes;
  /** The whole linear memory. */
  readonly bytes: Uint8Array;
  /** The same memory as little-endian words, for reading rows: index = offset / 4. */
  readonly words: Uint32Array;
  readonly rowsAt: number;
  readonly headersAt: number;
  readonly scratchAt: number;
  readonly inputAt: number;
  /** Half a frame, its count and a piece fit: a little more than frameBytesMax + pieceBytes. */
  readonly inputBytes: number;
  readonly arenaAt: number;
  /** The first byte of the receive region, page-aligned; the memory's end where there is none. */
  readonly receiveAt: number;

  /**
   * Finds frames that end with LF in [start, end) and writes rows from row 0. One CR before the LF belongs
   * to the delimiter, and so do NULs before the frame. Empty frames get no row and are counted in `emptyFrames`. Returns the number of rows;
   * `consumed` and `stop` tell where and why it stopped.
   */
  scanNewline(start: number, end: number): number;
  /** The same for NUL-terminated frames. */
  scanNul(start: number, end: number): number;
  /**
   * Finds octet-counted frames (RFC 6587 3.4.1: `MSG-LEN SP SYSLOG-MSG`). A count is believed only as
   * 1 to 9 digits without leading zero, SP, "<". One LF (or CR LF) at the end of a frame, inside its count, is no
   * part of the row: senders count the end of their line, and rsyslog drops it on reception. One LF behind a frame
   * is skipped, each further one counts in `emptyFrames`.
   */
  scanOctets(start: number, end: number): number;
  /** Writes [start, end) as the only row, cut at the limit. */
  rowOf(start: number, end: number): void;
  /** The same, or as many rows as the limit makes of it where frames are split; returns how many. */
  rowsOf(start: number, end: number): number;
  /**
   * How long frames may be in the next calls, at most `sizes.frameBytesMax`, and whether a longer one is cut (the row
   * is `truncated`) or becomes several rows (`split`, and `continued` from the second on). Both cut before a UTF-8
   * character that would not be whole. Costs a comparison where nothing changes.
   */
  limitFrames(frameBytesMax: number, splits: boolean): void;
  /**
   * Where frames are split: whether the bytes behind the last scan belong to a frame that has a row already. Set it
   * before a scan, it is another connection's.
   */
  continues: boolean;
  /** First byte that the last scan did not consume (absolute offset). */
  readonly consumed: number;
  /** One of `scanStop`. */
  readonly stop: number;
  /** After `oversize` of an octet-counted frame: bytes that follow the input and still belong to it. */
  readonly skip: number;
  /** Empty frames seen by the last scan. */
  readonly emptyFrames: number;

  /** Parses the headers of rows [from, to): fills header rows, message starts and flags. A frame without a header keeps message start = frame start. */
  parseHeaders(from: number, to: number): void;

  /**
   * Reads [start, end) as the text of one JSON object, as strict as `JSON.parse`, and writes nodes of its members.
   * Returns the address of the root's node, or one of `jsonScan`. Nodes stay until the next call.
   */
  scanJson(start: number, end: number): number;
  /** Copies bytes between places that do not overlap; a call of the runtime's own costs several times this. */
  copyBytes(to: number, from: number, length: number): void;

  /**
   * Encodes rows [from, to) as Kafka records (value = `part`, no key, no headers) at `at`, not past `limit`.
   * Returns the first row that found no room; `encodedEnd` is the end of what was written.
   * `offsetDelta` is the delta of the first of them.
   */
  encodeRows(
    from: number,
    to: number,
    part: number,
    at: number,
    limit: number,
    offsetDelta: number,
    timestampDelta: number,
  ): number;
  readonly encodedEnd: number;
  /**
   * The same with the JSON form of each row (src/rules/json_form.ts) as value; headers must have been parsed and
   * `jsonTail` set to the peer. It also stops at a row that is left to the writer of text: then it is `refused`.
   */
  encodeJsonRows(
    from: number,
    to: number,
    at: number,
    limit: number,
    offsetDelta: number,
    timestampDelta: number,
    tailLength: number,
  ): number;
  readonly refused: boolean;
  /**
   * Writes the JSON form of one row at `at`, not past `limit`; returns its end or one of `jsonFormResult`. The
   * members that tell the time lie in [timeAt, timeAt + timeLength); length 0: they are as in the header.
   */
  writeJsonForm(
    row: number,
    at: number,
    limit: number,
    timeAt: number,
    timeLength: number,
    tailLength: number,
  ): number;
  /** What ends the JSON form of a row. */
  readonly jsonTail: JsonTail;

  /**
   * Encodes one record; returns its end. The caller has checked room with `recordBytesMax`.
   * `keyLength` -1 is a null key. `headersAt` points to encoded headers (varint count first); `headersLength` 0 is none.
   */
  encodeRecord(
    at: number,
    offsetDelta: number,
    timestampDelta: number,
    keyAt: number,
    keyLength: number,
    valueAt: number,
    valueLength: number,
    headersAt: number,
    headersLength: number,
  ): number;

  /**
   * Writes the 61-byte header of record batch v2 at `at` (KIP-98 layout) for `count` records that end at `end`,
   * CRC-32C included. `attributes` bits 0-2 are the compression codec. Producer id -1n, epoch -1, sequence -1 mean no idempotence.
   * `recordsCrc` is the CRC-32C of the records where it is known, and spares another pass over them; -1 where it is not.
   */
  sealBatch(
    at: number,
    end: number,
    count: number,
    baseTimestampMs: number,
    maxTimestampMs: number,
    producerId: bigint,
    producerEpoch: number,
    baseSequence: number,
    attributes: number,
    recordsCrc: number,
  ): void;
  /** CRC-32C (Castagnoli, RFC 3720 B.4) of `length` bytes at `at`, as an unsigned number. */
  crc32c(at: number, length: number): number;
}

/** Bytes of a record batch v2 header, from baseOffset to the record count. */
export const batchHeaderBytes = 61;

/** Upper bound of one encoded record: five varints, attributes, and its parts. */
export function recordBytesMax(keyLength: number, valueLength: number, headersLength: number): number {
  return 32 + (keyLength > 0 ? keyLength : 0) + valueLength + headersLength;
}
