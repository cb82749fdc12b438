/** The time that a message gives itself, against what Date says. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { zoneOf } from "../../../src/syslog/time_zone.ts";
import { eventAfterMsMax, eventBeforeMsMax, EventTimes } from "../../../src/syslog/event_time.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function read(text: string, now = nowMs): number {
  const bytes = Buffer.from(`<13>1 ${text} host`);
  return new EventTimes(bytes).read(6, 6 + Buffer.byteLength(text), now);
}

describe("EventTimes", () => {
  const cases: { text: string; want: number }[] = [
    { text: "2026-01-02T03:04:05Z", want: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { text: "2026-01-02T03:04:05.1Z", want: Date.UTC(2026, 0, 2, 3, 4, 5, 100) },
    { text: "2026-01-02T03:04:05.123456Z", want: Date.UTC(2026, 0, 2, 3, 4, 5, 123) },
    { text: "2026-01-02T03:04:05.999999Z", want: Date.UTC(2026, 0, 2, 3, 4, 5, 999) },
    { text: "2026-01-02T04:34:05+01:30", want: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { text: "2026-01-01T22:04:05-05:00", want: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { text: "2025-12-31T23:59:60Z", want: Date.UTC(2026, 0, 1) },
    { text: "Jan  2 03:04:05", want: new Date(2026, 0, 2, 3, 4, 5).getTime() },
    { text: "Jan 01 00:00:00", want: new Date(2026, 0, 1).getTime() },
    { text: "Dec 31 23:59:59", want: new Date(2025, 11, 31, 23, 59, 59).getTime() },
    { text: "2026-01-02 03:04:05", want: new Date(2026, 0, 2, 3, 4, 5).getTime() },
    { text: "2026-01-02T04:04:05+0100", want: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { text: "Jan  2 03:04:05.250 UTC", want: Date.UTC(2026, 0, 2, 3, 4, 5, 250) },
    { text: "2026 Jan  2 03:04:05 UTC", want: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { text: "1767323045.5", want: Date.UTC(2026, 0, 2, 3, 4, 5, 500) },
    { text: "Jan  1 2026 03:04:05", want: new Date(2026, 0, 1, 3, 4, 5).getTime() },
  ];
  for (const { text, want } of cases) {
    it(`read() is what the message says when it is ${text}`, () => assert.equal(read(text), want));
  }

  it("read() takes the zone that it is given where none is written", () => {
    const bytes = Buffer.from("Jan  2 04:04:05");
    const times = new EventTimes(bytes);
    for (const [name, hours] of [["Europe/Berlin", 3], ["UTC", 4], ["+05:00", -1]] as const) {
      assert.equal(
        times.read(0, 15, nowMs, zoneOf(name)),
        hours === 4 ? nowMs : Date.UTC(2026, 0, 2, hours, 4, 5),
      );
    }
  });

  const unread = [
    "",
    "-",
    "2026-13-02T03:04:05Z",
    "2026-01-02T24:04:05Z",
    "2026-01-0xT03:04:05Z",
    "Foo  2 03:04:05",
    "Jan 32 03:04:05",
    "Jan  2 03:04",
    "1767323045",
  ];
  for (const text of unread) {
    it(`read() is the receipt when the time is "${text}"`, () => assert.equal(read(text), nowMs));
  }

  it("read() is the receipt outside of the bounds, and what the message says inside", () => {
    const bounds = [
      { ms: nowMs - eventBeforeMsMax, isSane: true },
      { ms: nowMs - eventBeforeMsMax - 1, isSane: false },
      { ms: nowMs + eventAfterMsMax, isSane: true },
      { ms: nowMs + eventAfterMsMax + 1, isSane: false },
    ];
    for (const { ms, isSane } of bounds) assert.equal(read(new Date(ms).toISOString()), isSane ? ms : nowMs);
  });

  it("read() reads back what Date writes, in every year and zone", () => {
    const timeOf = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) });
    fc.assert(
      fc.property(timeOf, fc.integer({ min: -840, max: 840 }), (ms, minutes) => {
        const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1);
        const size = Math.abs(minutes);
        const zone = [Math.floor(size / 60), size % 60].map((part) => String(part).padStart(2, "0")).join(
          ":",
        );
        assert.equal(read(`${local}${minutes < 0 ? "-" : "+"}${zone}`, ms), ms);
      }),
      { seed: 3 },
    );
  });

  it("read() gives a time without a year the year that brings it nearest", () => {
    const timeOf = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) });
    fc.assert(
      fc.property(timeOf, fc.integer({ min: -6 * 86_400, max: 500 }), (now, seconds) => {
        const want = Math.floor(now / 1000) * 1000 + seconds * 1000;
        const date = new Date(want);
        const [, month, day] = date.toDateString().split(" ");
        const text = `${month} ${String(Number(day)).padStart(2, " ")} ${date.toTimeString().slice(0, 8)}`;
        const got = read(text, now);
        assert.equal(new Date(got).toTimeString().slice(0, 8), date.toTimeString().slice(0, 8));
        assert.ok(Math.abs(got - want) <= 7_200_000, "but for an hour that comes twice");
      }),
      { seed: 4 },
    );
  });

  it("read() never throws and stays sane when bytes are invented", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
        const ms = new EventTimes(noise).read(0, noise.length, nowMs);
        assert.ok(ms >= nowMs - eventBeforeMsMax && ms <= nowMs + eventAfterMsMax);
      }),
      { seed: 5 },
    );
  });
});
