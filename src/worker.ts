/**
 * Entry of a worker thread. It must lie beside src/main.ts: a compiled binary finds a worker only there.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { invariant } from "./core/invariant.ts";
import { dieOnUncaught } from "./pipeline/crash.ts";
import type { FromWorker, ToWorker } from "./pipeline/protocol.ts";
import { runWorker } from "./pipeline/worker_thread.ts";

dieOnUncaught("worker");
const port = parentPort;
invariant(port !== null, "src/worker.ts runs as a thread of src/main.ts");
const receive = runWorker((message: FromWorker) => port.postMessage(message));
port.on("message", (message: ToWorker) => receive(message));
