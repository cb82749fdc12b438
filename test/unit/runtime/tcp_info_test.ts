import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { socketKey } from "../../../src/runtime/kernel_sockets.ts";
import { parseAddress, parseTcpInfo, readTcpInfos } from "../../../src/runtime/tcp_info.ts";
import { until } from "../../support/until.ts";

const onLinux = { skip: process.platform !== "linux" };

for (const host of ["127.0.0.1", "::1"]) {
  test(`readTcpInfos() knows both ends of a connection over ${host}`, onLinux, async () => {
    let accepted: Socket | undefined;
    const server = createServer((socket) => {
      accepted = socket;
      socket.on("error", () => {});
    });
    const listens = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(0, host, () => resolve(true));
    });
    // A machine without IPv6 has nothing to tell of it.
    if (!listens && host === "::1") return;
    const { port } = server.address() as { port: number };
    const client = connect(port, host);
    client.on("error", () => {});
    try {
      await until("the connection", () => accepted);
      client.write("one line\n");
      const text = (at: number) => host === "::1" ? `[::1]:${at}` : `${host}:${at}`;
      const key = socketKey(port, text(client.localPort!));
      const info = await until("a segment that was acknowledged", async () => {
        const own = (await readTcpInfos()).get(key);
        return own !== undefined && own.receivedMsAgo < 60_000 ? own : undefined;
      });
      assert.deepEqual([info.timeouts, info.lost], [0, 0]);
      const other = (await readTcpInfos()).get(socketKey(client.localPort!, text(port)))!;
      assert.ok(other.rttMs > 0 && other.rttMs < 60_000, String(other.rttMs));
    } finally {
      client.destroy();
      accepted?.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

test("parseTcpInfo() reads what there is, and knows when an older kernel gives less", () => {
  const bytes = new Uint8Array(232);
  const view = new DataView(bytes.buffer);
  bytes[2] = 3;
  const words: [number, number][] = [[24, 7], [32, 2], [52, 1500], [68, 40_250], [100, 11], [144, 4096], [
    224,
    5,
  ]];
  for (const [place, value] of words) view.setUint32(place, value, true);
  const whole = {
    rttMs: 40.25,
    timeouts: 3,
    unacked: 7,
    lost: 2,
    retransmitted: 11,
    outOfOrder: 5,
    notSent: 4096,
    receivedMsAgo: 1500,
  };
  assert.deepEqual(parseTcpInfo(bytes), whole);
  assert.deepEqual(parseTcpInfo(bytes.subarray(0, 104)), {
    ...whole,
    outOfOrder: undefined,
    notSent: undefined,
  });
  assert.equal(parseTcpInfo(bytes.subarray(0, 60)), undefined);
});

test("parseAddress() reads IPv4, IPv6 and IPv4 within IPv6, and nothing else", () => {
  const v4 = Uint8Array.of(2, 0, 0x1a, 0x2b, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(parseAddress(v4), { text: "192.0.2.7:6699", port: 6699 });
  const v6 = new Uint8Array(28);
  v6.set([10, 0, 2, 2]);
  v6.set([0x20, 0x01, 0x0d, 0xb8], 8);
  v6[23] = 9;
  assert.deepEqual(parseAddress(v6), { text: "[2001:db8::9]:514", port: 514 });
  v6.fill(0, 8, 24);
  v6.set([0xff, 0xff, 10, 0, 0, 1], 18);
  assert.deepEqual(parseAddress(v6), { text: "10.0.0.1:514", port: 514 });
  assert.equal(parseAddress(Uint8Array.of(1, 0, 47, 114)), undefined);
  assert.equal(parseAddress(v4.subarray(0, 2)), undefined);
});
