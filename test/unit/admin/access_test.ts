import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkAdminAccess } from "../../../src/admin/access.ts";
import { Hono } from "hono";
import { createAdminApp } from "../../../src/admin/app.ts";
import { limitRequests, requestsAtOnce, requestsPerSecond } from "../../../src/admin/request_rate.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { FakeControl } from "./fake_control.ts";

const folder = mkdtempSync(join(tmpdir(), "corndog-admin-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function tokenFile(text: string, mode = 0o600): string {
  const path = join(folder, `token-${files++}`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function appWith(options: { tokenFile?: string; address?: string }) {
  const log = createLogger({ format: "json", level: "error", colors: false, write: () => {}, now: () => 0 });
  const control = new FakeControl();
  const app = createAdminApp({ control, address: "127.0.0.1:8585", version: "0.1.0", log, ...options });
  const status = async (path: string, init?: RequestInit) => (await app.request(path, init)).status;
  return { app, control, status };
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const basic = (pair: string) => ({
  headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` },
});

const secured = [
  "/metrics",
  "/stats",
  "/admin/stats",
  "/admin/rules",
  "/nothing",
];

test("createAdminApp() asks for the token everywhere but /healthz when there is a token file", async () => {
  const { app, status } = appWith({ tokenFile: tokenFile("s3cret-token\n") });
  assert.equal(await status("/healthz"), 200);
  assert.equal(await status("/readyz", { method: "POST" }), 401);
  for (const path of secured) {
    const response = await app.request(path);
    assert.equal(response.status, 401, path);
    assert.match(response.headers.get("www-authenticate") ?? "", /^Basic realm=.*Bearer realm=/, path);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(await status(path, bearer("s3cret-token")), path === "/nothing" ? 404 : 200, path);
  }
});

test("createAdminApp() gives the page without a token, which asks for it itself, when there is a token file", async () => {
  const { app, status } = appWith({ tokenFile: tokenFile("s3cret-token\n") });
  for (const path of ["/", "/dashboard/page.js", "/dashboard/base.css"]) {
    assert.equal(await status(path), 200, path);
    assert.equal(await status(path, { method: "PUT", body: "x" }), 401, path);
  }
  for (const path of ["/dashboard/", "/dashboard/../admin/stats", "/dashboard/x/page.js"]) {
    assert.equal(await status(path), 401, path);
  }
  const asked = await app.request("/admin/stats", { headers: { "x-corndog-page": "1" } });
  assert.equal(asked.status, 401);
  assert.match(asked.headers.get("www-authenticate") ?? "", /^Bearer realm=[^,]*$/);
});

test("createAdminApp() answers what hotdog's status server did, and no more, where others can reach it without a token", async () => {
  const { status } = appWith({ address: "0.0.0.0:8585" });
  for (const host of ["10.0.0.7:8585", "localhost:8585"]) {
    const headers = { host };
    for (const path of ["/stats", "/metrics", "/healthz", "/readyz"]) {
      assert.equal(await status(path, { headers }), 200, path);
      assert.equal(await status(path, { headers, method: "POST" }), 403, path);
    }
    for (const path of ["/", "/admin/stats", "/admin/rules", "/admin/config", "/nothing"]) {
      assert.equal(await status(path, { headers }), 403, path);
    }
    assert.equal(await status("/admin/rules", { headers, method: "PUT", body: "rules: []" }), 403);
    assert.equal(await status("/admin/drain", { headers, method: "POST" }), 403);
  }
});

test("checkAdminAccess() lets a hotdog.yml listen anywhere, but not with an unusable token file", () => {
  assert.equal(checkAdminAccess({ hostname: "0.0.0.0" }, "hotdog.yml", "hotdog"), undefined);
  const open = tokenFile("s3cret", 0o644);
  assert.notEqual(
    checkAdminAccess({ hostname: "0.0.0.0", tokenFile: open }, "hotdog.yml", "hotdog"),
    undefined,
  );
});

const credentials: { name: string; init: RequestInit; want: number }[] = [
  { name: "right", init: bearer("s3cret"), want: 200 },
  { name: "right, lower case scheme", init: { headers: { authorization: "bearer s3cret" } }, want: 200 },
  { name: "right, as a browser sends it", init: basic("admin:s3cret"), want: 200 },
  { name: "right, without a user", init: basic(":s3cret"), want: 200 },
  { name: "wrong", init: bearer("s3cre"), want: 401 },
  { name: "wrong, longer", init: bearer("s3cret2"), want: 401 },
  { name: "in the user's place", init: basic("s3cret:"), want: 401 },
  { name: "empty", init: { headers: { authorization: "Bearer " } }, want: 401 },
  { name: "of another scheme", init: { headers: { authorization: "Digest s3cret" } }, want: 401 },
];
for (const { name, init, want } of credentials) {
  test(`createAdminApp() answers ${want} when the token is ${name}`, async () => {
    assert.equal(await appWith({ tokenFile: tokenFile("s3cret") }).status("/admin/stats", init), want);
  });
}

test("createAdminApp() takes the new token when the file is replaced, and none while it is unusable", async () => {
  const path = tokenFile("first");
  const { app, status } = appWith({ tokenFile: path });
  assert.equal(await status("/admin/stats", bearer("first")), 200);

  const next = tokenFile("other");
  renameSync(next, path);
  assert.equal(await status("/admin/stats", bearer("first")), 401);
  assert.equal(await status("/admin/stats", bearer("other")), 200);

  chmodSync(path, 0o644);
  const refused = await app.request("/admin/stats", bearer("other"));
  assert.equal(refused.status, 503);
  assert.match((await refused.json()).detail, /mode 0644 lets every user read it; run chmod 600/);
  chmodSync(path, 0o600);
  assert.equal(await status("/admin/stats", bearer("other")), 200);

  rmSync(path);
  assert.equal(await status("/admin/stats", bearer("other")), 503);
  assert.equal(await status("/healthz"), 200);
});

const starts: { name: string; hostname: string; token?: () => string; want: RegExp | undefined }[] = [
  { name: "loopback without a token", hostname: "127.0.0.1", want: undefined },
  { name: "localhost without a token", hostname: "localhost", want: undefined },
  { name: "IPv6 loopback without a token", hostname: "::1", want: undefined },
  {
    name: "all addresses without a token",
    hostname: "0.0.0.0",
    want: /^Cannot listen on "0\.0\.0\.0" without a token/,
  },
  { name: "all IPv6 addresses without a token", hostname: "::", want: /without a token/ },
  { name: "a name without a token", hostname: "edge-1", want: /without a token/ },
  { name: "a name that begins like loopback", hostname: "127.0.0.1.example", want: /without a token/ },
  { name: "all addresses with a token", hostname: "0.0.0.0", token: () => tokenFile("t"), want: undefined },
  { name: "a token for the group", hostname: "0.0.0.0", token: () => tokenFile("t", 0o640), want: undefined },
  {
    name: "a token for everybody",
    hostname: "127.0.0.1",
    token: () => tokenFile("t", 0o604),
    want: /mode 0604 lets every user/,
  },
  { name: "an empty token", hostname: "0.0.0.0", token: () => tokenFile(" \n"), want: /it is empty/ },
  {
    name: "a huge token",
    hostname: "0.0.0.0",
    token: () => tokenFile("x".repeat(4097)),
    want: /larger than 4096 bytes/,
  },
  { name: "a folder as token", hostname: "0.0.0.0", token: () => folder, want: /it is not a file/ },
  {
    name: "a missing token file",
    hostname: "0.0.0.0",
    token: () => join(folder, "none"),
    want: /^Cannot read token file/,
  },
];
for (const { name, hostname, token, want } of starts) {
  test(`checkAdminAccess() ${want === undefined ? "agrees" : "names the fault"} when there is: ${name}`, () => {
    const fault = checkAdminAccess({ hostname, tokenFile: token?.() }, "corndog.yml");
    if (want === undefined) return assert.equal(fault, undefined);
    assert.match(fault?.message ?? "", want);
    assert.equal(fault?.file, "corndog.yml");
    assert.equal(fault?.path, token === undefined ? "admin.listen" : "admin.token_file");
  });
}

const drain = (headers: Record<string, string>): RequestInit => ({ method: "POST", headers });
const origins: { name: string; url: string; init: RequestInit; want: number }[] = [
  { name: "a program", url: "http://127.0.0.1:8585/admin/drain", init: drain({}), want: 202 },
  {
    name: "the page itself",
    url: "http://localhost:8585/admin/drain",
    init: drain({ origin: "http://localhost:8585" }),
    want: 202,
  },
  {
    name: "IPv6 loopback",
    url: "http://[::1]:8585/admin/drain",
    init: drain({ origin: "http://[::1]:8585" }),
    want: 202,
  },
  {
    name: "another site's page",
    url: "http://127.0.0.1:8585/admin/drain",
    init: drain({ origin: "https://evil.example" }),
    want: 403,
  },
  {
    name: "another port's page",
    url: "http://127.0.0.1:8585/admin/drain",
    init: drain({ origin: "http://127.0.0.1:3000" }),
    want: 403,
  },
  {
    name: "a sandboxed page",
    url: "http://127.0.0.1:8585/admin/drain",
    init: drain({ origin: "null" }),
    want: 403,
  },
  {
    name: "a rebound name",
    url: "http://evil.example:8585/admin/drain",
    init: drain({ origin: "http://evil.example:8585" }),
    want: 403,
  },
  { name: "a rebound name that reads", url: "http://evil.example:8585/admin/rules", init: {}, want: 403 },
  {
    name: "a rebound name that asks for health",
    url: "http://evil.example:8585/healthz",
    init: {},
    want: 200,
  },
  {
    name: "a name that begins like ours",
    url: "http://127.0.0.1.evil.example/admin/drain",
    init: drain({}),
    want: 403,
  },
];
for (const { name, url, init, want } of origins) {
  test(`createAdminApp() answers ${want} when the request comes from ${name}`, async () => {
    const { control, status } = appWith({});
    assert.equal(await status(url, init), want);
    assert.equal(control.calls.length, want === 202 ? 1 : 0);
  });
}

test("createAdminApp() trusts its configured address", async () => {
  const { status } = appWith({ address: "127.0.0.2:8585" });
  assert.equal(await status("http://127.0.0.2:8585/admin/drain", { method: "POST" }), 202);
  assert.equal(await status("http://edge-2:8585/admin/drain", { method: "POST" }), 403);
});

test("createAdminApp() takes any name but no foreign page when there is a token", async () => {
  const { status } = appWith({ tokenFile: tokenFile("t"), address: "0.0.0.0:8585" });
  const post = (headers: Record<string, string>) =>
    status("http://edge-1.example:8585/admin/drain", {
      method: "POST",
      headers: { authorization: "Bearer t", ...headers },
    });
  assert.equal(await post({}), 202);
  assert.equal(await post({ origin: "http://edge-1.example:8585" }), 202);
  assert.equal(await post({ origin: "https://evil.example" }), 403);
});

test("createAdminApp() tells whether corndog is ready to everybody, and why it is not to whom may see it", async () => {
  const { app, control } = appWith({ tokenFile: tokenFile("t") });
  const answer = async (init?: RequestInit) => {
    const response = await app.request("/readyz", init);
    return [response.status, await response.json()];
  };
  assert.deepEqual(await answer(), [200, { ok: true }]);
  assert.deepEqual(await answer({ headers: { host: "edge-1.example" } }), [200, { ok: true }]);
  control.readyProblems = ["broker kafka-1 is away"];
  assert.deepEqual(await answer(), [503, { ok: false }]);
  assert.equal((await answer(bearer("wrong")))[0], 503);
  const [, whole] = await answer(bearer("t"));
  assert.match(JSON.stringify(whole), /kafka-1 is away/);
});

const hostless = [
  { name: "on loopback", options: () => ({}) },
  { name: "with a token", options: () => ({ tokenFile: tokenFile("t") }) },
  { name: "open to others", options: () => ({ address: "0.0.0.0:8585" }) },
];
for (const { name, options } of hostless) {
  test(`createAdminApp() answers /healthz and /readyz and no more to a request without a Host when it is ${name}`, async () => {
    const { app, control } = appWith(options());
    const server = await runtime.serveHttp(
      { hostname: "127.0.0.1", port: 0 },
      (request) => app.fetch(request),
    );
    const status = async (method: string, path: string, host = "") =>
      Number(
        (await exchange(server.port, `${method} ${path} HTTP/1.0\r\n${host}authorization: Bearer t\r\n\r\n`))
          .slice(9, 12),
      );
    assert.equal(await status("GET", "/healthz"), 200);
    assert.equal(await status("HEAD", "/healthz"), 200);
    assert.equal(await status("GET", "/readyz"), 200);
    assert.equal(await status("GET", "/healthz", "Host:\r\n"), 200);
    for (
      const path of [
        "/",
        "/stats",
        "/metrics",
        "/admin/stats",
        "/admin/rules",
        "/xx/healthz",
        "/a?b=/healthz",
      ]
    ) {
      assert.equal(await status("GET", path), 400, path);
      assert.equal(await status("GET", path, "Host:\r\n"), 400, path);
      assert.equal(await status("GET", path, "Host: localhost/healthz?\r\n"), 400, path);
    }
    assert.equal(await status("POST", "/admin/drain"), 400);
    assert.deepEqual(control.calls, []);
    await server.stop();
  });
}

/** Sends `head` as it is; gives the answer's first bytes. */
function exchange(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(head));
    socket.on("error", reject);
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(chunk.toString());
    });
  });
}

test("createAdminApp() lets a read token look and change nothing, and a write token do both", async () => {
  const file = tokenFile("# made by hand\n\nread  looks-only\nwrite changes\nold-form\n");
  const { status } = appWith({ tokenFile: file });
  const as = (token: string, init: RequestInit = {}) => ({ ...init, ...bearer(token) });
  const change = { method: "POST" };
  for (const token of ["changes", "old-form"]) {
    assert.equal(await status("/admin/stats", as(token)), 200);
    assert.equal(await status("/admin/reload", as(token, change)), 200);
  }
  for (const path of ["/admin/stats", "/admin/connections", "/admin/config", "/metrics", "/admin/rules"]) {
    assert.equal(await status(path, as("looks-only")), 200, path);
  }
  const changes: [string, string][] = [
    ["POST", "/admin/reload"],
    ["POST", "/admin/drain"],
    ["PUT", "/admin/rules"],
    ["POST", "/admin/rules/rollback"],
    ["DELETE", "/admin/connections/0-1"],
  ];
  for (const [method, path] of changes) {
    assert.equal(await status(path, as("looks-only", { method })), 403, path);
  }
  assert.notEqual(
    await status("/admin/rules/check", as("looks-only", { method: "POST", body: "rules: []" })),
    403,
  );
  assert.equal(await status("/admin/tap?payload=1", as("looks-only")), 403);
  assert.equal(await status("/admin/stats", as("read")), 401);
});

test("createAdminApp() tells the page, and nobody else, whether who asks may change things", async () => {
  const { app } = appWith({ tokenFile: tokenFile("read looks-only\nchanges\n") });
  const scope = async (one: typeof app, headers: Record<string, string>) =>
    (await one.request("/admin/stats", { headers })).headers.get("x-corndog-scope");
  const page = { "x-corndog-page": "1" };
  assert.equal(await scope(app, { ...page, ...bearer("looks-only").headers }), "read");
  assert.equal(await scope(app, { ...page, ...bearer("changes").headers }), "write");
  assert.equal(await scope(app, bearer("changes").headers), null);
  assert.equal(await scope(app, page), null, "a stranger");
  assert.equal(await scope(appWith({}).app, page), "write");
});

test("checkAdminAccess() names the line of a token file that it cannot read", () => {
  const admin = { hostname: "0.0.0.0", tokenFile: tokenFile("read one\nadmin two\n") };
  assert.match(checkAdminAccess(admin, "c.yml")!.message, /line 2 is neither TOKEN nor "read TOKEN"/);
  const many = { ...admin, tokenFile: tokenFile("token\n".repeat(51)) };
  assert.match(checkAdminAccess(many, "c.yml")!.message, /more than 50 tokens/);
});

test("limitRequests() answers 429 when there are too many, answers again later, and health checks always", async () => {
  let nowMs = 0;
  const app = new Hono();
  app.use(limitRequests(() => nowMs));
  app.all("*", (context) => context.text("fine"));
  const status = async (path: string) => (await app.request(path)).status;
  for (let nth = 0; nth < requestsAtOnce; nth++) assert.equal(await status("/admin/stats"), 200);
  const refused = await app.request("/admin/stats");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  for (const path of ["/healthz", "/readyz", "/metrics"]) assert.equal(await status(path), 200);
  nowMs += 1000;
  for (let nth = 0; nth < requestsPerSecond; nth++) assert.equal(await status("/admin/stats"), 200);
  assert.equal(await status("/admin/stats"), 429);
});
