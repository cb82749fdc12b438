/**
 * Ports on which nobody listens, for what cannot be given port 0. They lie outside the range that Linux gives to
 * outgoing connections and to port 0 (32768 and up): nothing takes them by chance before they are used, and a client
 * that keeps dialling one on which nobody listens yet is not connected to itself.
 *
 * @module
 */
import { createServer } from "node:net";

/** The two runtimes test at the same time: each has ports of its own. */
const portMin = "Deno" in globalThis ? 26_000 : 20_000;
const portCount = 6_000;
const triesMax = 1000;

/** What this process was given. */
const given = new Set<number>();

/** A TCP port of the loopback interface that is free now; the same is never given twice. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = portMin + Math.floor(Math.random() * portCount);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`Found no free port from ${portMin} to ${portMin + portCount - 1} in ${triesMax} tries`);
}

/** As many of them. */
export function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
