/**
 * Certificates from files, checked before they are used. The runtimes do not agree on when a wrong pair is noticed
 * (Deno not even at the handshake), so the key is compared with the certificate here, at start and at each reload.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { readAlternativeNames } from "./permitted_peers.ts";
import { Revocations } from "./revocations.ts";

/** A pair of files. */
export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Files as the configuration names them. */
export interface TlsFiles extends PairFiles {
  readonly caFile?: string;
  readonly crlFile?: string;
  /** Certificates for other names. */
  readonly certificates?: readonly PairFiles[];
}

/** A certificate with its key: PEM text, and what is in it. */
export interface TlsPair {
  /** The certificate, then its chain. */
  readonly cert: string;
  readonly key: string;
  /** DNS names and addresses that it is for, lower case, perhaps with a star. */
  readonly names: readonly string[];
  /** Epoch milliseconds. */
  readonly endsAtMs: number;
}

/** PEM text, checked: the keys are the certificates'. */
export interface TlsMaterial extends TlsPair {
  /** Who may sign client certificates. */
  readonly ca?: string;
  readonly revocations?: Revocations;
  /** For other names. */
  readonly more: readonly TlsPair[];
}

/** Reads and checks. Throws `certificate_unusable` with the file and the reason. */
export async function loadTlsMaterial(files: TlsFiles): Promise<TlsMaterial> {
  const pair = await loadPair(files);
  const ca = files.caFile === undefined ? undefined : await readPem(files.caFile);
  if (ca !== undefined) parse(files.caFile!, "certificate", () => new X509Certificate(ca));
  const revocations = files.crlFile === undefined ? undefined : await loadRevocations(files.crlFile);
  return {
    ...pair,
    ...(ca === undefined ? {} : { ca }),
    ...(revocations === undefined ? {} : { revocations }),
    more: await Promise.all((files.certificates ?? []).map(loadPair)),
  };
}

/** Names the state of all files: another text when one of them was written or replaced. */
export async function tlsFilesVersion(files: TlsFiles): Promise<string> {
  const { certFile, keyFile, caFile, crlFile, certificates = [] } = files;
  const all = [
    certFile,
    keyFile,
    caFile,
    crlFile,
    ...certificates.flatMap((pair) => [pair.certFile, pair.keyFile]),
  ];
  const states = await Promise.all(all.map(async (file) => {
    if (file === undefined) return "";
    // stat(2) follows links: a secret that is swapped by a link is noticed too.
    const state = await stat(file).catch(() => undefined);
    return state === undefined ? "missing" : `${state.dev} ${state.ino} ${state.size} ${state.mtimeMs}`;
  }));
  return states.join("\n");
}

async function loadPair(files: PairFiles): Promise<TlsPair> {
  const cert = await readPem(files.certFile);
  const key = await readPem(files.keyFile);
  const certificate = parse(files.certFile, "certificate", () => new X509Certificate(cert));
  const privateKey = parse(files.keyFile, "private key", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot use certificate "${files.certFile}": key "${files.keyFile}" belongs to another certificate`,
    );
  }
  return { cert, key, names: namesOf(certificate), endsAtMs: Date.parse(certificate.validTo) };
}

/** The names that a client may ask for (SNI): DNS names, or the common name where there is none. */
function namesOf(certificate: X509Certificate): string[] {
  const dns = readAlternativeNames(certificate.subjectAltName ?? "").filter(({ kind }) => kind === "DNS");
  if (dns.length > 0) return dns.map(({ name }) => name.toLowerCase());
  const common = /(?:^|\n)CN=([^\n]+)/.exec(certificate.subject ?? "")?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

async function loadRevocations(file: string): Promise<Revocations> {
  const revocations = Revocations.read(await readPem(file));
  if (revocations !== undefined) return revocations;
  throw new ForwarderError("certificate_unusable", `Cannot use "${file}": no PEM revocation list in it`);
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ForwarderError("certificate_unusable", `Cannot read "${file}": ${messageOf(cause)}`, { cause });
  }
}

function parse<T>(file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot use "${file}": no PEM ${what} in it (${messageOf(cause)})`,
      { cause },
    );
  }
}
