import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServiceManager, watchdogMsOf } from "../../../src/pipeline/service_manager.ts";
import { until } from "../../support/until.ts";

/** A service manager whose messages are kept, over a service that is as well as `health` says. */
function manager(watchdogMs: number | undefined, health = { ok: true }, problems: readonly string[] = []) {
  const sent: string[] = [];
  const told = new ServiceManager({
    socket: { send: (message) => sent.push(message) > 0, monotonicMicros: () => 42n },
    watchdogMs,
    service: {
      healthy: () => health,
      stats: () =>
        Promise.resolve({
          ledger: {
            received: 10,
            fan_out: 0,
            split: 0,
            replayed: 0,
            delivered: 7,
            spooled: 2,
            in_flight: 1,
            dead_lettered: 0,
            joined: 0,
            dropped: {},
            balanced: true,
          },
          state: "running" as const,
          sink: { name: "kafka", ready: problems.length === 0, problems },
        }),
    },
  });
  return { told, sent };
}

describe("ServiceManager", () => {
  it("ready() tells that the service is ready, and its state in words", async () => {
    const { told, sent } = manager(undefined);
    told.ready();
    await until("the status", () => sent.length === 2 || undefined);
    told.stop();
    assert.deepEqual(sent, ["READY=1", "STATUS=Running: 10 received, 7 delivered, 3 under way"]);
  });

  it("handedOver() names the process that is the service now, and tells nothing more", async () => {
    const { told, sent } = manager(20);
    told.ready();
    await until("the watchdog", () => sent.includes("WATCHDOG=1") || undefined);
    told.handedOver(4711);
    told.stopping();
    // Food with it: the successor's first was not heard, its next comes half of the time later.
    assert.equal(sent.at(-1), "MAINPID=4711\nWATCHDOG=1");
    const count = sent.length;
    told.stop();
    assert.equal(sent.length, count);
  });

  it("ready() puts a problem into the state, on one line", async () => {
    const { told, sent } = manager(undefined, { ok: true }, ["Kafka is\naway"]);
    told.ready();
    await until("the status", () => sent.length === 2 || undefined);
    told.stop();
    assert.equal(sent[1], "STATUS=Running: 10 received, 7 delivered, 3 under way, Kafka is away");
  });

  it("feeds the watchdog while the service is healthy, and not while it is held", async () => {
    const health = { ok: true };
    const { told, sent } = manager(20, health);
    const fed = () => sent.filter((message) => message === "WATCHDOG=1").length;
    told.ready();
    await until("some food", () => fed() >= 3 || undefined);
    health.ok = false;
    const before = fed();
    const silentSince = performance.now();
    await until("a while", () => performance.now() - silentSince > 100 || undefined);
    told.stop();
    assert.ok(fed() <= before, "nothing more");
  });

  it("reloading() tells beginning and end, also of a reload that fails", async () => {
    const { told, sent } = manager(undefined);
    assert.equal(await told.reloading(() => Promise.resolve("done")), "done");
    await assert.rejects(told.reloading(() => Promise.reject(new Error("no"))), /no/);
    const both = ["RELOADING=1\nMONOTONIC_USEC=42", "READY=1"];
    assert.deepEqual(sent, [...both, ...both]);
  });

  it("upgradeFailed() puts it into the state, on one line", () => {
    const { told, sent } = manager(undefined);
    told.upgradeFailed("exit code 78\nits log says why");
    assert.deepEqual(sent, ["STATUS=Upgrade failed: exit code 78 its log says why"]);
  });

  it("stopping() tells that a drain began", () => {
    const { told, sent } = manager(undefined);
    told.stopping();
    assert.deepEqual(sent, ["STOPPING=1\nSTATUS=Draining"]);
  });
});

describe("watchdogMsOf()", () => {
  const cases: [name: string, environment: Record<string, string>, ms: number | undefined][] = [
    ["systemd does not watch", {}, undefined],
    ["it watches", { WATCHDOG_USEC: "30000000" }, 30_000],
    ["it watches this process", { WATCHDOG_USEC: "500000", WATCHDOG_PID: "7" }, 500],
    ["it watches another process", { WATCHDOG_USEC: "500000", WATCHDOG_PID: "8" }, undefined],
    ["the time is no number", { WATCHDOG_USEC: "soon" }, undefined],
    ["the time is 0", { WATCHDOG_USEC: "0" }, undefined],
  ];
  for (const [name, environment, ms] of cases) {
    it(`gives ${ms} when ${name}`, () => assert.equal(watchdogMsOf(environment, 7), ms));
  }
});
