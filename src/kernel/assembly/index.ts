/**
 * The WebAssembly kernel: what is exported. Compiled by tools/build_kernel.ts into src/kernel/generated.ts.
 *
 * No runtime, no allocation, no strings: addresses go in and out. The memory is the front's.
 */
import { configure as configureMemory } from "./memory";
import { initCrc32c } from "./crc32c";

export function configure(rowsAt: usize, rowsMax: u32, headersAt: usize, frameBytesMax: u32): void {
  configureMemory(rowsAt, rowsMax, headersAt, frameBytesMax);
  initCrc32c();
}

export { rowOf, rowsOf, scanNewline, scanNul } from "./frames";
export { configureJsonForm, limitFrames } from "./memory";
export { scanOctets } from "./octets";
export { parseHeaders } from "./headers";
export { encodeRecord, encodeRows } from "./record";
export { sealBatch } from "./batch";
export { scanJson } from "./json";
export { encodeJsonRows, writeJsonForm } from "./json_form";
export { copyBytes } from "./bytes";
export { crc32c } from "./crc32c";
export { packLz4 } from "./lz4";
export { packSnappy } from "./snappy";
