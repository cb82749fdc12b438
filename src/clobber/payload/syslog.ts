/**
 * Syslog lines of a wanted size, RFC 5424 or RFC 3164, with a text or a JSON object as message. The mark stands in
 * the message, because that is the part which a forwarder passes on.
 *
 * @module
 */
import { blankMark } from "./mark.ts";
import type { Random } from "./random.ts";
import { stampPlaceholder } from "./stamp.ts";

const apps = ["web", "orders", "billing", "sshd", "kernel", "cron"];
const texts = [
  "GET /cart 200 12ms",
  "order accepted for delivery",
  "Accepted publickey for ada",
  "connection closed by peer",
  "cache miss, fetching from origin",
  "job finished without complaint",
];
/** Fills a line up to its size; no byte in it has a meaning for a framer. */
const filler =
  "the quick brown fox jumps over the lazy dog while the mustard is still on its way to the counter ";

/** What a line is made of. */
export interface LineShape {
  readonly format: "5424" | "3164";
  /** The message is a JSON object. */
  readonly json: boolean;
  /** Run whose mark the line carries; undefined for no mark. */
  readonly run: string | undefined;
}

/** One line of `bytes` bytes (longer only if header, mark and the shortest text need more), without frame. */
export function syslogLine(shape: LineShape, bytes: number, index: number, random: Random): string {
  const priority = random.integer(0, 23) * 8 + random.integer(0, 7);
  const host = `host-${random.integer(1, 64)}`;
  const app = random.pick(apps);
  const process = random.integer(100, 32_000);
  const head = shape.format === "5424"
    ? `<${priority}>1 ${stampPlaceholder("iso")} ${host} ${app} ${process} ID${index} - `
    : `<${priority}>${stampPlaceholder("bsd")} ${host} ${app}[${process}]: `;
  return head + messageOf(shape, bytes - head.length, index, random);
}

/** The message alone: what follows a header, or the line of an HTTP body. */
export function messageOf(
  shape: Pick<LineShape, "json" | "run">,
  bytes: number,
  index: number,
  random: Random,
): string {
  const mark = shape.run === undefined ? "" : blankMark(shape.run);
  const text = random.pick(texts);
  if (!shape.json) {
    const message = mark === "" ? text : `${mark} ${text}`;
    return message + pad(bytes - message.length, " ");
  }
  const level = random.pick(["debug", "info", "warn", "error"]);
  const fields = [
    ...(mark === "" ? [] : [`"mark":"${mark}"`]),
    `"level":"${level}"`,
    `"user":${random.integer(1, 100_000)}`,
    `"index":${index}`,
    `"text":"${text}"`,
  ];
  const object = `{${fields.join(",")}}`;
  const missing = bytes - object.length - `,"pad":""`.length;
  return missing <= 0 ? object : `{${fields.join(",")},"pad":"${pad(missing, "")}"}`;
}

function pad(bytes: number, before: string): string {
  const count = bytes - before.length;
  if (count <= 0) return "";
  return before + filler.repeat(Math.ceil(count / filler.length)).slice(0, count - 1) + ".";
}
