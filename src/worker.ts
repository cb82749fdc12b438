/**
 * Entry of a worker thread. It must lie beside src/main.ts: a compiled binary finds a worker only there.
 *
 * @module
 */
import { parentPort, Worker } from "node:worker_threads";
import { invariant } from "./core/invariant.ts";
import { kernelModule } from "./kernel/instance.ts";
import { dieOnUncaught } from "./pipeline/crash.ts";
import type { FromPacker, PackerThread } from "./pipeline/packer_protocol.ts";
import type { FromWorker, ToWorker } from "./pipeline/protocol.ts";
import { runWorker } from "./pipeline/worker_thread.ts";

/** The call must stand in this file, see above. */
function spawnPacker(): PackerThread {
  const worker = new Worker(new URL("./packer.ts", import.meta.url));
  let error: Error | undefined;
  worker.on("error", (thrown: Error) => error = thrown);
  return {
    post: (message) => worker.postMessage(message, [message.buffer]),
    onMessage: (handler) => worker.on("message", (message: FromPacker) => handler(message)),
    onExit: (handler) => worker.on("exit", (code) => handler(error?.stack ?? `exit code ${code}`)),
    terminate: () => void worker.terminate(),
  };
}

dieOnUncaught("worker");
const port = parentPort;
invariant(port !== null, "src/worker.ts runs as a thread of src/main.ts");
const receive = runWorker((message: FromWorker) => port.postMessage(message), spawnPacker);
port.on("message", (message: ToWorker) => receive(message));
// Whatever the configuration says, it is needed, and the main thread may still be reading that.
kernelModule();
