/** Plain twins of the kernel's scans, byte by byte. Offsets count from the start of `bytes`. */

export interface OracleRow {
  /** Where the count begins in octet counting, else where the frame does. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
  readonly ascii: boolean;
  readonly truncated: boolean;
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
}

function row(bytes: Uint8Array, from: number, start: number, end: number, max: number): OracleRow {
  const truncated = end - start > max;
  const cut = truncated ? start + max : end;
  return { from, start, end: cut, truncated, ascii: bytes.subarray(start, cut).every((byte) => byte < 0x80) };
}

export function scanLinesOracle(bytes: Uint8Array, delimiter: 0 | 10, limits: OracleLimits): OracleScan {
  const rows: OracleRow[] = [];
  let emptyFrames = 0;
  let start = 0;
  for (;;) {
    const at = bytes.indexOf(delimiter, start);
    if (at < 0) break;
    const end = delimiter === 10 && at > start && bytes[at - 1] === 13 ? at - 1 : at;
    if (end === start) emptyFrames++;
    else if (rows.length === limits.rowsMax) {
      return { rows, consumed: start, stop: "tableFull", skip: 0, emptyFrames };
    } else rows.push(row(bytes, start, start, end, limits.frameBytesMax));
    start = at + 1;
  }
  const left = bytes.length - start;
  const mayEnd = delimiter === 10 && left === limits.frameBytesMax + 1 && bytes.at(-1) === 13;
  if (left <= limits.frameBytesMax || mayEnd) {
    return { rows, consumed: start, stop: "needMore", skip: 0, emptyFrames };
  }
  if (rows.length === limits.rowsMax) {
    return { rows, consumed: start, stop: "tableFull", skip: 0, emptyFrames };
  }
  rows.push(row(bytes, start, start, bytes.length, limits.frameBytesMax));
  return { rows, consumed: bytes.length, stop: "oversize", skip: 0, emptyFrames };
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
    rows.push(row(bytes, at, start, end, limits.frameBytesMax));
    if (length > available) return stopped("oversize", bytes.length, length - available);
    at = start + length;
  }
}
