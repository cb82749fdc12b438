/**
 * The texts of a listener that have a form of their own: networks, permitted peers, names of cipher suites.
 *
 * @module
 */
import { maskedNetwork, readNetwork } from "../core/networks.ts";
import { quote, type Read } from "./units.ts";

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address. */
export function readNetworkText(input: string): Read<string> {
  if (readNetwork(input) !== undefined) return { ok: true, value: input };
  const meant = maskedNetwork(input);
  return {
    ok: false,
    message: meant === undefined
      ? `${
        quote(input)
      } is not a network; write an address with its prefix, such as 10.0.0.0/8 or 2001:db8::/32`
      : `${quote(input)} has bits behind its prefix; write ${meant}`,
  };
}

/**
 * Reads a name (`web.example`, `*.edge.example`, `192.0.2.7`) or a fingerprint, which comes out as
 * `SHA256:` and 64 hexadecimal digits in capitals.
 */
export function readPermittedPeer(input: string): Read<string> {
  const [, algorithm, digits] = /^(sha-?\d+):([0-9a-f:]+)$/i.exec(input) ?? [];
  if (algorithm !== undefined) {
    const hex = digits!.replaceAll(":", "").toUpperCase();
    if (!/^sha-?256$/i.test(algorithm)) {
      return {
        ok: false,
        message: `${
          quote(input)
        }: only SHA256 is compared; openssl x509 -in FILE -noout -fingerprint -sha256 prints it`,
      };
    }
    if (hex.length !== 64) {
      return {
        ok: false,
        message: `${quote(input)} is not a fingerprint; SHA-256 has 64 hexadecimal digits`,
      };
    }
    return { ok: true, value: `SHA256:${hex}` };
  }
  const name = input.toLowerCase();
  if (/^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/.test(name) || /^[0-9a-f:.]+$/.test(name)) {
    return { ok: true, value: name.replace(/\.$/, "") };
  }
  if (input.includes("*")) {
    return {
      ok: false,
      message: `${quote(input)}: a star stands for the whole first label; write *.edge.example`,
    };
  }
  // Anything else may be a common name: "Edge box 7".
  return { ok: true, value: name };
}

/** Reads the OpenSSL name of a cipher suite: `ECDHE-ECDSA-AES256-GCM-SHA384`, `TLS_AES_256_GCM_SHA384`. */
export function readCipher(input: string): Read<string> {
  if (/^[A-Z0-9]+(?:[-_][A-Z0-9]+)+$/.test(input)) return { ok: true, value: input };
  return {
    ok: false,
    message: `${quote(input)} is not the name of one cipher suite, such as ECDHE-ECDSA-AES256-GCM-SHA384; ` +
      "openssl ciphers prints them",
  };
}
