/** A twin of the kernel's header parser made of regular expressions, over latin1 text so that an index is a byte. */

/** [start, end) of a field, or undefined where it is absent or nil. */
export type Span = readonly [number, number] | undefined;

export interface OracleHeader {
  readonly priority: number | undefined;
  readonly format: "rfc5424" | "rfc3164" | undefined;
  readonly timestamp: Span;
  readonly hostname: Span;
  readonly appname: Span;
  readonly procid: Span;
  readonly msgid: Span;
  readonly structuredData: Span;
  readonly message: number;
}

const nothing = {
  format: undefined,
  timestamp: undefined,
  hostname: undefined,
  appname: undefined,
  procid: undefined,
  msgid: undefined,
  structuredData: undefined,
} as const;

const name = `[^ =\\]"]+`;
const element = `\\[${name}(?: ${name}="(?:[^"\\\\]|\\\\[^])*")*\\]`;
const structuredData = new RegExp(`^(?:-|(?:${element})+)(?= |$)`);
const rfc5424 =
  /^[1-9]\d{0,2} (-|\d[^ ]{3}-[^ ]{2}-[^ ]{2}[Tt][^ ]{2}:[^ ]{2}:[^ ]{2}[^ ]*) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)( [^]*)?$/;

const time = String.raw`\d\d:\d\d:\d\d(?:[.,]\d+)?`;
const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const bsdYearFirst = `${month} {1,2}\\d{1,2} \\d{4} ${time}`;
const bsd = `${month} {1,2}\\d{1,2} ${time}(?: (?:19|20)\\d\\d(?=:?(?: |$)))?`;
const iso = String.raw`\d{4}-\d\d-\d\d[Tt ]${time}(?:[Zz]|[+-]\d\d:?\d\d)?`;
const timestamp = new RegExp(
  `^[*.]?(${bsdYearFirst}|${bsd}|${iso})(?: [A-Z]{1,5}(?=: %))?:?(?= |$)`,
);

function span(text: string, start: number, length: number): Span {
  return text.slice(start, start + length) === "-" ? undefined : [start, start + length];
}

function parse5424(text: string, at: number): Omit<OracleHeader, "priority"> | undefined {
  const match = rfc5424.exec(text.slice(at));
  if (match === null) return undefined;
  let p = text.indexOf(" ", at) + 1;
  const fields = match.slice(1, 6).map((field) => {
    const found = span(text, p, field.length);
    p += field.length + 1;
    return found;
  });
  let data: Span;
  if (match[6] === undefined) {
    p = text.length;
  } else {
    const sd = structuredData.exec(text.slice(p));
    if (sd !== null) {
      data = span(text, p, sd[0].length);
      p = Math.min(text.length, p + sd[0].length + 1);
    }
  }
  if (text.startsWith("\xef\xbb\xbf", p)) p += 3;
  const [stamp, hostname, appname, procid, msgid] = fields;
  return {
    format: "rfc5424",
    timestamp: stamp,
    hostname,
    appname,
    procid,
    msgid,
    structuredData: data,
    message: p,
  };
}

const spacesAt = (text: string, at: number): number => /^ */.exec(text.slice(at))![0].length;

function tagAt(text: string, at: number): { appname: Span; procid: Span; message: number } | undefined {
  const rest = text.slice(at);
  const withPid = /^([^ "{=[]+)\[([^\] ]*)\]: ?/.exec(rest);
  if (withPid !== null) {
    const [whole, app, pid] = withPid;
    return {
      appname: span(text, at, app!.length),
      procid: pid === "" ? undefined : span(text, at + app!.length + 1, pid!.length),
      message: at + whole.length,
    };
  }
  const plain = /^([^ "{=]+):(?: |$)/.exec(rest);
  if (plain === null) return undefined;
  return { appname: span(text, at, plain[1]!.length), procid: undefined, message: at + plain[0].length };
}

function parse3164(text: string, at: number, hasPriority: boolean): Omit<OracleHeader, "priority"> {
  let p = at + spacesAt(text, at);
  if (hasPriority) p += /^(?:\d{1,10}: +)?/.exec(text.slice(p))![0].length;
  const stamp = timestamp.exec(text.slice(p));
  if (stamp === null) {
    const tag = hasPriority ? tagAt(text, p) : undefined;
    const isDamaged = !hasPriority || /^[1-9]\d{0,2} /.test(text.slice(at));
    const format = tag?.appname === undefined && isDamaged ? undefined : "rfc3164";
    return { ...nothing, message: hasPriority ? p : 0, ...tag, format };
  }
  const stampStart = p + stamp[0].indexOf(stamp[1]!);
  const found = {
    ...nothing,
    format: "rfc3164",
    timestamp: [stampStart, stampStart + stamp[1]!.length],
  } as const;
  p += stamp[0].length;
  p += spacesAt(text, p);
  const early = tagAt(text, p);
  if (early !== undefined) return { ...found, ...early };
  const hostname = /^[^ ]*/.exec(text.slice(p))![0];
  if (hostname === "") return { ...found, message: p };
  const host = span(text, p, hostname.length);
  p += hostname.length;
  p += spacesAt(text, p);
  p += /^(?:: +|:$)?/.exec(text.slice(p))![0].length;
  return { ...found, hostname: host, message: p, ...tagAt(text, p) };
}

export function parseHeaderOracle(bytes: Uint8Array): OracleHeader {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const pri = /^<(\d{1,3})>/.exec(text);
  const priority = pri === null || Number(pri[1]) > 191 ? undefined : Number(pri[1]);
  if (priority === undefined) return { priority, ...parse3164(text, 0, false) };
  const content = pri![0].length;
  return { priority, ...(parse5424(text, content) ?? parse3164(text, content, true)) };
}
