/**
 * What went wrong with a connection, as one of the classes that reports name.
 *
 * @module
 */
import type { Column } from "../measure/row.ts";

const byCode: Readonly<Record<string, Column>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused", // no such unix socket
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  ETIMEDOUT: "connectTimeout",
  EADDRNOTAVAIL: "noPorts",
  EADDRINUSE: "noPorts",
  EMFILE: "noDescriptors",
  ENFILE: "noDescriptors",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
};

/** Deno's errors have names, where the code is missing. */
const byName: Readonly<Record<string, Column>> = {
  ConnectionRefused: "refused",
  ConnectionReset: "reset",
  BrokenPipe: "reset",
  ConnectionAborted: "reset",
  AddrNotAvailable: "noPorts",
  AddrInUse: "noPorts",
  NotFound: "refused",
};

/** The class of an error. */
export function classOf(error: Error): Column {
  const { code, name, message, tls } = error as Error & { code?: unknown; tls?: boolean };
  if (typeof code === "string" && byCode[code] !== undefined) return byCode[code]!;
  if (byName[name] !== undefined) return byName[name]!;
  if (/os error 24|too many open files/i.test(message)) return "noDescriptors";
  if (/os error 99|cannot assign requested/i.test(message)) return "noPorts";
  const isTls = tls === true || /certificate|tls|ssl|handshake/i.test(`${String(code)} ${message}`);
  return isTls ? "tls" : "otherError";
}
