/**
 * Certificates and keys for tests, made by openssl when they are asked for; none lies in the repository.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A self-signed certificate and its key, as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for `name` that ends after `days`. */
export function makePair(name: string, days: number, algorithm: "rsa:2048" | "ed25519" = "ed25519"): Pair {
  const folder = mkdtempSync(join(tmpdir(), "corndog-tls-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync("openssl", [
      "req",
      "-x509",
      "-newkey",
      algorithm,
      "-nodes",
      "-keyout",
      key,
      "-out",
      cert,
      "-days",
      String(days),
      "-subj",
      `/CN=${name}`,
    ], { stdio: "ignore" });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
