import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ConnectionFacts,
  isStuck,
  type Surroundings,
  type Verdict,
  verdictOf,
} from "../../../src/observe/verdict.ts";

const facts: ConnectionFacts = { paused: false, idle_ms: 10, partial_bytes: 0 };
const around: Surroundings = { sink: "kafka", spoolBlocked: false, heldMs: 0 };

const cases: [what: string, facts: Partial<ConnectionFacts>, around: Partial<Surroundings>, Verdict][] = [
  ["sends and is read", {}, {}, "flowing"],
  ["has sent nothing for long", { idle_ms: 60_000 }, {}, "client_silent"],
  ["has sent half a line and no more", { idle_ms: 60_000, partial_bytes: 7 }, {}, "client_silent"],
  ["waits for memory that Kafka holds", { waits_for: "room", waits_ms: 9 }, {}, "kafka"],
  [
    "waits for memory that the spool holds",
    { waits_for: "room", waits_ms: 9 },
    { spoolBlocked: true },
    "disk",
  ],
  ["waits for memory that a file holds", { waits_for: "room", waits_ms: 9 }, { sink: "file" }, "disk"],
  ["waits for the dead letter", { waits_for: "letters", waits_ms: 9 }, {}, "disk"],
  ["waits for its next turn", { waits_for: "turn", waits_ms: 5 }, {}, "flowing"],
  ["waits for its next turn for long", { waits_for: "turn", waits_ms: 500 }, {}, "cpu"],
  ["waits for its answer as ever", { waits_for: "answer", waits_ms: 300, paused: true }, {}, "flowing"],
  ["waits for its answer for long", { waits_for: "answer", waits_ms: 1500, idle_ms: 9000 }, {}, "kafka"],
  [
    "waits for its answer, and the spool's disk is slow",
    { waits_for: "answer", waits_ms: 1500 },
    { spoolBlocked: true },
    "disk",
  ],
  ["waits for its answer from a file", { waits_for: "answer", waits_ms: 1500 }, { sink: "file" }, "disk"],
  [
    "waits for an answer that is lost on its way",
    { waits_for: "answer", waits_ms: 3, lost: 1 },
    {},
    "network_loss",
  ],
  ["is on a worker that is held", {}, { heldMs: 400 }, "cpu"],
  [
    "is on a worker that a rule holds",
    { waits_for: "room" },
    { heldMs: 400, heldByRule: "greedy" },
    "rule:greedy",
  ],
  ["does not take its answers", { paused: true, send_q: 9000 }, {}, "peer_not_reading"],
  ["loses packets", { send_q: 9000, retransmits: 3 }, {}, "network_loss"],
  ["has segments that are held for lost", { lost: 2 }, {}, "network_loss"],
  ["has lost and mended", { lost: 0, retransmits: 0 }, {}, "flowing"],
  ["is paused with all others", { paused: true }, {}, "we_are_not_reading"],
  ["has sent what nobody reads", { recv_q: 5000, idle_ms: 900 }, {}, "we_are_not_reading"],
  ["has sent what will be read in a moment", { recv_q: 5000, idle_ms: 3 }, {}, "flowing"],
];

for (const [what, some, place, verdict] of cases) {
  it(`verdictOf() is ${verdict} when a connection ${what}`, () => {
    assert.equal(verdictOf({ ...facts, ...some }, { ...around, ...place }), verdict);
  });
}

describe("isStuck()", () => {
  it("is true when somebody should look", () => {
    const stuck = (some: Partial<ConnectionFacts> & { partial_ms?: number }, verdict: Verdict) =>
      isStuck({ ...facts, ...some }, verdict);
    assert.equal(stuck({ waits_for: "room", waits_ms: 6000 }, "kafka"), true);
    assert.equal(stuck({ waits_for: "room", waits_ms: 600 }, "kafka"), false);
    assert.equal(stuck({ idle_ms: 90_000 }, "client_silent"), false, "an idle connection is none");
    assert.equal(stuck({ idle_ms: 90_000, partial_bytes: 3, partial_ms: 90_000 }, "client_silent"), true);
    assert.equal(stuck({ idle_ms: 90_000, recv_q: 4 }, "we_are_not_reading"), true);
    assert.equal(stuck({ idle_ms: 90_000 }, "flowing"), false);
  });
});
