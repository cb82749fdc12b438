import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { describe, it } from "node:test";
import {
  parseSocketTable,
  readSocketTable,
  socketKey,
  type SocketQueues,
} from "../../../src/runtime/kernel_sockets.ts";
import { until } from "../../support/until.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

function parsed(text: string): Map<string, SocketQueues> {
  const table = new Map<string, SocketQueues>();
  parseSocketTable(head + text, table);
  return table;
}

describe("parseSocketTable()", () => {
  const cases: [name: string, remote: string, key: string][] = [
    ["IPv4", "0100007F:D431", "1514>127.0.0.1:54321"],
    ["IPv6", "00000000000000000000000001000000:D431", "1514>[::1]:54321"],
    ["IPv6 with a run of zeros within", "B80D0120000000000000000001000000:D431", "1514>[2001:db8::1]:54321"],
    ["IPv4 within IPv6", "0000000000000000FFFF00000200000A:D431", "1514>10.0.0.2:54321"],
  ];
  for (const [name, remote, key] of cases) {
    it(`reads queues of a connection over ${name}`, () => {
      const line = `   1: ${
        remote.replace(/:.*/, "")
      }:05EA ${remote} 01 00000010:00000FFF 01:00000014 00000003     0        0 99\n`;
      assert.deepEqual([...parsed(line)], [[key, { recvQ: 4095, sendQ: 16, retransmits: 3 }]]);
    });
  }

  it("leaves out what listens or ends, and lines that are cut", () => {
    const line = (state: string) =>
      `   1: 0100007F:05EA 0100007F:D431 ${state} 00000000:00000000 00:00000000 00000000\n`;
    assert.equal(parsed(line("0A") + line("06") + "   2: 0100007F").size, 0);
  });
});

describe("readSocketTable()", () => {
  it("knows what a peer sent and nobody has read", { skip: process.platform !== "linux" }, async () => {
    let accepted: Socket | undefined;
    const server = createServer((socket) => {
      accepted = socket.pause();
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = connect(port, "127.0.0.1");
    client.on("error", () => {});
    await until("the connection", () => accepted !== undefined || undefined);
    const peer = `${accepted!.remoteAddress}:${accepted!.remotePort}`;
    client.write(new Uint8Array(4 << 20));
    const seen = await until("bytes that wait", async () => {
      const queues = (await readSocketTable()).get(socketKey(port, peer));
      return queues !== undefined && queues.recvQ > 0 ? queues : undefined;
    });
    assert.ok(seen.recvQ > 0);
    client.destroy();
    accepted!.destroy();
    server.close();
  });
});
