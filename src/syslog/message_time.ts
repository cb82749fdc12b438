/**
 * The time in a message's header, in all the shapes that the header parser takes, as RFC 3339 with its zone:
 *
 *     2024-03-01T18:48:50.483+01:00          RFC 5424 (RFC 3339); a space for the T, a comma, no zone, +0100, UTC
 *     Mar  1 18:48:50                        RFC 3164: no year, no zone
 *     Mar  1 2024 18:48:50.483 UTC           Cisco; the year also in front or at the end; Huawei +01:00
 *     1709318930.483                         seconds since 1970 (Meraki)
 *     date=2024-03-01 time=18:48:50          FortiOS
 *
 * Where no zone is named the listener's holds (`listen[].timezone`), and so it does for names other than UTC and GMT:
 * "CST" is three zones. Without a year the instant nearest to now is meant, so that the turn of the year is none:
 * a line of "Dec 31 23:59:59" that comes on Jan 1 is a second old, not a year ahead.
 *
 * Pure: the clock is an argument.
 *
 * @module
 */
import { instantOf, type TimeZone } from "./time_zone.ts";

/** A time that was read. */
export interface MessageTime {
  /** Milliseconds since 1970, whole. */
  readonly epochMs: number;
  /** RFC 3339: `2024-03-01T18:48:50.483+01:00`, digits of the fraction as written. */
  readonly text: string;
}

const monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const clock = String.raw`(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?`;
const iso = new RegExp(
  String.raw`^(?:date=)?(\d{4})-(\d\d)-(\d\d)(?:[Tt ]| time=)${clock}(?: ?([Zz]|UTC|GMT|[+-]\d\d:?\d\d))?$`,
);
const bsd = new RegExp(
  String
    .raw`^(?:(\d{4}) )?([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{4}))? ${clock}(?: (\d{4}))?(?: ?([A-Z]{1,5}|[+-]\d\d:?\d\d))?$`,
);
const epoch = /^(\d{10})\.(\d+)$/;

/** Date and time as they stand there. */
interface Fields {
  /** Undefined where none is written. */
  readonly year: number | undefined;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly fraction: string;
  /** Local time minus UTC, milliseconds; undefined where no zone is written. */
  readonly offsetMs: number | undefined;
}

/** Reads a timestamp; undefined where it is none, or a date that does not exist. */
export function readMessageTime(written: string, zone: TimeZone, nowMs: number): MessageTime | undefined {
  const seconds = epoch.exec(written);
  if (seconds !== null) return timeOf(Number(seconds[1]) * 1000, 0, seconds[2]!);
  const fields = readIso(written) ?? readBsd(written);
  if (fields === undefined || fields.hour > 23 || fields.minute > 59 || fields.second > 60) return undefined;
  const { year } = fields;
  if (year !== undefined) return instant(fields, year, zone, nowMs);
  const thisYear = new Date(nowMs + zone.offsetMs(nowMs)).getUTCFullYear();
  let nearest: MessageTime | undefined;
  for (const candidate of [thisYear, thisYear - 1, thisYear + 1]) {
    const time = instant(fields, candidate, zone, nowMs);
    if (time === undefined) continue;
    if (nearest === undefined || Math.abs(time.epochMs - nowMs) < Math.abs(nearest.epochMs - nowMs)) {
      nearest = time;
    }
  }
  return nearest;
}

function readIso(written: string): Fields | undefined {
  const match = iso.exec(written);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  return {
    year: Number(year),
    month: Number(month) - 1,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    fraction: fraction ?? "",
    offsetMs: zone === undefined ? undefined : offsetOf(zone),
  };
}

function readBsd(written: string): Fields | undefined {
  const match = bsd.exec(written);
  if (match === null) return undefined;
  const [, before, month, day, between, hour, minute, second, fraction, behind, zone] = match;
  const year = before ?? between ?? behind;
  return {
    year: year === undefined ? undefined : Number(year),
    month: monthNames.indexOf(month!),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    fraction: fraction ?? "",
    offsetMs: zone === undefined ? undefined : offsetOf(zone),
  };
}

/** Of `Z`, `+01:00` or `+0100`; undefined of a name that nobody believes. */
function offsetOf(zone: string): number | undefined {
  if (zone === "Z" || zone === "z" || zone === "UTC" || zone === "GMT") return 0;
  if (/^[A-Z]/.test(zone)) return undefined;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}

function instant(fields: Fields, year: number, zone: TimeZone, nowMs: number): MessageTime | undefined {
  const { month, day, hour, minute, second, fraction } = fields;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (month < 0 || day < 1 || date.getUTCMonth() !== month) return undefined;
  const localMs = date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
  const utcMs = fields.offsetMs === undefined ? instantOf(localMs, zone, nowMs) : localMs - fields.offsetMs;
  return timeOf(utcMs, fields.offsetMs ?? zone.offsetMs(utcMs), fraction);
}

function timeOf(utcMs: number, offsetMs: number, fraction: string): MessageTime {
  const local = new Date(utcMs + offsetMs).toISOString().slice(0, 19);
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const zone = minutes === 0
    ? "Z"
    : `${offsetMs < 0 ? "-" : "+"}${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
  return {
    epochMs: utcMs + Math.floor(Number(`0.${fraction || 0}`) * 1000),
    text: `${local}${fraction === "" ? "" : `.${fraction}`}${zone}`,
  };
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}
