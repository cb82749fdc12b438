/**
 * Entry of the thread that packs batches. It must lie beside src/main.ts: a compiled binary finds a worker only there.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { invariant } from "./core/invariant.ts";
import { answerPacker } from "./pipeline/packer.ts";
import type { ToPacker } from "./pipeline/packer_protocol.ts";

const port = parentPort;
invariant(port !== null, "src/packer.ts runs as a thread of src/worker.ts");
port.on("message", (message: ToPacker) => {
  const answer = answerPacker(message);
  port.postMessage(answer, [answer.buffer]);
});
