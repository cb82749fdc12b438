/**
 * Realistic syslog for `corndog demo`: what a small company's hosts say in a working day, in the proportions in
 * which they say it. Pure: a seed gives the same lines.
 *
 * RFC 5424 and RFC 3164 frames without delimiter; about one in a hundred is no syslog at all, as in life.
 *
 * @module
 */

/** A source of pseudo-random numbers in [0, 1). mulberry32: small, good enough for pictures. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Makes lines. One per sender, so that a connection stays one host. */
export class Traffic {
  readonly #random: () => number;
  readonly #host: string;

  constructor(seed: number, host: string) {
    this.#random = seededRandom(seed);
    this.#host = host;
  }

  /** The next frame, dated `nowMs` (epoch milliseconds). */
  next(nowMs: number): string {
    const dice = this.#random();
    const kind = kinds.find(({ share }) => dice < share) ?? kinds[kinds.length - 1]!;
    return kind.make(this.#host, new Date(nowMs), this.#random);
  }
}

type Make = (host: string, now: Date, random: () => number) => string;

/** Kinds of lines with their cumulative share. */
const kinds: readonly { readonly share: number; readonly make: Make }[] = [
  { share: 0.46, make: nginx },
  { share: 0.74, make: application },
  { share: 0.86, make: sshd },
  { share: 0.92, make: kernel },
  { share: 0.96, make: sudo },
  { share: 0.99, make: firewall },
  {
    share: 1,
    make: (_host, _now, random) => `unstructured output of an old appliance, code ${integer(random, 1, 99)}`,
  },
];

const paths = [
  "/",
  "/login",
  "/api/v1/orders",
  "/api/v1/orders/8841",
  "/static/app.js",
  "/health",
  "/cart",
  "/search?q=mustard",
];
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
  "curl/8.9.1",
  "kube-probe/1.31",
  "Go-http-client/2.0",
];
const people = ["ada", "grace", "linus", "margaret", "ken"];
const services = ["orders", "billing", "search", "shipping"];

function nginx(host: string, now: Date, random: () => number): string {
  const status = pick(random, [200, 200, 200, 200, 200, 200, 304, 301, 404, 500]);
  const severity = status >= 500 ? 3 : 6;
  const request = `${pick(random, ["GET", "GET", "GET", "POST"])} ${pick(random, paths)} HTTP/1.1`;
  const message =
    `${address(random)} - - [${now.toISOString()}] "${request}" ${status} ${integer(random, 120, 48_000)} ` +
    `"-" "${pick(random, agents)}" ${(random() * 0.4).toFixed(3)}`;
  return rfc5424(16, severity, now, host, "nginx", integer(random, 900, 1400), message);
}

function application(host: string, now: Date, random: () => number): string {
  const service = pick(random, services);
  const failed = random() < 0.03;
  const document = {
    meta: { topic: `logs-${service}` },
    level: failed ? "error" : "info",
    msg: failed ? "payment gateway timed out" : "request served",
    trace_id: hex(random, 16),
    user: integer(random, 1, 40_000),
    duration_ms: Math.round(random() * random() * 900),
  };
  return rfc5424(
    17,
    failed ? 3 : 6,
    now,
    host,
    service,
    integer(random, 2000, 9000),
    JSON.stringify(document),
  );
}

function sshd(host: string, now: Date, random: () => number): string {
  const who = pick(random, people);
  const message = random() < 0.3
    ? `Failed password for invalid user admin from ${address(random)} port ${
      integer(random, 1025, 65_535)
    } ssh2`
    : `Accepted publickey for ${who} from ${address(random)} port ${
      integer(random, 1025, 65_535)
    } ssh2: ED25519 SHA256:${hex(random, 20)}`;
  return rfc3164(10, 6, now, host, `sshd[${integer(random, 800, 32_000)}]`, message);
}

function kernel(host: string, now: Date, random: () => number): string {
  const message = `[${(random() * 1e6).toFixed(6)}] eth0: link up, 1000 Mbps, full duplex`;
  return rfc3164(0, 5, now, host, "kernel", message);
}

function sudo(host: string, now: Date, random: () => number): string {
  const who = pick(random, people);
  return rfc3164(
    10,
    5,
    now,
    host,
    "sudo",
    `${who} : TTY=pts/${
      integer(random, 0, 9)
    } ; PWD=/home/${who} ; USER=root ; COMMAND=/usr/bin/systemctl restart app`,
  );
}

function firewall(_host: string, now: Date, random: () => number): string {
  const message = `%ASA-4-106023: Deny tcp src outside:${address(random)}/${integer(random, 1025, 65_535)} ` +
    `dst inside:10.0.0.${integer(random, 1, 254)}/443 by access-group "outside_in"`;
  return rfc3164(20, 4, now, "fw-1", "", message);
}

function rfc5424(
  facility: number,
  severity: number,
  now: Date,
  host: string,
  app: string,
  pid: number,
  message: string,
): string {
  return `<${facility * 8 + severity}>1 ${now.toISOString()} ${host} ${app} ${pid} - - ${message}`;
}

function rfc3164(
  facility: number,
  severity: number,
  now: Date,
  host: string,
  tag: string,
  message: string,
): string {
  const date = `${now.toUTCString().slice(8, 11)} ${String(now.getUTCDate()).padStart(2)} ${
    now.toISOString().slice(11, 19)
  }`;
  return `<${facility * 8 + severity}>${date} ${host} ${tag === "" ? "" : `${tag}: `}${message}`;
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

function integer(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** An address of the ranges that RFC 5737 keeps for examples. */
function address(random: () => number): string {
  return `${pick(random, ["192.0.2", "198.51.100", "203.0.113"])}.${integer(random, 1, 254)}`;
}

function hex(random: () => number, digits: number): string {
  let text = "";
  while (text.length < digits) text += integer(random, 0, 15).toString(16);
  return text;
}
