import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Listen } from "../../../src/config/config.ts";
import { assignSockets } from "../../../src/pipeline/activation.ts";
import type { InheritedSocket } from "../../../src/runtime/inherited.ts";

const listen = (transport: Listen["transport"], hostname: string, port: number, path = ""): Listen => ({
  kind: "syslog",
  transport,
  hostname,
  port,
  path,
  framing: "auto",
});

const socket = (
  fd: number,
  type: "stream" | "datagram",
  hostname: string,
  port: number,
): InheritedSocket => ({
  fd,
  type,
  family: hostname.startsWith("/") ? "unix" : "inet",
  address: hostname.startsWith("/") ? hostname : `${hostname}:${port}`,
  hostname,
  port,
  name: undefined,
});

describe("assignSockets()", () => {
  const table = [
    {
      name: "the same address",
      to: listen("tcp", "127.0.0.1", 514),
      from: socket(3, "stream", "127.0.0.1", 514),
      fits: true,
    },
    {
      name: "another port",
      to: listen("tcp", "127.0.0.1", 514),
      from: socket(3, "stream", "127.0.0.1", 515),
      fits: false,
    },
    {
      name: "another address",
      to: listen("tcp", "127.0.0.1", 514),
      from: socket(3, "stream", "127.0.0.2", 514),
      fits: false,
    },
    {
      name: "all addresses",
      to: listen("tcp", "0.0.0.0", 514),
      from: socket(3, "stream", "::", 514),
      fits: true,
    },
    {
      name: "all addresses for one",
      to: listen("tls", "10.0.0.1", 6514),
      from: socket(3, "stream", "::", 6514),
      fits: true,
    },
    {
      name: "one address for all",
      to: listen("tcp", "0.0.0.0", 514),
      from: socket(3, "stream", "10.0.0.1", 514),
      fits: false,
    },
    {
      name: "a datagram socket for a stream",
      to: listen("tcp", "::", 514),
      from: socket(3, "datagram", "::", 514),
      fits: false,
    },
    {
      name: "a datagram socket",
      to: listen("udp", "::", 514),
      from: socket(3, "datagram", "::", 514),
      fits: true,
    },
    {
      name: "IPv6 written otherwise",
      to: listen("tcp", "0:0::1", 5),
      from: socket(3, "stream", "::1", 5),
      fits: true,
    },
    {
      name: "a unix path",
      to: listen("unix", "", 0, "/run/x"),
      from: socket(3, "stream", "/run/x", 0),
      fits: true,
    },
    {
      name: "another path",
      to: listen("unix", "", 0, "/run/x"),
      from: socket(3, "stream", "/run/y", 0),
      fits: false,
    },
    {
      name: "a unix datagram path",
      to: listen("unixgram", "", 0, "/x"),
      from: socket(3, "datagram", "/x", 0),
      fits: true,
    },
    { name: "standard input", to: listen("stdin", "", 0), from: socket(3, "stream", "::", 0), fits: false },
  ];
  for (const { name, to, from, fits } of table) {
    it(`${fits ? "gives" : "does not give"} ${name}`, () => {
      const { sockets, unused } = assignSockets([to], [from]);
      assert.deepEqual([sockets[0]?.fd, unused.length], fits ? [3, 0] : [undefined, 1]);
    });
  }

  it("gives each socket once, in the order of the listeners", () => {
    const entries = [listen("udp", "::", 514), listen("tcp", "::", 514), listen("tcp", "::", 601)];
    const sockets = [
      socket(3, "stream", "::", 514),
      socket(4, "datagram", "::", 514),
      socket(5, "stream", "/x", 0),
    ];
    const activation = assignSockets(entries, sockets);
    assert.deepEqual(activation.sockets.map((each) => each?.fd), [4, 3, undefined]);
    assert.deepEqual(activation.unused.map((each) => each.fd), [5]);
  });
});
