/**
 * A throw-away certificate authority for TLS tests, made by openssl: one server certificate for 127.0.0.1 and
 * localhost, one client certificate.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./processes.ts";

/** PEM files. */
export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Key and certificate in one file, as Kafka's PEM key store wants them. */
  readonly keyStoreFile: string;
}

/** Makes them in `directory`, which exists. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const at = (name: string): string => join(directory, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run([
    ...["openssl", "req", "-x509", ...key, "-days", "30", "-subj", "/CN=corndog test authority"],
    ...["-keyout", at("ca.key"), "-out", at("ca.crt")],
  ]);
  const issue = async (name: string, subject: string, extension: string): Promise<void> => {
    writeFileSync(at(`${name}.ext`), extension);
    await run([
      "openssl",
      "req",
      ...key,
      "-subj",
      subject,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.csr`),
    ]);
    await run([
      ...[
        "openssl",
        "x509",
        "-req",
        "-days",
        "30",
        "-in",
        at(`${name}.csr`),
        "-CA",
        at("ca.crt"),
        "-CAkey",
        at("ca.key"),
      ],
      ...["-CAcreateserial", "-extfile", at(`${name}.ext`), "-out", at(`${name}.crt`)],
    ]);
  };
  await issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  await issue("client", "/CN=corndog test client", "extendedKeyUsage=clientAuth\n");
  writeFileSync(
    at("server.pem"),
    readFileSync(at("server.key"), "utf8") + readFileSync(at("server.crt"), "utf8"),
  );
  return {
    caFile: at("ca.crt"),
    certFile: at("server.crt"),
    keyFile: at("server.key"),
    clientCertFile: at("client.crt"),
    clientKeyFile: at("client.key"),
    keyStoreFile: at("server.pem"),
  };
}
