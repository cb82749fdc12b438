/**
 * The controllers, on simulated servers whose best number of connections and highest rate are known.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Aimd } from "../../../src/clobber/schedule/aimd.ts";
import { FindMax, kneeOf } from "../../../src/clobber/schedule/find_max.ts";
import { AutoConnections, Pid, queueWanted, useWanted } from "../../../src/clobber/schedule/pid.ts";
import { Random } from "../../../src/clobber/payload/random.ts";

/** A server that works on `slots` requests at once, each for `serviceMs`; beyond that they wait for each other. */
interface Server {
  readonly slots: number;
  readonly serviceMs: number;
  /** Part of the throughput that each connection too many costs, relative to the slots. */
  readonly collapse: number;
  /** Relative noise of a measurement. */
  readonly noise: number;
}

function answer(server: Server, connections: number, random: Random): { rate: number; latencyMs: number } {
  const tooMany = Math.max(0, connections - server.slots) / server.slots;
  const slowed = 1 + server.collapse * tooMany;
  const rate = Math.min(connections, server.slots) / (server.serviceMs / 1000) / slowed;
  const jitter = (): number => 1 + server.noise * (2 * random.fraction() - 1);
  return { rate: rate * jitter(), latencyMs: connections / rate * 1000 * jitter() };
}

const servers: readonly { name: string; server: Server }[] = [
  { name: "one slot", server: { slots: 1, serviceMs: 2, collapse: 0, noise: 0 } },
  { name: "seven slots", server: { slots: 7, serviceMs: 20, collapse: 0, noise: 0.005 } },
  { name: "37 slots", server: { slots: 37, serviceMs: 5, collapse: 0, noise: 0.005 } },
  { name: "37 slots that collapse", server: { slots: 37, serviceMs: 5, collapse: 0.5, noise: 0.005 } },
  { name: "300 slots", server: { slots: 300, serviceMs: 50, collapse: 0, noise: 0.005 } },
  { name: "300 slots that collapse", server: { slots: 300, serviceMs: 1, collapse: 1, noise: 0.005 } },
];

describe("Aimd", () => {
  for (const { name, server } of servers) {
    it(`step() settles near the best number when the server has ${name}`, () => {
      const random = new Random(1, server.slots);
      const aimd = new Aimd(2000);
      const late: number[] = [];
      let rates = 0;
      for (let period = 0; period < 400; period++) {
        const { rate, latencyMs } = answer(server, aimd.connections, random);
        if (period >= 300) {
          late.push(aimd.connections);
          rates += rate / 100;
        }
        aimd.step({ rate, latencyMs, failed: 0 });
      }
      const mean = late.reduce((sum, one) => sum + one, 0) / late.length;
      const best = server.slots / server.serviceMs * 1000;
      assert.ok(
        mean > 0.85 * server.slots && mean <= 1.15 * server.slots + 1,
        `mean ${mean} of ${server.slots}`,
      );
      assert.ok(rates > 0.9 * best, `rate ${rates} of ${best}`);
      const near = Math.abs(aimd.best - server.slots) <= 0.1 * server.slots + 1;
      assert.ok(near, `best ${aimd.best} of ${server.slots}`);
    });
  }

  it("step() climbs all the same when a bad period ended the doubling at once", () => {
    const random = new Random(4);
    const server: Server = { slots: 64, serviceMs: 10, collapse: 0, noise: 0.005 };
    const aimd = new Aimd(1000);
    for (let period = 0; period < 100; period++) {
      const sample = answer(server, aimd.connections, random);
      aimd.step({ ...sample, rate: period === 1 ? sample.rate / 10 : sample.rate, failed: 0 });
    }
    assert.ok(aimd.connections > 50, `${aimd.connections}`);
  });

  it("step() follows when the server loses half of its slots", () => {
    const random = new Random(2);
    const before: Server = { slots: 64, serviceMs: 10, collapse: 0, noise: 0.005 };
    const aimd = new Aimd(1000);
    for (let period = 0; period < 1500; period++) {
      const server = period < 200 ? before : { ...before, slots: 32 };
      aimd.step({ ...answer(server, aimd.connections, random), failed: 0 });
    }
    assert.ok(aimd.connections <= 40, `${aimd.connections}`);
  });

  it("step() backs off when messages fail", () => {
    const aimd = new Aimd(1000);
    for (let period = 0; period < 6; period++) aimd.step({ rate: 2 ** period, latencyMs: 1, failed: 0 });
    const before = aimd.connections;
    assert.ok(aimd.step({ rate: 64, latencyMs: 1, failed: 0.2 }) < 0.75 * before);
  });

  it("step() stays within its bounds whatever is measured", () => {
    const random = new Random(3);
    const aimd = new Aimd(50);
    for (let period = 0; period < 1000; period++) {
      const sample = {
        rate: random.fraction() * 1e6,
        latencyMs: random.fraction() * 100,
        failed: random.fraction(),
      };
      const connections = aimd.step(sample);
      assert.ok(Number.isInteger(connections) && connections >= 1 && connections <= 50);
    }
  });
});

describe("Pid", () => {
  it("step() does not wind up while its output is at a bound", () => {
    const pid = new Pid({ proportional: 0.1, integral: 1, derivative: 0 }, 0, 1, 0);
    for (let step = 0; step < 1000; step++) pid.step(1, 1);
    // With a sum of 1000 it would take a thousand steps to come down.
    let output = 1;
    for (let step = 0; step < 3; step++) output = pid.step(-0.5, 1);
    assert.equal(output, 0);
  });

  it("step() gives the same result for one long step as for many short ones when only the integral counts", () => {
    const gains = { proportional: 0, integral: 0.5, derivative: 0 };
    const [long, short] = [new Pid(gains, -10, 10, 0), new Pid(gains, -10, 10, 0)];
    let last = 0;
    for (let step = 0; step < 10; step++) last = short.step(0.3, 0.1);
    assert.ok(Math.abs(long.step(0.3, 1) - last) < 1e-9);
  });
});

describe("AutoConnections", () => {
  for (const { name, server } of servers.filter(({ server }) => server.collapse === 0)) {
    it(`step() finds what a rate needs when the server has ${name}`, () => {
      const random = new Random(4);
      // Half of what the server can do: half of its slots are in use.
      const wanted = 0.5 * server.slots / server.serviceMs * 1000;
      const auto = new AutoConnections(2000, true);
      let backlog = 0;
      for (let period = 0; period < 400; period++) {
        const able = answer(server, auto.connections, random);
        const rate = Math.min(wanted + backlog / 0.25, able.rate);
        backlog = Math.max(0, backlog + (wanted - rate) * 0.25);
        const meanMs = Math.max(server.serviceMs, rate < able.rate ? server.serviceMs : able.latencyMs);
        auto.step({ seconds: 0.25, answeredRate: rate, latencyMs: meanMs, backlog });
      }
      const best = 0.5 * server.slots / useWanted;
      assert.ok(Math.abs(auto.connections - best) <= 0.25 * best + 1.5, `${auto.connections}, best ${best}`);
      assert.ok(backlog < wanted * 0.25, `backlog ${backlog}`);
    });

    it(`step() finds what the server works on at once when it has ${name}`, () => {
      const random = new Random(5);
      const auto = new AutoConnections(2000, false);
      const late: number[] = [];
      for (let period = 0; period < 600; period++) {
        const { rate, latencyMs } = answer(server, auto.connections, random);
        auto.step({ seconds: 0.25, answeredRate: rate, latencyMs, backlog: 0 });
        if (period >= 500) late.push(auto.connections);
      }
      const mean = late.reduce((sum, one) => sum + one, 0) / late.length;
      const best = queueWanted * server.slots;
      assert.ok(mean > 0.8 * server.slots && mean < 1.3 * best + 1.5, `${mean}, best ${best}`);
    });
  }
});

/** Runs a search against a target that holds up to `limit`. */
function search(limit: number, from: number, long = limit): { found: FindMax; steps: number } {
  const found = new FindMax(from, { stepMs: 1, confirmMs: 10 });
  let steps = 0;
  for (let step = found.step; step !== undefined; step = found.step) {
    steps++;
    assert.ok(steps < 100, "the search ends");
    found.report(step.rate <= (step.kind === "confirm" ? long : limit));
  }
  return { found, steps };
}

describe("FindMax", () => {
  for (const limit of [3, 999, 1000, 12_345, 777_777, 3_000_000]) {
    it(`finds the highest rate within 2 % when the target holds ${limit}/s`, () => {
      const { found, steps } = search(limit, 1000);
      assert.ok(found.confirmed);
      assert.ok(found.rate <= limit && found.rate >= limit / 1.021, `${found.rate} of ${limit}`);
      assert.ok(steps <= 28, `${steps} steps`);
    });
  }

  it("lowers the rate when it does not hold for long", () => {
    const { found } = search(10_000, 1000, 9000);
    assert.ok(found.confirmed);
    assert.ok(found.rate <= 9000 && found.rate > 8000, `${found.rate}`);
  });

  it("finds nothing when nothing holds", () => {
    const { found } = search(0, 1000);
    assert.equal(found.rate, 0);
    assert.equal(found.confirmed, false);
  });
});

describe("kneeOf()", () => {
  it("gives the rate behind which latency rises", () => {
    const rates = [1000, 2000, 4000, 6000, 8000, 9000, 9500, 9900];
    const points = rates.map((rate) => ({ rate, p99: 1 / (1 - rate / 10_000) }));
    const knee = kneeOf(points)!;
    assert.ok(knee >= 8000 && knee <= 9500, `${knee}`);
  });

  it("gives nothing when latency does not rise", () => {
    assert.equal(kneeOf([1, 2, 3, 4, 5].map((rate) => ({ rate, p99: 2 }))), undefined);
  });
});
