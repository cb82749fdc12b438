/**
 * Whether what a handshake came to is as the listener wants it: version, cipher suite, and the client's certificate.
 * The runtimes' TLS layers check most of it before; this does not rely on them, because Deno's knows neither cipher
 * lists nor revocation lists, and neither knows permitted peers.
 *
 * @module
 */
import type { PeerCertificate, TLSSocket } from "node:tls";
import type { PermittedPeers } from "./permitted_peers.ts";
import type { Revocations } from "./revocations.ts";

/** What is wanted. */
export interface PeerPolicy {
  /** `none` asks for no certificate, `request` takes none or a good one, `require` a good one only. */
  readonly client: "none" | "request" | "require";
  readonly permitted: PermittedPeers | undefined;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly ciphers: readonly string[] | undefined;
}

/** The name of the client, or what is wrong with it. */
export type PeerVerdict =
  | { readonly ok: true; readonly name: string | undefined }
  | { readonly ok: false; readonly problem: string };

/** Looks at a socket whose handshake is done. */
export type PeerCheck = (socket: TLSSocket) => PeerVerdict;

/** Makes the check of one listener. `revocations` gives the lists in force. */
export function peerCheck(policy: PeerPolicy, revocations: () => Revocations | undefined): PeerCheck {
  const { client, permitted } = policy;
  return (socket) => {
    const spoken = checkProtocol(policy, socket.getProtocol(), socket.getCipher()?.name);
    if (spoken !== undefined) return { ok: false, problem: spoken };
    if (client === "none") return { ok: true, name: undefined };
    const certificate: PeerCertificate | null | undefined = socket.getPeerCertificate();
    if (certificate === undefined || certificate === null || Object.keys(certificate).length === 0) {
      if (client === "request") return { ok: true, name: undefined };
      return { ok: false, problem: "peer sent no certificate" };
    }
    const commonName = firstOf(certificate.subject?.CN);
    const peer = {
      commonName,
      alternativeNames: certificate.subjectaltname,
      fingerprint: certificate.fingerprint256,
    };
    const name = commonName ?? certificate.subjectaltname;
    if (revocations()?.has(certificate.raw) === true) {
      return { ok: false, problem: `its certificate (${name}) is revoked` };
    }
    if (permitted?.hasFingerprint(peer) === true) return { ok: true, name };
    if (!socket.authorized) return { ok: false, problem: "its certificate is not trusted" };
    if (permitted !== undefined && !permitted.hasName(peer)) {
      return {
        ok: false,
        problem: `no permitted peer is named in its certificate: CN=${commonName ?? ""}, ` +
          `${certificate.subjectaltname || "no alternative names"}, SHA256:${certificate.fingerprint256}`,
      };
    }
    return { ok: true, name };
  };
}

/** What is wrong with version and cipher suite, if anything. */
export function checkProtocol(
  { minVersion, ciphers }: Pick<PeerPolicy, "minVersion" | "ciphers">,
  protocol: string | null,
  cipher: string | undefined,
): string | undefined {
  if (minVersion === "TLSv1.3" && protocol !== "TLSv1.3") return `it speaks ${protocol}, not TLSv1.3`;
  if (ciphers === undefined || ciphers.includes(cipher ?? "")) return undefined;
  if (protocol === "TLSv1.3" && !ciphers.some((name) => name.startsWith("TLS_"))) return undefined;
  return `its cipher suite ${cipher} is not in ciphers`;
}

/** node:tls gives an array where a name has several common names. */
function firstOf(name: string | string[] | undefined): string | undefined {
  return Array.isArray(name) ? name[0] : name;
}
