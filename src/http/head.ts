/**
 * The head of an HTTP/1.1 request, read strictly (RFC 9112).
 *
 * Strict because two readers of one stream must not disagree on where a request ends: what others read leniently
 * (line ends without CR, folded lines, blanks before the colon, several lengths, a length beside `Transfer-Encoding`)
 * is a fault here. A fault closes the connection.
 *
 *     request-line = method SP request-target SP "HTTP/1." DIGIT CRLF
 *     field-line   = field-name ":" OWS field-value OWS CRLF
 *
 * @module
 */

/** Bytes of a head; agents send some hundred, browsers with cookies a few thousand. */
export const headBytesMax = 16 * 1024;

/** Field lines of a head. */
export const headFieldsMax = 100;

/** A request before its body. */
export interface RequestHead {
  readonly method: string;
  /** Percent-decoded, without the query: `/v1/ingest/web`. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
  /** By lower-case name; several lines of one name are joined with `, `. Values are latin1 text. */
  readonly fields: ReadonlyMap<string, string>;
  /** Bytes of the body, -1 where it is chunked. */
  readonly contentLength: number;
  readonly keepAlive: boolean;
  /** The client waits for a word before it sends the body (RFC 9110 10.1.1). */
  readonly expectsContinue: boolean;
}

/** What is wrong with a head, as a status and a reason. */
export interface HeadFault {
  readonly status: 400 | 414 | 417 | 431 | 501 | 505;
  readonly detail: string;
}

/** A head, or what is wrong with it. */
export type HeadRead = { readonly ok: true; readonly head: RequestHead } | {
  readonly ok: false;
  readonly fault: HeadFault;
};

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII, which a target consists of; bytes above it are sent unescaped by some and are taken. */
const targetPattern = /^[!-~\x80-\xff]+$/;
/** No control byte but HT. */
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;
const lengthPattern = /^\d{1,15}$/;
const hostPattern = /^(?:[a-z0-9._~!$&'()*+,;=%-]*|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i;

/** Fields of which a request may have one line only: two mean two readers. */
const singleFields: ReadonlySet<string> = new Set([
  "authorization",
  "content-type",
  "host",
  "idempotency-key",
]);

/** Reads a head: latin1 text from the request line up to its empty line, without that. */
export function readHead(text: string): HeadRead {
  const lineEnd = text.indexOf("\r\n");
  const requestLine = lineEnd < 0 ? text : text.slice(0, lineEnd);
  const first = requestLine.indexOf(" ");
  const last = requestLine.lastIndexOf(" ");
  const method = requestLine.slice(0, first);
  const target = requestLine.slice(first + 1, last);
  const version = requestLine.slice(last + 1);
  if (first <= 0 || last <= first || !tokenPattern.test(method) || !targetPattern.test(target)) {
    return fault(400, "The request line is not METHOD TARGET HTTP/1.1");
  }
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    return /^HTTP\/\d\.\d$/.test(version)
      ? fault(505, `This server speaks HTTP/1.1, not "${version}"`)
      : fault(400, "The request line is not METHOD TARGET HTTP/1.1");
  }
  const fields = new Map<string, string>();
  let at = lineEnd < 0 ? text.length : lineEnd + 2;
  for (let count = 0; at < text.length; count++) {
    if (count === headFieldsMax) return fault(431, `A request may have ${headFieldsMax} header fields`);
    let end = text.indexOf("\r\n", at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", at);
    const name = colon < 0 || colon > end ? "" : text.slice(at, colon);
    if (!tokenPattern.test(name)) return fault(400, "A header line is not NAME: VALUE");
    const value = trimBlanks(text, colon + 1, end);
    if (!valuePattern.test(value)) return fault(400, `Header "${name}" has a control character`);
    const key = name.toLowerCase();
    const before = fields.get(key);
    if (before === undefined) fields.set(key, value);
    else if (singleFields.has(key)) return fault(400, `Header "${key}" is there twice`);
    else fields.set(key, `${before}, ${value}`);
    at = end + 2;
  }
  return finish(method, target, version, fields);
}

/** The part of a text between its first and last character that is no space and no tab (OWS). */
function trimBlanks(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function finish(
  method: string,
  target: string,
  version: string,
  fields: ReadonlyMap<string, string>,
): HeadRead {
  const host = fields.get("host");
  if (host === undefined && version === "HTTP/1.1") return fault(400, "A request needs a Host");
  if (host !== undefined && !hostPattern.test(host)) return fault(400, "Host is not a host name");
  const contentLength = bodyLength(version, fields);
  if (typeof contentLength !== "number") return { ok: false, fault: contentLength };
  const place = readTarget(target);
  if (place === undefined) return fault(400, "The path is not percent-encoded UTF-8");
  const expect = fields.get("expect");
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    return fault(417, `Expect is "${printable(expect)}", only 100-continue is known`);
  }
  const connection = fields.get("connection")?.toLowerCase() ?? "";
  const keepAlive = version === "HTTP/1.1"
    ? !hasToken(connection, "close")
    : hasToken(connection, "keep-alive") && !hasToken(connection, "close");
  return {
    ok: true,
    head: {
      method,
      ...place,
      fields,
      contentLength,
      keepAlive,
      // HTTP/1.0 knows no interim answer, and an empty body needs none.
      expectsContinue: expect !== undefined && version === "HTTP/1.1" && contentLength !== 0,
    },
  };
}

/** Bytes of the body, -1 where it is chunked (RFC 9112 6.3), or why it cannot be told. */
function bodyLength(version: string, fields: ReadonlyMap<string, string>): number | HeadFault {
  const coding = fields.get("transfer-encoding");
  const length = fields.get("content-length");
  if (coding === undefined) {
    if (length === undefined) return 0;
    if (lengthPattern.test(length)) return Number(length);
    // Proxies repeat the line; equal ones are one (RFC 9110 8.6).
    const values = new Set(length.split(",").map((one) => one.trim()));
    const [only] = values;
    if (values.size === 1 && lengthPattern.test(only!)) return Number(only);
    return { status: 400, detail: "Content-Length is not a number" };
  }
  if (length !== undefined) {
    return { status: 400, detail: "Content-Length beside Transfer-Encoding is ambiguous" };
  }
  if (version !== "HTTP/1.1") return { status: 400, detail: "HTTP/1.0 has no Transfer-Encoding" };
  if (coding.toLowerCase() === "chunked") return -1;
  return { status: 501, detail: `Transfer-Encoding "${printable(coding)}" is not known, only chunked` };
}

function readTarget(target: string): { path: string; query: Map<string, string> } | undefined {
  // The absolute form, which proxies send.
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? "";
  const rest = target.slice(origin.length).split("#", 1)[0]!;
  const mark = rest.indexOf("?");
  const path = decode(mark < 0 ? rest : rest.slice(0, mark));
  if (path === undefined) return undefined;
  const query = new Map<string, string>();
  if (mark >= 0) {
    for (const pair of rest.slice(mark + 1).split("&")) {
      const equals = pair.indexOf("=");
      const name = decode((equals < 0 ? pair : pair.slice(0, equals)).replaceAll("+", " "));
      const value = equals < 0 ? "" : decode(pair.slice(equals + 1).replaceAll("+", " "));
      if (name === undefined || value === undefined) return undefined;
      if (name !== "" && !query.has(name)) query.set(name, value);
    }
  }
  return { path: path === "" ? "/" : path, query };
}

function decode(text: string): string | undefined {
  if (!/[%\x80-\xff]/.test(text)) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** True if a list such as `Connection: keep-alive, Upgrade` has the token; both in lower case. */
export function hasToken(list: string, token: string): boolean {
  return list === token || list.split(",").some((one) => one.trim() === token);
}

/** Text of a peer for an answer or a log: short, and nothing that a terminal would act on. */
export function printable(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  // deno-lint-ignore no-control-regex -- they are what is replaced
  return short.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function fault(status: HeadFault["status"], detail: string): HeadRead {
  return { ok: false, fault: { status, detail } };
}
