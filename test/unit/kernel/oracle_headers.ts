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
const offset = String.raw`[+-]\d\d:?\d\d`;
const bsdYearFirst = `${month} {1,2}\\d{1,2} \\d{4} ${time}(?:[Zz]|${offset})?`;
const bsdYearBefore = `\\d{4} ${month} {1,2}\\d{1,2} ${time}`;
const bsd = `${month} {1,2}\\d{1,2} ${time}(?:[Zz]|${offset}| (?:19|20)\\d\\d(?=:?(?: |$)))?`;
const iso = String
  .raw`\d{4}-\d\d-\d\d[Tt ]${time}(?:[Zz]|${offset}| (?:UTC|GMT|${offset})(?= |$))?`;
const timestamp = new RegExp(
  `^[*.]?((?:${bsdYearFirst}|${bsdYearBefore}|${bsd}|${iso})(?: [A-Z]{1,5}(?=: (?:%|[^ []+\\[[^ ]*:(?: |$))| : +%))?)(?::| :(?= ))?(?= |$)`,
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

const loneColonAt = (text: string, at: number): number => /^(?:: +|:$)?/.exec(text.slice(at))![0].length;

function tagAt(text: string, at: number): { appname: Span; procid: Span; message: number } | undefined {
  const rest = text.slice(at);
  const withPid = /^([^ \t"{=[]+)\[([^\] ]*)\]: ?/.exec(rest);
  if (withPid !== null) {
    const [whole, app, pid] = withPid;
    return {
      appname: span(text, at, app!.length),
      procid: pid === "" ? undefined : span(text, at + app!.length + 1, pid!.length),
      message: at + whole.length,
    };
  }
  const plain = /^([^ \t"{=]+):(?:[ \t]|$)/.exec(rest);
  if (plain === null) return undefined;
  return { appname: span(text, at, plain[1]!.length), procid: undefined, message: at + plain[0].length };
}

/** `MODEL,MAC,VERSION: ` of UniFi in front of `message`. */
function isDeviceTag(text: string, at: number, message: number): boolean {
  return message > at + 16 && /\d:[^:]$/.test(text.slice(0, message)) &&
    /^[^,]*,[^,]{12},/.test(text.slice(at, message - 2));
}

/** What stands behind a hostname: a tag, perhaps behind a device or F5's level. */
function programAt(text: string, at: number): ReturnType<typeof tagAt> {
  const tag = tagAt(text, at);
  if (tag !== undefined) return isDeviceTag(text, at, tag.message) ? tagAt(text, tag.message) ?? tag : tag;
  const level = /^(?:emerg|alert|crit|err|warning|notice|info|debug) /.exec(text.slice(at));
  if (level === null || text.length - at < 8) return undefined;
  const behind = tagAt(text, at + level[0].length);
  return behind?.procid === undefined ? undefined : behind;
}

type Header3164 = Omit<OracleHeader, "priority">;

/** A tag; before Cisco's mnemonic the host is what looks like one. */
function hostTagAt(text: string, at: number): Partial<Header3164> & { message: number } | undefined {
  const tag = tagAt(text, at);
  if (tag === undefined || text[at] === "%" || tag.message < at + 3) return tag;
  const isHost = text[tag.message - 2] === ":" && text[tag.message - 3] !== "]" &&
    (/^%[A-Z][^]/.test(text.slice(tag.message)) || isDeviceTag(text, at, tag.message));
  const behind = isHost ? tagAt(text, tag.message) : undefined;
  if (behind === undefined) return tag;
  const isUptime = /^[\d:wdhy]*$/.test(text.slice(at, tag.message - 2));
  return isUptime ? behind : { hostname: span(text, at, tag.message - 2 - at), ...behind };
}

/** Headers behind a PRI that do not begin with a timestamp. */
function vendorAt(text: string, at: number): Header3164 | undefined {
  const rest = text.slice(at);
  const base = { ...nothing, format: "rfc3164" } as const;
  if (rest.length < 29) return undefined;
  if (/^1 \d/.test(rest)) {
    const meraki = /^1 (\d{10}\.\d+) ([^ ]+) /.exec(rest);
    if (meraki === null) return undefined;
    const [whole, stamp, host] = meraki;
    const hostAt = at + 3 + stamp!.length;
    return {
      ...base,
      timestamp: [at + 2, at + 2 + stamp!.length],
      hostname: span(text, hostAt, host!.length),
      message: at + whole.length,
    };
  }
  if (rest.startsWith("date=")) {
    if (!/^date=\d{4}-\d\d-\d\d time=\d\d:\d\d:\d\d/.test(rest)) return undefined;
    const found = { ...base, timestamp: [at, at + 29], message: at } as const;
    const name = /^ devname=(?:"([^"]+)"|([^" ][^ ]*) )/.exec(rest.slice(29));
    if (name === null || rest.length < 40) return found;
    const start = at + 29 + 9 + (name[1] === undefined ? 0 : 1);
    return { ...found, hostname: span(text, start, (name[1] ?? name[2])!.length) };
  }
  const origin = /^([^ :]+)(: +(?:\d{1,10}: +)?(?:\*(?=[\x41-\xff])[^ ]{0,62}: |[*.])?| [^ :]*:|:)/.exec(
    rest,
  );
  if (origin === null) return undefined;
  const [whole, word, join] = origin;
  const isNode = !join!.startsWith(": ");
  if (rest.length - word!.length < 16 || (isNode && !whole.includes("/"))) return undefined;
  const stamp = timestamp.exec(rest.slice(whole.length));
  // Only Cisco has a colon behind the timestamp; a clock mark stands before the host here.
  if (stamp === null || !stamp[0].endsWith(":") || /^[*.]/.test(stamp[0])) return undefined;
  let p = at + whole.length + stamp[0].length;
  p += spacesAt(text, p);
  const start = at + whole.length;
  return {
    ...base,
    timestamp: [start, start + stamp[1]!.length],
    hostname: join === ":" ? undefined : span(text, at, word!.length),
    message: p,
    ...tagAt(text, p),
  };
}

function parse3164(text: string, at: number, hasPriority: boolean): Header3164 {
  let p = at + spacesAt(text, at);
  if (hasPriority) {
    p += /^(?:: *)?/.exec(text.slice(p))![0].length;
    p += /^(?:\d{1,10}: +){0,2}/.exec(text.slice(p))![0].length;
  }
  const stamp = timestamp.exec(text.slice(p));
  if (stamp === null) {
    const vendor = hasPriority ? vendorAt(text, p) : undefined;
    if (vendor !== undefined) return vendor;
    const tag = hasPriority ? hostTagAt(text, p) : undefined;
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
  p += loneColonAt(text, p);
  if (/^(?:last )?message repeated [^]/.test(text.slice(p))) return { ...found, message: p };
  const forwarded = /^((?:Message [Ff]|F)orwarded from )([^ ]+): /.exec(text.slice(p));
  if (forwarded !== null) {
    const hostname = span(text, p + forwarded[1]!.length, forwarded[2]!.length);
    p += forwarded[0].length;
    p += spacesAt(text, p);
    return { ...found, hostname, message: p, ...tagAt(text, p) };
  }
  const early = hostTagAt(text, p);
  if (early !== undefined) return { ...found, ...early };
  const hostname = /^[^ ]*/.exec(text.slice(p))![0];
  if (hostname === "") return { ...found, message: p };
  const host = span(text, p, hostname.length);
  p += hostname.length;
  p += spacesAt(text, p);
  p += loneColonAt(text, p);
  return { ...found, hostname: host, message: p, ...programAt(text, p) };
}

export function parseHeaderOracle(bytes: Uint8Array): OracleHeader {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const pri = /^<(\d{1,3})>/.exec(text);
  const priority = pri === null || Number(pri[1]) > 191 ? undefined : Number(pri[1]);
  if (priority === undefined) return { priority, ...parse3164(text, 0, false) };
  const content = pri![0].length;
  return { priority, ...(parse5424(text, content) ?? parse3164(text, content, true)) };
}
