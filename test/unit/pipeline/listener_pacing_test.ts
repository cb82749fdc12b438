import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import type { Listen } from "../../../src/config/config.ts";
import { createPeerTable } from "../../../src/io/peer_table.ts";
import { Listeners, type ListenersParts } from "../../../src/pipeline/listeners.ts";
import { quietMs } from "../../../src/pipeline/read_pacing.ts";
import { until } from "../../support/until.ts";

/** Listeners of one worker with a real socket; what is behind them takes everything and does nothing. */
class Rig {
  /** What the listeners asked the pacing for, and what reached the handlers, in order. */
  readonly told: string[] = [];
  readonly #listeners: Listeners;

  constructor(listen: Partial<Listen>) {
    const handler = {
      opened: ({ peer }: { readonly peer: string }) => {
        this.told.push("opened");
        return { peer, connection: { peer } };
      },
      received: () => this.told.push("received"),
      closed: () => this.told.push("closed"),
    };
    const parts = {
      config: {
        workers: 1,
        listen: [{ transport: "tcp", hostname: "127.0.0.1", port: 0, path: "", ...listen }],
        limits: { connections: 10, connectionsPerPeer: 10, idleMs: 0, handshakeMs: 10_000, partialMs: 0 },
      },
      worker: 0,
      ports: [],
      inherited: [],
      rates: [new SharedArrayBuffer(64)],
      deals: [new SharedArrayBuffer(64)],
      peers: createPeerTable(10),
      http: { server: () => handler },
      relp: { handler: () => handler },
      pacing: { hold: (ms: number) => this.told.push(`hold ${ms}`) },
      counters: { add: () => {}, set: () => {}, publish: () => {} },
      log: () => {},
      openTcp: () => Promise.resolve({ close: () => Promise.resolve() }),
    };
    this.#listeners = new Listeners(parts as unknown as ListenersParts);
  }

  async start(): Promise<number> {
    await this.#listeners.start();
    return this.#listeners.report()[0]!.port;
  }

  async close(): Promise<void> {
    await this.#listeners.stopAccepting();
    await this.#listeners.close();
  }
}

describe("Listeners", () => {
  for (const kind of ["http", "relp"] as const) {
    it(`hold pauses off when a connection for ${kind} opens, and when something comes on it`, async () => {
      const rig = new Rig({ kind });
      const socket = connect(await rig.start(), "127.0.0.1");
      try {
        await until("the connection", () => rig.told.includes("opened") || undefined);
        assert.deepEqual(rig.told, [`hold ${quietMs}`, "opened"]);
        socket.write("bytes");
        await until("its bytes", () => rig.told.includes("received") || undefined);
        assert.deepEqual(rig.told.slice(2), [`hold ${quietMs}`, "received"]);
      } finally {
        socket.destroy();
        await rig.close();
      }
    });
  }
});
