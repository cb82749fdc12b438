/**
 * The token by which Amazon MSK knows an IAM identity: a presigned request for the action `kafka-cluster:Connect`, as
 * base64url, given over SASL OAUTHBEARER. It is what AWS's own signers for other languages than Java make
 * (aws-msk-iam-sasl-signer). Nothing is sent to AWS to make it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type AwsCredentials, presign } from "./sigv4.ts";

/** Life of a token; MSK takes no longer ones. */
export const mskTokenSeconds = 900;

/** Makes a token. `userAgent` shows in the broker's log. */
export function mskToken(
  region: string,
  credentials: AwsCredentials,
  nowMs: number,
  userAgent: string,
): string {
  const host = `kafka.${region}.amazonaws.com`;
  const { query } = presign({
    method: "GET",
    host,
    path: "/",
    query: [["Action", "kafka-cluster:Connect"]],
    region,
    service: "kafka-cluster",
    credentials,
    nowMs,
    expiresSeconds: mskTokenSeconds,
  });
  // The user agent is not signed.
  const url = `https://${host}/?${query}&User-Agent=${encodeURIComponent(userAgent)}`;
  return Buffer.from(url).toString("base64url");
}
