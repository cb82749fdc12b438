/**
 * A network between a client and one broker that can be cut, slowed and brought to a standstill: a TCP proxy on a
 * port of its own, which the broker advertises.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";

/** How the network is. */
export type NetworkState =
  | { readonly kind: "open" }
  /** Connections are reset, new ones too. */
  | { readonly kind: "cut" }
  /** Connections stay and nothing passes. */
  | { readonly kind: "still" }
  /** So many bytes a second pass, per direction and connection. */
  | { readonly kind: "slow"; readonly bytesPerS: number };

/** How often a piece passes while the network is slow. */
const slowPieceMs = 50;

/** One direction of one connection: reads on only when what was read has left. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #state: () => NetworkState;
  #held: Buffer[] = [];
  #isWaiting = false;

  constructor(from: Socket, to: Socket, state: () => NetworkState) {
    this.#from = from;
    this.#to = to;
    this.#state = state;
    from.on("data", (data: Buffer) => {
      this.#held.push(data);
      from.pause();
      this.pass();
    });
  }

  /** Passes what is held as far as the network allows; call it when that changed. */
  pass(): void {
    const state = this.#state();
    if (this.#isWaiting || state.kind === "still" || this.#to.destroyed) return;
    const data = Buffer.concat(this.#held);
    if (data.length === 0) {
      this.#from.resume();
      return;
    }
    const most = state.kind === "slow"
      ? Math.max(1, Math.floor(state.bytesPerS * slowPieceMs / 1000))
      : data.length;
    this.#held = data.length > most ? [data.subarray(most)] : [];
    this.#isWaiting = true;
    const go = (): void => {
      this.#isWaiting = false;
      this.pass();
    };
    const isFree = this.#to.write(data.subarray(0, most));
    if (state.kind === "slow") setTimeout(go, slowPieceMs).unref?.();
    else if (isFree) go();
    else this.#to.once("drain", go);
  }
}

/** The network to one broker. */
export class NetworkProxy {
  readonly #server: Server;
  readonly #pipes = new Map<Socket, Pipe[]>();
  #port = 0;
  #state: NetworkState = { kind: "open" };

  /** Opens a way to `targetPort` on a port of its own. */
  static async open(targetPort: number): Promise<NetworkProxy> {
    const proxy = new NetworkProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.#port = (proxy.#server.address() as { port: number }).port;
    return proxy;
  }

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      client.on("error", () => {});
      if (this.#state.kind === "cut") {
        client.resetAndDestroy();
        return;
      }
      const broker = connect({ port: targetPort, host: "127.0.0.1" });
      broker.on("error", () => {});
      for (const socket of [client, broker]) socket.setNoDelay(true);
      const state = () => this.#state;
      this.#pipes.set(client, [new Pipe(client, broker, state), new Pipe(broker, client, state)]);
      const end = (): void => {
        this.#pipes.delete(client);
        client.destroy();
        broker.destroy();
      };
      for (const socket of [client, broker]) socket.once("close", end);
    });
  }

  /** The port that clients connect to. */
  get port(): number {
    return this.#port;
  }

  /** Changes the network; what waits goes on if it may. */
  become(state: NetworkState): void {
    this.#state = state;
    for (const [client, pipes] of [...this.#pipes]) {
      if (state.kind === "cut") client.resetAndDestroy();
      else for (const pipe of pipes) pipe.pass();
    }
  }

  /** Ends all connections and the server. */
  async close(): Promise<void> {
    this.become({ kind: "cut" });
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
