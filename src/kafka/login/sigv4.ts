/**
 * AWS Signature Version 4 in a query string (a presigned URL), for requests without a body whose only header is `host`.
 *
 *     canonical request = method LF path LF query LF "host:" host LF LF "host" LF hash of the payload
 *     string to sign    = "AWS4-HMAC-SHA256" LF date LF scope LF hash of the canonical request
 *     key               = HMAC(HMAC(HMAC(HMAC("AWS4" secret, day), region), service), "aws4_request")
 *
 * Source: AWS, "Signature Version 4 signing process"; held against AWS's own signing test suite.
 *
 * @module
 */
import { createHash, createHmac } from "node:crypto";

/** Who signs. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of credentials for a time. */
  readonly sessionToken?: string | undefined;
  /** When they end, epoch milliseconds. */
  readonly endsAtMs?: number | undefined;
}

/** What to sign. */
export interface PresignRequest {
  readonly method: string;
  readonly host: string;
  /** Absolute; encoded segment by segment. */
  readonly path: string;
  /** Names and values, not encoded. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly region: string;
  readonly service: string;
  readonly credentials: AwsCredentials;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  readonly expiresSeconds: number;
}

/** A signed query, and what it was made of. */
export interface Presigned {
  /** `a=b&…&X-Amz-Signature=…`. */
  readonly query: string;
  readonly canonicalRequest: string;
  readonly stringToSign: string;
  readonly signature: string;
}

const algorithm = "AWS4-HMAC-SHA256";
/** SHA-256 of nothing. */
const emptyHash = createHash("sha256").digest("hex");

/** Signs. */
export function presign(request: PresignRequest): Presigned {
  const { method, host, path, region, service, credentials } = request;
  const date = new Date(request.nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const query: (readonly [string, string])[] = [
    ...request.query,
    ["X-Amz-Algorithm", algorithm],
    ["X-Amz-Credential", `${credentials.accessKeyId}/${scope}`],
    ["X-Amz-Date", date],
    ["X-Amz-Expires", String(request.expiresSeconds)],
    ["X-Amz-SignedHeaders", "host"],
  ];
  if (credentials.sessionToken !== undefined) query.push(["X-Amz-Security-Token", credentials.sessionToken]);
  const canonicalQuery = query.map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const canonicalPath = path.split("/").map(encode).join("/");
  const canonicalRequest = [method, canonicalPath, canonicalQuery, `host:${host}`, "", "host", emptyHash]
    .join("\n");
  const hash = createHash("sha256").update(canonicalRequest).digest("hex");
  const stringToSign = [algorithm, date, scope, hash].join("\n");
  const signature = createHmac("sha256", signingKey(credentials.secretAccessKey, day, region, service))
    .update(stringToSign).digest("hex");
  return {
    query: `${canonicalQuery}&X-Amz-Signature=${signature}`,
    canonicalRequest,
    stringToSign,
    signature,
  };
}

/** The key for a day, region and service. */
export function signingKey(secret: string, day: string, region: string, service: string): Uint8Array {
  return [day, region, service, "aws4_request"].reduce<Uint8Array>(
    (key, part) => createHmac("sha256", key).update(part).digest(),
    new TextEncoder().encode(`AWS4${secret}`),
  );
}

/** Percent-encoding of everything but unreserved characters (RFC 3986 section 2.3). */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
