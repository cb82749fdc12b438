/**
 * Ports on which nobody listens, for what cannot be given port 0. They lie outside the range that Linux gives to
 * outgoing connections and to port 0 (32768 and up): nothing takes them by chance before they are used, and a client
 * that keeps dialling one on which nobody listens yet is not connected to itself.
 *
 * A broker binds some seconds after its ports were chosen. So that nobody else is given them meanwhile, each is claimed
 * for the life of this process by a file with its id.
 *
 * @module
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** The two runtimes test at the same time: each has ports of its own. */
const portMin = "Deno" in globalThis ? 26_000 : 20_000;
const portCount = 6_000;
const triesMax = 1000;

const claims = join(tmpdir(), `corndog-ports-${process.getuid?.() ?? 0}`);
mkdirSync(claims, { recursive: true });

/** What this process was given. */
const given = new Set<number>();
process.on("exit", () => {
  for (const port of given) rmSync(join(claims, String(port)), { force: true });
});

/** A TCP port of the loopback interface that is free now; the same is never given twice. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = portMin + Math.floor(Math.random() * portCount);
    if (!claim(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`Found no free port from ${portMin} to ${portMin + portCount - 1} in ${triesMax} tries`);
}

/** As many of them. */
export function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

/** False while another process has it, or this one. */
function claim(port: number): boolean {
  const path = join(claims, String(port));
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    if (isAlive(path)) return false;
  }
  // Left over by a process that was killed.
  rmSync(path, { force: true });
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}

/** Whether the process that made a claim is there; also while it writes its id. */
function isAlive(path: string): boolean {
  try {
    const id = readFileSync(path, "utf8");
    if (id !== "") process.kill(Number(id), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
