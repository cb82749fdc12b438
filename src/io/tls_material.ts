/**
 * Certificates from files, checked before they are used. The runtimes do not agree on when a wrong pair is noticed
 * (Deno not even at the handshake), so the key is compared with the certificate here, at start and at each reload.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ForwarderError, messageOf } from "../core/errors.ts";

/** Files as the configuration names them. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
}

/** PEM text, checked: the key is the certificate's. Plain data. */
export interface TlsMaterial {
  /** The certificate, then its chain. */
  readonly cert: string;
  readonly key: string;
  /** Who may sign client certificates. */
  readonly ca?: string;
}

/** Reads and checks. Throws `certificate_unusable` with the file and the reason. */
export async function loadTlsMaterial(files: TlsFiles): Promise<TlsMaterial> {
  const cert = await readPem(files.certFile);
  const key = await readPem(files.keyFile);
  const ca = files.caFile === undefined ? undefined : await readPem(files.caFile);

  const certificate = parse(files.certFile, "certificate", () => new X509Certificate(cert));
  const privateKey = parse(files.keyFile, "private key", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot use certificate "${files.certFile}": key "${files.keyFile}" belongs to another certificate`,
    );
  }
  if (ca !== undefined) parse(files.caFile!, "certificate", () => new X509Certificate(ca));
  return { cert, key, ca };
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
      {
        cause,
      },
    );
  }
}
