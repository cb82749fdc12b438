/**
 * The `listen` section: where lines come in.
 *
 * @module
 */
import * as v from "valibot";
import { choice, readText, section, size, text } from "./fields.ts";
import { later } from "./later.ts";
import { didYouMean } from "../core/suggest.ts";
import { quote, type Read, readHostPort } from "./units.ts";

/** A `syslog:` address, taken apart. */
export interface ListenUrl {
  readonly transport: "tcp" | "tls" | "udp" | "unix";
  readonly hostname: string;
  readonly port: number;
  /** Socket path for unix, else empty. */
  readonly path: string;
}

/** Longest path of a unix socket: `sun_path` holds 108 bytes with the final zero (unix(7)). */
const unixPathBytesMax = 107;

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
});

/** One entry of `listen`. */
export const listenSchema = section("A listener", {
  syslog: readText(
    "Where to listen for syslog: tcp://0.0.0.0:1514, tls://0.0.0.0:6514, udp://0.0.0.0:514, unix:///run/corndog.sock",
    readListenUrl,
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
    size("Longest line; what is longer is cut here", { min: 256, max: 16 * 1024 * 1024 }),
    "64KiB",
  ),
  tls: v.optional(tlsServerSchema),
});

/** Reads `tcp://host:port` and its like. */
export function readListenUrl(input: string): Read<ListenUrl> {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(input) ?? [];
  if (scheme === undefined || !input.includes("://") && scheme !== "stdin") {
    const address = /^(?:[a-z]+[:/]+)?([^\s/]+:\d+)$/i.exec(input)?.[1] ?? "0.0.0.0:1514";
    return { ok: false, message: `${quote(input)} has no transport; write tcp://${address}` };
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
      return readUnixPath(input, rest);
    case "unixgram":
    case "stdin":
      return { ok: false, message: later.transports[scheme] };
    default:
      return {
        ok: false,
        message: `${quote(scheme)} is not a transport; write tcp, tls, udp or unix${
          didYouMean(scheme, ["tcp", "tls", "udp", "unix"])
        }`,
      };
  }
}

function readUnixPath(input: string, path: string): Read<ListenUrl> {
  if (!path.startsWith("/")) {
    return {
      ok: false,
      message: `${quote(input)} is not an absolute path; write three slashes: unix:///run/corndog.sock`,
    };
  }
  if (new TextEncoder().encode(path).length > unixPathBytesMax) {
    return {
      ok: false,
      message: `the path of a unix socket may have ${unixPathBytesMax} bytes; choose a shorter one`,
    };
  }
  return { ok: true, value: { transport: "unix", hostname: "", port: 0, path } };
}
