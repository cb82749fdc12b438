/**
 * The client's side of SCRAM (RFC 5802, with SHA-256 as in RFC 7677), without channel binding. Own code: the judge of
 * a forwarder does not share the forwarder's client library.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** More iterations than anybody configures: an answer must not cost minutes. */
const iterationsMax = 1_000_000;
/** RFC 5802, 5.1: fewer are not to be taken. */
const iterationsMin = 4096;

const derive = promisify(pbkdf2);

/** A broker's message that is none, or a proof that is not right. The message names no secret. */
export class ScramError extends Error {
  override readonly name = "ScramError";
}

/**
 * Logs in: two messages, each with its answer.
 *
 * @param say sends one message and gives the answer
 * @param nonce printable, no comma; random unless a test gives one
 * @throws ScramError
 */
export async function scram(
  hash: "sha256" | "sha512",
  username: string,
  password: string,
  say: (message: Buffer) => Promise<Buffer>,
  nonce: string = randomBytes(24).toString("base64"),
): Promise<void> {
  const name = username.replaceAll("=", "=3D").replaceAll(",", "=2C");
  const first = `n=${name},r=${nonce}`;
  const challenge = (await say(Buffer.from(`n,,${first}`))).toString("utf8");
  const { r: both, s: salt, i: iterations } = attributes(challenge);
  const count = Number(iterations);
  if (both === undefined || !both.startsWith(nonce) || both === nonce || salt === undefined) {
    throw new ScramError("the broker's challenge does not belong to this login");
  }
  if (!Number.isInteger(count) || count < iterationsMin || count > iterationsMax) {
    throw new ScramError(`the broker asks for ${iterations} iterations`);
  }
  const bytes = hash === "sha256" ? 32 : 64;
  const salted = await derive(password, Buffer.from(salt, "base64"), count, bytes, hash);
  const sign = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest();
  const clientKey = sign(salted, "Client Key");
  const bare = `c=biws,r=${both}`; // biws is "n,,"
  const whole = `${first},${challenge},${bare}`;
  const signature = sign(createHash(hash).update(clientKey).digest(), whole);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!));
  const answer = (await say(Buffer.from(`${bare},p=${proof.toString("base64")}`))).toString("utf8");
  const { e: error, v: verifier } = attributes(answer);
  if (error !== undefined) throw new ScramError(`the broker refuses the login: ${error}`);
  const wanted = sign(sign(salted, "Server Key"), whole);
  const given = Buffer.from(verifier ?? "", "base64");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new ScramError("the broker does not know the password itself: it may be another one");
  }
}

/** `r=...,s=...,i=...`. */
function attributes(text: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(text.split(",").map((part) => [part[0] ?? "", part.slice(2)]));
}
