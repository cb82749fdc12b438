import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config, Listen } from "../../../src/config/config.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { canListen, listenChanges, namesOf, restartNeeded, samePort } from "../../../src/pipeline/reload.ts";

const syslog = (transport: Listen["transport"], port: number, more: Partial<Listen> = {}): Listen => ({
  kind: "syslog",
  framing: "auto",
  transport,
  hostname: "127.0.0.1",
  port,
  path: "",
  ...more,
} as Listen);

const path = (transport: Listen["transport"], name: string): Listen =>
  syslog(transport, 0, { hostname: "", path: name });

/** The built-in configuration, changed. */
function configWith(changes: Partial<Config>): Config {
  const loaded = loadConfig({ search: false, sets: [], env: {}, cwd: "/" });
  assert.ok(loaded.ok);
  return { ...loaded.config, ...changes };
}

describe("listenChanges()", () => {
  const [a, b, c] = [syslog("tcp", 1), syslog("tcp", 2), syslog("udp", 2)];
  const changed = syslog("tcp", 2, { frameBytesMax: 9 });
  const table = [
    { name: "nothing", before: [a, b], after: [a, b], want: undefined },
    {
      name: "another order",
      before: [a, b],
      after: [b, a],
      want: { opened: [], closed: [], changed: [], former: [1, 0] },
    },
    {
      name: "a new one",
      before: [a],
      after: [b, a],
      want: { opened: ["tcp://127.0.0.1:2"], closed: [], changed: [], former: [undefined, 0] },
    },
    {
      name: "one that is gone",
      before: [a, b],
      after: [b],
      want: { opened: [], closed: ["tcp://127.0.0.1:1"], changed: [], former: [1] },
    },
    {
      name: "other keys",
      before: [a, b],
      after: [a, changed],
      want: { opened: [], closed: [], changed: ["tcp://127.0.0.1:2"], former: [0, 1] },
    },
    {
      name: "a datagram port beside a stream port of the same number",
      before: [b],
      after: [changed, c],
      want: {
        opened: ["udp://127.0.0.1:2"],
        closed: [],
        changed: ["tcp://127.0.0.1:2"],
        former: [0, undefined],
      },
    },
    {
      name: "one of two that are alike",
      before: [syslog("tcp", 0), syslog("tcp", 0)],
      after: [syslog("tcp", 0), syslog("tcp", 0, { frameBytesMax: 9 })],
      want: { opened: [], closed: [], changed: ["tcp://127.0.0.1:0"], former: [0, 1] },
    },
    {
      name: "a path that becomes datagrams",
      before: [path("unix", "/x")],
      after: [path("unixgram", "/x")],
      want: { opened: ["unixgram:///x"], closed: ["unix:///x"], changed: [], former: [undefined] },
    },
  ];
  for (const { name, before, after, want } of table) {
    it(`finds ${name}`, () => {
      const changes = listenChanges(before, after);
      if (want === undefined) return assert.equal(changes, undefined);
      const { former, ...names } = want;
      assert.deepEqual(changes!.map((change) => change.former), former);
      assert.deepEqual(namesOf(before, changes!), names);
    });
  }

  it("gives a listener that stays its own sockets, though one before it has the same place", () => {
    const changes = listenChanges([syslog("tcp", 0), b], [
      syslog("tcp", 0, { frameBytesMax: 9 }),
      syslog("tcp", 0),
    ]);
    assert.deepEqual(changes!.map(({ former, isSame }) => [former, isSame]), [[undefined, false], [0, true]]);
  });
});

describe("restartNeeded()", () => {
  const before = configWith({});
  const table: { name: string; changes: Partial<Config>; want: string[] }[] = [
    { name: "nothing", changes: {}, want: [] },
    { name: "listeners, rules and drain_timeout", changes: { listen: [], drainTimeoutMs: 1 }, want: [] },
    {
      name: "names as they are written",
      changes: { statsd: { hostname: "h", port: 1 } },
      want: ["metrics.statsd"],
    },
    {
      name: "workers and Kafka",
      changes: { workers: before.workers + 1, sink: "blackhole" },
      want: ["sink", "workers"],
    },
    {
      name: "levels of the log",
      changes: { log: { ...before.log, level: "warn", levels: { kafka: "debug" } } },
      want: [],
    },
    {
      name: "the form of the log",
      changes: { log: { ...before.log, format: "human" } },
      want: ["log.format"],
    },
    { name: "a longer line", changes: { frameBytesMax: before.frameBytesMax + 1 }, want: ["listen"] },
    { name: "standard input", changes: { listen: [...before.listen, syslog("stdin", 0)] }, want: ["listen"] },
  ];
  for (const { name, changes, want } of table) {
    it(`names ${want.join(", ") || "nothing"} for ${name}`, () => {
      const after = configWith(changes);
      assert.deepEqual(restartNeeded(before, after).sort(), want);
      assert.equal(canListen(before, after), !want.includes("listen"));
    });
  }
});

describe("samePort()", () => {
  it("tells ports of streams from those of datagrams, and from paths", () => {
    assert.equal(samePort(syslog("tcp", 5), syslog("tls", 5, { hostname: "0.0.0.0" })), true);
    assert.equal(samePort(syslog("tcp", 5), syslog("udp", 5)), false);
    assert.equal(samePort(path("unix", "/x"), path("unix", "/y")), false);
  });
});
