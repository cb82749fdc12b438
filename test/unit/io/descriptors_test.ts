import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectionsMaxFor,
  openFilesMax,
  systemLimits,
  systemProblems,
} from "../../../src/io/descriptors.ts";

describe("connectionsMaxFor()", () => {
  const table = [
    { name: "enough descriptors", wanted: 10_000, openFiles: 100_000, want: 10_000, lowered: false },
    { name: "exactly enough", wanted: 1000, openFiles: 1256, want: 1000, lowered: false },
    { name: "one too few", wanted: 1000, openFiles: 1255, want: 999, lowered: true },
    { name: "hardly any", wanted: 10_000, openFiles: 100, want: 1, lowered: true },
    { name: "an unknown limit", wanted: 10_000, openFiles: undefined, want: 10_000, lowered: false },
  ];
  for (const { name, wanted, openFiles, want, lowered } of table) {
    it(`gives ${want} when there are ${name}`, () => {
      assert.deepEqual(connectionsMaxFor(wanted, openFiles), { connections: want, lowered });
    });
  }
});

describe("systemProblems()", () => {
  const limits = {
    openFiles: 20_000,
    somaxconn: 4096,
    receiveBufferMax: 8 << 20,
    portRange: [32768, 60999],
  } as const;
  const wants = { connections: 10_000, backlog: 2048, receiveBuffer: 8 << 20, ports: [514, 1514] };

  it("finds nothing when everything is enough, or is not known", () => {
    assert.deepEqual(systemProblems(limits, wants), []);
    const unknown = {
      openFiles: undefined,
      somaxconn: undefined,
      receiveBufferMax: undefined,
      portRange: undefined,
    };
    assert.deepEqual(systemProblems(unknown, { ...wants, ports: [40_000] }), []);
  });

  const table = [
    {
      name: "open files",
      limits: { openFiles: 1024 },
      want: /only 768 of 10000 connections.*LimitNOFILE=10256/,
    },
    { name: "the backlog", limits: { somaxconn: 128 }, want: /at most 128 .*net\.core\.somaxconn=2048/ },
    {
      name: "receive buffers",
      limits: { receiveBufferMax: 212_992 },
      want: /212992 bytes.*rmem_max=8388608/,
    },
    {
      name: "the port range",
      limits: { portRange: [1024, 60999] as const },
      want: /port 1514 .*reserved_ports=1514/,
    },
  ];
  for (const { name, limits: changed, want } of table) {
    it(`names ${name} with the cure when they fall short`, () => {
      const problems = systemProblems({ ...limits, ...changed }, wants);
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, want);
    });
  }
});

describe("openFilesMax(), systemLimits()", () => {
  it("reads what this system says when there is /proc", () => {
    const limit = openFilesMax();
    assert.ok(limit === undefined || limit > 0);
    const { somaxconn, portRange } = systemLimits();
    assert.ok(somaxconn === undefined || somaxconn > 0);
    assert.ok(portRange === undefined || portRange[0] < portRange[1]);
  });
});
