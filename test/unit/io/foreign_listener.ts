/**
 * A process that shares a TCP and a UDP port of this host with whoever asks, and prints them.
 *
 * @module
 */

import { runtime } from "../../../src/runtime/current.ts";

const address = { hostname: "127.0.0.1", port: 0, reusePort: true };
const tcp = await runtime.listenTcp(address, { opened: () => undefined, received() {}, closed() {} });
const udp = await runtime.listenUdp(address, { received() {} });
console.log(JSON.stringify({ tcp: tcp.port, udp: udp.port }));
