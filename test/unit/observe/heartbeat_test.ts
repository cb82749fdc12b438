import assert from "node:assert/strict";
import { test } from "node:test";
import { HeartbeatWatch } from "../../../src/observe/heartbeat.ts";

test("HeartbeatWatch.look() measures on its own clock when the worker's clock has another zero", () => {
  const watch = new HeartbeatWatch(2, 1000);
  assert.equal(watch.look(0, 0, 1500), 500);
  assert.equal(watch.look(0, 17, 1600), 0);
  assert.equal(watch.look(0, 17, 1900), 300);
  assert.equal(watch.look(1, 3, 1900), 0);
  assert.equal(watch.look(0, 18, 2000), 0);
});
