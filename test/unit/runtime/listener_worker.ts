/**
 * A worker that listens on the port it is told and reports what it gets.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { runtime } from "../../../src/runtime/current.ts";

parentPort!.on("message", async (message: { listen: number }) => {
  const address = { hostname: workerData.hostname as string, port: message.listen, reusePort: true };
  const listener = await runtime.listenTcp(address, {
    opened() {
      parentPort!.postMessage({ opened: 1 });
      return {};
    },
    received: (_state, chunk) => parentPort!.postMessage({ bytes: chunk.length }),
    closed() {},
  });
  parentPort!.postMessage({ port: listener.port });
});
