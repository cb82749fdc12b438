/**
 * The `listen` section: where lines come in.
 *
 * @module
 */
import * as v from "valibot";
import type { Transport } from "./config.ts";
import { choice, duration, list, readText, section, size, text, wants } from "./fields.ts";
import { readCipher, readNetworkText, readPermittedPeer } from "./listen_units.ts";
import { didYouMean } from "../core/suggest.ts";
import { quote, type Read, readHostPort } from "./units.ts";

/** A `syslog:` address, taken apart. */
export interface ListenUrl {
  readonly transport: Transport;
  readonly hostname: string;
  readonly port: number;
  /** Socket path for unix, else empty. */
  readonly path: string;
}

/** Longest path of a unix socket: `sun_path` holds 108 bytes with the final zero (unix(7)). */
const unixPathBytesMax = 107;

/** Most entries of a list of networks, peers or names. */
const entriesMax = 1000;
/** Most certificates of one listener. */
const certificatesMax = 100;

/** A second pair of certificate and key. */
const certificateSchema = section("A certificate for another name", {
  cert: text("Certificate chain, PEM file"),
  key: text("Private key of the certificate, PEM file"),
});

/** Certificate files of a TLS listener, as written. */
export const tlsServerSchema = section("Certificate files of a tls:// listener", {
  cert: text("Certificate chain, PEM file; relative to this file"),
  key: text("Private key of the certificate, PEM file"),
  ca: v.optional(text("Certificates that may sign client certificates, PEM file")),
  client: v.optional(
    choice(
      "Client certificates: none, request (checked if sent) or require; require is the default where ca is given",
      [
        "none",
        "request",
        "require",
      ],
    ),
  ),
  permitted_peers: v.optional(
    list(
      "Which clients may send: names of the certificate (*.edge.example is one label) or its fingerprint, SHA256:AB:CD:...",
      readPermittedPeer,
      entriesMax,
    ),
  ),
  crl: v.optional(text("Revoked client certificates, PEM file; it is read again when it changes")),
  min_version: v.optional(
    choice("The oldest version of TLS that is spoken", ["TLSv1.2", "TLSv1.3"]),
    "TLSv1.2",
  ),
  ciphers: v.optional(
    list(
      "Cipher suites that may be spoken, by their OpenSSL names; TLS 1.3 is bound only where one of its suites is named",
      readCipher,
      entriesMax,
    ),
  ),
  alpn: v.optional(
    list("Application protocols that are offered (ALPN)", (name) => ({ ok: true, value: name }), entriesMax),
  ),
  certificates: v.optional(
    v.pipe(
      v.array(certificateSchema, wants("a list of certificates (- { cert: FILE, key: FILE })")),
      v.description(
        "More certificates: a client gets the one that has the name it asks for (SNI), else cert",
      ),
      v.maxLength(certificatesMax, `has more than ${certificatesMax} certificates`),
    ),
  ),
});

/** Joining of lines, as written. */
export const joinSchema = section(
  "Lines that continue others become a part of them, for senders that put line ends into messages; for lines that end with LF alone",
  {
    by: v.optional(
      choice(
        "What continues a line: pri, each that does not begin with <PRI>; indent, each that begins with a space or tab",
        ["pri", "indent"],
      ),
      "pri",
    ),
    wait: v.optional(
      duration("How long a line waits for its continuation", { min: 10, max: 60_000 }),
      "500ms",
    ),
    max: v.optional(
      size("Longest joined line; at most frame_max", { min: 256, max: 16 * 1024 * 1024 }),
      "64KiB",
    ),
  },
);

/** One entry of `listen`. */
export const listenSchema = section("A listener", {
  syslog: v.optional(
    readText(
      "Where to listen for syslog: tcp://0.0.0.0:1514, tls://0.0.0.0:6514, udp://0.0.0.0:514, unix:///run/corndog.sock, unixgram:///run/log.sock, stdin:",
      (input) => readListenUrl(input, ["tcp", "tls", "udp", "unix", "unixgram", "stdin"]),
    ),
  ),
  relp: v.optional(
    readText(
      "Where to listen for RELP, which answers each line: tcp://0.0.0.0:2514, tls://0.0.0.0:2515",
      (input) => readListenUrl(input, ["tcp", "tls"]),
    ),
  ),
  http: v.optional(
    readText(
      "Where to listen for HTTP: http://0.0.0.0:8080 or https://0.0.0.0:8443; /v1/ingest, OTLP, Splunk HEC, Loki, Elasticsearch bulk",
      readHttpUrl,
    ),
  ),
  ack: v.optional(
    choice(
      "relp, http: when a line is answered: memory (it was taken), disk (it is in the spool) or kafka (the sink has it); http also none (nothing waits). Default: disk where there is a spool, else kafka",
      ["none", "memory", "disk", "kafka"],
    ),
  ),
  ack_timeout: v.optional(
    duration("http: an answer comes by then, whatever has become of the events", { min: 100, max: 60_000 }),
  ),
  body_max: v.optional(
    size("http: largest body of a request, compressed and not", { min: 1024, max: 256 * 1024 * 1024 }),
  ),
  tokens_file: v.optional(
    text(
      "http: who may send, a line for each: NAME TOKEN [topics=a,b-*] [rate=1000/s] [bytes=1MiB/s] [ack=kafka]; it is read again when it changes",
    ),
  ),
  cors: v.optional(
    list(
      "http: origins of web pages that may send, https://app.example; none without it",
      readOrigin,
      entriesMax,
    ),
  ),
  framing: v.optional(
    choice("How lines are told apart on a stream: auto looks at each connection's first byte", [
      "auto",
      "newline",
      "octet",
      "nul",
    ]),
  ),
  frame_max: v.optional(
    size("Longest line", { min: 256, max: 16 * 1024 * 1024 }),
    "64KiB",
  ),
  oversize: v.optional(
    choice(
      "What becomes of a longer line: truncate keeps its beginning, split makes several records of it, dead_letter writes all of it there",
      ["truncate", "split", "dead_letter"],
    ),
    "truncate",
  ),
  unparsed: v.optional(
    choice(
      "What becomes of a line without a syslog header: forward sends it as it is, marked by a record header where rules look at headers; dead_letter writes it there",
      ["forward", "dead_letter"],
    ),
    "forward",
  ),
  timezone: v.optional(
    readText(
      "Zone of timestamps that name none: local (this machine's), a name of the tz database such as Europe/Berlin, or +02:00",
      readTimeZone,
    ),
    "local",
  ),
  join: v.optional(joinSchema),
  tls: v.optional(tlsServerSchema),
  allow_from: v.optional(
    list("Networks that may send, 10.0.0.0/8; others are refused", readNetworkText, entriesMax),
  ),
  proxy_from: v.optional(
    list(
      "Networks of load balancers: their connections begin with a PROXY header (v1 or v2), before TLS, which names the sender",
      readNetworkText,
      entriesMax,
    ),
  ),
  rate: v.optional(
    size(
      "Bytes per second of each sender over all workers, with a second's worth at once; no limit without it",
      {
        min: 1024,
        max: 1024 ** 4,
      },
    ),
  ),
});

/** Reads `http://host:port` and `https://host:port`. */
function readHttpUrl(input: string): Read<ListenUrl> {
  const [, scheme, rest] = /^([a-z]+):\/\/([^/]*)\/?$/i.exec(input) ?? [];
  if (scheme !== "http" && scheme !== "https") {
    return { ok: false, message: `${quote(input)} is not http://host:port or https://host:port` };
  }
  const read = readHostPort(rest!, `${scheme}://0.0.0.0:8080`, true);
  if (!read.ok) return read;
  return { ok: true, value: { transport: scheme === "https" ? "tls" : "tcp", ...read.value, path: "" } };
}

function readOrigin(input: string): Read<string> {
  if (/^https?:\/\/[^/?#\s]+$/.test(input)) return { ok: true, value: input.toLowerCase() };
  return { ok: false, message: `${quote(input)} is not an origin; write https://app.example` };
}

/** Reads a zone: `local`, a name that the runtime knows, or an offset. */
export function readTimeZone(input: string): Read<string> {
  if (input === "local" || /^[+-](?:0\d|1[0-4]):[0-5]\d$/.test(input)) return { ok: true, value: input };
  try {
    return { ok: true, value: new Intl.DateTimeFormat("en", { timeZone: input }).resolvedOptions().timeZone };
  } catch {
    return { ok: false, message: `${quote(input)} is not a time zone; write local, Europe/Berlin or +02:00` };
  }
}

/** Reads `tcp://host:port` and its like. */
export function readListenUrl(input: string, transports: readonly Transport[]): Read<ListenUrl> {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(input) ?? [];
  if (scheme === undefined || !input.includes("://") && scheme !== "stdin") {
    const address = /^(?:[a-z]+[:/]+)?([^\s/]+:\d+)$/i.exec(input)?.[1] ?? "0.0.0.0:1514";
    return { ok: false, message: `${quote(input)} has no transport; write tcp://${address}` };
  }
  if (transports.length < 3 && scheme !== "tcp" && scheme !== "tls") {
    return { ok: false, message: `${quote(scheme)} cannot carry RELP; write tcp or tls` };
  }
  switch (scheme) {
    case "tcp":
    case "tls":
    case "udp": {
      const read = readHostPort(rest, `${scheme}://0.0.0.0:1514`, true);
      if (!read.ok) return read;
      return { ok: true, value: { transport: scheme, ...read.value, path: "" } };
    }
    case "unix":
    case "unixgram":
      return readUnixPath(scheme, input, rest);
    case "stdin":
      if (rest === "" || rest === "//") {
        return { ok: true, value: { transport: "stdin", hostname: "", port: 0, path: "" } };
      }
      return { ok: false, message: `${quote(input)} names something behind stdin:; write stdin:` };
    default:
      return {
        ok: false,
        message: `${quote(scheme)} is not a transport; write ${transports.slice(0, -1).join(", ")} or ${
          transports.at(-1)
        }${didYouMean(scheme, transports)}`,
      };
  }
}

function readUnixPath(transport: "unix" | "unixgram", input: string, path: string): Read<ListenUrl> {
  if (!path.startsWith("/")) {
    return {
      ok: false,
      message: `${
        quote(input)
      } is not an absolute path; write three slashes: ${transport}:///run/corndog.sock`,
    };
  }
  if (new TextEncoder().encode(path).length > unixPathBytesMax) {
    return {
      ok: false,
      message: `the path of a unix socket may have ${unixPathBytesMax} bytes; choose a shorter one`,
    };
  }
  return { ok: true, value: { transport, hostname: "", port: 0, path } };
}
