/**
 * Time zones: what offset holds at an instant, and which instant a local time means.
 *
 *     local             the zone of this machine
 *     Europe/Berlin     a name of the tz database, as the runtime knows it
 *     +02:00            an offset that never changes
 *
 * @module
 */

/** A zone. Ask it for instants; it knows nothing of the present. */
export interface TimeZone {
  readonly name: string;
  /** Local time minus UTC at an instant, milliseconds. */
  offsetMs(utcMs: number): number;
}

/** Offsets change at quarters of an hour: one answer holds for so long. */
const sliceMs = 15 * 60_000;
/** Answers of one zone that are kept. */
const answersMax = 256;
/** No zone has a change of its offset within a day of another one's. */
const dayMs = 86_400_000;

const zones = new Map<string, TimeZone>();

/** The zone of that name. @throws RangeError where the runtime knows none; names of a configuration are checked at load */
export function zoneOf(name: string): TimeZone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = name === "local" ? localZone : /^[+-]/.test(name) ? fixedZone(name) : namedZone(name);
    zones.set(name, zone);
  }
  return zone;
}

const localZone: TimeZone = {
  name: "local",
  offsetMs: (utcMs) => -new Date(utcMs).getTimezoneOffset() * 60_000,
};

function fixedZone(name: string): TimeZone {
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(name) ?? [];
  if (sign === undefined) throw new RangeError(`${name} is not an offset`);
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "-" ? -1 : 1);
  return { name, offsetMs: () => offset };
}

function namedZone(name: string): TimeZone {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const answers = new Map<number, number>();
  return {
    name,
    offsetMs(utcMs: number): number {
      const slice = Math.floor(utcMs / sliceMs);
      let offset = answers.get(slice);
      if (offset === undefined) {
        const at = slice * sliceMs;
        const part: Record<string, number> = {};
        for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
        offset = Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) - at;
        if (answers.size >= answersMax) answers.clear();
        answers.set(slice, offset);
      }
      return offset;
    },
  };
}

/**
 * The instant of a local time, given as if it were UTC. Of a time that comes twice (the clock was set back) the one
 * nearer to `nowMs`; of one that never comes (it was set forward) the one that the clock would show without that.
 */
export function instantOf(localMs: number, zone: TimeZone, nowMs: number): number {
  const before = localMs - zone.offsetMs(localMs - dayMs);
  const after = localMs - zone.offsetMs(localMs + dayMs);
  if (before === after) return before;
  const isBefore = before + zone.offsetMs(before) === localMs;
  const isAfter = after + zone.offsetMs(after) === localMs;
  if (isBefore && isAfter) return Math.abs(before - nowMs) <= Math.abs(after - nowMs) ? before : after;
  return isAfter ? after : before;
}
