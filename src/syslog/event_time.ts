/**
 * The time that a message gives itself, as epoch milliseconds, for the time of its record. The two shapes that nearly
 * all senders write are read from the bytes: RFC 5424 section 6.2.3 (RFC 3339 with "T" and an offset) and RFC 3164
 * section 4.1.2 ("Jan  2 03:04:05": no year and no zone); all others by `readMessageTime`, which says what they mean.
 *
 * Hot path: nothing is allocated for those two but one conversion per hour of local time that comes along.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readMessageTime } from "./message_time.ts";
import { instantOf, type TimeZone, zoneOf } from "./time_zone.ts";

/** A time that is not this far before its receipt is believed: Kafka keeps records for 7 days by default. */
export const eventBeforeMsMax = 7 * 86_400_000;
/** Nor this far behind it: clocks differ by minutes; Kafka 4 refuses an hour (`message.timestamp.after.max.ms`). */
export const eventAfterMsMax = 10 * 60_000;

const zero = 0x30;
const dayMs = 86_400_000;
/** `Jan  2 03:04:05` */
const bsdBytes = 15;

/** Reads times out of one memory. One per worker. */
export class EventTimes {
  readonly #bytes: Uint8Array;
  #hour = -1;
  #zone: TimeZone | undefined;
  #hourMs = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The time written at [start, end), if it can be read and is sane at `nowMs`, else `nowMs`. `zone` holds where none
   * is written.
   */
  read(start: number, end: number, nowMs: number, zone: TimeZone = zoneOf("local")): number {
    if (start === end) return nowMs;
    const first = this.#bytes[start]!;
    let timeMs = NaN;
    if (first >= zero && first <= 0x39) timeMs = readRfc5424(this.#bytes, start, end);
    else if (end - start === bsdBytes) timeMs = this.#readRfc3164(start, nowMs, zone);
    if (Number.isNaN(timeMs)) timeMs = this.#readOther(start, end, nowMs, zone);
    return timeMs >= nowMs - eventBeforeMsMax && timeMs <= nowMs + eventAfterMsMax ? timeMs : nowMs;
  }

  /** `Jan  2 03:04:05` */
  #readRfc3164(start: number, nowMs: number, zone: TimeZone): number {
    const bytes = this.#bytes;
    const month = monthOf(bytes, start);
    const day = bytes[start + 4] === 0x20 ? digits(bytes, start + 5, 1) : digits(bytes, start + 4, 2);
    const at = start + 7;
    const hour = digits(bytes, at, 2);
    const minute = digits(bytes, at + 3, 2);
    const second = digits(bytes, at + 6, 2);
    if (!(month >= 0 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60)) return NaN;
    return this.#hourOf(yearNear(nowMs, month), month, day, hour, zone, nowMs) + minute * 60_000 +
      second * 1000;
  }

  #readOther(start: number, end: number, nowMs: number, zone: TimeZone): number {
    const { buffer, byteOffset } = this.#bytes;
    const text = Buffer.from(buffer, byteOffset + start, end - start).toString("latin1");
    return readMessageTime(text, zone, nowMs)?.epochMs ?? NaN;
  }

  /** Epoch milliseconds of an hour of the zone's time. */
  #hourOf(year: number, month: number, day: number, hour: number, zone: TimeZone, nowMs: number): number {
    const key = ((year * 12 + month) * 32 + day) * 24 + hour;
    if (key !== this.#hour || zone !== this.#zone) {
      this.#hour = key;
      this.#zone = zone;
      this.#hourMs = instantOf(Date.UTC(year, month, day, hour), zone, nowMs);
    }
    return this.#hourMs;
  }
}

/** The year in which a month is nearest to now. */
function yearNear(nowMs: number, month: number): number {
  const days = Math.floor(nowMs / dayMs);
  const year = Math.floor(days / 365.2425) + 1970;
  const today = (days - daysOf(year, 0, 1)) / 30.437;
  return month - today > 6 ? year - 1 : today - month > 6.5 ? year + 1 : year;
}

/** `2026-01-02T03:04:05.123456+01:00`. */
function readRfc5424(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 20) return NaN;
  const year = digits(bytes, start, 4);
  const month = digits(bytes, start + 5, 2);
  const day = digits(bytes, start + 8, 2);
  const hour = digits(bytes, start + 11, 2);
  const minute = digits(bytes, start + 14, 2);
  const second = digits(bytes, start + 17, 2);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60)) {
    return NaN;
  }
  let at = start + 19;
  let fraction = 0;
  if (bytes[at] === 0x2e) {
    for (let scale = 100; ++at < end && isDigit(bytes[at]!); scale /= 10) {
      fraction += (bytes[at]! - zero) * scale;
    }
  }
  const offset = offsetMs(bytes, at, end);
  return daysOf(year, month - 1, day) * dayMs + hour * 3_600_000 + minute * 60_000 + second * 1000 +
    Math.floor(fraction) - offset;
}

/** "Z" or "+01:00"; NaN for anything else. */
function offsetMs(bytes: Uint8Array, at: number, end: number): number {
  const sign = bytes[at];
  if (sign === 0x5a && at + 1 === end) return 0;
  if (sign !== 0x2b && sign !== 0x2d || at + 6 !== end) return NaN;
  const ms = digits(bytes, at + 1, 2) * 3_600_000 + digits(bytes, at + 4, 2) * 60_000;
  return sign === 0x2b ? ms : -ms;
}

/** A number of exactly `count` digits, NaN where there are others. */
function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index++) {
    const byte = bytes[at + index]!;
    if (!isDigit(byte)) return NaN;
    value = value * 10 + byte - zero;
  }
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}

/** Days from 1970-01-01 in the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month < 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month < 2 ? 10 : -2)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) +
    dayOfYear - 719_468;
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** 0 to 11, or -1. */
function monthOf(bytes: Uint8Array, at: number): number {
  for (let month = 0; month < 12; month++) {
    const name = month * 3;
    if (
      bytes[at] === months.charCodeAt(name) && bytes[at + 1] === months.charCodeAt(name + 1) &&
      bytes[at + 2] === months.charCodeAt(name + 2)
    ) return month;
  }
  return -1;
}
