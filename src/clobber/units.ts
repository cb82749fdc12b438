/**
 * Numbers as people write them on a command line: rates (`50k`), times (`1m30s`), addresses. Each reader gives
 * undefined for what it cannot read; the caller names the flag.
 *
 * @module
 */
import type { Scheme, Target } from "./plan.ts";

const factors: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
const times: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 };

/** Reads `50k`, `1.5M`, `800`, each also with `/s` behind it. */
export function readRate(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kmg]?)(?:\/s)?$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * factors[unit!.toLowerCase()]!;
}

/** Reads a whole number, `k` and `M` allowed. */
export function readCount(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const count = Number(digits) * factors[unit!.toLowerCase()]!;
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Reads `500ms`, `10s`, `1m30s`; milliseconds. */
export function readTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(trimmed)) return undefined;
  let ms = 0;
  for (const [, digits, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(digits) * times[unit!]!;
  }
  return ms;
}

const ports: Readonly<Partial<Record<Scheme, number>>> = { http: 80, https: 443, tls: 6514, relp: 2514 };
const schemes: readonly string[] = ["tcp", "tls", "udp", "unix", "http", "https", "relp"];

/** Reads a target, or says what is wrong with it. Without a scheme it is raw TCP, as clobber had it. */
export function readTarget(text: string): Target | string {
  const [, named, after] = /^([a-z]+):\/\/(.*)$/is.exec(text) ?? [undefined, undefined, text];
  const scheme = (named ?? "tcp").toLowerCase();
  if (!schemes.includes(scheme)) {
    return `"${text}" has no scheme that is known; there are ${schemes.map((one) => `${one}://`).join(" ")}`;
  }
  const url = named === undefined ? `tcp://${text}` : text;
  if (scheme === "unix") {
    return after === "" ? `"${text}" names no path; write unix:///run/x.sock` : {
      scheme,
      url,
      host: "",
      port: 0,
      path: after!,
    };
  }
  const isHttp = scheme === "http" || scheme === "https";
  const [, authority, path] = /^([^/?#]*)([/?][^#]*)?(?:#.*)?$/s.exec(after!) ?? [];
  if (authority === undefined || authority === "") {
    return `"${text}" names no host; write ${scheme}://host:port`;
  }
  if (!isHttp && path !== undefined && path !== "/") {
    return `"${text}" has a path; only http and https have one`;
  }
  const [, v6, host, digits] = /^(?:\[([0-9a-f:.%\w]+)\]|([^:[\]\s@]+))(?::(\d{1,5}))?$/i.exec(authority) ??
    [];
  const name = v6 ?? host;
  if (name === undefined) {
    const hint = authority.split(":").length > 2 ? "; an IPv6 address stands in brackets: [::1]:514" : "";
    return `"${authority}" is no host and port${hint}`;
  }
  const port = digits === undefined ? ports[scheme as Scheme] : Number(digits);
  if (port === undefined) return `"${text}" names no port; write ${scheme}://${authority}:PORT`;
  if (port < 1 || port > 65_535) return `the port ${digits} does not exist; ports are 1 to 65535`;
  const slash = path === undefined ? "" : path.startsWith("?") ? `/${path}` : path;
  return { scheme: scheme as Scheme, url, host: name, port, path: isHttp ? slash || "/" : "" };
}
