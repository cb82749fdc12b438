import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readMessageTime } from "../../../src/syslog/message_time.ts";
import { instantOf, zoneOf } from "../../../src/syslog/time_zone.ts";

const noon = Date.UTC(2024, 5, 15, 12);

interface Case {
  name: string;
  written: string;
  want: string | undefined;
  zone?: string;
  /** RFC 3339; noon of a June day where it does not matter. */
  now?: string;
}

const cases: Case[] = [
  { name: "RFC 5424", written: "2003-10-11T22:14:15.003Z", want: "2003-10-11T22:14:15.003Z" },
  {
    name: "RFC 5424 with an offset",
    written: "2003-08-24T05:14:15.000003-07:00",
    want: "2003-08-24T05:14:15.000003-07:00",
  },
  { name: "small letters", written: "2003-10-11t22:14:15z", want: "2003-10-11T22:14:15Z" },
  {
    name: "an offset without its colon",
    written: "2024-12-02 16:31:03,1+0100",
    want: "2024-12-02T16:31:03.1+01:00",
  },
  {
    name: "ISO without a zone",
    written: "2024-12-02 16:31:03",
    zone: "Asia/Kolkata",
    want: "2024-12-02T16:31:03+05:30",
  },
  { name: "RFC 3164", written: "Jun  1 16:31:03", want: "2024-06-01T16:31:03Z" },
  { name: "RFC 3164 with fractions", written: "Jun 01 16:31:03.125", want: "2024-06-01T16:31:03.125Z" },
  {
    name: "the last second of the year before",
    written: "Dec 31 23:59:59",
    now: "2025-01-01T00:00:01Z",
    want: "2024-12-31T23:59:59Z",
  },
  {
    name: "the first second of the next year",
    written: "Jan  1 00:00:00",
    now: "2024-12-31T23:59:58Z",
    want: "2025-01-01T00:00:00Z",
  },
  {
    name: "New Year where the sender's zone is ahead",
    written: "Jan  1 00:00:05",
    zone: "Pacific/Auckland",
    now: "2024-12-31T11:00:06Z",
    want: "2025-01-01T00:00:05+13:00",
  },
  {
    name: "New Year where the sender's zone is behind",
    written: "Dec 31 18:59:59",
    zone: "America/New_York",
    now: "2025-01-01T00:00:01Z",
    want: "2024-12-31T18:59:59-05:00",
  },
  { name: "half a year ago", written: "Dec 20 00:00:00", want: "2023-12-20T00:00:00Z" },
  { name: "half a year ahead", written: "Dec 10 00:00:00", want: "2024-12-10T00:00:00Z" },
  { name: "a leap day", written: "Feb 29 12:00:00", want: "2024-02-29T12:00:00Z" },
  {
    name: "a leap day, a year late",
    written: "Feb 29 12:00:00",
    now: "2025-02-28T00:00:00Z",
    want: "2024-02-29T12:00:00Z",
  },
  {
    name: "a leap day that no year near has",
    written: "Feb 29 12:00:00",
    now: "2022-02-28T00:00:00Z",
    want: undefined,
  },
  {
    name: "summer time",
    written: "Jul  1 12:00:00",
    zone: "Europe/Berlin",
    want: "2024-07-01T12:00:00+02:00",
  },
  {
    name: "winter time",
    written: "Mar  1 12:00:00",
    zone: "Europe/Berlin",
    want: "2024-03-01T12:00:00+01:00",
  },
  {
    name: "a time that comes twice, at its first",
    written: "Oct 27 02:30:00",
    zone: "Europe/Berlin",
    now: "2024-10-27T00:30:01Z",
    want: "2024-10-27T02:30:00+02:00",
  },
  {
    name: "a time that comes twice, at its second",
    written: "Oct 27 02:30:00",
    zone: "Europe/Berlin",
    now: "2024-10-27T01:30:01Z",
    want: "2024-10-27T02:30:00+01:00",
  },
  {
    name: "a time that never comes",
    written: "Mar 31 02:30:00",
    zone: "Europe/Berlin",
    now: "2024-03-31T01:30:00Z",
    want: "2024-03-31T03:30:00+02:00",
  },
  {
    name: "a half hour of summer time",
    written: "Jan  1 12:00:00",
    zone: "Australia/Lord_Howe",
    want: "2024-01-01T12:00:00+11:00",
  },
  { name: "a fixed offset", written: "Jun  1 12:00:00", zone: "-03:30", want: "2024-06-01T12:00:00-03:30" },
  {
    name: "Cisco with UTC",
    written: "Mar  1 18:48:50.483 UTC",
    zone: "Asia/Tokyo",
    want: "2024-03-01T18:48:50.483Z",
  },
  {
    name: "Cisco with another zone",
    written: "Mar  1 18:48:50 CET",
    zone: "Europe/Berlin",
    want: "2024-03-01T18:48:50+01:00",
  },
  { name: "Cisco with a year", written: "Mar 01 2023 18:48:50", want: "2023-03-01T18:48:50Z" },
  { name: "Cisco NX-OS", written: "2023 Mar  1 18:48:50 UTC", want: "2023-03-01T18:48:50Z" },
  { name: "a year at the end", written: "Mar  1 18:48:50 2023", want: "2023-03-01T18:48:50Z" },
  { name: "Meraki", written: "1709318930.483", want: "2024-03-01T18:48:50.483Z" },
  {
    name: "FortiOS",
    written: "date=2024-03-01 time=18:48:50",
    zone: "Europe/Berlin",
    want: "2024-03-01T18:48:50+01:00",
  },
  { name: "the 31st of February", written: "Feb 31 12:00:00", want: undefined },
  { name: "a 25th hour", written: "2024-03-01T25:00:00Z", want: undefined },
  { name: "an unknown month", written: "Foo  1 12:00:00", want: undefined },
  { name: "a leap second", written: "2016-12-31T23:59:60Z", want: "2017-01-01T00:00:00Z" },
  { name: "text", written: "yesterday", want: undefined },
];

for (const { name, written, want, zone = "UTC", now } of cases) {
  test(`readMessageTime() gives RFC 3339 when the time is ${name}`, () => {
    const nowMs = now === undefined ? noon : Date.parse(now);
    const time = readMessageTime(written, zoneOf(zone), nowMs);
    assert.equal(time?.text, want);
    if (time !== undefined) assert.equal(time.epochMs, Math.floor(Date.parse(time.text)));
  });
}

test("readMessageTime() gives the instant that was written when the line is at most five months old or ahead", () => {
  const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "+05:45"];
  const instants = fc.integer({ min: Date.UTC(2020, 0, 1) / 1000, max: Date.UTC(2035, 0, 1) / 1000 });
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      instants,
      fc.integer({ min: -150 * 86_400, max: 150 * 86_400 }),
      (name, sent, delay) => {
        const zone = zoneOf(name);
        const local = new Date(sent * 1000 + zone.offsetMs(sent * 1000));
        const day = String(local.getUTCDate()).padStart(2, " ");
        const written = `${months[local.getUTCMonth()]} ${day} ${local.toISOString().slice(11, 19)}`;
        const time = readMessageTime(written, zone, (sent + delay) * 1000);
        // An hour that comes twice in a year tells not which it is.
        const off = Math.abs(time!.epochMs - sent * 1000);
        assert.ok(
          off === 0 || (off === 3_600_000 && !["UTC", "Asia/Kolkata", "+05:45"].includes(name)),
          time!.text,
        );
      },
    ),
    { numRuns: 3000 },
  );
});

test("instantOf() is the inverse of the offset when the time comes once", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        "local",
        "Europe/London",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "Pacific/Apia",
      ),
      fc.integer({ min: Date.UTC(2000, 0, 1) / 1000, max: Date.UTC(2030, 0, 1) / 1000 }),
      (name, seconds) => {
        const zone = zoneOf(name);
        const utcMs = seconds * 1000;
        assert.equal(instantOf(utcMs + zone.offsetMs(utcMs), zone, utcMs), utcMs);
      },
    ),
    { numRuns: 2000 },
  );
});
