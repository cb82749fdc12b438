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

/**
 * Makes `ca`, `rogue` (another authority), `server`, `renewed`, `client`, `revoked` (in `ca.crl`), `other` (for
 * `other.example` and `*.wild.example`), `stranger` (signed by `rogue`) and `self` (by itself).
 */
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
  writeFileSync(file("other.extensions"), "subjectAltName=DNS:other.example,DNS:*.wild.example\n");
  const self = [
    "-keyout",
    file("self.key"),
    "-out",
    file("self.crt"),
    "-days",
    "2",
    "-subj",
    "/CN=self.example",
  ];
  openssl("req", "-x509", ...key, ...self);
  for (
    const [name, ca] of [["server", "ca"], ["renewed", "ca"], ["client", "ca"], ["revoked", "ca"], [
      "other",
      "ca",
    ], ["stranger", "rogue"]] as const
  ) {
    const request = file(`${name}.csr`);
    openssl("req", ...key, "-keyout", file(`${name}.key`), "-out", request, "-subj", `/CN=${name}.example`);
    const signer = ["-CA", file(`${ca}.crt`), "-CAkey", file(`${ca}.key`), "-CAcreateserial"];
    const extensions = file(name === "other" ? "other.extensions" : "extensions");
    const out = ["-out", file(`${name}.crt`), "-days", "2", "-extfile", extensions];
    openssl("x509", "-req", "-in", request, ...signer, ...out);
  }
  const settings = `[ca]\ndefault_ca=d\n[d]\ndatabase=${file("index")}\ncrlnumber=${
    file("number")
  }\ndefault_md=sha256\n`;
  writeFileSync(file("ca.conf"), `${settings}default_crl_days=30\n`);
  writeFileSync(file("index"), "");
  writeFileSync(file("number"), "01\n");
  const authority = ["ca", "-config", file("ca.conf"), "-cert", file("ca.crt"), "-keyfile", file("ca.key")];
  openssl(...authority, "-gencrl", "-out", file("empty.crl"));
  openssl(...authority, "-revoke", file("revoked.crt"));
  openssl(...authority, "-gencrl", "-out", file("ca.crl"));
  return { dir, file };
}
