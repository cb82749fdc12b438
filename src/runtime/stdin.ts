/**
 * Standard input as a connection: its bytes come like those of a socket, and its end is the end of the connection.
 * Reading is a loop that waits while it is paused.
 *
 * @module
 */
import { bunGlobal, denoGlobal } from "./globals.ts";
import { Gate } from "./gate.ts";
import type { Connection, ConnectionHandler } from "./runtime.ts";

/** Bytes of one read on Deno. */
const readBytes = 64 * 1024;

/** Pieces of standard input, each in memory of its own. */
async function* pieces(): AsyncGenerator<Uint8Array> {
  if (bunGlobal !== undefined) {
    yield* bunGlobal.stdin.stream();
    return;
  }
  for (;;) {
    const buffer = new Uint8Array(readBytes);
    const bytes = await denoGlobal!.stdin.read(buffer);
    if (bytes === null) return;
    yield buffer.subarray(0, bytes);
  }
}

/** Reads standard input to its end, or until `destroy`. Resolves when the handler was told that it is closed. */
export async function readStdin<State>(handler: ConnectionHandler<State>): Promise<void> {
  let wake: (() => void) | undefined;
  let paused = false;
  let ended = false;
  const goOn = () => {
    wake?.();
    wake = undefined;
  };
  const gate = new Gate(handler, {
    pause: () => paused = true,
    resume: () => {
      paused = false;
      goOn();
    },
    destroy: () => {
      ended = true;
      goOn();
    },
  });
  const connection: Connection = {
    peer: "stdin",
    pause: () => gate.pause(),
    resume: () => gate.resume(),
    write: () => {},
    unsentBytes: 0,
    end: () => gate.destroy(),
    destroy: () => gate.destroy(),
  };
  if (!gate.open(connection)) return;
  let failure: Error | undefined;
  try {
    for await (const piece of pieces()) {
      if (ended) break;
      gate.take(piece);
      while (paused && !ended) await new Promise<void>((resolve) => wake = resolve);
      if (ended) break;
    }
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  gate.finish(failure);
}
