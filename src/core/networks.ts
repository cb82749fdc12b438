/**
 * Networks as an operator writes them (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`) and the question whether an
 * address lies in one. An IPv4 address and its form inside IPv6 (`::ffff:192.0.2.7`) are the same address.
 *
 * @module
 */

/** Bytes of an address; IPv4 lies in the last four behind `::ffff:` (RFC 4291, section 2.5.5.2). */
const addressBytes = 16;
/** Bits in front of an IPv4 address in that form. */
const ipv4PrefixBits = 96;

/** A network: an address of 16 bytes and how many of its bits count. */
export interface Network {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** The 16 bytes of an address as text, without brackets or port; undefined where it is none. */
export function readAddress(text: string): Uint8Array | undefined {
  const zone = text.indexOf("%");
  const plain = zone === -1 ? text : text.slice(0, zone);
  if (!plain.includes(":")) {
    const bytes = new Uint8Array(addressBytes);
    bytes[10] = bytes[11] = 0xff;
    return readIpv4(plain, bytes, 12) ? bytes : undefined;
  }
  return readIpv6(plain);
}

/** A network as text; undefined where it is none, or has bits set behind its prefix. */
export function readNetwork(text: string): Network | undefined {
  const [, host, prefix] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (host === undefined) return undefined;
  const address = readAddress(host);
  if (address === undefined) return undefined;
  const before = host.includes(":") ? 0 : ipv4PrefixBits;
  const bits = prefix === undefined ? addressBytes * 8 : before + Number(prefix);
  if (bits > addressBytes * 8) return undefined;
  return sameBits(address, masked(address, bits), addressBytes * 8) ? { address, bits } : undefined;
}

/** The network that was meant where `text` has bits set behind its prefix (`10.1.2.3/8` is `10.0.0.0/8`). */
export function maskedNetwork(text: string): string | undefined {
  const [, host, prefix] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const address = host === undefined ? undefined : readAddress(host);
  if (address === undefined || Number(prefix) > 32) return undefined;
  return `${masked(address, ipv4PrefixBits + Number(prefix)).subarray(12).join(".")}/${prefix}`;
}

/** Some networks. Asking costs a comparison per network; whoever asks per datagram remembers the answer. */
export class NetworkSet {
  readonly #networks: readonly Network[];

  /** `texts` are networks that `readNetwork` takes; others are left out. */
  constructor(texts: readonly string[]) {
    this.#networks = texts.flatMap((text) => readNetwork(text) ?? []);
  }

  /** Whether the address lies in one of them; what is no address lies in none. */
  has(host: string): boolean {
    const address = readAddress(host);
    if (address === undefined) return false;
    for (const network of this.#networks) {
      if (sameBits(address, network.address, network.bits)) return true;
    }
    return false;
  }
}

function readIpv4(text: string, into: Uint8Array, at: number): boolean {
  const parts = text.split(".");
  if (parts.length !== 4) return false;
  return parts.every((part, index) => {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return false;
    into[at + index] = Number(part);
    return true;
  });
}

function readIpv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(addressBytes);
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":")) as [string[], string[]?];
  const groups = (parts: readonly string[]): number => {
    return parts.length + (parts.at(-1)?.includes(".") === true ? 1 : 0);
  };
  const count = groups(head) + groups(tail ?? []);
  if (tail === undefined ? count !== 8 : count > 7) return undefined;
  if (tail !== undefined && head.some((part) => part.includes("."))) return undefined;
  if (!readGroups(head, bytes, 0)) return undefined;
  return readGroups(tail ?? [], bytes, addressBytes - groups(tail ?? []) * 2) ? bytes : undefined;
}

function readGroups(parts: readonly string[], into: Uint8Array, at: number): boolean {
  return parts.every((part, index) => {
    const place = at + index * 2;
    if (index === parts.length - 1 && part.includes(".")) return readIpv4(part, into, place);
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return false;
    const value = parseInt(part, 16);
    into[place] = value >> 8;
    into[place + 1] = value & 0xff;
    return true;
  });
}

function masked(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff00 >> kept);
  });
}

function sameBits(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) if (a[index] !== b[index]) return false;
  const rest = bits & 7;
  return rest === 0 || (((a[whole]! ^ b[whole]!) & (0xff00 >> rest)) & 0xff) === 0;
}
