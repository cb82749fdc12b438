import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionView } from "../../../src/admin/looks_view.ts";
import type { ConnectionInfo } from "../../../src/io/tracked.ts";
import { createStageTables, stage, StageTable } from "../../../src/observe/stage_table.ts";
import { connectionRows } from "../../../src/pipeline/connection_rows.ts";
import { byNeed, troubledPeers } from "../../../src/pipeline/look_desk.ts";

const view = (id: string, more: Partial<ConnectionView>): ConnectionView => ({
  id,
  listener: "tcp://127.0.0.1:1514",
  peer: "10.0.0.1:1",
  age_ms: 90_000,
  idle_ms: 0,
  bytes: 1,
  lines: 1,
  partial_bytes: 0,
  state: "reading",
  verdict: "flowing",
  stuck: false,
  ...more,
});

test("byNeed() puts those of all workers first that somebody should look at", () => {
  const views = [
    view("0-1", { idle_ms: 500_000, verdict: "client_silent" }),
    view("0-2", {}),
    view("1-1", { waits_for: "room", waits_ms: 900, state: "waiting", verdict: "kafka" }),
    view("1-2", { idle_ms: 60_000, verdict: "network_loss", stuck: true }),
    view("2-1", { partial_ms: 7_000, partial_bytes: 3, verdict: "client_silent", stuck: true }),
    view("2-2", { idle_ms: 20, verdict: "peer_not_reading" }),
  ];
  assert.deepEqual(views.sort(byNeed).map(({ id }) => id), ["1-2", "2-1", "1-1", "2-2", "0-1", "0-2"]);
});

test("troubledPeers() names peers of our listeners that lose packets, then those that take nothing", () => {
  const queues = (sendQ: number, retransmits: number) => ({ recvQ: 9, sendQ, retransmits });
  const sockets = new Map([
    ["1514>10.0.0.1:1", queues(0, 0)],
    ["1514>10.0.0.2:1", queues(700, 0)],
    ["1514>[2001:db8::1]:1", queues(700, 2)],
    ["1514>10.0.0.4:1", queues(700, 0)],
    ["9092>10.0.0.5:1", queues(700, 5)],
  ]);
  const infos = new Map([["1514>10.0.0.4:1", { lost: 1, timeouts: 0 }]]);
  assert.deepEqual(troubledPeers(sockets, infos, new Set([1514])), [
    "[2001:db8::1]:1",
    "10.0.0.4:1",
    "10.0.0.2:1",
  ]);
  const many = new Map(Array.from({ length: 500 }, (_, index) => [`1514>10.0.0.9:${index}`, queues(1, 1)]));
  assert.equal(troubledPeers(many, infos, new Set([1514])).length, 200);
});

test("connectionRows() says of a connection whose request is not answered that it waits for that, and since when", () => {
  const connections = ["10.0.0.1:1", "10.0.0.2:1"].map((peer, id): ConnectionInfo => ({
    id,
    listener: "l",
    peer,
    tlsPeer: undefined,
    openedAtMs: 0,
    receivedAtMs: 1000,
    bytes: 9,
    paused: false,
    pausedBy: undefined,
  }));
  const table = new StageTable(createStageTables(1), 0);
  const waiting = { isHeld: () => true, describe: () => ({ kind: "request", peer: "10.0.0.2:1" } as const) };
  const first = table.enter(stage.http_reply, waiting, 1500, Infinity);
  table.enter(stage.relp_reply, waiting, 1800, Infinity);
  table.enter(
    stage.kafka,
    { ...waiting, describe: () => ({ kind: "batch", peer: "10.0.0.1:1" }) },
    3,
    Infinity,
  );
  const look = (query: Parameters<typeof connectionRows>[3]) =>
    connectionRows(0, connections, [], query, 8000, table.owedSinceMs());
  const { rows, census } = look({ limit: 9 });
  assert.deepEqual(rows.map(({ id, state, waits_for, waits_ms }) => [id, state, waits_for, waits_ms]), [
    ["0-1", "waiting", "answer", 6500],
    ["0-0", "reading", undefined, undefined],
  ]);
  assert.deepEqual(census.waiting.answer, { count: 1, long: 1 });
  assert.deepEqual(look({ limit: 9, state: "waiting" }).rows.map(({ id }) => id), ["0-1"]);
  // The oldest is answered, the one after it is not.
  table.leave(first);
  assert.equal(look({ limit: 1 }).rows[0]!.waits_ms, 6200);
});

test("connectionRows() has those first that the kernel has trouble with, however many wait", () => {
  const connections = Array.from({ length: 50 }, (_, index): ConnectionInfo => ({
    id: index,
    listener: "l",
    peer: `10.0.0.${index}:1`,
    tlsPeer: undefined,
    openedAtMs: 0,
    receivedAtMs: 1000 - index,
    bytes: 0,
    paused: false,
    pausedBy: undefined,
  }));
  const { rows, census } = connectionRows(0, connections, [], { troubled: ["10.0.0.3:1"], limit: 3 }, 2000);
  assert.deepEqual(rows.map(({ id }) => id), ["0-3", "0-49", "0-48"]);
  assert.equal(census.open, 50);
});
