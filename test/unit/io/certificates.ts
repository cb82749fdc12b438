/**
 * Certificates for the TLS tests, made by the openssl command: two authorities, server and client pairs.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the files are; `file("server.crt")`. Remove `dir` in the end. */
export interface Certificates {
  readonly dir: string;
  file(name: string): string;
}

/** Makes `ca`, `rogue` (another authority), `server`, `renewed`, `client` and `stranger` (signed by `rogue`). */
export function makeCertificates(): Certificates {
  const dir = mkdtempSync(join(tmpdir(), "corndog-tls-"));
  const file = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { stdio: "ignore" });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const ca of ["ca", "rogue"]) {
    const out = ["-keyout", file(`${ca}.key`), "-out", file(`${ca}.crt`)];
    openssl("req", "-x509", ...key, ...out, "-days", "2", "-subj", `/CN=${ca}`);
  }
  writeFileSync(file("extensions"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  for (
    const [name, ca] of [["server", "ca"], ["renewed", "ca"], ["client", "ca"], [
      "stranger",
      "rogue",
    ]] as const
  ) {
    const request = file(`${name}.csr`);
    openssl("req", ...key, "-keyout", file(`${name}.key`), "-out", request, "-subj", `/CN=${name}.example`);
    const signer = ["-CA", file(`${ca}.crt`), "-CAkey", file(`${ca}.key`), "-CAcreateserial"];
    const out = ["-out", file(`${name}.crt`), "-days", "2", "-extfile", file("extensions")];
    openssl("x509", "-req", "-in", request, ...signer, ...out);
  }
  return { dir, file };
}
