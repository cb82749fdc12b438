/**
 * What people write for sizes, times and addresses, and what the program works with: bytes, milliseconds, host
 * and port. Pure; a text that is none of them comes back as a message that says what to write instead.
 *
 * @module
 */

/** A value that was read, or what is wrong with it. */
export type Read<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly message: string;
};

/** A host and its port. */
export interface HostPort {
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
}

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads `64KiB`, `10MB`, `1GiB` or a plain number of bytes. */
export function readSize(input: string | number): Read<number> {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(input)) ?? [];
  const factor = unit === "" ? 1 : sizeUnits[unit?.toLowerCase() ?? "?"];
  const bytes = Number(amount) * (factor ?? NaN);
  if (!Number.isSafeInteger(bytes)) {
    return {
      ok: false,
      message: `${quote(input)} is not a size; write a number and a unit, such as 64KiB, 10MB or 1GiB`,
    };
  }
  return { ok: true, value: bytes };
}

/** Reads `5ms`, `10s`, `10m`, `1h`, `1d`. A number without a unit is refused, because nobody can tell which was meant. */
export function readDuration(input: string | number): Read<number> {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(input)) ?? [];
  if (amount !== undefined && unit === "" && Number(amount) !== 0) {
    return { ok: false, message: `${quote(input)} has no unit; write ${amount}ms, ${amount}s or ${amount}m` };
  }
  const factor = unit === "" ? 1 : durationUnits[unit?.toLowerCase() ?? "?"];
  const ms = Number(amount) * (factor ?? NaN);
  if (!Number.isSafeInteger(ms)) {
    return {
      ok: false,
      message: `${quote(input)} is not a time; write a number and a unit, such as 5ms, 10s, 10m or 1h`,
    };
  }
  return { ok: true, value: ms };
}

/** Reads `host:port`, `1.2.3.4:514`, `[::1]:514`. Port 0 (any free port) only where `anyPort` says so. */
export function readHostPort(input: string, example: string, anyPort = false): Read<HostPort> {
  const bracketed = /^\[([0-9a-f:.]+(?:%[\w.-]+)?)\]:(\d{1,5})$/i.exec(input);
  const plain = /^([^\s:/[\]]+):(\d{1,5})$/.exec(input);
  const [, hostname, digits] = bracketed ?? plain ?? [];
  if (hostname === undefined) {
    return { ok: false, message: `${quote(input)} ${hostPortProblem(input, example)}` };
  }
  if (bracketed && !hostname.includes(":")) {
    return {
      ok: false,
      message: `${quote(input)} has brackets around what is not an IPv6 address; write ${hostname}:${digits}`,
    };
  }
  if (!bracketed && !/^[A-Za-z0-9_.-]+$/.test(hostname)) {
    return { ok: false, message: `${quote(input)} is not an address; write host:port, such as ${example}` };
  }
  const port = Number(digits);
  if (port > 65535) return { ok: false, message: `the port ${digits} does not exist; ports end at 65535` };
  if (port === 0 && !anyPort) {
    return { ok: false, message: "the port 0 cannot be reached; write the real port" };
  }
  return { ok: true, value: { hostname, port } };
}

/** `host:port` with the brackets that IPv6 needs. */
export function formatHostPort(address: HostPort): string {
  return address.hostname.includes(":")
    ? `[${address.hostname}]:${address.port}`
    : `${address.hostname}:${address.port}`;
}

/** Text in double quotes, cut to what a line bears; numbers as they are. */
export function quote(input: unknown): string {
  if (typeof input === "number" || typeof input === "boolean") return String(input);
  const text = typeof input === "string" ? input : String(input);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

/** What keeps a text from being `host:port`, as the rest of a sentence that begins with the text. */
function hostPortProblem(input: string, example: string): string {
  if (/^:\d+$/.test(input)) {
    return `names no host; write 0.0.0.0${input} for all interfaces or 127.0.0.1${input}`;
  }
  if (/^[0-9a-f:.]+$/i.test(input) && (input.includes("::") || input.split(":").length > 4)) {
    return "is an IPv6 address without brackets; write [::1]:514";
  }
  if (/^(?:[A-Za-z0-9_.-]+|\[[0-9a-f:.]+\])$/i.test(input)) return `has no port; write ${example}`;
  return `is not an address; write host:port, such as ${example}`;
}
