/**
 * A network namespace that is joined to this machine's by a cable of its own, so that a test can cut what comes to a
 * client without its server hearing of it, as a lost route does. Needs root and a kernel that permits it.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";

/** The networks of RFC 2544, for tests, taken apart into pairs of addresses; one per process. */
const pair = process.pid % 32_768 * 4;
const address = (host: number) => `198.${18 + (pair >> 16)}.${(pair >> 8) & 255}.${(pair & 255) + host}`;

/** The other end. */
export class NetworkNamespace implements Disposable {
  readonly name = `corndog-${process.pid}`;
  /** Where this side listens. */
  readonly here: string = address(1);
  readonly there: string = address(2);
  readonly #cable = `cdh${process.pid}`;

  private constructor() {}

  /** Makes one; text: why there can be none here. */
  static make(): NetworkNamespace | string {
    const made = new NetworkNamespace();
    const { name, here, there } = made;
    const [cable, end] = [made.#cable, `cdt${process.pid}`];
    try {
      ip("netns", "add", name);
      ip("link", "add", cable, "type", "veth", "peer", "name", end, "netns", name);
      ip("addr", "add", `${here}/30`, "dev", cable);
      ip("link", "set", cable, "up");
      made.#inside("addr", "add", `${there}/30`, "dev", end);
      made.#inside("link", "set", end, "up");
      // Where one can be made, a program may still not be let in.
      ip("netns", "exec", name, "true");
      return made;
    } catch (error) {
      made[Symbol.dispose]();
      return `no network namespace can be made here: ${(error as Error).message.split("\n").at(-2) ?? ""}`;
    }
  }

  /** Prefix of a command that is to run there. */
  get command(): readonly string[] {
    return ["ip", "netns", "exec", this.name];
  }

  /** From now on what is sent there arrives at nobody, and nobody says so. */
  lose(): void {
    this.#inside("addr", "flush", "dev", `cdt${process.pid}`);
  }

  [Symbol.dispose](): void {
    for (const words of [["link", "del", this.#cable], ["netns", "del", this.name]]) {
      try {
        ip(...words);
      } catch {
        // It was never made.
      }
    }
  }

  #inside(...words: string[]): void {
    ip("-n", this.name, ...words);
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
