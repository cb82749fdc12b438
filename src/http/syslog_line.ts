/**
 * Events of other protocols as RFC 5424 lines: what a protocol says about an event stands in the header, where rules
 * look for it, and the event is the message.
 *
 *     <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD-ID NAME="VALUE"...] MSG
 *
 * @module
 */

/** Limits of RFC 5424, section 6. */
const hostnameMax = 255;
const appnameMax = 48;
const procidMax = 128;
const msgidMax = 32;
const sdNameMax = 32;

/** Facility `user`, times 8. */
const userFacility = 8;

/** `info`, where nothing is known. */
export const severityInfo = 6;

/** What is known about an event beside its message. */
export interface EventHeader {
  /** 0 (emergency) to 7 (debug). */
  readonly severity?: number;
  /** As RFC 3339 has it, with at most six digits behind the point; "" is none. */
  readonly timestamp?: string;
  readonly hostname?: string;
  readonly appname?: string;
  readonly procid?: string;
  readonly msgid?: string;
  /** Elements of structured data: id, then names and values in turn. */
  readonly data?: readonly (readonly [id: string, ...namesAndValues: string[]])[];
}

/** The line up to its message, with the blank before that. */
export function syslogHeader(header: EventHeader): string {
  const priority = userFacility + (header.severity ?? severityInfo);
  const timestamp = header.timestamp === undefined || header.timestamp === "" ? "-" : header.timestamp;
  return `<${priority}>1 ${timestamp} ${name(header.hostname, hostnameMax)} ${
    name(header.appname, appnameMax)
  } ${name(header.procid, procidMax)} ${name(header.msgid, msgidMax)} ${structured(header.data)} `;
}

/** Visible ASCII of a limited length; what is none becomes `_`, nothing becomes `-`. */
function name(text: string | undefined, max: number): string {
  if (text === undefined || text === "") return "-";
  return text.slice(0, max).replace(/[^!-~]/g, "_");
}

function structured(data: EventHeader["data"]): string {
  if (data === undefined) return "-";
  let text = "";
  for (const [id, ...parts] of data) {
    let element = "";
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const value = parts[i + 1]!.replace(/["\\\]]/g, "\\$&");
      element += ` ${sdName(parts[i]!)}="${value}"`;
    }
    if (element !== "") text += `[${sdName(id)}${element}]`;
  }
  return text === "" ? "-" : text;
}

function sdName(text: string): string {
  const cut = text.slice(0, sdNameMax).replace(/[^!-~]|[="\]]/g, "_");
  return cut === "" ? "_" : cut;
}

const nanosPerSecond = 1_000_000_000n;
/** The year 9999 ends before this second. */
const secondsMax = 253_402_300_800n;

/** Nanoseconds since 1970 as RFC 3339 text with all their digits (`digits` of them at most); "" where it is no time. */
export function timeText(nanos: bigint, digits = 9): string {
  if (nanos <= 0n) return "";
  const seconds = nanos / nanosPerSecond;
  if (seconds >= secondsMax) return "";
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = String(nanos % nanosPerSecond).padStart(9, "0").slice(0, digits).replace(/0+$/, "");
  return fraction === "" ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** Digits of a fraction that a header may have (RFC 5424, section 6.2.3). */
export const headerTimeDigits = 6;
