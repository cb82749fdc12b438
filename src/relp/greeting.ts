/**
 * What the first bytes of a connection say: which sender it is, or that it does not speak RELP.
 *
 * @module
 */

/** Bytes of a sender's name that are looked at. */
const softwareBytesMax = 256;

/** What the sender of `open` says that it is. */
export function softwareOf(offers: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(offers.subarray(0, softwareBytesMax));
  return /^relp_software=(.*)$/m.exec(text)?.[1]?.trim() ?? "";
}

/** What else is spoken to a RELP port, if it can be told by the first bytes. */
export function foreign(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0x16 && bytes[1] === 0x03) return "it speaks TLS to a plain RELP port";
  if (bytes[0] === 0x3c) return "it speaks syslog to a RELP port";
  const text = String.fromCharCode(...bytes.subarray(0, 8));
  return /^(?:GET|POST|PUT|HEAD|OPTIONS) /.test(text) ? "it speaks HTTP to a RELP port" : undefined;
}
