/**
 * Which TLS clients may send (RFC 5425, section 5; the names as in RFC 6125): by a name of their certificate, or by its
 * SHA-256 fingerprint.
 *
 * - A name is compared with the certificate's DNS names, IP addresses and URIs, case aside; with its common name only
 *   where it has no DNS name.
 * - `*.edge.example` stands for one label: `a.edge.example`, not `edge.example` and not `a.b.edge.example`.
 * - A fingerprint trusts that very certificate, whoever signed it: both ends of a small site may be self-signed.
 *
 * @module
 */
import { readAddress } from "../core/networks.ts";

/** What of a certificate is compared. */
export interface PeerNames {
  readonly commonName: string | undefined;
  /** `DNS:a.example, IP Address:192.0.2.7` as node:tls writes it; parts with odd characters are JSON strings. */
  readonly alternativeNames: string | undefined;
  /** `AB:CD:...` of the certificate. */
  readonly fingerprint: string | undefined;
}

/** The list of one listener, as the configuration reads it: lower-case names, `SHA256:` and capital digits. */
export class PermittedPeers {
  readonly #fingerprints = new Set<string>();
  readonly #names = new Set<string>();
  /** Behind the star: `.edge.example`. */
  readonly #suffixes = new Set<string>();
  readonly #addresses = new Set<string>();

  constructor(peers: readonly string[]) {
    for (const peer of peers) {
      if (peer.startsWith("SHA256:")) this.#fingerprints.add(peer.slice(7));
      else if (peer.startsWith("*.")) this.#suffixes.add(peer.slice(1));
      else this.#names.add(peer);
      const address = readAddress(peer);
      if (address !== undefined) this.#addresses.add(address.join("."));
    }
  }

  /** Whether certificates of any authority may be meant. */
  get byFingerprint(): boolean {
    return this.#fingerprints.size > 0;
  }

  hasFingerprint({ fingerprint }: PeerNames): boolean {
    return fingerprint !== undefined && this.#fingerprints.has(fingerprint.replaceAll(":", "").toUpperCase());
  }

  hasName(peer: PeerNames): boolean {
    const names = readAlternativeNames(peer.alternativeNames ?? "");
    const dns = names.filter(({ kind }) => kind === "DNS");
    if (dns.some(({ name }) => this.#matches(name))) return true;
    if (names.some(({ kind, name }) => kind === "URI" && this.#names.has(name.toLowerCase()))) return true;
    const ip = names.some(({ kind, name }) => {
      const address = kind === "IP Address" ? readAddress(name) : undefined;
      return address !== undefined && this.#addresses.has(address.join("."));
    });
    if (ip) return true;
    return dns.length === 0 && peer.commonName !== undefined && this.#matches(peer.commonName);
  }

  #matches(name: string): boolean {
    const plain = name.toLowerCase().replace(/\.$/, "");
    if (this.#names.has(plain)) return true;
    const dot = plain.indexOf(".");
    return dot > 0 && this.#suffixes.has(plain.slice(dot));
  }
}

/** Takes `DNS:a, IP Address:b, URI:"c, d"` apart. A part whose JSON string is damaged is left out. */
export function readAlternativeNames(text: string): { readonly kind: string; readonly name: string }[] {
  const names: { kind: string; name: string }[] = [];
  const part = /\s*([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:,|$)/y;
  for (let match = part.exec(text); match !== null && match[0] !== ""; match = part.exec(text)) {
    const [, kind, value] = match;
    if (!value!.startsWith('"')) names.push({ kind: kind!, name: value!.trim() });
    else {
      try {
        names.push({ kind: kind!, name: String(JSON.parse(value!)) });
      } catch {
        // Not as node:tls writes it.
      }
    }
  }
  return names;
}
