/**
 * Certificates that their authorities have revoked, from PEM revocation lists (RFC 5280, section 5). Both runtimes can
 * be asked about client certificates, but Deno's TLS layer looks at no list, so it is done here for both.
 *
 *     CertificateList  { tbsCertList { version?, algorithm, issuer, thisUpdate, nextUpdate?, revoked?, ... }, ... }
 *     Certificate      { tbsCertificate { [0] version?, serial, algorithm, issuer, ... }, ... }
 *
 * A certificate is named by its issuer's name and its serial number. The list's own signature is not checked: the file
 * is the operator's, like the authorities' certificates beside it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { childrenOf, derTag, type Element, hexOf, readElement } from "./der.ts";

const listPattern = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;

/** What revocation lists say. */
export class Revocations {
  readonly #revoked: ReadonlySet<string>;
  /** When the first of the lists should have been replaced (`nextUpdate`), epoch milliseconds. */
  readonly nextUpdateMs: number | undefined;

  private constructor(revoked: ReadonlySet<string>, nextUpdateMs: number | undefined) {
    this.#revoked = revoked;
    this.nextUpdateMs = nextUpdateMs;
  }

  /** Reads all lists of a PEM text; undefined where one is damaged or there is none. */
  static read(pem: string): Revocations | undefined {
    const revoked = new Set<string>();
    let nextUpdateMs: number | undefined;
    let lists = 0;
    for (const [, base64] of pem.matchAll(listPattern)) {
      const list = readList(Buffer.from(base64!, "base64"), revoked);
      if (list === undefined) return undefined;
      lists++;
      if (list.nextUpdateMs !== undefined) {
        nextUpdateMs = Math.min(nextUpdateMs ?? Infinity, list.nextUpdateMs);
      }
    }
    return lists === 0 ? undefined : new Revocations(revoked, nextUpdateMs);
  }

  /** Certificates in the lists. */
  get size(): number {
    return this.#revoked.size;
  }

  /** Whether the certificate (DER) is revoked. One that cannot be read is. */
  has(certificate: Uint8Array): boolean {
    const name = nameOfCertificate(certificate);
    return name === undefined || this.#revoked.has(name);
  }
}

/** Adds the list's entries; its `nextUpdate`. */
function readList(der: Uint8Array, revoked: Set<string>): { nextUpdateMs: number | undefined } | undefined {
  const outer = readElement(der, 0, der.length);
  const body = outer && childrenOf(der, outer)?.[0];
  const fields = body?.tag === derTag.sequence ? childrenOf(der, body) : undefined;
  if (fields === undefined) return undefined;
  let at = fields[0]?.tag === derTag.integer ? 1 : 0;
  const [algorithm, issuer, thisUpdate] = fields.slice(at, at + 3);
  if (algorithm?.tag !== derTag.sequence || issuer?.tag !== derTag.sequence || !isTime(thisUpdate)) {
    return undefined;
  }
  at += 3;
  const nextUpdate = isTime(fields[at]) ? fields[at++] : undefined;
  const entries = fields[at]?.tag === derTag.sequence ? childrenOf(der, fields[at]!) : [];
  if (entries === undefined) return undefined;
  const issuerHex = hexOf(der, issuer.start, issuer.end);
  for (const entry of entries) {
    const serial = readElement(der, entry.contentAt, entry.end);
    if (entry.tag !== derTag.sequence || serial?.tag !== derTag.integer) return undefined;
    revoked.add(`${issuerHex} ${hexOf(der, serial.contentAt, serial.end)}`);
  }
  return { nextUpdateMs: nextUpdate && readTime(der, nextUpdate) };
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === derTag.utcTime || element?.tag === derTag.generalizedTime;
}

/** `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` (RFC 5280, section 5.1.2.4). */
function readTime(der: Uint8Array, element: Element): number | undefined {
  const text = String.fromCharCode(
    ...der.subarray(element.contentAt, Math.min(element.end, element.contentAt + 32)),
  );
  const short = element.tag === derTag.utcTime;
  const match = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null || (match[1]!.length === 2) !== short) return undefined;
  const [, year, ...rest] = match.map(Number);
  const century = short ? (year! < 50 ? 2000 : 1900) : 0;
  const [month, day, hour, minute, second] = rest;
  return Date.UTC(century + year!, month! - 1, day, hour, minute, second);
}

function nameOfCertificate(der: Uint8Array): string | undefined {
  const outer = readElement(der, 0, der.length);
  const body = outer && childrenOf(der, outer)?.[0];
  const fields = body && childrenOf(der, body);
  if (fields === undefined) return undefined;
  const at = fields[0]?.tag === derTag.version ? 1 : 0;
  const [serial, , issuer] = fields.slice(at, at + 3);
  if (serial?.tag !== derTag.integer || issuer?.tag !== derTag.sequence) return undefined;
  return `${hexOf(der, issuer.start, issuer.end)} ${hexOf(der, serial.contentAt, serial.end)}`;
}
