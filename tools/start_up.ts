/**
 * How quickly a binary takes its first connection, and how much memory it holds when nothing comes.
 *
 *     start_up.ts BINARY                          prints both
 *     start_up.ts deno run -A "$PWD/src/main.ts"  the same of any command; in a folder of its own
 *
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

/** Starts that are measured; the median counts. */
const starts = 7;
const startMsMax = 10_000;
/** A connection that is open for so long was not one to the probe of the port. */
const keptMs = 60;
/** What a start leaves behind in memory is given back by then. */
const idleMs = 1000;

/** A binary's start. */
export interface StartUp {
  /** From exec to the first connection that is accepted. */
  readonly firstAcceptMs: number;
  /** Resident memory (VmRSS) a second after it, with one syslog listener, admin API and two workers. */
  readonly idleRssMb: number;
}

/** Starts `command` some times. Linux. @throws Error when it does not come to listen */
export async function measureStartUp(command: readonly string[]): Promise<StartUp> {
  const accepts: number[] = [];
  const memories: number[] = [];
  for (let n = 0; n < starts; n++) {
    const { firstAcceptMs, idleRssMb } = await start(command, n === 0);
    accepts.push(firstAcceptMs);
    if (idleRssMb > 0) memories.push(idleRssMb);
  }
  accepts.sort((a, b) => a - b);
  return { firstAcceptMs: Math.round(accepts[starts >> 1]! * 10) / 10, idleRssMb: Math.round(memories[0]!) };
}

async function start([program, ...first]: readonly string[], isWeighed: boolean): Promise<StartUp> {
  const dir = mkdtempSync(join(tmpdir(), "corndog-start-"));
  const port = await freePort();
  writeFileSync(
    join(dir, "corndog.yml"),
    `listen: [{ syslog: "tcp://127.0.0.1:${port}" }]\nadmin: { listen: "127.0.0.1:0" }\nsink: blackhole\nworkers: 2\n`,
  );
  const started = performance.now();
  const child = spawn(program!, [...first, "run", "-c", "corndog.yml"], { cwd: dir, stdio: "ignore" });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  try {
    let firstAcceptMs = 0;
    while (!await accepts(port, () => firstAcceptMs = performance.now() - started)) {
      if (child.exitCode !== null || performance.now() - started > startMsMax) {
        throw new Error(`${program} does not come to listen`);
      }
      await new Promise((done) => setTimeout(done, 1));
    }
    if (!isWeighed) return { firstAcceptMs, idleRssMb: 0 };
    await new Promise((done) => setTimeout(done, idleMs));
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1];
    return { firstAcceptMs, idleRssMb: Number(kilobytes) / 1024 };
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(dir, { recursive: true });
  }
}

/** Whether a connection is taken and kept: corndog probes its ports first, and closes what comes in that instant. */
function accepts(port: number, connected: () => void): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (isKept: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      done(isKept);
    };
    socket.once("connect", () => {
      connected();
      timer = setTimeout(() => end(true), keptMs);
    });
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.resume();
  });
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

if (import.meta.main) {
  const [program, ...first] = process.argv.slice(2);
  const place = existsSync(program!) ? resolve(program!) : program!;
  const { firstAcceptMs, idleRssMb } = await measureStartUp([place, ...first]);
  console.log(`first connection after ${firstAcceptMs} ms, ${idleRssMb} MB when idle`);
}
