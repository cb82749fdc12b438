/**
 * Before the load: the name is resolved. Where it has several addresses, the first that takes a connection is used;
 * a single one is not tried, because a target that is to see ten connections should not see eleven. Also finds out why
 * a target that took none does not.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import type { Dial, DialAddress, DialTls } from "../../runtime/dial.ts";
import { messageOf } from "../../core/errors.ts";
import { dialUdp } from "../../runtime/dial_udp.ts";
import type { Plan, Target } from "../plan.ts";

/** The address to use, or why there is none. */
export type Reached = { readonly ok: true; readonly address: DialAddress } | {
  readonly ok: false;
  readonly problem: string;
};

/** Why a target takes no connection is asked for so long. */
const whyMsMax = 2000;
/** The answer to a datagram that nobody wants is there by then. */
const unreachableMs = 500;
const lineFeed = new Uint8Array([10]);

/** Finds an address of the target; of several, one that accepts a connection. Datagrams are not tried. */
export async function reach(
  dial: Dial,
  target: Target,
  tls: DialTls | undefined,
  timeoutMs: number,
): Promise<Reached> {
  if (target.scheme === "unix") {
    if (!existsSync(target.path)) return { ok: false, problem: `there is no socket ${target.path}` };
    return { ok: true, address: { path: target.path } };
  }
  let hosts: string[];
  try {
    hosts = isIP(target.host) > 0
      ? [target.host]
      : (await lookup(target.host, { all: true })).map(({ address }) => address);
  } catch (error) {
    return { ok: false, problem: `the name ${target.host} cannot be resolved: ${messageOf(error)}` };
  }
  const addresses = hosts.map((hostname) => ({ hostname, port: target.port }));
  if (addresses.length === 0) return { ok: false, problem: `the name ${target.host} has no address` };
  if (target.scheme === "udp" || addresses.length === 1) return { ok: true, address: addresses[0]! };
  return await firstOf(dial, addresses, tls, timeoutMs, `${target.host}:${target.port}`);
}

async function firstOf(
  dial: Dial,
  addresses: readonly DialAddress[],
  tls: DialTls | undefined,
  timeoutMs: number,
  name: string,
): Promise<Reached> {
  let problem = "";
  for (const address of addresses) {
    const failed = await probe(dial, address, tls, timeoutMs);
    if (failed === undefined) return { ok: true, address };
    problem ||= failed;
  }
  return { ok: false, problem: `${name} does not take connections: ${problem}` };
}

/** Why a target that took no connection does not, after what came of the attempts. */
export async function refusal(
  dial: Dial,
  target: Target,
  address: DialAddress,
  tls: DialTls | undefined,
  attempts: string,
): Promise<string> {
  const name = "path" in address ? address.path : `${target.host}:${target.port}`;
  const why = target.scheme === "udp" ? undefined : await probe(dial, address, tls, whyMsMax);
  return `${name} does not take connections: ${why ?? attempts}${tlsHint(tls, why ?? attempts)}`;
}

/** What to look at where a handshake failed. */
function tlsHint(tls: DialTls | undefined, why: string): string {
  if (tls === undefined || /refused|resolved/i.test(why)) return "";
  return /certificate|self.signed|issuer|altname|CERT_/i.test(why)
    ? "; --ca FILE names who may sign it, and -k takes any"
    : "; does it speak TLS?";
}

/** Whether the target still takes what is sent: a connection, or a datagram that nobody's port answers "unreachable". */
export async function isThere(
  dial: Dial,
  { address, connectTimeoutMs, target, tls }: Plan,
): Promise<boolean> {
  if (target.scheme !== "udp") return await probe(dial, address, tls, connectTimeoutMs) === undefined;
  return await new Promise((resolve) => {
    const done = (answer: boolean): void => {
      clearTimeout(timer);
      resolve(answer);
      dialled.destroy();
    };
    const timer = setTimeout(() => done(true), unreachableMs);
    const dialled = dialUdp(address, undefined, {
      opened: () => void dialled.write(lineFeed, 0, 1),
      received(): void {},
      drained(): void {},
      closed: (_state: undefined, error?: Error) => done(error === undefined),
    }, undefined);
  });
}

/** Connects once and closes; undefined when it worked. */
export function probe(
  dial: Dial,
  address: DialAddress,
  tls: DialTls | undefined,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(`no answer within ${timeoutMs} ms`);
      dialled.destroy();
    }, timeoutMs);
    const done = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem);
    };
    const handler = {
      opened(): void {
        done(undefined);
        dialled.destroy();
      },
      received(): void {},
      drained(): void {},
      closed: (_state: undefined, error?: Error): void =>
        done(error === undefined ? "it closed at once" : textOf(error)),
    };
    const dialled = dial(address, tls, handler, undefined);
  });
}

function textOf(error: Error): string {
  const { code } = error as { code?: unknown };
  const message = messageOf(error);
  return typeof code === "string" && !message.includes(code) ? `${message} (${code})` : message;
}
