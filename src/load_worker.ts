/**
 * Entry of a thread of the load generator. It must lie beside src/main.ts: a compiled binary finds a worker only there.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import type { FromLoadThread, ToLoadThread } from "./clobber/worker/protocol.ts";
import { runLoadThread } from "./clobber/worker/load_thread.ts";
import { invariant } from "./core/invariant.ts";
import { dieOnUncaught } from "./pipeline/crash.ts";

dieOnUncaught("load_worker");
const port = parentPort;
invariant(port !== null, "src/load_worker.ts runs as a thread of src/main.ts");
const receive = runLoadThread((message: FromLoadThread) => port.postMessage(message));
port.on("message", (message: ToLoadThread) => receive(message));
