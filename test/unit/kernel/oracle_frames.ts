/** Plain twins of the kernel's scans, byte by byte. Offsets count from the start of `bytes`. */

export interface OracleRow {
  /** Where the count begins in octet counting, else where the frame does. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
  readonly ascii: boolean;
  readonly truncated: boolean;
  /** "part" is the first row of a frame that was split. */
  readonly split?: "part" | "continued";
}

export interface OracleScan {
  readonly rows: OracleRow[];
  readonly consumed: number;
  readonly stop: "needMore" | "tableFull" | "notACount" | "oversize";
  readonly skip: number;
  readonly emptyFrames: number;
}

export interface OracleLimits {
  readonly frameBytesMax: number;
  readonly rowsMax: number;
  readonly splits?: boolean;
}

/** Where the first part of a longer frame ends: never inside of a UTF-8 character. */
export function cutOracle(bytes: Uint8Array, start: number, max: number): number {
  for (let back = 1; back <= 3 && back < max; back++) {
    const byte = bytes[start + max - back]!;
    if (byte >= 0x80 && byte < 0xc0) continue;
    const need = byte >= 0xc2 && byte < 0xe0
      ? 2
      : byte >= 0xe0 && byte < 0xf0
      ? 3
      : byte >= 0xf0 && byte < 0xf5
      ? 4
      : 1;
    return need > back ? start + max - back : start + max;
  }
  return start + max;
}

function row(bytes: Uint8Array, from: number, start: number, end: number, max: number): OracleRow {
  const truncated = end - start > max;
  const cut = truncated ? cutOracle(bytes, start, max) : end;
  return { from, start, end: cut, truncated, ascii: bytes.subarray(start, cut).every((byte) => byte < 0x80) };
}

export function scanLinesOracle(
  bytes: Uint8Array,
  delimiter: 0 | 10,
  limits: OracleLimits,
  continues = false,
): OracleScan & { readonly continues: boolean } {
  const { frameBytesMax, rowsMax, splits = false } = limits;
  const rows: OracleRow[] = [];
  let emptyFrames = 0;
  let start = 0;
  let rest = continues;
  const skipNuls = (end: number): void => {
    while (delimiter === 10 && !rest && start < end && bytes[start] === 0) start++;
  };
  const stopped = (stop: OracleScan["stop"]) => ({
    rows,
    consumed: start,
    stop,
    skip: 0,
    emptyFrames,
    continues: rest,
  });
  /** Takes parts while they are full; false where the table is. */
  const takeParts = (end: number): boolean => {
    while (end - start > frameBytesMax) {
      if (rows.length === rowsMax) return false;
      const cut = cutOracle(bytes, start, frameBytesMax);
      rows.push({ ...row(bytes, start, start, cut, frameBytesMax), split: rest ? "continued" : "part" });
      start = cut;
      rest = true;
    }
    return true;
  };
  for (;;) {
    const at = bytes.indexOf(delimiter, start);
    if (at < 0) break;
    const end = delimiter === 10 && at > start && bytes[at - 1] === 13 ? at - 1 : at;
    skipNuls(end);
    if (end === start) emptyFrames++;
    else {
      if (rows.length === rowsMax || (splits && !takeParts(end)) || rows.length === rowsMax) {
        return stopped("tableFull");
      }
      rows.push({
        ...row(bytes, start, start, end, frameBytesMax),
        ...(rest ? { split: "continued" as const } : {}),
      });
    }
    rest = false;
    start = at + 1;
  }
  skipNuls(bytes.length);
  const left = bytes.length - start;
  const mayEnd = delimiter === 10 && bytes.at(-1) === 13;
  if (left <= frameBytesMax + (mayEnd ? 1 : 0)) return stopped("needMore");
  if (rows.length === rowsMax) return stopped("tableFull");
  if (splits) return stopped(takeParts(bytes.length - (mayEnd ? 1 : 0)) ? "needMore" : "tableFull");
  rows.push(row(bytes, start, start, bytes.length, frameBytesMax));
  start = bytes.length;
  return stopped("oversize");
}

export function scanOctetsOracle(bytes: Uint8Array, limits: OracleLimits): OracleScan {
  const text = new TextDecoder("latin1").decode(bytes);
  const rows: OracleRow[] = [];
  let at = 0;
  let emptyFrames = 0;
  const stopped = (stop: OracleScan["stop"], consumed = at, skip = 0): OracleScan => {
    return { rows, consumed, stop, skip, emptyFrames };
  };
  for (;;) {
    const empty = Math.max(0, /^\n*/.exec(text.slice(at))![0].length - 1);
    emptyFrames += empty;
    at += empty;
    const rest = text.slice(at);
    const count = /^\n?([1-9]\d{0,8}) </.exec(rest);
    if (count === null) return stopped(/^\n?([1-9]\d{0,8} ?)?$/.test(rest) ? "needMore" : "notACount");
    const start = at + count[0].length - 1;
    const length = Number(count[1]);
    const available = bytes.length - start;
    // A frame that is longer by no more than CR LF is looked at as a whole.
    const whole = length <= limits.frameBytesMax + 2;
    if (available < (whole ? length : limits.frameBytesMax)) return stopped("needMore");
    if (rows.length === limits.rowsMax) return stopped("tableFull");
    const frame = text.slice(start, start + length);
    const end = whole ? start + frame.replace(/\r?\n$/, "").length : start + length;
    if (limits.splits && end - start > limits.frameBytesMax) {
      const cut = cutOracle(bytes, start, limits.frameBytesMax);
      rows.push({ ...row(bytes, at, start, cut, limits.frameBytesMax), split: "part" });
      return stopped("oversize", cut, length - (cut - start));
    }
    rows.push(row(bytes, at, start, end, limits.frameBytesMax));
    if (length > available) return stopped("oversize", bytes.length, length - available);
    at = start + length;
  }
}
