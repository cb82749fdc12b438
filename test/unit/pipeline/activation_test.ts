import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Listen } from "../../../src/config/config.ts";
import {
  assignHandedOver,
  assignSockets,
  belongs,
  listenerNames,
  socketsOfWorker,
} from "../../../src/pipeline/activation.ts";
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
      assert.deepEqual([sockets[0]?.[0]?.fd, unused.length], fits ? [3, 0] : [undefined, 1]);
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
    assert.deepEqual(activation.sockets.map((each) => each.map(({ fd }) => fd)), [[4], [3], []]);
    assert.deepEqual(activation.unused.map((each) => each.fd), [5]);
  });
});

describe("assignHandedOver()", () => {
  const named = (name: string, each: InheritedSocket): InheritedSocket => ({ ...each, name });

  it("gives each listener the sockets of its name, those written alike too", () => {
    const entries = [
      listen("tcp", "127.0.0.1", 0),
      listen("tcp", "127.0.0.1", 0),
      listen("udp", "127.0.0.1", 0),
    ];
    const names = listenerNames(entries);
    assert.deepEqual(names, ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0 2", "udp://127.0.0.1:0"]);
    const sockets = [
      named(names[1]!, socket(3, "stream", "127.0.0.1", 4001)),
      named(names[0]!, socket(4, "stream", "127.0.0.1", 4000)),
      named(names[0]!, socket(5, "stream", "127.0.0.1", 4000)),
      named(names[2]!, socket(6, "datagram", "127.0.0.1", 4002)),
    ];
    const { sockets: given, unused } = assignHandedOver(entries, sockets);
    assert.deepEqual(given.map((each) => each.map(({ fd }) => fd)), [[4, 5], [3], [6]]);
    assert.deepEqual(unused, []);
  });

  it("gives the sockets of an address to a listener that has another name there now, and leaves the others", () => {
    const sockets = [
      named("tcp://127.0.0.1:514", socket(3, "stream", "127.0.0.1", 514)),
      named("tcp://127.0.0.1:601", socket(4, "stream", "127.0.0.1", 601)),
    ];
    const { sockets: given, unused } = assignHandedOver([listen("tls", "127.0.0.1", 514)], sockets);
    assert.deepEqual(given.map((each) => each.map(({ fd }) => fd)), [[3]]);
    assert.deepEqual(unused.map(({ fd }) => fd), [4]);
  });
});

describe("socketsOfWorker()", () => {
  const table = [
    { sockets: 2, workers: 2, type: "stream", want: [[3], [4]] },
    { sockets: 4, workers: 2, type: "stream", want: [[3, 5], [4, 6]] },
    { sockets: 2, workers: 3, type: "stream", want: [[3], [4], [3]] },
    { sockets: 1, workers: 2, type: "datagram", want: [[3], []] },
    { sockets: 3, workers: 2, type: "datagram", want: [[3, 5], [4]] },
  ] as const;
  for (const { sockets, workers, type, want } of table) {
    it(`leaves none of ${sockets} ${type} sockets without one of ${workers} workers`, () => {
      const all = Array.from({ length: sockets }, (_, index) => socket(3 + index, type, "::", 514));
      const given = Array.from({ length: workers }, (_, worker) => socketsOfWorker(all, worker, workers));
      assert.deepEqual(given.map((each) => each.map(({ fd }) => fd)), want);
    });
  }
});

describe("belongs()", () => {
  const table = [
    {
      entry: listen("tcp", "127.0.0.1", 0),
      at: "127.0.0.1:4000",
      from: socket(3, "stream", "127.0.0.1", 4000),
      is: true,
    },
    {
      entry: listen("tcp", "127.0.0.1", 0),
      at: "127.0.0.1:4000",
      from: socket(3, "stream", "127.0.0.1", 4001),
      is: false,
    },
    {
      entry: listen("udp", "127.0.0.1", 0),
      at: "127.0.0.1:4000",
      from: socket(3, "stream", "127.0.0.1", 4000),
      is: false,
    },
    {
      entry: listen("tcp", "localhost", 514),
      at: "localhost:514",
      from: socket(3, "stream", "127.0.0.1", 514),
      is: true,
    },
    { entry: listen("unix", "", 0, "/x"), at: "/x", from: socket(3, "stream", "/x", 0), is: true },
  ];
  for (const { entry, at, from, is } of table) {
    it(`says ${is ? "yes" : "no"} to ${from.type} ${from.address} for ${entry.transport} ${at}`, () => {
      assert.equal(belongs(entry, at, from), is);
    });
  }
});
