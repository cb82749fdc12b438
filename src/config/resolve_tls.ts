/**
 * The `tls` section of a listener: files that fit each other, and keys that need each other.
 *
 * @module
 */
import type { TlsServer } from "./config.ts";
import { checkTls, type Findings, type ResolveContext } from "./findings.ts";
import { tryRead } from "./files.ts";
import { kindOf, type WrittenListen } from "./resolve_listen.ts";
import type { ListenUrl } from "./schema_listen.ts";
import { formatHostPort } from "./units.ts";
import type { Path } from "./yaml.ts";

/** The certificates of the listener at `index`; undefined for other transports. */
export function resolveTls(
  entry: WrittenListen,
  url: ListenUrl,
  index: number,
  context: ResolveContext,
  findings: Findings,
): TlsServer | undefined {
  const at: Path = ["listen", index, "tls"];
  const kind = kindOf(entry);
  if (url.transport !== "tls") {
    if (entry.tls !== undefined) {
      const cure = url.transport === "tcp"
        ? `write ${kind}: ${kind === "http" ? "https" : "tls"}://${formatHostPort(url)} or remove it`
        : "remove it";
      findings.fault(at, `certificates are for tls:// listeners; ${cure}`);
    }
    return undefined;
  }
  if (entry.tls === undefined) {
    findings.fault(at, "this key is missing; a tls:// listener needs tls: { cert: FILE, key: FILE }");
    return undefined;
  }
  const { absolute } = context;
  const { cert, key, ca, crl, permitted_peers: peers, ciphers, alpn } = entry.tls;
  const client = entry.tls.client ?? (ca === undefined && peers === undefined ? "none" : "require");
  const byFingerprint = peers?.every((peer) => peer.startsWith("SHA256:")) === true;
  if (client !== "none" && ca === undefined && !byFingerprint) {
    findings.fault(
      [...at, "client"],
      `client: ${client} needs ca, the certificates that may sign client certificates`,
    );
  }
  if (client === "none" && ca !== undefined) {
    findings.warn([...at, "ca"], "client certificates are not asked for (client: none), so ca is not used");
  }
  if (client === "none" && peers !== undefined) {
    findings.fault([...at, "permitted_peers"], "client: none asks for no certificate; write client: require");
  }
  if (crl !== undefined && ca === undefined) {
    findings.fault([...at, "crl"], "revoked certificates are looked for where ca is given; write ca");
  }
  const files = {
    cert: absolute(cert),
    key: absolute(key),
    ca: ca === undefined ? undefined : absolute(ca),
  };
  checkTls(files, at, context, findings);
  const certificates = (entry.tls.certificates ?? []).map((pair, place) => {
    const more = { cert: absolute(pair.cert), key: absolute(pair.key) };
    checkTls(more, [...at, "certificates", place], context, findings);
    return { certFile: more.cert, keyFile: more.key };
  });
  const crlFile = crl === undefined ? undefined : absolute(crl);
  if (crlFile !== undefined) {
    const read = tryRead(context.files, crlFile);
    if (!read.ok) findings.fault([...at, "crl"], `${crlFile} ${read.problem}`);
    else if (!read.text.includes("-----BEGIN X509 CRL-----")) {
      findings.fault([...at, "crl"], `${crlFile} is not a PEM revocation list (-----BEGIN X509 CRL-----)`);
    }
  }
  return {
    certFile: files.cert,
    keyFile: files.key,
    ...(files.ca === undefined ? {} : { caFile: files.ca }),
    client,
    ...(peers === undefined ? {} : { permittedPeers: peers }),
    ...(crlFile === undefined ? {} : { crlFile }),
    minVersion: entry.tls.min_version,
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(certificates.length === 0 ? {} : { certificates }),
  };
}
