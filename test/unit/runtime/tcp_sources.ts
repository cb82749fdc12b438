/**
 * The sources of TCP bytes that the conformance tests run on: the runtime's own, and io_uring where this machine
 * permits it. `uring_test.ts` says (by a skip that CI knows) where it does not.
 *
 * @module
 */

import { runtime } from "../../../src/runtime/current.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { probeUring } from "../../../src/runtime/uring/probe.ts";
import type { ReceiveMemory } from "../../../src/runtime/uring/receive_buffers.ts";
import { openUringTcp, type UringTcp } from "../../../src/runtime/uring/tcp_source.ts";

/** Whether io_uring can be used here. */
export const uringVerdict = await probeUring();

const strideBytes = 2 * 64 * 1024;
const buffers = 64;

/** Memory for receive buffers, as the kernel module has it. */
export function receiveMemory(count = buffers): ReceiveMemory {
  const pages = count * strideBytes / (64 * 1024);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const half = strideBytes / 2;
  return { bytes: new Uint8Array(buffer), at: 0, count, headBytes: half, bufferBytes: half };
}

let uring: Promise<UringTcp> | undefined;

/** A way to listen. */
export interface TcpSource {
  readonly name: string;
  readonly listenTcp: Runtime["listenTcp"];
}

/** All that there are. The io_uring one is opened with its first listener. */
export const tcpSources: readonly TcpSource[] = [
  { name: "listenTcp()", listenTcp: runtime.listenTcp },
  ...(uringVerdict.ok
    ? [
      {
        name: "listenTcp() of io_uring",
        listenTcp: async (address, handler) => {
          uring ??= openUringTcp(receiveMemory());
          return await (await uring).listenTcp(address, handler);
        },
      } satisfies TcpSource,
    ]
    : []),
];

/** Ends it; false where buffers were lost on the way. */
export async function closeUring(): Promise<boolean> {
  const source = await uring;
  uring = undefined;
  await source?.close();
  return source?.buffersWhole ?? true;
}
