/** Streams through framer, header parser and time reader, as plain objects: what the tests of streams compare. */
import { Framer, type FramingMode } from "../../../src/framing/framer.ts";
import { frameDatagram } from "../../../src/framing/datagram.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { frameFlag, type Kernel } from "../../../src/kernel/kernel.ts";
import { HeaderReader } from "../../../src/syslog/header.ts";
import { readMessageTime } from "../../../src/syslog/message_time.ts";
import { type TimeZone, zoneOf } from "../../../src/syslog/time_zone.ts";

/** What was read in a line; what it does not have is left out. */
export interface ReadLine {
  readonly severity?: string;
  readonly facility?: string;
  readonly time?: string;
  readonly hostname?: string;
  readonly appname?: string;
  readonly procid?: string;
  readonly msgid?: string;
  readonly sd?: string;
  readonly message: string;
  /** No header was found, or a damaged one. */
  readonly unparsed?: true;
}

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 64 });
const reader = new HeaderReader(kernel);
const utc = zoneOf("UTC");

/** Lines of a stream. */
export function readStream(
  bytes: Uint8Array,
  mode: FramingMode,
  nowMs: number,
  zone: TimeZone = utc,
): ReadLine[] {
  const framer = new Framer(kernel, mode);
  const lines: ReadLine[] = [];
  const take = (rows: number): void => {
    kernel.parseHeaders(0, rows);
    for (let row = 0; row < rows; row++) lines.push(readRow(row, nowMs, zone));
  };
  framer.begin(bytes);
  for (let rows = framer.next(); rows > 0; rows = framer.next()) take(rows);
  for (let rows = framer.finish(); rows > 0; rows = framer.finish()) take(rows);
  return lines;
}

/** The line of a datagram. */
export function readDatagram(bytes: Uint8Array, nowMs: number, zone: TimeZone = utc): ReadLine {
  frameDatagram(kernel, bytes);
  kernel.parseHeaders(0, 1);
  return readRow(0, nowMs, zone);
}

function readRow(row: number, nowMs: number, zone: TimeZone): ReadLine {
  const written = reader.field(row, "timestamp");
  const line: Record<string, unknown> = {
    severity: reader.severityName(row),
    facility: reader.facilityName(row),
    time: written === undefined
      ? undefined
      : readMessageTime(written, zone, nowMs)?.text ?? `not a time: ${written}`,
    hostname: reader.field(row, "hostname"),
    appname: reader.field(row, "appname"),
    procid: reader.field(row, "procid"),
    msgid: reader.field(row, "msgid"),
    sd: reader.field(row, "structuredData"),
    message: reader.message(row),
    unparsed: isUnparsed(kernel, row) ? true : undefined,
  };
  return Object.fromEntries(
    Object.entries(line).filter(([, value]) => value !== undefined),
  ) as unknown as ReadLine;
}

function isUnparsed({ words, rowsAt }: Kernel, row: number): boolean {
  return (words[rowsAt / 4 + row * 4 + 2]! & frameFlag.unparsed) !== 0;
}
