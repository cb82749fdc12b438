/**
 * Certificates and keys that a configuration names, looked at before anything listens: a key that belongs to
 * another certificate must be a fault of `corndog check` and not a handshake that fails at night.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Files, tryRead } from "./files.ts";

/** The files of one end of a TLS connection; absolute paths. */
export interface TlsFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
}

/** What is wrong with one of them. */
export interface TlsProblem {
  readonly key: "cert" | "key" | "ca";
  readonly message: string;
  /** True for what works now and will not for long, or is merely odd. */
  readonly warning: boolean;
}

/** A certificate that ends within this time is named in a warning. */
const expiresSoonMs = 30 * 86_400_000;

/** Looks at the files of one TLS end. Never throws. */
export function checkTlsFiles(files: Files, tls: TlsFiles, nowMs: number): TlsProblem[] {
  const problems: TlsProblem[] = [];
  const certificate = tls.cert === undefined
    ? undefined
    : readCertificate(files, "cert", tls.cert, nowMs, problems);
  const key = tls.key === undefined ? undefined : readKey(files, tls.key, problems);
  if (tls.ca !== undefined) readCertificate(files, "ca", tls.ca, nowMs, problems);
  if (certificate !== undefined && key !== undefined && !belongs(certificate, key)) {
    problems.push({
      key: "key",
      message: `the key ${tls.key} does not belong to the certificate ${tls.cert}`,
      warning: false,
    });
  }
  return problems;
}

function readCertificate(
  files: Files,
  key: "cert" | "ca",
  path: string,
  nowMs: number,
  problems: TlsProblem[],
): X509Certificate | undefined {
  const read = tryRead(files, path);
  if (!read.ok) {
    problems.push({ key, message: `${path} ${read.problem}`, warning: false });
    return undefined;
  }
  try {
    const certificate = new X509Certificate(read.text);
    const endsMs = Date.parse(certificate.validTo);
    if (endsMs < nowMs) {
      problems.push({
        key,
        message: `the certificate ${path} ended on ${certificate.validTo}; peers will refuse it`,
        warning: true,
      });
    } else if (endsMs < nowMs + expiresSoonMs) {
      problems.push({
        key,
        message: `the certificate ${path} ends on ${certificate.validTo}; renew it`,
        warning: true,
      });
    }
    return certificate;
  } catch {
    const what = read.text.includes("PRIVATE KEY-----")
      ? "is a private key, not a certificate"
      : "is not a PEM certificate";
    problems.push({ key, message: `${path} ${what} (-----BEGIN CERTIFICATE-----)`, warning: false });
    return undefined;
  }
}

function readKey(files: Files, path: string, problems: TlsProblem[]): KeyObject | undefined {
  const read = tryRead(files, path);
  if (!read.ok) {
    problems.push({ key: "key", message: `${path} ${read.problem}`, warning: false });
    return undefined;
  }
  if (/ENCRYPTED/.test(read.text)) {
    problems.push({
      key: "key",
      message:
        `${path} is encrypted with a passphrase; decrypt it (openssl pkey -in ${path} -out key.pem) and guard the file`,
      warning: false,
    });
    return undefined;
  }
  try {
    return createPrivateKey(read.text);
  } catch {
    const what = read.text.includes("BEGIN CERTIFICATE")
      ? "is a certificate, not a private key"
      : "is not a PEM private key";
    problems.push({ key: "key", message: `${path} ${what} (-----BEGIN PRIVATE KEY-----)`, warning: false });
    return undefined;
  }
}

function belongs(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}
