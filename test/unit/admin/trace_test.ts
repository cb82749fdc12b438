import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { createAdminApp } from "../../../src/admin/app.ts";
import type { TraceResult } from "../../../src/admin/rules_view.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { FakeControl } from "./fake_control.ts";

function setup() {
  const control = new FakeControl();
  const log = createLogger({ format: "json", level: "debug", colors: false, write: () => {}, now: () => 0 });
  const app = createAdminApp({ control, address: "127.0.0.1:8585", version: "0.1.0", log });
  const post = (path: string, body?: string) => Promise.resolve(app.request(path, { method: "POST", body }));
  return { control, post };
}

test("POST /admin/rules/trace hands line, rules and peer to the control plane", async () => {
  const { control, post } = setup();
  const body = { line: "<13>1 - - - - - - ä", rules: "rules: []", peer: "192.0.2.7:514" };
  const response = await post("/admin/rules/trace", JSON.stringify(body));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true, version: 4, truncated: false, trace: {} });
  assert.deepEqual(control.calls, [["traceRules", { ...body, line: Buffer.from(body.line) }]]);
});

test("POST /admin/rules/trace takes bytes that are not UTF-8 as base64", async () => {
  const { control, post } = setup();
  await post(
    "/admin/rules/trace",
    JSON.stringify({ line_b64: Buffer.from([0xff, 0, 0x61]).toString("base64") }),
  );
  assert.deepEqual(control.calls, [["traceRules", { line: Buffer.from([0xff, 0, 0x61]) }]]);
});

const refused: { name: string; body: string; status: number; detail: RegExp }[] = [
  { name: "no JSON", body: "line", status: 400, detail: /not JSON/ },
  { name: "no line", body: "{}", status: 400, detail: /exactly one of "line" and "line_b64"/ },
  { name: "two lines", body: '{"line":"a","line_b64":"YQ=="}', status: 400, detail: /exactly one/ },
  { name: "a number as line", body: '{"line":1}', status: 400, detail: /line: / },
  { name: "no base64", body: '{"line_b64":"*"}', status: 400, detail: /line_b64: is not base64/ },
  { name: "an unknown key", body: '{"line":"a","lines":1}', status: 400, detail: /lines/ },
  {
    name: "a line above the limit",
    body: JSON.stringify({ line: "a".repeat(512 * 1024 + 1) }),
    status: 400,
    detail: /line: the line is too long/,
  },
  { name: "rules with faults", body: '{"line":"a","rules":"bad"}', status: 422, detail: /version 4/ },
  { name: "a body above the limit", body: "x".repeat(3 * 1024 * 1024 + 1), status: 413, detail: /larger/ },
];
for (const { name, body, status, detail } of refused) {
  test(`POST /admin/rules/trace answers ${status} when the body has ${name}`, async () => {
    const response = await setup().post("/admin/rules/trace", body);
    assert.equal(response.status, status);
    assert.match((await response.json()).detail, detail);
  });
}

test("POST /admin/rules/trace takes the longest line that is allowed", async () => {
  const { control, post } = setup();
  const response = await post("/admin/rules/trace", JSON.stringify({ line: "a".repeat(512 * 1024) }));
  assert.equal(response.status, 200);
  assert.equal(control.calls.length, 1);
});

test("POST /admin/rules/trace answers 503 while four traces run, and 200 when one has ended", async () => {
  const { control, post } = setup();
  const ends: ((result: TraceResult) => void)[] = [];
  control.traceInstead = () => new Promise((resolve) => ends.push(resolve));
  const running = Array.from({ length: 4 }, () => post("/admin/rules/trace", '{"line":"a"}'));
  while (ends.length < 4) await new Promise((resolve) => setTimeout(resolve, 1));
  const fifth = await post("/admin/rules/trace", '{"line":"a"}');
  assert.equal(fifth.status, 503);
  assert.equal(fifth.headers.get("retry-after"), "1");
  for (const end of ends) end({ ok: true, truncated: false, trace: {} });
  for (const response of await Promise.all(running)) assert.equal(response.status, 200);
  control.traceInstead = undefined;
  assert.equal((await post("/admin/rules/trace", '{"line":"a"}')).status, 200);
});

test("POST /admin/rules/rollback answers as a swap does", async () => {
  const { control, post } = setup();
  const response = await post("/admin/rules/rollback");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true, version: 5, rules: 3, tests: 2 });
  assert.deepEqual(control.calls, [["rollbackRules", undefined]]);
});

test("POST /admin/rules/rollback answers 409 and why when there is nothing to go back to", async () => {
  const { control, post } = setup();
  control.rollbackConflict = { ok: false, conflict: "No former text is kept" };
  const response = await post("/admin/rules/rollback");
  assert.equal(response.status, 409);
  const body = await response.json();
  assert.equal(body.code, "rollback_impossible");
  assert.equal(body.detail, "No former text is kept");
});

test("POST /admin/rules/rollback asks which file when there are several", async () => {
  const { control, post } = setup();
  control.files = [...control.files, { path: "rules/b.yml", text: "" }];
  assert.equal((await post("/admin/rules/rollback")).status, 400);
  assert.equal((await post("/admin/rules/rollback?file=rules/c.yml")).status, 404);
  assert.equal((await post("/admin/rules/rollback?file=rules/b.yml")).status, 200);
  assert.deepEqual(control.calls, [["rollbackRules", "rules/b.yml"]]);
});
