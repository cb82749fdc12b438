/**
 * Times in lines: of RFC 5424 (ISO 8601 in UTC) and of RFC 3164 (`Nov 21 02:55:48`). Their length is fixed, so they
 * are patched in place once a second; the exact time is in the mark.
 *
 * @module
 */

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What stands where a time will be, in its length; it occurs in nothing else. */
export function stampPlaceholder(kind: "iso" | "bsd"): string {
  return kind === "iso" ? "0000-00-00T00:00:00.000000Z" : "Xxx 00 00:00:00";
}

/** The time `ms` (epoch) as text, as long as its placeholder. */
export function stampText(kind: "iso" | "bsd", ms: number): string {
  const date = new Date(ms);
  if (kind === "iso") return `${date.toISOString().slice(0, 23)}000Z`;
  const day = String(date.getUTCDate()).padStart(2, " ");
  return `${months[date.getUTCMonth()]} ${day} ${date.toISOString().slice(11, 19)}`;
}
