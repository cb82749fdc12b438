/**
 * Counting latencies, thresholds, the verdict, limits of the machine.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import hdr from "hdr-histogram-js";
import {
  cellOf,
  countMs,
  countsLength,
  countSpreadMs,
  lowestOf,
  unitsMax,
} from "../../../src/clobber/measure/counts.ts";
import { checkGates, readGate, readGates } from "../../../src/clobber/measure/gate.ts";
import { Latency } from "../../../src/clobber/measure/histogram.ts";
import { churnWarning, limitProblem } from "../../../src/clobber/measure/limits.ts";
import { generatorLimits, type VerdictInput } from "../../../src/clobber/measure/verdict.ts";

describe("counts", () => {
  it("cellOf() has the layout of an HDR histogram with three digits", () => {
    const reference = hdr.build({
      bitBucketSize: 64,
      autoResize: false,
      lowestDiscernibleValue: 1,
      highestTrackableValue: unitsMax,
      numberOfSignificantValueDigits: 3,
      useWebAssembly: false,
    }) as unknown as { lowestEquivalentValue(value: number): number };
    fc.assert(fc.property(fc.integer({ min: 0, max: unitsMax }), (units) => {
      assert.equal(lowestOf(cellOf(units)), reference.lowestEquivalentValue(units));
    }));
  });

  it("cellOf() keeps what is out of range in the first and the last cell", () => {
    assert.equal(cellOf(-5), 0);
    assert.equal(cellOf(1e300), countsLength - 1);
    assert.equal(cellOf(Infinity), countsLength - 1);
  });

  it("countSpreadMs() counts as many latencies as there are lines, from the first to the last", () => {
    const cells = new Float64Array(countsLength);
    countSpreadMs(cells, 10, 1, 10);
    countSpreadMs(cells, 5, 5, 1);
    const latency = new Latency(cells);
    assert.equal(latency.count, 11);
    assert.ok(Math.abs(latency.minMs - 1) < 0.01 && Math.abs(latency.maxMs - 10) < 0.02);
  });

  it("Latency gives percentiles within a thousandth of the exact ones", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 100_000, noNaN: true }), { minLength: 1 }), (all) => {
        const cells = new Float64Array(countsLength);
        for (const ms of all) countMs(cells, ms);
        const sorted = [...all].sort((a, b) => a - b);
        for (const percentile of [50, 90, 99, 100]) {
          const exact = sorted[Math.max(0, Math.ceil(percentile / 100 * sorted.length) - 1)]!;
          const got = new Latency(cells).percentileMs(percentile);
          assert.ok(Math.abs(got - exact) <= exact / 900 + 0.0002, `p${percentile}: ${got}, exact ${exact}`);
        }
      }),
    );
  });

  it("Latency.since() is what was counted between two moments", () => {
    const cells = new Float64Array(countsLength);
    countMs(cells, 1);
    const before = Latency.sum([cells]);
    countMs(cells, 500);
    const between = Latency.sum([cells]).since(before);
    assert.equal(between.count, 1);
    assert.ok(between.percentileMs(50) > 499);
    assert.equal(between.countAbove(400), 1);
  });

  it("Latency.hgrm() and encoded() can be read by other tools", () => {
    const cells = new Float64Array(countsLength);
    for (let ms = 1; ms <= 100; ms++) countMs(cells, ms);
    const latency = new Latency(cells);
    assert.match(latency.hgrm(), /Value\s+Percentile\s+TotalCount/);
    assert.equal(hdr.decodeFromCompressedBase64(latency.encoded()).totalCount, 100);
  });
});

describe("gates", () => {
  const readable: readonly [text: string, metric: string, operator: string, value: number][] = [
    ["p99<20ms", "p99", "<", 20],
    ["p99.9 <= 1.5s", "p99.9", "<=", 1500],
    ["raw.p50<300us", "raw.p50", "<", 0.3],
    ["loss<0.01%", "loss", "<", 0.0001],
    ["loss==0", "loss", "==", 0],
    ["loss=0", "loss", "==", 0],
    ["achieved>=0.99", "achieved", ">=", 0.99],
    ["rate>50k", "rate", ">", 50_000],
    ["e2e.max<2s", "e2e.max", "<", 2000],
  ];
  for (const [text, metric, operator, value] of readable) {
    it(`readGate() reads "${text}"`, () => {
      assert.deepEqual(readGate(text), { text, metric, operator, value });
    });
  }
  for (const text of ["p99", "p99<", "<20ms", "p99~20ms", "p99<fast", "latency<1s", "pi<3", "p101<1s"]) {
    it(`readGate() says what is wrong with "${text}"`, () => assert.equal(typeof readGate(text), "string"));
  }

  it("readGate() names the metric that was probably meant", () => {
    assert.match(String(readGate("achived>0.9")), /did you mean "achieved"/);
  });

  it("checkGates() fails a gate whose metric was not measured", () => {
    const gates = readGates("p99<20ms,loss==0");
    assert.ok(typeof gates !== "string");
    const results = checkGates(gates, (metric) => metric === "p99" ? 19.9 : undefined);
    assert.deepEqual(results.map(({ passed }) => passed), [true, false]);
  });
});

describe("generatorLimits()", () => {
  const fine: VerdictInput = {
    open: true,
    latenessP99Ms: 1,
    achieved: 1,
    stalled: 0,
    busy: 0.5,
    waited: 0.1,
    ownFailures: 0,
  };
  const cases: readonly { name: string; input: Partial<VerdictInput>; limited: boolean }[] = [
    { name: "the schedule was kept", input: {}, limited: false },
    { name: "messages were late although connections were free", input: { latenessP99Ms: 6 }, limited: true },
    { name: "a closed loop has no times", input: { open: false, latenessP99Ms: 60 }, limited: false },
    { name: "too little was sent and the target took all", input: { achieved: 0.9 }, limited: true },
    {
      name: "too little was sent because the target did not take it",
      input: { achieved: 0.9, stalled: 0.4 },
      limited: false,
    },
    { name: "a closed loop used all of its thread", input: { open: false, busy: 0.97 }, limited: true },
    {
      name: "a closed loop waited for processors",
      input: { open: false, busy: 0.6, waited: 0.4 },
      limited: true,
    },
    { name: "an open loop was busy and on time", input: { busy: 1 }, limited: false },
    { name: "there were no ports left", input: { ownFailures: 1 }, limited: true },
  ];
  for (const { name, input, limited } of cases) {
    it(`${limited ? "finds the generator" : "finds nothing"} when ${name}`, () => {
      assert.equal(generatorLimits({ ...fine, ...input }).length > 0, limited);
    });
  }
});

describe("limits", () => {
  it("limitProblem() refuses more connections than descriptors, and names the cure", () => {
    const limits = { descriptors: 1024, ports: 28_232 };
    assert.equal(limitProblem(limits, 900, true), undefined);
    assert.match(limitProblem(limits, 1000, true)!, /ulimit -n 1064/);
  });

  it("limitProblem() refuses more connections than ports, except to a unix socket", () => {
    const limits = { descriptors: Infinity, ports: 28_232 };
    assert.match(limitProblem(limits, 30_000, true)!, /ip_local_port_range/);
    assert.equal(limitProblem(limits, 30_000, false), undefined);
  });

  it("limitProblem() lets all pass where the system does not say", () => {
    assert.equal(limitProblem({ descriptors: undefined, ports: undefined }, 60_000, true), undefined);
  });

  it("churnWarning() warns when a minute of new connections uses up the ports", () => {
    const limits = { descriptors: 1024, ports: 28_232 };
    assert.equal(churnWarning(limits, 400), undefined);
    assert.match(churnWarning(limits, 500)!, /28232 local ports/);
  });
});
