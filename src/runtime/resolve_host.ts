/**
 * The address of a host name as bytes, for sockets that are made through FFI.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { readAddress } from "../core/networks.ts";
import { bindError } from "./address.ts";

/** The 4 or 16 bytes of the address of `hostname`. */
export async function resolveHost(hostname: string, port: number): Promise<Uint8Array> {
  let address = readAddress(hostname);
  let isIpv6 = hostname.includes(":");
  if (address === undefined) {
    const found = await lookup(hostname).catch((error: unknown) => {
      throw bindError(hostname, port, error);
    });
    address = readAddress(found.address);
    isIpv6 = found.family === 6;
  }
  if (address === undefined) throw bindError(hostname, port, new Error("no address"));
  return isIpv6 ? address : address.subarray(12);
}
