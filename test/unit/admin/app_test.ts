import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdminApp } from "../../../src/admin/app.ts";
import { withDeadline } from "../../../src/admin/routes.ts";
import { ForwarderError } from "../../../src/core/errors.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { badText, FakeControl } from "./fake_control.ts";

function setup() {
  const lines: string[] = [];
  const control = new FakeControl(10_000);
  const log = createLogger({
    format: "json",
    level: "debug",
    colors: false,
    write: (line) => lines.push(line),
    now: () => 0,
  });
  const app = createAdminApp({ control, address: "127.0.0.1:8585", version: "0.1.0", log });
  const ask = (path: string, init?: RequestInit) => Promise.resolve(app.request(path, init));
  return { control, lines, ask };
}

async function problemOf(response: Response, status: number, code: string): Promise<Record<string, unknown>> {
  assert.equal(response.status, status);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const body = await response.json();
  assert.equal(body.status, status);
  assert.equal(body.code, code);
  assert.equal(typeof body.title, "string");
  assert.equal(typeof body.detail, "string");
  return body;
}

const pages = [
  { path: "/", type: "text/html; charset=utf-8", want: /<title>corndog<\/title>/ },
  { path: "/dashboard/page.js", type: "text/javascript; charset=utf-8", want: /admin\/stats/ },
  { path: "/dashboard/base.css", type: "text/css; charset=utf-8", want: /prefers-color-scheme: dark/ },
  { path: "/dashboard/icon.svg", type: "image/svg+xml", want: /<svg/ },
  { path: "/healthz", type: "application/json", want: /"ok":true/ },
  { path: "/readyz", type: "application/json", want: /"ok":true/ },
  {
    path: "/metrics",
    type: "text/plain; version=0.0.4; charset=utf-8",
    want: /^corndog_ledger_balanced 1$/m,
  },
  { path: "/stats", type: "application/json", want: /"kafka\.submitted\.orders":\d+/ },
  { path: "/admin/stats", type: "application/json", want: /"balanced":true/ },
  { path: "/admin/rules", type: "application/json", want: /"path":"rules\/main\.yml"/ },
  { path: "/admin/config", type: "application/json", want: /"sink":"kafka"/ },
];
for (const { path, type, want } of pages) {
  test(`GET ${path} answers its type, and HEAD the same without a body, when all is well`, async () => {
    const { ask } = setup();
    const response = await ask(path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), type);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.match(
      response.headers.get("content-security-policy") ?? "",
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    assert.match(await response.text(), want);

    const head = await ask(path, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("content-type"), type);
    assert.equal(await head.text(), "");
    assert.match(head.headers.get("content-length") ?? "", /^[1-9]/);
  });
}

test("GET / names its version in a header, and is 304 when the browser has it", async () => {
  const { ask } = setup();
  const response = await ask("/");
  assert.equal(response.headers.get("server"), "corndog/0.1.0");
  const etag = response.headers.get("etag")!;
  assert.equal((await ask("/", { headers: { "if-none-match": etag } })).status, 304);
  assert.equal((await ask("/", { headers: { "if-none-match": '"old"' } })).status, 200);
});

test("every script and style that the page names is served when the browser asks", async () => {
  const { ask } = setup();
  const seen = new Set<string>();
  const visit = async (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const response = await ask(path);
    assert.equal(response.status, 200, path);
    const text = await response.text();
    if (path.endsWith(".js")) {
      for (const [, name] of text.matchAll(/^import .* from "\.\/(.*)";$/gm)) {
        await visit(`/dashboard/${name}`);
      }
    } else if (path === "/") {
      for (const [, name] of text.matchAll(/(?:href|src)="(dashboard\/[^"]+)"/g)) await visit(`/${name}`);
    }
  };
  await visit("/");
  assert.ok(seen.size >= 9, [...seen].join(" "));
});

const slashes = [["/admin/stats/", 200], ["/healthz/", 200], ["//admin/stats", 404], ["/admin", 404], [
  "/nothing",
  404,
]] as const;
for (const [path, status] of slashes) {
  test(`GET ${path} answers ${status} when asked`, async () => {
    const { ask } = setup();
    const response = await ask(`http://localhost${path}`);
    if (status === 404) await problemOf(response, 404, "not_found");
    else assert.equal(response.status, status);
  });
}

const methods = [
  { method: "POST", path: "/admin/stats", allow: "GET, HEAD, OPTIONS" },
  { method: "DELETE", path: "/admin/rules", allow: "GET, PUT, HEAD, OPTIONS" },
  { method: "GET", path: "/admin/rules/check", allow: "POST, OPTIONS" },
  { method: "HEAD", path: "/admin/drain", allow: "POST, OPTIONS" },
  { method: "GET", path: "/admin/reload/", allow: "POST, OPTIONS" },
];
for (const { method, path, allow } of methods) {
  test(`${method} ${path} answers 405 with Allow when the route has other methods`, async () => {
    const { ask, control } = setup();
    const response = await ask(path, { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), allow);
    assert.equal((await ask(path, { method: "OPTIONS" })).headers.get("allow"), allow);
    assert.deepEqual(control.calls, []);
  });
}

test("GET /healthz and /readyz answer 503 with the problems when there are some", async () => {
  const { ask, control } = setup();
  control.healthyProblems = ["worker 1 is held for 4 s"];
  control.readyProblems = ["no broker answers", "the spool is full"];
  assert.deepEqual(
    (await problemOf(await ask("/healthz"), 503, "unhealthy")).problems,
    control.healthyProblems,
  );
  const ready = await problemOf(await ask("/readyz"), 503, "not_ready");
  assert.deepEqual(ready.problems, control.readyProblems);
  assert.equal(ready.detail, "no broker answers; the spool is full");
});

test("PUT /admin/rules answers the version when the text is good", async () => {
  const { ask, control, lines } = setup();
  const response = await ask("/admin/rules", { method: "PUT", body: "rules: [] # ü\n" });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true, version: 5, rules: 3, tests: 2 });
  assert.deepEqual(control.calls, [["putRules", "rules: [] # ü\n", undefined]]);
  assert.match(lines[0], /"event":"admin_request","method":"PUT","path":"\/admin\/rules","status":200/);
});

test("PUT /admin/rules answers 422 with line and column when the text has faults", async () => {
  const { ask } = setup();
  const body = await problemOf(
    await ask("/admin/rules", { method: "PUT", body: badText }),
    422,
    "rules_invalid",
  );
  assert.equal(body.version, 4);
  assert.deepEqual(body.faults, [{
    file: "rules/main.yml",
    line: 1,
    column: 8,
    path: "rules",
    message: 'expected a list, got "bad"',
    text: 'rules/main.yml:1:8: rules: expected a list, got "bad"',
  }]);
});

test("PUT /admin/rules swaps nothing and answers 412 when If-Match is of a text that was replaced", async () => {
  const { ask, control } = setup();
  const put = (base: string) =>
    ask("/admin/rules", { method: "PUT", body: "rules: []", headers: { "if-match": base } });
  assert.equal((await put('"abc"')).status, 200);
  assert.equal((await put("*")).status, 200);
  assert.deepEqual(control.calls, [["putRules", "rules: []", undefined, "abc"], [
    "putRules",
    "rules: []",
    undefined,
  ]]);
  control.putConflict = { ok: false, conflict: "version 5 is in force" };
  assert.equal((await problemOf(await put('"abc"'), 412, "rules_changed")).detail, "version 5 is in force");
});

test("POST /admin/rules/check swaps nothing when the text is good or bad", async () => {
  const { ask, control } = setup();
  assert.equal((await ask("/admin/rules/check", { method: "POST", body: "rules: []" })).status, 200);
  await problemOf(await ask("/admin/rules/check", { method: "POST", body: badText }), 422, "rules_invalid");
  assert.deepEqual(control.calls.map(([name]) => name), ["checkRules", "checkRules"]);
});

test("PUT /admin/rules needs ?file= when there are several rule files", async () => {
  const { ask, control } = setup();
  control.files = [{ path: "rules/a.yml", text: "" }, { path: "rules/b.yml", text: "" }];
  const put = (query: string) => ask(`/admin/rules${query}`, { method: "PUT", body: "rules: []" });
  assert.deepEqual((await problemOf(await put(""), 400, "rule_file_needed")).files, [
    "rules/a.yml",
    "rules/b.yml",
  ]);
  await problemOf(await put("?file=../../etc/passwd"), 404, "rule_file_unknown");
  assert.deepEqual(control.calls, []);
  assert.equal((await put("?file=rules/b.yml")).status, 200);
  assert.deepEqual(control.calls, [["putRules", "rules: []", "rules/b.yml"]]);
});

test("PUT /admin/rules takes the end of a path in ?file= when it fits one rule file alone", async () => {
  const { ask, control } = setup();
  const paths = ["/etc/a/x.yml", "/etc/b/x.yml", "/etc/b/only.yml"];
  control.files = paths.map((path) => ({ path, text: "" }));
  const put = (file: string) => ask(`/admin/rules?file=${file}`, { method: "PUT", body: "rules: []" });
  for (const file of ["only.yml", "b/only.yml", "a/x.yml", "/etc/b/x.yml"]) {
    assert.equal((await put(file)).status, 200, file);
  }
  const taken = control.calls.length;
  const refused = await problemOf(await put("x.yml"), 409, "rule_file_ambiguous");
  assert.deepEqual(refused.files, paths.slice(0, 2));
  for (const file of ["nly.yml", "/only.yml", "", "only.yml/"]) {
    await problemOf(await put(file), 404, "rule_file_unknown");
  }
  assert.equal(control.calls.length, taken);
});

/** A body without Content-Length, in pieces. */
function stream(pieces: Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

const mebibyte = 1024 * 1024;
const bodies: { name: string; body: () => BodyInit; want: [number, string] | 200 }[] = [
  { name: "one byte below the limit", body: () => "#".repeat(mebibyte - 1), want: 200 },
  { name: "at the limit", body: () => "#".repeat(mebibyte), want: 200 },
  { name: "one byte above the limit", body: () => "#".repeat(mebibyte + 1), want: [413, "body_too_large"] },
  {
    name: "above the limit in pieces",
    body: () => stream(Array.from({ length: 20 }, () => new Uint8Array(65_536).fill(35))),
    want: [413, "body_too_large"],
  },
  {
    name: "a character cut between pieces",
    body: () => stream([new Uint8Array([35, 0xc3]), new Uint8Array([0xbc, 10])]),
    want: 200,
  },
  { name: "not UTF-8", body: () => new Uint8Array([35, 0xff, 0xfe]), want: [400, "body_not_utf8"] },
  {
    name: "cut off",
    body: () => new ReadableStream({ pull: () => Promise.reject(new Error("connection reset")) }),
    want: [400, "body_incomplete"],
  },
  { name: "empty", body: () => "", want: [400, "body_empty"] },
  { name: "only blanks", body: () => " \n\t\n", want: [400, "body_empty"] },
];
for (const { name, body, want } of bodies) {
  test(`PUT /admin/rules answers ${want === 200 ? want : want[0]} when the body is ${name}`, async () => {
    const { ask, control } = setup();
    const init = { method: "PUT", body: body(), duplex: "half" } as RequestInit;
    const response = await ask("/admin/rules", init);
    if (want === 200) assert.equal(response.status, 200);
    else {
      await problemOf(response, ...want);
      assert.deepEqual(control.calls, []);
    }
  });
}

test("POST /admin/reload and /admin/drain reach the control plane when asked", async () => {
  const { ask, control } = setup();
  assert.equal((await ask("/admin/reload", { method: "POST" })).status, 200);
  const drain = await ask("/admin/drain", { method: "POST" });
  assert.equal(drain.status, 202);
  assert.deepEqual(await drain.json(), { state: "draining" });
  control.files = [{ path: "rules/main.yml", text: badText }];
  await problemOf(await ask("/admin/reload", { method: "POST" }), 422, "rules_invalid");
  assert.deepEqual(control.calls, [["reload"], ["drain"], ["reload"]]);
});

test("GET /admin/stats answers 503 with the code when the control plane fails by name", async () => {
  const { ask, control } = setup();
  control.statsInstead = () =>
    Promise.reject(new ForwarderError("worker_failed", "Cannot ask worker 1: it has ended"));
  const body = await problemOf(await ask("/admin/stats"), 503, "worker_failed");
  assert.equal(body.detail, "Cannot ask worker 1: it has ended");
});

test("GET /admin/stats answers 500 without the reason when something unexpected is thrown", async () => {
  const { ask, control, lines } = setup();
  control.statsInstead = () => Promise.reject(new TypeError("secret is undefined"));
  const body = await problemOf(await ask("/admin/stats"), 500, "internal");
  assert.doesNotMatch(JSON.stringify(body), /secret/);
  assert.match(lines.join(""), /"event":"admin_failed".*secret is undefined/);
});

test("withDeadline() rejects by name when the work does not end, and leaves other results alone", async () => {
  const late = withDeadline(new Promise(() => {}), 5, "statistics");
  await assert.rejects(late, {
    code: "deadline_exceeded",
    message: "Cannot get statistics: no answer in 5 ms",
  });
  assert.equal(await withDeadline(Promise.resolve(7), 1000, "statistics"), 7);
  await assert.rejects(withDeadline(Promise.reject(new TypeError("no")), 1000, "statistics"), TypeError);
});
