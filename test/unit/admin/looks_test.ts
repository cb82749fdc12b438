import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAdminApp } from "../../../src/admin/app.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { FakeControl } from "./fake_control.ts";

function setup() {
  const control = new FakeControl();
  const log = createLogger({ format: "json", level: "error", colors: false, write: () => {}, now: () => 0 });
  const app = createAdminApp({ control, address: "127.0.0.1:8585", version: "0.1.0", log });
  const ask = (path: string, init?: RequestInit) => Promise.resolve(app.request(path, init));
  return { control, ask };
}

describe("GET /admin/connections", () => {
  const filters: [query: string, filter: Record<string, unknown>][] = [
    ["", { stuck: false, limit: 100 }],
    ["?stuck=1&limit=7", { stuck: true, limit: 7 }],
    ["?stuck=0", { stuck: false, limit: 100 }],
    ["?state=waiting&peer=10.0.&older=10s", {
      state: "waiting",
      peer: "10.0.",
      olderMs: 10_000,
      stuck: false,
      limit: 100,
    }],
    ["?older=500ms", { olderMs: 500, stuck: false, limit: 100 }],
    ["?older=3", { olderMs: 3000, stuck: false, limit: 100 }],
  ];
  for (const [query, filter] of filters) {
    it(`asks for ${JSON.stringify(filter)} when the query is "${query}"`, async () => {
      const { control, ask } = setup();
      assert.equal((await ask(`/admin/connections${query}`)).status, 200);
      assert.deepEqual(control.calls, [["connections", filter]]);
    });
  }

  const faults: [query: string, message: RegExp][] = [
    ["?sate=waiting", /Unknown parameter "sate"/],
    ["?state=hungry", /expected reading or waiting, got "hungry"/],
    ["?older=soon", /expected a time such as 10s/],
    ["?limit=0", /from 1 to 1000/],
    ["?limit=1001", /from 1 to 1000/],
    ["?limit=x", /from 1 to 1000/],
    ["?stuck=maybe", /expected 1 or 0/],
  ];
  for (const [query, message] of faults) {
    it(`answers 400 and asks nobody when the query is "${query}"`, async () => {
      const { control, ask } = setup();
      const response = await ask(`/admin/connections${query}`);
      assert.equal(response.status, 400);
      assert.match((await response.json()).detail, message);
      assert.deepEqual(control.calls, []);
    });
  }
});

describe("DELETE /admin/connections/ID", () => {
  const cases: [id: string, status: number][] = [["0-1", 200], ["0-9", 404], ["1-1", 503]];
  for (const [id, status] of cases) {
    it(`answers ${status} for ${id}`, async () => {
      const { control, ask } = setup();
      assert.equal((await ask(`/admin/connections/${id}`, { method: "DELETE" })).status, status);
      assert.deepEqual(control.calls, [["endConnection", id]]);
    });
  }
});

it("GET /admin/inflight and /admin/stalls answer", async () => {
  const { ask } = setup();
  assert.equal((await (await ask("/admin/inflight")).json()).waits, 0);
  assert.equal((await (await ask("/admin/stalls")).json()).total, 0);
});
