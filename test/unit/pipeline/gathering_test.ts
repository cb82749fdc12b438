import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gathering, gatherMin, gatherMs } from "../../../src/pipeline/gathering.ts";

/** A gathering with a clock that stands still. */
function setUp() {
  const clock = { now: 1000 };
  const gathering = new Gathering(() => clock.now);
  const count = 4 * gatherMin;
  return {
    gathering,
    clock,
    count,
    answer(requests = count) {
      for (let i = 0; i < requests; i++) gathering.answered();
    },
    /** How many of `requests` were the one that was waited for. */
    come(requests: number) {
      let last = 0;
      for (let i = 0; i < requests; i++) if (gathering.came()) last++;
      return last;
    },
  };
}

describe("Gathering", () => {
  it("is open from the answers until most clients came back, when they did so the last time", () => {
    const { gathering, clock, count, answer, come } = setUp();
    answer();
    assert.equal(gathering.isOpen, false, "nothing is known of these clients");
    assert.equal(come(count), 0);
    clock.now += 5;
    answer();
    assert.equal(gathering.isOpen, true);
    assert.equal(come(count * 3 / 4 - 1), 0);
    assert.equal(gathering.isOpen, true);
    assert.equal(come(1), 1);
    assert.equal(gathering.isOpen, false);
    assert.equal(come(count / 4), 0);
  });

  it("is open for a moment at most", () => {
    const { gathering, clock, count, answer, come } = setUp();
    answer();
    come(count);
    clock.now += 5;
    answer();
    clock.now += gatherMs - 0.01;
    assert.equal(gathering.isOpen, true);
    clock.now += 0.01;
    assert.equal(gathering.isOpen, false);
    assert.equal(come(count), 0, "who comes later is not among them");
  });

  it("waits for nobody when clients did not come back the last time, until they do", () => {
    const { gathering, clock, count, answer, come } = setUp();
    answer();
    come(count);
    clock.now += 5;
    answer();
    come(count / 2);
    clock.now += 5;
    answer();
    assert.equal(gathering.isOpen, false);
    come(count);
    clock.now += 5;
    answer();
    assert.equal(gathering.isOpen, true);
  });

  it("waits for no few", () => {
    const { gathering, clock, answer, come } = setUp();
    for (let round = 0; round < 3; round++) {
      answer(gatherMin - 1);
      assert.equal(gathering.isOpen, false);
      assert.equal(come(gatherMin - 1), 0);
      clock.now += 5;
    }
  });
});
